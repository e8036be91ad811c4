# end: TimeLimit | Exited(1)
print(len(str(10 ** 10 ** 10)))
