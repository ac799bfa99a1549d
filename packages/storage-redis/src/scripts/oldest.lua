-- The oldest items of a queue: the first that is ready and the first whose lease runs out.
-- ARGV: queue. Reply: {item, ...}.
local items = {}
for _, part in ipairs({ ':ready', ':leased' }) do
  local id = redis.call('ZRANGE', P .. ARGV[1] .. part, 0, 0)[1]
  if id then items[#items + 1] = redis.call('HGET', P .. ARGV[1] .. ':item', id) end
end
return items
