-- Opens to all what was reserved until now. ARGV: now, limit. Reply: {task, worker, class, demand, ...}.
local opened = {}
local ids = redis.call('ZRANGEBYSCORE', P .. 'reservations', '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do t_unreserve(id, opened) end
return opened
