# end: Exited(1)
# Holds more and more.
hoard = []
while True:
    hoard.append(bytearray(10 << 20))
