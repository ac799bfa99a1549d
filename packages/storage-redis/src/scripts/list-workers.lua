-- The live workers; forgets the others. ARGV: now. Reply: {record, ...}.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'workers', '-inf', ARGV[1])) do
  redis.call('DEL', P .. 'worker:' .. id)
  redis.call('ZREM', P .. 'workers', id)
  redis.call('ZREM', P .. 'changes', id)
end
local records = {}
for i, id in ipairs(redis.call('ZRANGE', P .. 'workers', 0, -1)) do
  records[i] = redis.call('HGET', P .. 'worker:' .. id, 'd')
end
return records
