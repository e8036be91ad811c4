# end: TimeLimit
# Will not end: a handler at exit, after its pipes are closed.
import atexit, os, time

atexit.register(time.sleep, 1e6)
os.close(1)
os.close(2)
