-- Counts a hit, if it is let in (L4, L5): a bucket that leaks, as in core's ports/leaky-bucket.ts.
-- ARGV: key, now, limit, window in ms, what to add to the time to live, in ms.
-- Reply: {1 if let in, how many more would be, when the next one is}.
local key = P .. 'rate:' .. ARGV[1]
local now, limit, window = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local stored = redis.call('HMGET', key, 'level', 'at')
local level, at = 0, now
if stored[1] then
  at = math.max(tonumber(stored[2]), now)
  level = math.max(0, tonumber(stored[1]) - (at - tonumber(stored[2])) * limit)
end
local allowed = level + window <= limit * window
if allowed then
  level = level + window
  redis.call('HSET', key, 'level', string.format('%.17g', level), 'at', string.format('%.17g', at))
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(level / limit) + tonumber(ARGV[5])))
end
local excess = level + window - limit * window
local next_at = now
if excess > 0 then next_at = at + math.ceil(excess / limit) end
local remaining = math.max(0, math.floor((limit * window - level) / window))
return { allowed and 1 or 0, remaining, next_at }
