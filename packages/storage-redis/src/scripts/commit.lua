-- Makes a batch of changes true, each as a whole or not at all (S1, S2).
-- KEYS[1] prefix with its hash tag. ARGV[1] plan as JSON, ARGV[2] channel for hints, from 3 on blobs
-- that the plan points at. Documents are opaque.
-- Reply: per entry {'ok', task, worker it is reserved for, ...}, {'stale'}, {'full'} or
-- {'same', jobId, fingerprint}.
local replies = {}

local function blob(index) return ARGV[3 + index] end

local apply = {
  run = function(op, id, job)
    if op.l then q_put_leased(P .. 'steps', id, job, op.l) else q_push(P .. 'steps', id, job) end
  end,
  hand = function(op, id, job) t_hand_over({ id = id, job = job, payload = blob(op.b), to = op.to }) end,
  unrun = function(_, id) q_remove(P .. 'steps', id) end,
  offer = function(op, id, job, reply)
    local worker = t_offer({ id = id, job = job, payload = blob(op.b), class = op.c, demand = op.d,
      score = op.s, avoid = op.a, till = op.u, wish = op.w })
    if not op.w then return end
    local for_worker = ''
    if worker then
      reply[#reply + 1], reply[#reply + 2] = id, worker
      for_worker = ',"workerId":' .. cjson.encode(worker)
    end
    -- Only now is it known whom to tell of. The demand is JSON already, and stays as it is.
    redis.call('PUBLISH', ARGV[2], op.h[1] .. for_worker .. op.h[2])
  end,
  withdraw = function(_, id) t_drop(id) end,
  set = function(op, id) q_put(P .. 'deadlines', id, op.at, op.at) end,
  clear = function(_, id) q_remove(P .. 'deadlines', id) end,
  send = function(op, id) q_push(P .. 'messages', id, blob(op.b)) end,
  record = function(op, id) q_push(P .. 'records', id, blob(op.b)) end,
}

-- What is stored of a job: its version, its owner if it is quarantined, the marks of its leaves.
local function stored_of(entry)
  local f = redis.call('HMGET', P .. 'job:' .. entry.id, 'v', 'q', 'm')
  return { version = f[1] or '0', owner = f[2], marks = j_marks(f[3]) }
end

-- Whether the leaves that are not sent are those that are stored.
local function has_leaves(entry, stored)
  for i, leaf in ipairs(entry.leaves or {}) do
    if not leaf.b and leaf.m ~= stored.marks[i] then return false end
  end
  return true
end

local function put_leaves(key, leaves, stored)
  local marks = {}
  for i, leaf in ipairs(leaves) do
    marks[i] = leaf.m
    if leaf.b then redis.call('HSET', key, 'b' .. (i - 1), blob(leaf.b)) end
  end
  for i = #leaves + 1, #stored.marks do redis.call('HDEL', key, 'b' .. (i - 1)) end
  if #marks > 0 then redis.call('HSET', key, 'm', table.concat(marks, ' '))
  elseif #stored.marks > 0 then redis.call('HDEL', key, 'm') end
end

local function put_job(entry, stored)
  local key = P .. 'job:' .. entry.id
  local owner = stored.owner
  put_leaves(key, entry.leaves or {}, stored)
  if owner then
    redis.call('ZREM', P .. 'quarantined', entry.id)
    redis.call('ZREM', P .. 'quarantined:' .. owner, entry.id)
    redis.call('HDEL', key, 'q')
  end
  redis.call('HSET', key, 'v', entry.version, 'd', blob(entry.b))
  if entry.quarantine then
    redis.call('HSET', key, 'q', entry.quarantine.owner)
    redis.call('ZADD', P .. 'quarantined', entry.quarantine.at, entry.id)
    redis.call('ZADD', P .. 'quarantined:' .. entry.quarantine.owner, entry.quarantine.at, entry.id)
  end
  if entry.live then redis.call('ZADD', P .. 'live', entry.live, entry.id)
  else redis.call('ZREM', P .. 'live', entry.id) end
  if entry.ended then redis.call('ZADD', P .. 'ended', entry.ended, entry.id) end
end

-- The job that a live key of the same name created, if any.
local function known(idem)
  local f = redis.call('HMGET', P .. 'idem:' .. idem.key, 'job', 'fp', 'exp')
  if f[1] and tonumber(f[3]) > tonumber(idem.now) then return { 'same', f[1], f[2] } end
end

for _, entry in ipairs(cjson.decode(ARGV[1])) do
  local same = entry.idem and known(entry.idem)
  local stored = stored_of(entry)
  if same then
    replies[#replies + 1] = same
  elseif stored.version ~= entry.expected or not has_leaves(entry, stored) then
    replies[#replies + 1] = { 'stale' }
  elseif entry.room and not t_have_room(entry.room) then
    replies[#replies + 1] = { 'full' }
  else
    local reply = { 'ok' }
    put_job(entry, stored)
    for _, op in ipairs(entry.ops) do apply[op.k](op, op.id, entry.id, reply) end
    local idem = entry.idem
    if idem then
      local key = P .. 'idem:' .. idem.key
      redis.call('HSET', key, 'job', entry.id, 'fp', idem.fp, 'exp', idem.exp)
      redis.call('PEXPIRE', key, idem.ttl)
    end
    redis.call('PUBLISH', ARGV[2], entry.hints)
    replies[#replies + 1] = reply
  end
end
return replies
