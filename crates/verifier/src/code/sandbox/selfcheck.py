# Attempts what the sandbox forbids and prints what came of it, one `name yes` or `name no` a line.
import os, socket, _thread, time


def attempt(name, action):
    try:
        action()
        print(name, "yes")
    except BaseException:
        print(name, "no")


def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def write_scratch():
    with open("probe", "w") as file:
        file.write("x")
    os.remove("probe")


outside, count = input().split()
print("input", input())
attempt("fork", fork)
attempt("socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("signal", lambda: os.kill(os.getppid() or 1, 0))
attempt("read-outside", lambda: open(outside).read())
attempt("list-outside", lambda: os.listdir(os.path.dirname(outside)))
attempt("write-outside", lambda: open(outside, "a"))
attempt("write-root", lambda: open("/fireproof-probe", "x"))
attempt("write-scratch", write_scratch)
attempt("gain", lambda: os.setuid(0))
started = 0
_thread.stack_size(64 * 1024)
try:
    for _ in range(int(count)):
        _thread.start_new_thread(time.sleep, (0.05,))
        started += 1
except RuntimeError:
    pass
# Interpreters may crash at their end while threads are starting.
print("threads", started, flush=True)
os._exit(0)
