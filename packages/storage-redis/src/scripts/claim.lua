-- Claims from a queue. ARGV: queue, now, end of the lease, limit, holder, '1' if only what is due, and the
-- ends of leases that this holder was not told of: what it holds until then is ready again first.
-- Reply: {id, item, ...}.
for i = 7, #ARGV do
  q_give_back(P .. ARGV[1], ARGV[5], ARGV[i])
end
return q_claim(P .. ARGV[1], {
  now = ARGV[2],
  expires = ARGV[3],
  limit = tonumber(ARGV[4]),
  holder = ARGV[5],
  due = ARGV[6] == '1' and ARGV[2] or nil,
})
