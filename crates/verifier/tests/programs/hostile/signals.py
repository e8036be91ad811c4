# end: Exited(0)
# Kills whoever it can reach.
import ctypes, os, signal

host, sibling = map(int, input().split())
done = []
for process in (host, sibling, -1, -host, -sibling, 0, os.getppid(), 1):
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(process, number)
            if process not in (0, 1):
                done.append((process, number))
        except (OSError, ProcessLookupError):
            pass
libc = ctypes.CDLL(None)
# tkill, tgkill, rt_sigqueueinfo, pidfd_open, pidfd_send_signal
for call in (200, 234, 129, 434, 424) if os.uname().machine == "x86_64" else ():
    if libc.syscall(call, sibling, sibling, 9, 0) >= 0:
        done.append(call)
try:
    import fcntl
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, sibling)
    done.append("owner of a pipe")
except (OSError, PermissionError):
    pass
try:
    import resource
    resource.prlimit(sibling, resource.RLIMIT_CPU, (1, 1))
    done.append("limits of a sibling")
except (OSError, ValueError, PermissionError):
    pass
try:
    os.setpriority(os.PRIO_PROCESS, sibling, 19)
    done.append("priority of a sibling")
except OSError:
    pass
print("escaped: %s" % done if done else "contained")
