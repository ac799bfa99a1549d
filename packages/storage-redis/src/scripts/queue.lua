-- Queues whose items are leased rather than taken; steps, deadlines, messages, records and lost
-- tasks stand in one each. A queue is five keys below its base:
--   :ready   sorted set  id by rank; the smallest rank goes first
--   :leased  sorted set  id by the end of its lease
--   :holder  hash        id to who leases it
--   :rank    hash        id to its rank, so that what comes back keeps its place
--   :item    hash        id to what it stands for; opaque
local P = KEYS[1]

-- Most of what is due that one call moves: no call may hold Redis up, however much has come together.
local MOST_AT_ONCE = 500

local function q_remove(q, id)
  redis.call('ZREM', q .. ':ready', id)
  redis.call('ZREM', q .. ':leased', id)
  redis.call('HDEL', q .. ':holder', id)
  redis.call('HDEL', q .. ':rank', id)
  return redis.call('HDEL', q .. ':item', id)
end

-- Replaces the item of the same id; a lease on that one is void.
local function q_put(q, id, rank, item)
  redis.call('ZREM', q .. ':leased', id)
  redis.call('HDEL', q .. ':holder', id)
  redis.call('ZADD', q .. ':ready', rank, id)
  redis.call('HSET', q .. ':rank', id, rank)
  redis.call('HSET', q .. ':item', id, item)
end

-- Puts an item behind all others, unless its id is there already.
local function q_push(q, id, item)
  if redis.call('HEXISTS', q .. ':item', id) == 1 then return end
  q_put(q, id, redis.call('INCR', P .. 'seq'), item)
end

-- Puts an item that its holder has from the start.
local function q_put_leased(q, id, item, lease)
  redis.call('ZREM', q .. ':ready', id)
  redis.call('ZADD', q .. ':leased', lease.expires, id)
  redis.call('HSET', q .. ':holder', id, lease.holder)
  redis.call('HSET', q .. ':rank', id, redis.call('INCR', P .. 'seq'))
  redis.call('HSET', q .. ':item', id, item)
end

local function q_free(q, id)
  redis.call('ZREM', q .. ':leased', id)
  redis.call('HDEL', q .. ':holder', id)
  redis.call('ZADD', q .. ':ready', redis.call('HGET', q .. ':rank', id) or 0, id)
end

local function q_give_back(q, holder, expires)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', q .. ':leased', expires, expires)) do
    if redis.call('HGET', q .. ':holder', id) == holder then q_free(q, id) end
  end
end

-- Answers ids and items in turn: {id, item, id, item, ...}. An id whose item is lost is forgotten.
local function q_claim(q, claim)
  -- As the end of a range, one less would mean: all.
  if claim.limit < 1 then return {} end
  local ended = redis.call('ZRANGEBYSCORE', q .. ':leased', '-inf', claim.now, 'LIMIT', 0, MOST_AT_ONCE)
  for _, id in ipairs(ended) do q_free(q, id) end
  local ids
  if claim.due then
    ids = redis.call('ZRANGEBYSCORE', q .. ':ready', '-inf', claim.due, 'LIMIT', 0, claim.limit)
  else
    ids = redis.call('ZRANGE', q .. ':ready', 0, claim.limit - 1)
  end
  local claimed = {}
  for _, id in ipairs(ids) do
    local item = redis.call('HGET', q .. ':item', id)
    if item then
      redis.call('ZREM', q .. ':ready', id)
      redis.call('ZADD', q .. ':leased', claim.expires, id)
      redis.call('HSET', q .. ':holder', id, claim.holder)
      claimed[#claimed + 1] = id
      claimed[#claimed + 1] = item
    else
      q_remove(q, id)
    end
  end
  return claimed
end
