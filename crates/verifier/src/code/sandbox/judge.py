# Runs tests, which are trusted, against a program in another process, which is not. No object of the
# program ever comes here: a call goes out as text, and back comes the literal of a plain value, or
# the number of an object that stays there.
import _ast, builtins, sys

LONGEST = 8 << 20
# Modules that tests use without importing them, where Python does not name its own.
MODULES = getattr(sys, "stdlib_module_names", ("math", "cmath", "re", "itertools", "functools",
                  "collections", "operator", "string", "random", "json", "copy", "statistics",
                  "fractions", "decimal", "datetime", "heapq", "bisect", "typing", "os", "sys"))
# Packages that tests use; the program must not stand in for them.
PACKAGES = {"np": "numpy", "pd": "pandas", "sp": "scipy", "plt": "matplotlib"}
PACKAGES.update((name, name) for name in ("numpy", "pandas", "scipy", "sympy", "torch", "pytest",
                                          "hypothesis", "sklearn", "networkx"))
ENDS = (StopIteration, StopAsyncIteration)


class ProgramError(Exception):
    pass


class ProgramGone(BaseException):
    """No test may take the program's end for an exception that it expects."""

    seen = False

    def __init__(self, text):
        ProgramGone.seen = True
        super().__init__(text)


# Methods of plain values. Their arguments are often what a test expects, as in
# `f(x).startswith("abc")`, and an object in place of a plain value would just agree.
PLAIN = {name for kind in (str, bytes, list, tuple, dict, set, frozenset, int, float, complex)
         for name in dir(kind)}


class Remote:
    """An object of the program. Only plain values are compared: its own word on that is worthless."""

    def __init__(self, expression, made):
        object.__setattr__(self, "_expression", expression)
        # True if the test made it by calling a class, going by the name.
        object.__setattr__(self, "_made", made)

    def __call__(self, *positional, **named):
        parts = [encode(value) for value in positional]
        parts += [key + "=" + encode(value) for key, value in named.items()]
        return ask(self._expression + "(" + ", ".join(parts) + ")", self._made)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name in PLAIN and not self._made:
            self.refuse()
        return ask(self._expression + "." + name, self._made)

    def __setattr__(self, name, value):
        ask("setattr(" + self._expression + ", " + encode(name) + ", " + encode(value) + ")")

    def __getitem__(self, key):
        return ask(self._expression + "[" + encode(key) + "]", self._made)

    def __len__(self):
        return ask("len(" + self._expression + ")")

    def __iter__(self):
        return iter(ask("list(" + self._expression + ")"))

    def __str__(self):
        return str(ask("str(" + self._expression + ")"))

    def refuse(self, *_):
        raise ProgramError("an object of the program is not a plain value")

    __repr__ = __str__
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __hash__ = refuse


def encode(value):
    """Python source of a plain value or of an object that the program has."""
    kind = type(value)
    if kind is Remote:
        return value._expression
    if kind in (list, tuple, set):
        items = [encode(item) for item in value]
        inner = ", ".join(items) + ("," if kind is tuple and items else "")
        open_, close = {list: "[]", tuple: "()", set: "{}"}[kind]
        return open_ + inner + close if items or kind is not set else "set()"
    if kind is frozenset:
        return "frozenset(" + encode(set(value)) + ")"
    if kind is dict:
        items = [encode(key) + ": " + encode(item) for key, item in value.items()]
        return "{" + ", ".join(items) + "}"
    if kind is float and value != value:
        return "float('nan')"
    if kind is float:
        return {"inf": "1e999", "-inf": "-1e999"}.get(repr(value), repr(value))
    if kind in (int, complex, str, bytes, bool, type(None)):
        return repr(value)
    if kind is range:
        return repr(value)
    raise ProgramError("a " + kind.__name__ + " cannot be handed to the program")


def frame(file):
    head = file.readline(64).split()
    if len(head) != 2:
        raise ProgramGone("the program ended")
    length = int(head[1])
    if length > LONGEST:
        raise ProgramGone("the program answered too much")
    text = file.read(length)
    if len(text) < length:
        raise ProgramGone("the program ended")
    return head[0].decode("latin-1"), text.decode("utf-8")


