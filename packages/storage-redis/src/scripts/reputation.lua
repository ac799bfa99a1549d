-- Rates workers, or reads what is known of them (P1 to P6).
--   reputation:<worker>  hash  s reputation, t when, g<day> and b<day> good and bad outcomes of a day
-- ARGV: now, ms in which half of what is missing comes back, today, days that count, time to live in ms
-- ('' only reads), then for each worker: name, by how much, good, bad. Reply: {{reputation, good, bad}, ...}.
local now, half, day, days = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local told = {}
for i = 6, #ARGV, 4 do
  local key = P .. 'reputation:' .. ARGV[i]
  local reputation, at, good, bad = 1, now, 0, 0
  local known = redis.call('HGETALL', key)
  local old = {}
  for f = 1, #known, 2 do
    local field, value = known[f], tonumber(known[f + 1])
    local kind, of = string.sub(field, 1, 1), tonumber(string.sub(field, 2))
    if kind == 's' then reputation = value
    elseif kind == 't' then at = value
    elseif of <= day - days then old[#old + 1] = field
    elseif kind == 'g' then good = good + value
    else bad = bad + value end
  end
  reputation = 1 - (1 - reputation) * 2 ^ (-math.max(0, now - at) / half)
  if ARGV[5] ~= '' then
    reputation = reputation + tonumber(ARGV[i + 1])
    good, bad = good + tonumber(ARGV[i + 2]), bad + tonumber(ARGV[i + 3])
  end
  reputation = math.min(1, math.max(0, reputation))
  local text = string.format('%.17g', reputation)
  if ARGV[5] ~= '' then
    redis.call('HSET', key, 's', text, 't', string.format('%.0f', math.max(at, now)))
    redis.call('HINCRBY', key, 'g' .. ARGV[3], ARGV[i + 2])
    redis.call('HINCRBY', key, 'b' .. ARGV[3], ARGV[i + 3])
    for _, field in ipairs(old) do redis.call('HDEL', key, field) end
    redis.call('PEXPIRE', key, ARGV[5])
  end
  told[#told + 1] = { text, good, bad }
end
return told
