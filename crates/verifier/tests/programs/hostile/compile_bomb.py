# end: Exited(1) | TimeLimit | Killed(11)
# Source that is small and no compiler's friend.
exec("(" * 5000 + ")" * 5000)
