-- Live jobs that nothing has changed since a moment, longest first. ARGV: moment, as if it had changed
-- then, limit. Reply: {{field, value, ...}, ...}, a list per job.
local ids = redis.call('ZRANGEBYSCORE', P .. 'live', '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
local jobs = {}
for _, id in ipairs(ids) do
  redis.call('ZADD', P .. 'live', ARGV[2], id)
  local job = redis.call('HGETALL', P .. 'job:' .. id)
  if job[1] then jobs[#jobs + 1] = job else redis.call('ZREM', P .. 'live', id) end
end
return jobs
