-- Tasks. One is in exactly one place: on offer in its class, leased by a worker, or lost.
--   task:<id>     hash        p payload, c class, m member in the class, j job, a avoided worker,
--                             u until when, w worker, g when it was given
--   class:<id>    sorted set  by priority (highest first), then by order of offer
--   classes       hash        class to its demand
--   offered       set         ids on offer
--   leases        sorted set  task by the end of its lease
--   held:<worker> sorted set  the same, of one worker
--   lost          queue       see queue.lua

local function t_end_lease(id, worker)
  redis.call('ZREM', P .. 'leases', id)
  if worker then redis.call('ZREM', P .. 'held:' .. worker, id) end
end

local function t_drop(id)
  local task = P .. 'task:' .. id
  local f = redis.call('HMGET', task, 'c', 'm', 'w')
  if f[1] then redis.call('ZREM', P .. 'class:' .. f[1], f[2]) end
  redis.call('SREM', P .. 'offered', id)
  t_end_lease(id, f[3])
  redis.call('DEL', task)
  q_remove(P .. 'lost', id)
end

local function t_offer(o)
  t_drop(o.id)
  local member = string.format('%016d', redis.call('INCR', P .. 'seq')) .. ':' .. o.id
  redis.call('HSET', P .. 'task:' .. o.id, 'p', o.payload, 'c', o.class, 'm', member, 'j', o.job,
    'a', o.avoid, 'u', o.till)
  redis.call('ZADD', P .. 'class:' .. o.class, o.score, member)
  redis.call('HSETNX', P .. 'classes', o.class, o.demand)
  redis.call('SADD', P .. 'offered', o.id)
end

local function t_lease(id, worker, expires)
  redis.call('ZADD', P .. 'leases', expires, id)
  redis.call('ZADD', P .. 'held:' .. worker, expires, id)
end

-- Moves tasks whose lease has run out to the lost ones.
local function t_lose(now)
  local due = redis.call('ZRANGEBYSCORE', P .. 'leases', '-inf', now, 'WITHSCORES')
  for i = 1, #due, 2 do
    local id = due[i]
    local f = redis.call('HMGET', P .. 'task:' .. id, 'w', 'j')
    t_end_lease(id, f[1])
    redis.call('DEL', P .. 'task:' .. id)
    q_put(P .. 'lost', id, due[i + 1], f[2])
  end
end
