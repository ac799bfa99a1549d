-- Live jobs that nothing has changed since a moment, longest first. ARGV: moment, as if it had changed
-- then, limit. Reply: {document, ...}.
local ids = redis.call('ZRANGEBYSCORE', P .. 'live', '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
local jobs = {}
for _, id in ipairs(ids) do
  redis.call('ZADD', P .. 'live', ARGV[2], id)
  local job = redis.call('HGET', P .. 'job:' .. id, 'd')
  if job then jobs[#jobs + 1] = job else redis.call('ZREM', P .. 'live', id) end
end
return jobs
