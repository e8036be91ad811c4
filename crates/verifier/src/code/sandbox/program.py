# Runs a program that nobody trusts. Knows no expected value and no verdict: whatever the program
# does to this process, it can only change what it answers.
#
# script:  runs it with its own standard input and output.
# scripts: runs it again and again, with the files from 4 on as standard input, and marks on standard
#          output where each run ends.
# serve:   runs it, then evaluates the expressions that come in at 5 and answers at 4.
# A frame is a line `kind length` and `length` bytes.
import builtins, sys


def start():
    # What `site` would add and programs use.
    builtins.exit = builtins.quit = sys.exit
    if sys.argv[2:]:
        sys.path[:] = sys.argv[2:]
    mode = sys.argv[1]
    sys.argv[:] = ["main.py"]
    with open(3, "rb") as file:
        source = file.read()
    # Under `__main__` a program reads input, which only a script has.
    name = "solution" if mode == "serve" else "__main__"
    module = type(sys)(name)
    module.__file__ = "main.py"
    sys.modules[name] = module
    return mode, source, module.__dict__


def plain(value, depth=0):
    """The Python literal of a plain value, whatever its class says about itself."""
    if value is None or value is True or value is False:
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        text = float.__repr__(value)
        return {"inf": "1e999", "-inf": "-1e999"}.get(text, text)
    if isinstance(value, str):
        return ascii(str.__str__(value))
    if isinstance(value, (bytes, bytearray)):
        return bytes.__repr__(bytes(value))
    if isinstance(value, complex):
        return complex.__repr__(value)
    if depth > 90:
        raise ValueError("too deep")
    if isinstance(value, list):
        return "[" + ",".join([plain(v, depth + 1) for v in list.__iter__(value)]) + "]"
    if isinstance(value, tuple):
        items = [plain(v, depth + 1) + "," for v in tuple.__iter__(value)]
        return "(" + "".join(items) + ")"
    if isinstance(value, (set, frozenset)):
        items = [plain(v, depth + 1) for v in type(value).__iter__(value)]
        return "{" + ",".join(items) + "}" if items else "set()"
    if isinstance(value, dict):
        items = [plain(k, depth + 1) + ":" + plain(v, depth + 1) for k, v in dict.items(value)]
        return "{" + ",".join(items) + "}"
    if type(value).__module__ == "numpy" and hasattr(value, "item") and value.ndim == 0:
        return plain(value.item(), depth + 1)
    raise TypeError("not plain")


# Iterators are answered as the list of what they give, up to a bound.
ITERATORS = (type(iter([])), type(iter("")), type(iter({})), type(x for x in ()), map, filter, zip,
             enumerate, reversed, type(reversed([])), range, type({}.keys()), type({}.values()),
             type({}.items()))


def answer(value, handles):
    try:
        return "value", plain(value)
    except (TypeError, ValueError):
        pass
    if isinstance(value, ITERATORS):
        items = []
        for item in value:
            if len(items) == 100000:
                raise ValueError("an iterator with more than 100000 items")
            items.append(item)
        try:
            return "items", plain(items)
        except (TypeError, ValueError):
            value = items
    handles.append(value)
    return "handle", str(len(handles) - 1)


def serve(source, names):
    requests, answers, handles = open(5, "rb"), open(4, "wb"), []
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)

    def respond(kind, text):
        data = text.encode("utf-8", "replace")
        answers.write(b"%s %d\n%s" % (kind.encode(), len(data), data))
        answers.flush()

    try:
        exec(compile(source, "main.py", "exec"), names)
    except SystemExit:
        pass
    except BaseException as error:
        respond("failed", type(error).__name__)
        raise
    respond("loaded", "")
    while True:
        head = requests.readline()
        if not head:
            break
        expression = requests.read(int(head.split()[1]))
        try:
            value = eval(compile(expression, "<test>", "eval"), names, {"_handles_": handles})
            respond(*answer(value, handles))
        except BaseException as error:
            respond("raised", type(error).__name__)


def settle(output):
    """What the interpreter does at its end: waits for threads, runs handlers, writes what is left."""
    import atexit
    threading = sys.modules.get("threading")
    for thread in threading.enumerate() if threading else ():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, output):
        if not stream.closed:
            stream.flush()
    return output if not output.closed else open(1, "w", closefd=False)


def scripts(source, name):
    import posix
    code = compile(source, "main.py", "exec")
    output, recursion = sys.stdout, sys.getrecursionlimit()
    number = 4
    while True:
        try:
            posix.dup2(number, 0)
        except OSError:
            break
        posix.close(number)
        number += 1
        sys.stdin = sys.__stdin__ = open(0, closefd=False)
        sys.stdout = sys.__stdout__ = output
        sys.setrecursionlimit(recursion)
        module = type(sys)(name)
        module.__file__ = "main.py"
        sys.modules[name] = module
        fine = True
        try:
            exec(code, module.__dict__)
        except SystemExit as end:
            fine = end.code is None or end.code == 0
        except BaseException:
            fine = False
        output = settle(output)
        posix.write(1, b"\0fine\0\n" if fine else b"\0fail\0\n")


mode, source, names = start()
if mode == "script":
    del mode, start, plain, ITERATORS, answer, serve, settle, scripts
    exec(compile(source, "main.py", "exec"), names)
elif mode == "scripts":
    scripts(source, "__main__")
    import posix
    posix._exit(0)
else:
    serve(source, names)
    # No handler of the program's delays the end.
    import posix
    posix._exit(0)
