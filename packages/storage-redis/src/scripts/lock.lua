-- Renews or releases the present grant of a lock (L3). ARGV: 'renew' or 'release', name, holder, token,
-- now, end of the lease, time to live in ms. Reply: 1 if it was the present one.
local key = P .. 'lock:' .. ARGV[2]
local held = redis.call('HMGET', key, 'holder', 'token', 'until')
if held[1] ~= ARGV[3] or tonumber(held[2]) ~= tonumber(ARGV[4]) then return 0 end
if ARGV[1] == 'release' then return redis.call('DEL', key) end
if tonumber(held[3]) <= tonumber(ARGV[5]) then return 0 end
redis.call('HSET', key, 'until', ARGV[6])
redis.call('PEXPIRE', key, ARGV[7])
return 1
