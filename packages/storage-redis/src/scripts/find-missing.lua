-- Which of these there are none of. ARGV: a moment, then kinds and ids in turn: 'step', 'task', 'deadline',
-- and 'offered' for a task that no worker should have had since before that moment.
-- Reply: {'<kind> <id>', ...}.
local is_missing = {
  step = function(id) return redis.call('HEXISTS', P .. 'steps:item', id) == 0 end,
  deadline = function(id) return redis.call('HEXISTS', P .. 'deadlines:item', id) == 0 end,
  task = function(id)
    return redis.call('EXISTS', P .. 'task:' .. id) == 0
      and redis.call('HEXISTS', P .. 'lost:item', id) == 0
  end,
  offered = function(id)
    local given = redis.call('HGET', P .. 'task:' .. id, 'g')
    return given and tonumber(given) < tonumber(ARGV[1])
  end,
}
local missing = {}
for i = 2, #ARGV, 2 do
  if is_missing[ARGV[i]](ARGV[i + 1]) then missing[#missing + 1] = ARGV[i] .. ' ' .. ARGV[i + 1] end
end
return missing
