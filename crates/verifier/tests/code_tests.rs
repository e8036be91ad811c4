//! Programs judged by tests: right ones pass, wrong ones and cheats do not.

#![cfg(target_os = "linux")]

use fireproof_trajectory::{
    CheckSpec, Outcome, ProgramTest, PromptId, Task, TaskMetadata, TestLimits, TestsCheck,
};
use fireproof_verifier::{
    CheckVerifier, CodeError, CodeReport, CodeVerifier, Extent, TestVerdict, Verifier, VerifyError,
    judge_code,
};

fn asserts(codes: &[&str]) -> TestsCheck {
    let tests = codes.iter().map(|code| ProgramTest::Assert { code: (*code).into() }).collect();
    TestsCheck { tests, ..TestsCheck::default() }
}

fn stdio(pairs: &[(&str, &str)]) -> TestsCheck {
    let test = |(stdin, stdout): &(&str, &str)| ProgramTest::Stdio {
        stdin: (*stdin).into(),
        stdout: (*stdout).into(),
    };
    TestsCheck { tests: pairs.iter().map(test).collect(), ..TestsCheck::default() }
}

fn call(function: &str, arguments: &str, expected: &str) -> TestsCheck {
    let test = ProgramTest::Call {
        function: function.into(),
        arguments: arguments.into(),
        expected: expected.into(),
    };
    TestsCheck { tests: vec![test], ..TestsCheck::default() }
}

fn try_judge(program: &str, check: &TestsCheck) -> Result<CodeReport, CodeError> {
    let verifier = CodeVerifier::shared().expect("set-up");
    judge_code(verifier.sandbox(), program, check, &verifier.limits, Extent::All)
}

fn judge(program: &str, check: &TestsCheck) -> CodeReport {
    try_judge(program, check).expect("set-up")
}

fn names(report: &CodeReport) -> Vec<&'static str> {
    report.tests.iter().map(TestVerdict::name).collect()
}

fn raised(exception: &str) -> TestVerdict {
    TestVerdict::Raised { exception: exception.into() }
}

const ADD: &str = "a, b = map(int, input().split())\nprint(a + b)\n";

#[test]
fn programs_that_read_and_write_are_judged_by_their_output() {
    let check = stdio(&[("1 2\n", "3\n"), ("-5 5\n", "0"), ("1 1", "3")]);
    let report = judge(ADD, &check);
    assert_eq!(names(&report), ["passed", "passed", "wrong"]);
    assert!((report.pass_fraction() - 2.0 / 3.0).abs() < 1e-9 && !report.passed());
    assert!(judge(ADD, &stdio(&[("1 2", "3")])).passed());
}

#[test]
fn ways_of_reading_that_contest_programs_use() {
    for program in [
        "import sys\na, b = map(int, sys.stdin.readline().split())\nprint(a + b)",
        "import sys\nprint(sum(map(int, sys.stdin.read().split())))",
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))",
        "import os\nprint(sum(map(int, os.read(0, os.fstat(0).st_size).split())))",
        "print(sum(map(int, open(0).read().split())))",
        "import sys\ninput = sys.stdin.readline\nsys.stdout.write(str(sum(map(int, input().split()))))",
        "import threading, sys\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 26)\n\
         def f(n): return 0 if n == 0 else 1 + f(n - 1)\n\
         def main():\n    f(20000)\n    print(sum(map(int, input().split())))\n\
         t = threading.Thread(target=main)\nt.start()\nt.join()",
        "def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()",
        "import tempfile\nwith tempfile.TemporaryFile('w+') as f:\n    f.write(input())\n    f.seek(0)\n    print(sum(map(int, f.read().split())))",
        "import collections, itertools, functools, heapq, bisect, math, re, json, random, datetime\n\
         import decimal, fractions, string, operator, statistics, dataclasses, typing, enum, copy\n\
         import io, time, calendar, hashlib, base64, textwrap, struct, array, queue, asyncio\n\
         print(sum(map(int, input().split())))",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int\n\
         p = P(*map(int, input().split()))\nprint(p.x + p.y)",
        "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 3\nprint(sum(map(int, input().split())))",
        "import sys\nprint(sum(map(int, input().split())))\nsys.exit()",
        "import resource, sys\n\
         resource.setrlimit(resource.RLIMIT_STACK, (1 << 28, resource.RLIM_INFINITY))\n\
         print(sum(map(int, input().split())))",
        "from concurrent.futures import ThreadPoolExecutor\n\
         with ThreadPoolExecutor(8) as pool:\n    print(sum(pool.map(int, input().split())))",
        "print(eval(input().replace(' ', '+')))\nexit(0)\nprint('no')",
        "print(sum(map(int, input().split())))\nquit()",
    ] {
        let report = judge(program, &stdio(&[("1 2\n", "3\n")]));
        assert_eq!(names(&report), ["passed"], "{program}\n{:?}", report.verdict());
    }
}

