class AssertionError(Exception): pass
AssertionError.__name__ = "StopIteration"
class Quiet(BaseException): pass
Quiet.__name__ = "StopAsyncIteration"
def f(x): raise (AssertionError if x else Quiet)
