# end: Exited(0)
# Talks to the host and to the world.
import socket

port = int(input())
done = []
for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM),
                     (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_STREAM),
                     (socket.AF_NETLINK, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind)
        done.append("socket %s" % family)
    except OSError:
        pass
for action in (lambda: socket.create_connection(("127.0.0.1", port), 1),
               lambda: socket.socketpair(), lambda: socket.getaddrinfo("example.com", 80)):
    try:
        action()
        done.append("connected")
    except OSError:
        pass
print("escaped: %s" % done if done else "contained")
