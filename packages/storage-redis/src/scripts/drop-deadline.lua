-- Drops a claimed deadline, unless it was set anew meanwhile. ARGV: id, moment.
local q = P .. 'deadlines'
local is_same = redis.call('HGET', q .. ':item', ARGV[1]) == ARGV[2]
if is_same and redis.call('ZSCORE', q .. ':leased', ARGV[1]) then q_remove(q, ARGV[1]) end
