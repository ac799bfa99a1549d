-- What is taken of a quota. ARGV: key. Reply: how much.
return tonumber(redis.call('GET', P .. 'quota:' .. ARGV[1]) or '0')
