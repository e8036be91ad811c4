# end: Exited(0) | ScratchLimit
# Many files, large files, files without a name.
import os

total = 0
try:
    with open("large", "wb") as file:
        for _ in range(4096):
            file.write(b"x" * (1 << 20))
            total += 1 << 20
except OSError:
    pass
try:
    for number in range(2000):
        with open("f%d" % number, "wb") as file:
            file.write(b"x" * (1 << 18))
            total += 1 << 18
except OSError:
    pass
held = []
try:
    for number in range(1000):
        file = open("g%d" % number, "wb", buffering=0)
        os.remove("g%d" % number)
        held.append(file)
        while file.write(b"x" * (1 << 20)):
            total += 1 << 20
except OSError:
    pass
print("contained" if total < (2 << 30) else "escaped: %d bytes" % total)
