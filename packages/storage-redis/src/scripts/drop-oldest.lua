-- Drops the oldest items of a queue: those that are out under a lease, then the first that are ready.
-- ARGV: queue, limit. Reply: how many.
local q, left = P .. ARGV[1], tonumber(ARGV[2])
local dropped = 0
for _, part in ipairs({ ':leased', ':ready' }) do
  if left > 0 then
    local ids = redis.call('ZRANGE', q .. part, 0, left - 1)
    for _, id in ipairs(ids) do q_remove(q, id) end
    dropped, left = dropped + #ids, left - #ids
  end
end
return dropped
