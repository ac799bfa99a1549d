-- Workers that have changed since an earlier look. ARGV: its cursor, or '' for all; now.
-- Reply: {cursor, {record, ...}, {removed worker, ...}}.
w_forget(ARGV[2])
local last = redis.call('GET', P .. 'seq') or '0'
local since = '(' .. ARGV[1]
-- A cursor from the future is one of data that was lost since.
if ARGV[1] == '' or tonumber(ARGV[1]) > tonumber(last) then since = '-inf' end
local records, removed = {}, {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'changes', since, '+inf')) do
  local record = redis.call('HGET', P .. 'worker:' .. id, 'd')
  if record then records[#records + 1] = record else removed[#removed + 1] = id end
end
return { last, records, removed }
