# end: Exited(0)
# Memory that no limit on the address space counts.
import os, mmap

got = []
try:
    file = os.memfd_create("hoard")
    os.write(file, b"x" * (1 << 20))
    got.append("memfd")
except (OSError, AttributeError):
    pass
for action in (lambda: os.write(0, b"x" * 4096), lambda: os.ftruncate(0, 1 << 24)):
    try:
        action()
        got.append("its input")
    except OSError:
        pass
try:
    mmap.mmap(-1, 4 << 30)
    got.append("shared mapping")
except (OSError, MemoryError):
    pass
try:
    import fcntl
    reader, writer = os.pipe()
    fcntl.fcntl(writer, 1031, 1 << 20)
    got.append("large pipe")
except OSError:
    pass
pipes = 0
try:
    while True:
        os.pipe()
        pipes += 1
except OSError:
    pass
if pipes > 40:
    got.append("%d pipes" % pipes)
print("escaped: %s" % got if got else "contained")
