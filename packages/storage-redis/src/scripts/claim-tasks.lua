-- Hands a worker the best tasks of its inbox and its classes (S7). ARGV: worker, now, end of the lease,
-- limit, capacity, classes. Reply: {payload, ...}.
local worker, now, expires = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('ZCOUNT', P .. 'held:' .. worker, '(' .. now, '+inf')
local room = math.min(tonumber(ARGV[4]), tonumber(ARGV[5]) - held)
local fits, passed, claimed = {}, {}, {}
for i = 6, #ARGV do fits[ARGV[i]] = true end

-- What is reserved for the worker and can be started, best first.
local inbox = {}
if room > 0 then
  local reserved = redis.call('ZRANGE', P .. 'inbox:' .. worker, 0, -1, 'WITHSCORES')
  for i = 1, #reserved, 2 do
    local id = t_id(reserved[i])
    local class = redis.call('HGET', P .. 'task:' .. id, 'c')
    if fits[class] then
      inbox[#inbox + 1] = { id = id, member = reserved[i], score = tonumber(reserved[i + 1]), inbox = true }
    end
  end
end

-- The first of a class that does not avoid the worker; those before it are passed over.
local function head(class)
  while true do
    local at = passed[class] or 0
    local first = redis.call('ZRANGE', P .. 'class:' .. class, at, at, 'WITHSCORES')
    if not first[1] then return nil end
    local id = t_id(first[1])
    local f = redis.call('HMGET', P .. 'task:' .. id, 'a', 'u')
    if f[1] ~= worker or tonumber(f[2]) <= tonumber(now) then
      return { id = id, member = first[1], score = tonumber(first[2]), class = class }
    end
    passed[class] = at + 1
  end
end

local function is_before(a, b)
  if a.score ~= b.score then return a.score < b.score end
  return a.member < b.member
end

while #claimed < room do
  local best = inbox[1]
  for i = 6, #ARGV do
    local first = head(ARGV[i])
    if first and (not best or is_before(first, best)) then best = first end
  end
  if not best then break end
  if best.inbox then
    table.remove(inbox, 1)
    t_leave_inbox(best.id, best.member, worker)
  else
    t_close(best.class, best.member)
  end
  redis.call('SREM', P .. 'offered', best.id)
  redis.call('HSET', P .. 'task:' .. best.id, 'w', worker, 'g', now)
  redis.call('HDEL', P .. 'task:' .. best.id, 'c', 'd', 'm', 's')
  t_lease(best.id, worker, expires)
  claimed[#claimed + 1] = redis.call('HGET', P .. 'task:' .. best.id, 'p')
end
return claimed
