-- Tokens of one worker (K1 to K6).
--   tokens:<worker>  hash  SHA-256 of a token -> kind, when it expires, number, family, credential; '' -> the
--                          latest number. Kinds: a access, r refresh, u refresh that was used.
-- ARGV: what to do, worker, hash, now, then
--   find    -
--   put     family, credential; access hash, its end, refresh hash, its end; most tokens, time to live in ms
--   rotate  the last six of put
--   end     family (the hash is '')
-- Reply: {what came of it, family, credential}; what came of it is one of ok, reused, unknown.
local op, key, hash, now = ARGV[1], P .. 'tokens:' .. ARGV[2], ARGV[3], tonumber(ARGV[4])

local function read(text)
  local kind, expires, number, family, credential = string.match(text, '^(%a) (%S+) (%d+) (%S+) (.*)$')
  return { kind = kind, expires = tonumber(expires), number = tonumber(number), family = family,
    credential = credential }
end

local function each(visit)
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if all[i] ~= '' then visit(all[i], read(all[i + 1])) end
  end
end

local function end_family(family)
  each(function(field, token)
    if token.family == family then redis.call('HDEL', key, field) end
  end)
end

local function set(kind, field, expires, family, credential)
  local number = redis.call('HINCRBY', key, '', 1)
  redis.call('HSET', key, field, table.concat({ kind, expires, number, family, credential }, ' '))
end

-- Adds a pair, whose arguments begin at `at`, and makes room for it.
local function add(family, credential, at)
  set('a', ARGV[at], ARGV[at + 1], family, credential)
  set('r', ARGV[at + 2], ARGV[at + 3], family, credential)
  local live = {}
  each(function(field, token)
    if token.expires <= now then redis.call('HDEL', key, field)
    else live[#live + 1] = { field, token.number } end
  end)
  table.sort(live, function(one, other) return one[2] < other[2] end)
  for i = 1, #live - tonumber(ARGV[at + 4]) do redis.call('HDEL', key, live[i][1]) end
  redis.call('PEXPIRE', key, ARGV[at + 5])
  return { 'ok', family, credential }
end

if op == 'put' then return add(ARGV[5], ARGV[6], 7) end
if op == 'end' then
  end_family(ARGV[5])
  return { 'ok', ARGV[5], '' }
end
local known = redis.call('HGET', key, hash)
local token = known and read(known)
if not token or token.expires <= now then return { 'unknown', '', '' } end
if op == 'find' then
  if token.kind ~= 'a' then return { 'unknown', '', '' } end
  return { 'ok', token.family, token.credential }
end
if token.kind == 'a' then return { 'unknown', '', '' } end
if token.kind == 'u' then
  end_family(token.family)
  return { 'reused', token.family, token.credential }
end
redis.call('HSET', key, hash, 'u' .. string.sub(known, 2))
return add(token.family, token.credential, 5)
