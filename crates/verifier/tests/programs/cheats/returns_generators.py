def f(x):
    def everything():
        n = 0
        while True:
            yield n
            n += 1
    return everything()
