# end: OutputLimit
while True:
    print("x" * 100000)
