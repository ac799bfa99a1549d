-- Removes a worker; that it was there is known until its registration would have ended. ARGV: worker.
if redis.call('HDEL', P .. 'worker:' .. ARGV[1], 'd') == 0 then return end
redis.call('ZADD', P .. 'changes', redis.call('INCR', P .. 'seq'), ARGV[1])
