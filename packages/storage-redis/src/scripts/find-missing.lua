-- Which of these there are none of. ARGV: how many steps, how many tasks, then the ids of steps, tasks
-- and deadlines. Reply: {'step <id>', 'task <id>', 'deadline <id>', ...}.
local steps, tasks = tonumber(ARGV[1]), tonumber(ARGV[2])
local missing = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  local kind, is_there
  if i <= 2 + steps then
    kind, is_there = 'step ', redis.call('HEXISTS', P .. 'steps:item', id)
  elseif i <= 2 + steps + tasks then
    kind, is_there = 'task ', redis.call('EXISTS', P .. 'task:' .. id)
    if is_there == 0 then is_there = redis.call('HEXISTS', P .. 'lost:item', id) end
  else
    kind, is_there = 'deadline ', redis.call('HEXISTS', P .. 'deadlines:item', id)
  end
  if is_there == 0 then missing[#missing + 1] = kind .. id end
end
return missing
