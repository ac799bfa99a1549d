-- Makes all leases of a worker due now, and opens what was reserved for it (W7). ARGV: worker, now.
-- Reply: {how many leases, {task, worker, class, demand, ...}}.
local held = redis.call('ZRANGEBYSCORE', P .. 'held:' .. ARGV[1], '(' .. ARGV[2], '+inf')
for _, id in ipairs(held) do t_lease(id, ARGV[1], ARGV[2]) end
local opened = {}
for _, id in ipairs(redis.call('ZRANGE', P .. 'inbox:' .. ARGV[1], 0, -1)) do
  t_unreserve(t_id(id), opened)
end
return { #held, opened }
