# end: TimeLimit
while True:
    pass
