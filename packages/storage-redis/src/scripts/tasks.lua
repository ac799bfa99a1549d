-- Tasks. One is in exactly one place: on offer in its class, reserved in the inbox of a worker, leased
-- by a worker, or lost.
--   task:<id>      hash        p payload, c class, d demand, m member, s score, j job, a avoided worker,
--                              u until when, r whom it is reserved for, w worker, g when it was given,
--                              l its type if the worker takes only so many of that, k if the worker is to
--                              acknowledge it and has not
--   class:<id>     sorted set  by priority (highest first), then by order of offer
--   classes        hash        class to its demand, of those with tasks
--   inbox:<worker> sorted set  the same, of what is reserved for one worker
--   reservations   sorted set  task by the end of its reservation
--   turns          hash        type of task to the number of the last turn
--   offered        set         ids on offer, reserved ones included
--   leases         sorted set  task by the end of its lease
--   held:<worker>  sorted set  the same, of one worker
--   lost           queue       see queue.lua

-- Members are the number of the offer, a colon and the id: equal priorities stand in order of offer.
local function t_member(id) return string.format('%016d', redis.call('INCR', P .. 'seq')) .. ':' .. id end
local function t_id(member) return string.sub(member, 18) end

local function t_open(id, f)
  redis.call('ZADD', P .. 'class:' .. f.class, f.score, f.member)
  redis.call('HSETNX', P .. 'classes', f.class, f.demand)
end

-- Takes a task out of its class, which is forgotten with its last one.
local function t_close(class, member)
  local key = P .. 'class:' .. class
  if redis.call('ZREM', key, member) == 1 and redis.call('EXISTS', key) == 0 then
    redis.call('HDEL', P .. 'classes', class)
  end
end

local function t_leave_inbox(id, member, worker)
  redis.call('ZREM', P .. 'inbox:' .. worker, member)
  redis.call('ZREM', P .. 'reservations', id)
  redis.call('HDEL', P .. 'task:' .. id, 'r')
end

-- Ends the reservation of a task; adds what to tell of it to a list.
local function t_unreserve(id, told)
  local f = redis.call('HMGET', P .. 'task:' .. id, 'c', 'd', 'm', 's', 'r')
  if not f[5] then
    redis.call('ZREM', P .. 'reservations', id)
    return
  end
  t_leave_inbox(id, f[3], f[5])
  t_open(id, { class = f[1], demand = f[2], member = f[3], score = f[4] })
  for _, said in ipairs({ id, f[5], f[1], f[2] }) do told[#told + 1] = said end
end

local function t_end_lease(id, worker)
  redis.call('ZREM', P .. 'leases', id)
  if worker then redis.call('ZREM', P .. 'held:' .. worker, id) end
end

local function t_drop(id)
  local task = P .. 'task:' .. id
  local f = redis.call('HMGET', task, 'c', 'm', 'r', 'w')
  if f[3] then t_leave_inbox(id, f[2], f[3]) elseif f[1] then t_close(f[1], f[2]) end
  redis.call('SREM', P .. 'offered', id)
  t_end_lease(id, f[4])
  redis.call('DEL', task)
  q_remove(P .. 'lost', id)
end

-- How many tasks a worker holds or is to have.
local function t_held(worker, now)
  return redis.call('ZCOUNT', P .. 'held:' .. worker, '(' .. now, '+inf')
    + redis.call('ZCARD', P .. 'inbox:' .. worker)
end

-- Whom to reserve a task for, among those with room; nobody if none has any (W5).
local function t_choose(wish)
  local with_room, least = {}, nil
  for _, each in ipairs(wish.among) do
    local held = t_held(each[1], wish.now)
    if held < each[2] then
      if wish.choose == 'best' then return each[1] end
      with_room[#with_room + 1] = each[1]
      if not least or held < least.held then least = { worker = each[1], held = held } end
    end
  end
  if #with_room == 0 then return nil end
  if wish.choose == 'least_held' then return least.worker end
  return with_room[(redis.call('HINCRBY', P .. 'turns', wish.type, 1) - 1) % #with_room + 1]
end

-- Puts a task on offer; answers the worker that it is reserved for, if any.
local function t_offer(o)
  t_drop(o.id)
  local member = t_member(o.id)
  redis.call('HSET', P .. 'task:' .. o.id, 'p', o.payload, 'c', o.class, 'd', o.demand, 'm', member,
    's', o.score, 'j', o.job, 'a', o.avoid, 'u', o.till)
  redis.call('SADD', P .. 'offered', o.id)
  local worker = o.wish and t_choose(o.wish)
  if not worker then
    t_open(o.id, { class = o.class, demand = o.demand, member = member, score = o.score })
    return nil
  end
  redis.call('HSET', P .. 'task:' .. o.id, 'r', worker)
  redis.call('ZADD', P .. 'inbox:' .. worker, o.score, member)
  redis.call('ZADD', P .. 'reservations', o.wish.till, o.id)
  return worker
end

local function t_lease(id, worker, expires)
  redis.call('ZADD', P .. 'leases', expires, id)
  redis.call('ZADD', P .. 'held:' .. worker, expires, id)
end

-- Gives a task to a worker without offering it to others.
local function t_hand_over(o)
  t_drop(o.id)
  redis.call('HSET', P .. 'task:' .. o.id, 'p', o.payload, 'j', o.job, 'w', o.to.worker, 'g', o.to.now)
  if o.to.ack then redis.call('HSET', P .. 'task:' .. o.id, 'k', '1') end
  t_lease(o.id, o.to.worker, o.to.expires)
end

-- Whether the workers have room for what they should be handed (S4).
local function t_have_room(hand_overs)
  local more = {}
  for _, each in ipairs(hand_overs) do
    more[each.worker] = (more[each.worker] or 0) + 1
    if t_held(each.worker, each.now) + more[each.worker] > each.capacity then return false end
  end
  return true
end

-- Moves tasks whose lease has run out to the lost ones: their job, and after a line break the worker, if it
-- never acknowledged the task. Of a task that is itself lost only the lease ends.
local function t_lose(now)
  local due =
    redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', now, 'WITHSCORES', 'LIMIT', 0, MOST_AT_ONCE)
  for i = 1, #due, 2 do
    local id = due[i]
    local f = redis.call('HMGET', P .. 'task:' .. id, 'w', 'j', 'k')
    t_end_lease(id, f[1])
    redis.call('DEL', P .. 'task:' .. id)
    if f[2] then q_put(P .. 'lost', id, due[i + 1], f[3] and (f[2] .. '\n' .. f[1]) or f[2]) end
  end
end