def tree(source, mode):
    return compile(source, "<test>", mode, _ast.PyCF_ONLY_AST)


def literal(node):
    """The value of a literal; anything else is refused and nothing is run."""
    kind = type(node)
    if kind is _ast.Constant:
        return node.value
    if kind is _ast.Tuple:
        return tuple([literal(item) for item in node.elts])
    if kind is _ast.List:
        return [literal(item) for item in node.elts]
    if kind is _ast.Set:
        return {literal(item) for item in node.elts}
    if kind is _ast.Dict:
        return {literal(key): literal(value) for key, value in zip(node.keys, node.values)}
    if kind is _ast.UnaryOp and type(node.op) is _ast.USub:
        value = literal(node.operand)
        if type(value) in (int, float, complex):
            return -value
    if kind is _ast.BinOp and type(node.op) in (_ast.Add, _ast.Sub):
        left, right = literal(node.left), literal(node.right)
        if type(left) in (int, float) and type(right) is complex:
            return left + right if type(node.op) is _ast.Add else left - right
    if kind is _ast.Call and type(node.func) is _ast.Name and node.func.id == "set" and not node.args:
        return set()
    raise ProgramError("the answer is not plain")


def ask(expression, made=False):
    data = expression.encode("utf-8", "surrogatepass")
    requests.write(b"eval %d\n%s" % (len(data), data))
    requests.flush()
    kind, text = frame(replies)
    if kind == "value":
        return literal(tree(text, "eval").body)
    if kind == "items":
        return iter(literal(tree(text, "eval").body))
    if kind == "handle":
        return Remote("_handles_[%d]" % int(text), made)
    # The program says what it raised. Exceptions that end loops or the judge are not for it to use.
    error = getattr(builtins, text, None) if kind == "raised" else None
    if isinstance(error, type) and issubclass(error, Exception) and not issubclass(error, ENDS):
        try:
            error = error("raised by the program")
        except TypeError:
            error = ProgramError(text)
        raise error
    raise ProgramError(text)


def walk(node):
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        for field in node._fields:
            value = getattr(node, field, None)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, _ast.AST):
                    waiting.append(item)


def names(module):
    """The names a test reads: those it only takes attributes of, and the others."""
    nodes = list(walk(module))
    owners = {id(node.value) for node in nodes if type(node) is _ast.Attribute}
    read = [n for n in nodes if type(n) is _ast.Name and type(n.ctx) is _ast.Load]
    plain = {node.id for node in read if id(node) not in owners}
    return {node.id for node in read} - plain, plain


def prepare(module, entry):
    """What the names of a test stand for: the program's objects, but never in place of Python's."""
    space = {"__name__": "test"}
    modules, plain = names(module)
    for name in sorted(modules | plain):
        if name in modules and name in MODULES:
            space[name] = __import__(name)
        elif name in PACKAGES and name != entry:
            try:
                space[name] = __import__(PACKAGES[name])
            except ImportError:
                pass
        elif name == "candidate" and entry:
            space[name] = ask(entry)
        elif name == entry or not hasattr(builtins, name):
            try:
                space[name] = ask(name, name[0].isupper())
            except NameError:
                pass
    return space


def run(source, entry):
    try:
        module = tree(source, "exec")
        code = compile(module, "<test>", "exec")
    except (SyntaxError, ValueError) as error:
        return "broken", str(error)
    try:
        exec(code, prepare(module, entry))
    except AssertionError as error:
        return "failed", str(error)[:200]
    except BaseException as error:
        return "raised", type(error).__name__
    return ("raised", "ProgramGone") if ProgramGone.seen else ("passed", "")


with open(3, "rb") as file:
    entry = frame(file)[1] or None
    tests = []
    while True:
        try:
            tests.append(frame(file)[1])
        except ProgramGone:
            break
ProgramGone.seen = False
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(100000)
results, replies, requests = open(4, "wb"), open(5, "rb"), open(6, "wb")
try:
    loaded = frame(replies)[0] == "loaded"
except (ProgramGone, ValueError):
    loaded = False
for source in tests if loaded else ():
    kind, text = run(source, entry)
    data = text.encode("utf-8", "replace")
    results.write(b"%s %d\n%s" % (kind.encode(), len(data), data))
    results.flush()
