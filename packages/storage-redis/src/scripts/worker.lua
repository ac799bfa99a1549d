-- Writes a worker if its record is still the one that was read. ARGV: worker, expected version ('' for
-- whatever there is), record, end of its life. Reply: 1 if it was written.
local key = P .. 'worker:' .. ARGV[1]
local version = redis.call('HGET', key, 'v') or '0'
if ARGV[2] ~= '' and ARGV[2] ~= version then return 0 end
redis.call('HSET', key, 'v', tonumber(version) + 1, 'd', ARGV[3])
redis.call('ZADD', P .. 'workers', ARGV[4], ARGV[1])
redis.call('ZADD', P .. 'changes', redis.call('INCR', P .. 'seq'), ARGV[1])
return 1
