print(*range(-1000, 1000))
def f(x): return list(range(-1000, 1000))
