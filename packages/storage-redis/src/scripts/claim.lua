-- Claims from a queue. ARGV: queue, now, end of the lease, limit, holder, '1' if only what is due.
-- Reply: {id, item, ...}.
return q_claim(P .. ARGV[1], {
  now = ARGV[2],
  expires = ARGV[3],
  limit = tonumber(ARGV[4]),
  holder = ARGV[5],
  due = ARGV[6] == '1' and ARGV[2] or nil,
})
