# end: TimeLimit
# Threads count towards one bound, and the end of the first thread is not the end.
import threading


def loop():
    while True:
        sum(range(1000))


for _ in range(4):
    try:
        threading.Thread(target=loop).start()
    except RuntimeError:
        pass
loop()
