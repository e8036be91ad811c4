def f(x): return NotImplemented
def __getattr__(name): return 25
