# end: Exited(0)
# Starts threads until it can start no more; there must be an end, and soon.
import _thread, os, time

_thread.stack_size(32768)
started = 0
try:
    while started < 5000:
        _thread.start_new_thread(time.sleep, (1,))
        started += 1
except RuntimeError:
    pass
# Older interpreters crash at their end while threads are starting.
os.write(1, b"contained\n" if started < 40 else b"escaped: %d threads\n" % started)
os._exit(0)
