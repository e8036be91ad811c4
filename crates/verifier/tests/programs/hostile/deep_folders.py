# end: Exited(0) | ScratchLimit
# Folders in folders, which nobody could remove by name.
import os

made = 0
try:
    for _ in range(100000):
        os.mkdir("d")
        os.chdir("d")
        made += 1
except OSError:
    pass
print("contained" if made < 2000 else "escaped: %d folders" % made)
