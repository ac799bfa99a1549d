-- Hands a worker the best tasks of its inbox and its classes (S7). ARGV: worker, now, end of the lease,
-- limit, capacity, most tasks by limited type in JSON, '1' if the worker is to acknowledge them, and for each
-- class its id and its type ('' if that is not limited). Reply: {payload, ...}.
local worker, now, expires = ARGV[1], ARGV[2], ARGV[3]
local held = redis.call('ZCOUNT', P .. 'held:' .. worker, '(' .. now, '+inf')
local room = math.min(tonumber(ARGV[4]), tonumber(ARGV[5]) - held)
local fits, types, passed, claimed = {}, {}, {}, {}
for i = 8, #ARGV, 2 do fits[ARGV[i]], types[ARGV[i]] = true, ARGV[i + 1] end

-- How many more tasks of each limited type the worker may hold.
local left = cjson.decode(ARGV[6])
if next(left) then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'held:' .. worker, '(' .. now, '+inf')) do
    local type = redis.call('HGET', P .. 'task:' .. id, 'l')
    if type and left[type] then left[type] = left[type] - 1 end
  end
end
local function is_open(class)
  local more = left[types[class]]
  return not more or more > 0
end

-- Whether a task is not for this worker yet.
local function avoids(a, u) return a == worker and tonumber(u) > tonumber(now) end

-- What is reserved for the worker and can be started, best first.
local inbox = {}
if room > 0 then
  local reserved = redis.call('ZRANGE', P .. 'inbox:' .. worker, 0, -1, 'WITHSCORES')
  for i = 1, #reserved, 2 do
    local id = t_id(reserved[i])
    local f = redis.call('HMGET', P .. 'task:' .. id, 'c', 'a', 'u')
    if fits[f[1]] and not avoids(f[2], f[3]) then
      local score = tonumber(reserved[i + 1])
      inbox[#inbox + 1] = { id = id, member = reserved[i], score = score, class = f[1], inbox = true }
    end
  end
end

-- The first of a class that does not avoid the worker; those before it are passed over, as many as one
-- call may look at.
local function head(class)
  for at = passed[class] or 0, MOST_AT_ONCE do
    local first = redis.call('ZRANGE', P .. 'class:' .. class, at, at, 'WITHSCORES')
    if not first[1] then return nil end
    local id = t_id(first[1])
    local f = redis.call('HMGET', P .. 'task:' .. id, 'a', 'u')
    if not avoids(f[1], f[2]) then
      return { id = id, member = first[1], score = tonumber(first[2]), class = class }
    end
    passed[class] = at + 1
  end
end

local function is_before(a, b)
  if a.score ~= b.score then return a.score < b.score end
  return a.member < b.member
end

-- Of each class; only the one that a task is taken from has another one then.
local heads = {}
if room > 0 then
  for i = 8, #ARGV, 2 do heads[ARGV[i]] = head(ARGV[i]) end
end

while #claimed < room do
  local best, place
  for i, first in ipairs(inbox) do
    if is_open(first.class) then
      best, place = first, i
      break
    end
  end
  for class, first in pairs(heads) do
    if is_open(class) and (not best or is_before(first, best)) then best = first end
  end
  if not best then break end
  if best.inbox then
    table.remove(inbox, place)
    t_leave_inbox(best.id, best.member, worker)
  else
    t_close(best.class, best.member)
    heads[best.class] = head(best.class)
  end
  redis.call('SREM', P .. 'offered', best.id)
  local type = types[best.class]
  redis.call('HSET', P .. 'task:' .. best.id, 'w', worker, 'g', now, 'l', type)
  if ARGV[7] == '1' then redis.call('HSET', P .. 'task:' .. best.id, 'k', '1') end
  if left[type] then left[type] = left[type] - 1 end
  redis.call('HDEL', P .. 'task:' .. best.id, 'c', 'd', 'm', 's')
  t_lease(best.id, worker, expires)
  claimed[#claimed + 1] = redis.call('HGET', P .. 'task:' .. best.id, 'p')
end
return claimed
