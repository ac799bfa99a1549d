-- Removes items from a queue. ARGV: queue, ids.
for i = 2, #ARGV do q_remove(P .. ARGV[1], ARGV[i]) end
