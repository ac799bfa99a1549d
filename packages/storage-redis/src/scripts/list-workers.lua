-- The live workers; forgets the others. ARGV: now. Reply: {record, ...}.
w_forget(ARGV[1])
local records = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', '(' .. ARGV[1], '+inf')) do
  local record = redis.call('HGET', P .. 'worker:' .. id, 'd')
  if record then records[#records + 1] = record end
end
return records
