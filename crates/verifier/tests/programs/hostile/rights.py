# end: Exited(0)
# Asks the kernel for rights and for ways around.
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
done = []
calls = {"ptrace": 101, "process_vm_readv": 310, "mount": 165, "umount2": 166, "pivot_root": 155,
         "chroot": 161, "unshare": 272, "setns": 308, "bpf": 321, "io_uring_setup": 425,
         "perf_event_open": 298, "keyctl": 250, "add_key": 248, "init_module": 175,
         "kexec_load": 246, "reboot": 169, "swapon": 167, "settimeofday": 164, "userfaultfd": 323,
         "open_by_handle_at": 304, "personality": 135, "setuid": 105, "setgid": 106,
         "sethostname": 170, "shmget": 29, "msgget": 68, "semget": 64, "mq_open": 240,
         "memfd_create": 319, "seccomp": 317, "process_madvise": 440, "fsopen": 430,
         "open_tree": 428, "quotactl": 179, "acct": 163, "iopl": 172, "mknod": 133,
         "sched_setscheduler": 144, "clone3": 435, "vfork": 58}
# The numbers are those of x86-64.
for name, number in calls.items() if os.uname().machine == "x86_64" else ():
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) >= 0:
        done.append(name)
try:
    os.execv("/bin/sh", ["sh", "-c", "echo escaped"])
except OSError:
    pass
print("escaped: %s" % done if done else "contained")
