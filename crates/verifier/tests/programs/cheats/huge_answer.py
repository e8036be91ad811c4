def f(x): return "x" * (100 << 20)
