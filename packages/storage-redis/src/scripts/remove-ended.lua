-- Forgets jobs that ended before a moment, oldest first. ARGV: moment, limit. Reply: how many.
local ids = redis.call('ZRANGEBYSCORE', P .. 'ended', '-inf', '(' .. ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call('DEL', P .. 'job:' .. id)
  redis.call('ZREM', P .. 'ended', id)
end
return #ids
