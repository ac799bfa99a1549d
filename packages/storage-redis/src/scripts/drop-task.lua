-- Drops a task wherever it is. ARGV: task.
t_drop(ARGV[1])
