# end: TimeLimit | Exited(1) | Killed(11)
# Source that is small and no compiler's friend.
exec("(" * 5000 + ")" * 5000)
