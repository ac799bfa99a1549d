-- Takes a lock that nobody has (L1). ARGV: name, holder, now, end of the lease, time to live in ms.
-- Reply: the token of the grant, or nothing.
local key, now = P .. 'lock:' .. ARGV[1], tonumber(ARGV[3])
local held_until = redis.call('HGET', key, 'until')
if held_until and tonumber(held_until) > now then return false end
-- One number for all names, kept for good, so that tokens outlive their locks (L2).
local token = math.max(tonumber(redis.call('GET', P .. 'fence') or '0') + 1, now)
local said = string.format('%.17g', token)
redis.call('SET', P .. 'fence', said)
redis.call('HSET', key, 'holder', ARGV[2], 'token', said, 'until', ARGV[4])
redis.call('PEXPIRE', key, ARGV[5])
return said
