import sys
def trace(frame, event, arg):
    frame.f_trace_lines = True
    for name in list(frame.f_locals):
        value = frame.f_locals[name]
        if isinstance(value, int):
            frame.f_globals["seen"] = value
    return trace
sys.settrace(trace)
sys.setprofile(lambda *a: None)
seen = 0
def f(x): return seen
