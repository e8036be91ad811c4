# end: Exited(0)
# Changes, replaces and removes what is not its own.
import os, shutil

outside = input()
done = []


def attempt(name, action):
    try:
        action()
        done.append(name)
    except OSError:
        pass


attempt("append", lambda: open(outside, "a").write("x"))
attempt("truncate", lambda: os.truncate(outside, 0))
attempt("remove", lambda: os.remove(outside))
attempt("rename", lambda: os.rename(outside, outside + "2"))
attempt("replace", lambda: os.rename("own", outside))
attempt("link", lambda: os.link(outside, "linked"))
attempt("mode", lambda: os.chmod(outside, 0o777))
attempt("owner", lambda: os.chown(outside, os.getuid(), os.getgid()))
attempt("times", lambda: os.utime(outside))
attempt("attribute", lambda: os.setxattr(outside, "user.x", b"1"))
attempt("folder", lambda: os.mkdir(os.path.dirname(outside) + "/new"))
attempt("neighbour", lambda: open(os.path.dirname(outside) + "/new", "w"))
attempt("library", lambda: open(os.__file__, "a"))
attempt("interpreter", lambda: os.remove(os.__file__))
attempt("null", lambda: os.remove("/dev/null"))
attempt("root", lambda: open("/new", "w"))
attempt("usr", lambda: open("/usr/new", "w"))
attempt("etc", lambda: open("/etc/new", "w"))
shutil.rmtree(os.path.dirname(outside), ignore_errors=True)
shutil.rmtree(os.path.dirname(os.__file__) + "/json", ignore_errors=True)
import json.tool
print("escaped: %s" % done if done else "contained")
