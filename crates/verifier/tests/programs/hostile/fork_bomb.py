# end: Exited(0)
# Makes processes in every way Python knows.
import ctypes, os, subprocess

made = 0
for _ in range(200):
    try:
        if os.fork() == 0:
            while True:
                pass
        made += 1
    except OSError:
        pass
for action in (lambda: subprocess.run(["/bin/true"]), lambda: os.system("true") and 1 / 0,
               lambda: os.posix_spawn("/bin/true", ["true"], {}), lambda: os.forkpty(),
               lambda: os.popen("true").read() or 1 / 0):
    try:
        action()
        made += 1
    except (OSError, ZeroDivisionError, ValueError):
        pass
libc = ctypes.CDLL(None)
# The numbers are those of x86-64.
for call in (57, 58, 435) if os.uname().machine == "x86_64" else ():
    if libc.syscall(call, 0, 0, 0, 0, 0) >= 0:
        made += 1
print("contained" if made == 0 else "escaped: %d processes" % made)
