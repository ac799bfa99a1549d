-- Makes all leases of a worker due now (W7). ARGV: worker, now. Reply: how many.
local held = redis.call('ZRANGEBYSCORE', P .. 'held:' .. ARGV[1], '(' .. ARGV[2], '+inf')
for _, id in ipairs(held) do t_lease(id, ARGV[1], ARGV[2]) end
return #held
