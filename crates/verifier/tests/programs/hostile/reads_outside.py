# end: Exited(0)
# Looks for the host's files, the tests' files, and other processes' memory.
import os

outside = input()
seen = []
for path in (outside, "/etc/passwd", "/etc/shadow", "/proc/1/environ", "/proc/self/maps",
             "/proc/self/mem", "/dev/mem", "/dev/kmsg",
             "/sys/kernel/notes", "/var/log/dpkg.log", "../../../etc/passwd", "/proc/self/fd/3",
             "/dev/shm/../../etc/passwd"):
    try:
        open(path, "rb").read(1)
        seen.append(path)
    except OSError:
        pass
for path in (os.path.dirname(outside), "/etc", "/proc", "/home", "/dev/shm", "/var"):
    # A root of its own shows the way to the interpreter there, and nothing of the host's.
    try:
        names = {"passwd", "shadow", "hosts", ".bashrc", ".profile", "self", "cmdline", "log"}
        if names & set(os.listdir(path)) or os.path.basename(outside) in os.listdir(path):
            seen.append(path)
    except OSError:
        pass
try:
    os.symlink("/etc/passwd", "link")
    open("link").read()
    seen.append("by a link")
except OSError:
    pass
print("escaped: %s" % seen if seen else "contained")
