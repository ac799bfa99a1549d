-- Forgets a worker, and for a while that it was there. ARGV: worker, how long in ms.
local key = P .. 'worker:' .. ARGV[1]
if redis.call('HDEL', key, 'd') == 0 then return end
redis.call('PEXPIRE', key, ARGV[2])
redis.call('ZREM', P .. 'workers', ARGV[1])
redis.call('ZADD', P .. 'changes', redis.call('INCR', P .. 'seq'), ARGV[1])
