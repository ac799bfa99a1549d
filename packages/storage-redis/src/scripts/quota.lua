-- Takes from a quota, or gives back (L6). ARGV: key, amount (less than 0 gives back), limit, time to
-- live in ms. Reply: {1 if it was done, how much is taken now}.
local key, amount = P .. 'quota:' .. ARGV[1], tonumber(ARGV[2])
local used = tonumber(redis.call('GET', key) or '0')
if amount > 0 and used + amount > tonumber(ARGV[3]) then return { 0, used } end
used = math.max(0, used + amount)
redis.call('SET', key, string.format('%.0f', used), 'PX', ARGV[4])
return { 1, used }
