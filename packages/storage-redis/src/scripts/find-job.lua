-- A job, but for the leaves of branches that the asker has. ARGV: id, marks of those in their places.
-- Reply: {field, value, ...}; empty if there is no job.
local key = P .. 'job:' .. ARGV[1]
local f = redis.call('HMGET', key, 'd', 'm')
if not f[1] then return {} end
local reply = { 'd', f[1], 'm', f[2] or '' }
local known = j_marks(ARGV[2])
for i, mark in ipairs(j_marks(f[2])) do
  if known[i] ~= mark then
    local field = 'b' .. (i - 1)
    reply[#reply + 1], reply[#reply + 2] = field, redis.call('HGET', key, field)
  end
end
return reply
