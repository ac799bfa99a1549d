-- Renews or releases a step of its holder (S6). ARGV: 'renew' or 'release', step, holder, now, end of
-- the lease. Reply: 1 if it had it.
local q, id = P .. 'steps', ARGV[2]
if redis.call('HGET', q .. ':holder', id) ~= ARGV[3] then return 0 end
if ARGV[1] == 'release' then
  q_free(q, id)
  return 1
end
local score = redis.call('ZSCORE', q .. ':leased', id)
if not score or tonumber(score) <= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', q .. ':leased', ARGV[5], id)
return 1