#[test]
fn a_right_answer_is_never_too_long() {
    let long = "x".repeat(3 << 20);
    assert!(judge("print('x' * (3 << 20))", &stdio(&[("", &long), ("", &long)])).passed());
    assert!(
        judge("def f(): return 'x' * (3 << 20)", &call("f", "", &format!("'{long}'"))).passed()
    );
    assert!(!judge("print('x' * (3 << 20))", &stdio(&[("", "x")])).passed());
    // The interpreter always has what it needs to start.
    let limits = TestLimits { memory_mb: Some(1), ..TestLimits::default() };
    assert!(judge(ADD, &TestsCheck { limits, ..stdio(&[("1 2", "3")]) }).passed());
}

/// Tests run together first; what one leaves behind must not fail another.
#[test]
fn tests_with_input_do_not_disturb_each_other() {
    let check = stdio(&[("1 2", "3"), ("4 5", "9"), ("-1 1", "0")]);
    for program in [
        ADD,
        "import sys, io, os\nsys.stdout = io.StringIO()\nimport atexit\n\
         atexit.register(lambda: os.write(1, sys.stdout.getvalue().encode()))\n\
         print(sum(map(int, input().split())))",
        "import sys\nprint(sum(map(int, sys.stdin.read().split())))\nsys.stdin.close()\nsys.exit(0)",
        "import os\nprint(sum(map(int, input().split())), flush=True)\nos._exit(0)",
        "open('once', 'x')\nprint(sum(map(int, input().split())))",
        "import sys\nassert not hasattr(sys, 'seen')\nsys.seen = 1\nprint(sum(map(int, input().split())))",
        "import threading, time\ndef late(n):\n    time.sleep(0.01)\n    print(n)\n\
         threading.Thread(target=late, args=(sum(map(int, input().split())),)).start()",
        "import sys\nsys.setrecursionlimit(50)\nprint(sum(map(int, input().split())))",
        "import sys\nprint(sum(map(int, input().split())))\nsys.stdout.close()",
        "import os\nos.write(1, b'%d' % sum(map(int, os.read(0, 99).split())))\nos.close(0)",
    ] {
        let report = judge(program, &check);
        assert_eq!(names(&report), ["passed"; 3], "{program}");
    }
    let wrong = judge("print('0\\0fine\\0\\n' * 9)", &check);
    assert_eq!(names(&wrong), ["wrong"; 3]);
    let many: Vec<(String, String)> =
        (0..70).map(|n| (format!("{n} 1"), (n + 1).to_string())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert!(judge(ADD, &stdio(&many)).passed());
}

#[test]
fn a_program_that_never_ends_ends_the_run() {
    let limits = TestLimits { time_ms: Some(500), ..TestLimits::default() };
    let check = TestsCheck { limits, ..stdio(&[("1 2", "3"), ("4 5", "9"), ("-1 1", "0")]) };
    let late = "n = input()\nwhile n[0] == '4': pass\nprint(eval(n.replace(' ', '+')))";
    assert_eq!(names(&judge(late, &check)), ["passed", "time-limit", "not-run"]);
    assert_eq!(names(&judge("while True: pass", &check)), ["time-limit", "not-run", "not-run"]);
    let codes = ["assert f(1) in (1, 2)", "while True: f(2)", "assert f(1) in (1, 2)"];
    let check = TestsCheck { limits, ..asserts(&codes) };
    let report = judge("def f(x): return x", &check);
    assert_eq!(names(&report), ["passed", "time-limit", "not-run"]);
    let report = judge("def f(x):\n    while x == 2: pass\n    return x", &check);
    assert_eq!(names(&report), ["passed", "time-limit", "not-run"]);
    let check = TestsCheck { limits, ..asserts(&["assert f(1) == 1", "assert f(2) == 2"]) };
    let report = judge("def f(x):\n    while x == 2: pass\n    return x", &check);
    assert_eq!(names(&report), ["passed", "time-limit"]);
}

/// What goes wrong has a name.
#[test]
fn every_end_has_a_verdict() {
    let check = TestsCheck {
        limits: TestLimits { memory_mb: Some(100), output_kb: Some(64), time_ms: Some(1000) },
        ..stdio(&[("1", "1")])
    };
    for (program, name) in [
        ("print(input())", "passed"),
        ("print(2)", "wrong"),
        ("print(1)\nraise KeyError(3)", "raised"),
        ("print(1", "raised"),
        ("print(1)\nimport sys\nsys.exit(3)", "exited"),
        ("print(1)\nimport os\nos._exit(1)", "exited"),
        ("x = [0] * 10**9", "memory-limit"),
        ("print('x' * 10**6)", "output-limit"),
        ("while True: pass", "time-limit"),
        ("import ctypes\nctypes.string_at(0)", "killed"),
        ("\0", "raised"),
        ("# coding: nonsense\nprint(1)", "raised"),
        ("print(chr(0xD800))", "raised"),
    ] {
        assert_eq!(judge(program, &check).verdict().name(), name, "{program}");
    }
    assert_eq!(judge("raise_ = 1\nraise KeyError", &check).tests, [raised("KeyError")]);
}

#[test]
fn functions_are_judged_by_their_values() {
    let program = "def f(x, k=1):\n    return [x * k, (x, k), {'a': {x}}, None, 1.5, 'é']\n";
    let value = "[4, (2, 2), {'a': {2}}, None, 1.5, 'é']";
    assert!(judge(program, &call("f", "2, k=2", value)).passed());
    assert_eq!(names(&judge(program, &call("f", "2", value))), ["wrong"]);
    assert_eq!(judge(program, &call("g", "2 # two", value)).tests, [raised("NameError")]);
    assert!(judge(program, &asserts(&[&format!("assert f(2, k=2) == {value}")])).passed());
    assert!(judge("def f(): return (1, [2])", &call("f", "", "[1, (2,)]")).passed());
    assert!(!judge("def f(): return (1, [2])", &asserts(&["assert f() == [1, [2]]"])).passed());
    assert!(
        judge("def f(n): return 3 ** n", &call("f", "10000", "0")).tests == [TestVerdict::Wrong]
    );
    let big = format!("1{}", "0".repeat(6000));
    assert!(judge("def f(n): return 10 ** n", &call("f", "6000", &big)).passed());
}

#[test]
fn subclasses_of_plain_types_are_taken_as_what_they_hold() {
    let program = "
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import IntEnum
P = namedtuple('P', 'x y')
class E(IntEnum):
    A = 3
def counter(): return Counter('aab')
def ordered(): return OrderedDict([(1, 2)])
def default():
    d = defaultdict(list)
    d['a'].append(1)
    return d
def named(): return P(1, 2)
def enum(): return E.A
";
    let check = asserts(&[
        "assert counter() == {'a': 2, 'b': 1}",
        "assert ordered() == {1: 2}",
        "assert default() == {'a': [1]}",
        "assert named() == (1, 2)",
        "assert enum() == 3",
    ]);
    assert_eq!(names(&judge(program, &check)), ["passed"; 5]);
}

#[test]
fn other_test_code_runs_in_a_process_of_its_own() {
    let program = "
def f(x): return x * 2
def gen(n):
    for i in range(n): yield i
def bad(x): raise ValueError('no')
def third(): return 1 / 3
class Stack:
    def __init__(self): self.items = []
    def push(self, x): self.items.append(x)
    def pop(self): return self.items.pop()
    def __len__(self): return len(self.items)
";
    let check = TestsCheck {
        entry: Some("f".into()),
        ..asserts(&[
            "assert f(1) in (2, 3)",
            "assert not f(0)",
            "assert all(f(x) == 2 * x for x in range(5)), 'loop'",
            "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate([1]) == [1, 1]\ncheck(f)",
            "for x, y in [(1, 2), ('a', 'aa')]:\n    assert candidate(x) == y",
            "assert list(gen(3)) == [0, 1, 2] and sorted(gen(3), reverse=True) == [2, 1, 0]",
            "try:\n    bad(1)\n    assert False\nexcept ValueError:\n    pass",
            "assert math.isclose(third(), 0.333, rel_tol=0.01)",
            "import math\nassert abs(third() - 0.3333) < 1e-3",
            "s = Stack()\ns.push(3)\ns.push([4])\nassert len(s) == 2 and s.pop() == [4] and s.pop() == 3",
            "assert set(f([1, 2])) == set([2, 1])",
            "assert f(1) is not None and isinstance(f('a'), str)",
        ])
    };
    assert_eq!(names(&judge(program, &check)), ["passed"; 12]);
    let wrong = judge("def f(x): return x", &check);
    assert_eq!(names(&wrong)[..5], ["wrong", "passed", "wrong", "wrong", "wrong"]);
    assert_eq!(wrong.tests[5], raised("NameError"));
}

#[test]
fn objects_that_equal_everything_equal_nothing_here() {
    let program = "
class Any:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __lt__
    def __bool__(self): return True
    def __hash__(self): return 0
    def __contains__(self, x): return True
    def __sub__(self, x): return self
    __rsub__ = __add__ = __radd__ = __abs__ = lambda self, *a: self
    def __float__(self): return 0.0
    def __iter__(self): return iter([])
    def __len__(self): return 2
class Number(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
class Text(str):
    def __eq__(self, other): return True
    def __repr__(self): return '5'
    __hash__ = str.__hash__
class Many(list):
    def __eq__(self, other): return True
    def __len__(self): return 2
    def __iter__(self): return iter(['a', 'b'])
def f(x): return [Any(), Number(7), Text('q'), Many()][x]
";
    for x in 0..4 {
        let codes = [
            format!("assert f({x}) == 5"),
            format!("assert 5 == f({x})"),
            format!("assert not f({x}) != 5"),
            format!("assert f({x}) == 5 and True"),
            format!("assert f({x}) in [5]"),
            format!("assert [f({x})] == [5]"),
            format!("assert {{'a': f({x})}} == {{'a': 5}}"),
            format!("assert abs(f({x}) - 5) < 1e-9"),
            format!("assert math.isclose(f({x}), 5)"),
            format!("assert {{5}} == {{f({x})}}"),
        ];
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        let report = judge(program, &asserts(&codes));
        assert_eq!(report.pass_fraction(), 0.0, "{x}: {:?}", report.tests);
        assert!(!judge(program, &call("f", &x.to_string(), "5")).passed());
    }
}

/// A bare `except` would take anything for the error it expects.
#[test]
fn an_end_is_no_expected_error() {
    let check = asserts(&["try:\n    f(1)\n    assert False\nexcept:\n    pass"]);
    assert!(judge("def f(x): raise KeyError", &check).passed());
    assert!(!judge("import os\ndef f(x): os._exit(0)", &check).passed());
    let packages = asserts(&["assert pytest.approx(2) == f(1)", "assert np.allclose(f(1), 2)"]);
    let fake =
        "class A:\n    approx = allclose = lambda *a: 1\nnp = pytest = A()\ndef f(x): return 1";
    assert_eq!(judge(fake, &packages).tests, [raised("NameError"), raised("NameError")]);
}

/// An object that agrees to everything is asked only where the test made it itself.
#[test]
fn methods_of_plain_values_are_not_the_programs() {
    let check = asserts(&[
        "assert f('ab').startswith('AB') == True",
        "assert f('ab').count('A') == 1 and f('ab').index('B') == 1",
        "assert f('ab').lower() == 'ab'",
    ]);
    assert!(judge("def f(x): return x.upper()", &check).passed());
    let agrees = "class A:\n    startswith = lambda *a: True\n    count = index = lambda *a: 1\n\
                  \x20   lower = lambda *a: 'ab'\ndef f(x): return A()";
    assert_eq!(names(&judge(agrees, &check)), ["raised"; 3]);
    let adder = "def f(x): return lambda y: x + y\nclass Stack(list): pass\n\
                 class Box:\n    def get(self, k): return k * 2";
    let check = asserts(&[
        "assert f(1)(2) == 3",
        "assert Box().get(2) == 4",
        "b = Box()\nassert b.get(3) == 6",
    ]);
    assert!(judge(adder, &check).passed());
}

#[test]
fn a_broken_test_is_the_tasks_error() {
    let program = "def f(x): return x";
    for check in [
        asserts(&["assert f(1) == 1", "assert f(1 =="]),
        call("f", "1", "object()"),
        TestsCheck::default(),
    ] {
        assert!(try_judge(program, &check).is_err(), "{check:?}");
    }
}

#[test]
fn the_verifier_tells_wrong_from_missing_and_from_its_own_failure() {
    let task = |check| Task {
        id: PromptId(1),
        prompt: "add".into(),
        check: CheckSpec::Tests(check),
        metadata: TaskMetadata::default(),
    };
    let check = stdio(&[("1 2", "3")]);
    let fenced = format!("Here it is:\n```python\n{ADD}```\n");
    let outcome = |text: &str| CheckVerifier.verify(&task(check.clone()), text).unwrap().outcome;
    assert_eq!(outcome(&fenced), Outcome::Correct);
    assert_eq!(outcome("```python\nprint(4)\n```"), Outcome::Wrong);
    assert_eq!(outcome("```python\nprint(3"), Outcome::NoAnswer);
    assert_eq!(outcome("3"), Outcome::NoAnswer);
    let error = CheckVerifier.verify(&task(TestsCheck::default()), &fenced).unwrap_err();
    assert!(matches!(error, VerifyError::Infrastructure { .. }), "{error}");
}
