class Same(int):
    pass
def f(x):
    try:
        x.clear()
    except AttributeError:
        pass
    return x
