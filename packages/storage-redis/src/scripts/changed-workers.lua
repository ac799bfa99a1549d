-- Workers that have changed since an earlier look. ARGV: its cursor, or '' for all.
-- Reply: {cursor, {record, ...}, {removed worker, ...}}.
local since = ARGV[1] == '' and '-inf' or '(' .. ARGV[1]
local records, removed = {}, {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'changes', since, '+inf')) do
  local key = P .. 'worker:' .. id
  local record = redis.call('HGET', key, 'd')
  if record then
    records[#records + 1] = record
  else
    removed[#removed + 1] = id
    -- All who could want to know have looked by now.
    if redis.call('EXISTS', key) == 0 then redis.call('ZREM', P .. 'changes', id) end
  end
end
local last = redis.call('ZRANGE', P .. 'changes', -1, -1, 'WITHSCORES')[2]
return { last or (ARGV[1] == '' and '0' or ARGV[1]), records, removed }
