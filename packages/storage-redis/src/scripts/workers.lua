-- Workers.
--   worker:<id>  hash        v version, d record; no record: it was removed
--   workers      sorted set  by the end of its registration; also those that were removed
--   changes      sorted set  by its last change

-- Forgets workers whose end has come, removed ones too. Nobody is told: whoever has a record sees its end.
local function w_forget(now)
  local ended = redis.call('ZRANGEBYSCORE', P .. 'workers', '-inf', now, 'LIMIT', 0, MOST_AT_ONCE)
  for _, id in ipairs(ended) do
    redis.call('DEL', P .. 'worker:' .. id)
    redis.call('ZREM', P .. 'workers', id)
    redis.call('ZREM', P .. 'changes', id)
  end
end
