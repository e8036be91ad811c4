# end: Exited(0)
# Looks for anything that came along from the host.
import os, sys

found = []
if set(os.environ) - {"LC_CTYPE"}:
    found.append("environment")
for number in range(3, 300):
    try:
        os.fstat(number)
        found.append("descriptor %d" % number)
    except OSError:
        pass
try:
    os.open("/dev/tty", os.O_RDWR)
    found.append("terminal")
except OSError:
    pass
if len(sys.argv) > 1:
    found.append("arguments")
if os.listdir(".") != []:
    found.append("files")
if os.getsid(0) != os.getpid():
    found.append("session")
print("escaped: %s" % found if found else "contained")
