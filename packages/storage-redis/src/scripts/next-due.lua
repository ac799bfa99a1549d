-- When the next deadline, lease or reservation becomes due. Reply: the moment, or nothing.
local first
for _, key in ipairs({ 'deadlines:ready', 'deadlines:leased', 'leases', 'lost:ready', 'lost:leased', 'reservations' }) do
  local score = redis.call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')[2]
  if score and (not first or tonumber(score) < tonumber(first)) then first = score end
end
return first
