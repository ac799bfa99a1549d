-- Extends leases of a worker. ARGV: worker, now, end of the lease, missing since (or ''), 'all' or
-- 'list', ids. Reply: {next due or '', ids that it does not hold}.
local worker, now, expires, since = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local held, is_listed, not_held = {}, {}, {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'held:' .. worker, '(' .. now, '+inf')) do
  held[id] = true
  -- Who lists nothing has acknowledged nothing.
  if ARGV[5] == 'all' and redis.call('HEXISTS', P .. 'task:' .. id, 'k') == 0 then
    t_lease(id, worker, expires)
  end
end
if ARGV[5] == 'all' then return { '0' } end
for i = 6, #ARGV do
  is_listed[ARGV[i]] = true
  if held[ARGV[i]] then
    t_lease(ARGV[i], worker, expires)
    redis.call('HDEL', P .. 'task:' .. ARGV[i], 'k')
  else
    not_held[#not_held + 1] = ARGV[i]
  end
end
local lost = '0'
if since ~= '' then
  for id in pairs(held) do
    local given = tonumber(redis.call('HGET', P .. 'task:' .. id, 'g') or 0)
    if not is_listed[id] and given < tonumber(since) then
      t_lease(id, worker, now)
      lost = '1'
    end
  end
end
table.insert(not_held, 1, lost)
return not_held
