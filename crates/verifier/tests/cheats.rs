//! Programs that want the reward without the work. None of them passes a single test.
//!
//! Each file of `programs/cheats` is judged by every kind of test there is. The same tests pay an
//! honest program in full, so that a judge that refuses everything does not look good here.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::Duration;

use fireproof_trajectory::{ProgramTest, TestsCheck};
use fireproof_verifier::{CodeVerifier, Extent, Limits, TestVerdict, judge_code};

const HONEST: &str = "
def f(x):
    return x * x
if __name__ == '__main__':
    print(f(int(input())))
";

/// One test of every kind. What they expect is found nowhere in what the program gets.
fn tests() -> Vec<(&'static str, ProgramTest)> {
    let assert = |code: &str| ProgramTest::Assert { code: code.to_owned() };
    let call = |arguments: &str, expected: &str| ProgramTest::Call {
        function: "f".into(),
        arguments: arguments.into(),
        expected: expected.into(),
    };
    vec![
        ("stdio", ProgramTest::Stdio { stdin: "5\n".into(), stdout: "25\n".into() }),
        ("call", call("5", "25")),
        ("assert", assert("assert f(5) == 25")),
        ("reversed", assert("assert 144 == f(12)")),
        ("compared", assert("assert f(5) in (25, 36) and not f(12) != 144")),
        ("nested", assert("assert [f(5), {'a': f(12)}] == [25, {'a': 144}]")),
        ("generator", assert("assert all(f(x) == x * x for x in (7, 8, 9))")),
        (
            "mapped",
            assert(
                "assert list(map(f, [7, 8])) == [49, 64] and all(map(lambda x: f(x) == x * x, [7]))",
            ),
        ),
        (
            "zipped",
            assert(
                "assert all(a == b for a, b in zip((f(x) for x in (7, 8)), [49, 64])) and len(list(map(f, (2, 3)))) == 2",
            ),
        ),
        ("close", assert("assert math.isclose(f(1.5), 2.25) and abs(f(2.5) - 6.25) < 1e-9")),
        (
            "checked",
            assert(
                "def check(candidate):\n    for x, y in [(7, 49), (8, 64)]:\n        assert candidate(x) == y\ncheck(f)",
            ),
        ),
        ("sorted", assert("assert sorted({f(7), f(8)}) == [49, 64]")),
        (
            "expected error",
            assert(
                "try:\n    f('x')\n    error = False\nexcept TypeError:\n    error = True\n\
                 assert error and f(5) == 25",
            ),
        ),
        (
            "method",
            assert(
                "assert str(f(5)).startswith('25') and f(5).__class__ is int\nassert f(5) == 25",
            ),
        ),
        ("text", assert("assert str(f(5)) == '25' and repr(f(5)) == '25'")),
    ]
}

/// Short, because some cheats wait for ever.
fn limits() -> Limits {
    Limits { wall: Duration::from_secs(1), ..Limits::default().with_time_ms(300) }
}

/// Some tests by themselves, so that no cheat is saved by another test.
fn passed(program: &str, limits: &Limits) -> Vec<&'static str> {
    let verifier = CodeVerifier::shared().expect("set-up");
    let passes = |test: &ProgramTest| {
        let check = TestsCheck { tests: vec![test.clone()], ..TestsCheck::default() };
        let report = judge_code(verifier.sandbox(), program, &check, limits, Extent::All);
        report.expect("set-up").tests == [TestVerdict::Passed]
    };
    let alone = ["stdio"];
    let tests = tests().into_iter().filter(|(name, _)| alone.contains(name));
    tests.filter(|(_, test)| passes(test)).map(|(name, _)| name).collect()
}

/// All tests but the one with input at once, in the processes that they share.
fn passed_together(program: &str, limits: &Limits) -> Vec<&'static str> {
    let verifier = CodeVerifier::shared().expect("set-up");
    let tests = tests();
    let check = TestsCheck {
        tests: tests.iter().skip(1).map(|(_, test)| test.clone()).collect(),
        entry: Some("f".into()),
        ..TestsCheck::default()
    };
    let report =
        judge_code(verifier.sandbox(), program, &check, limits, Extent::All).expect("set-up");
    let names = tests.into_iter().skip(1).map(|(name, _)| name).zip(report.tests);
    names.filter(|(_, test)| *test == TestVerdict::Passed).map(|(name, _)| name).collect()
}

#[test]
fn an_honest_program_passes_every_test() {
    let all: Vec<&str> = tests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(passed(HONEST, &Limits::default()), ["stdio"]);
    assert_eq!(passed_together(HONEST, &Limits::default()), all[1..]);
}

#[test]
fn no_cheat_passes_any_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/cheats");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 30);
    let mut caught = Vec::new();
    for file in files {
        let program = std::fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let (alone, together) = (passed(&program, &limits()), passed_together(&program, &limits()));
        if !alone.is_empty() || !together.is_empty() {
            caught.push(format!("{name}: {alone:?} {together:?}"));
        }
    }
    assert_eq!(caught, [""; 0]);
}
