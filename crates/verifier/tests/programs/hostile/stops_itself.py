# end: TimeLimit
# Cannot stop itself by a signal, so it waits for one.
import os, signal

try:
    os.kill(os.getpid(), signal.SIGSTOP)
except OSError:
    pass
signal.pause()
