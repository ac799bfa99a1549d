-- Claims tasks whose lease has run out. ARGV: now, end of the lease, limit. Reply: {task, job, ...}; after
-- the job and a line break, the worker that did not acknowledge the task.
t_lose(ARGV[1])
return q_claim(P .. 'lost', { now = ARGV[1], expires = ARGV[2], limit = tonumber(ARGV[3]), holder = '' })
