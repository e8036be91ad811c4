def f(x): pass
