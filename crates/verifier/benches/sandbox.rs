//! How long a small program takes in the sandbox, from source to verdict.
//!
//! `cargo bench --package fireproof-verifier --bench sandbox`

#![allow(clippy::print_stdout, reason = "it prints what it measures")]

use std::time::{Duration, Instant};

use fireproof_trajectory::{ProgramTest, TestsCheck};
use fireproof_verifier::{CodeVerifier, Extent, judge_code};
use rayon::prelude::*;

const RUNS: usize = 200;
const SCRIPT: &str = "n = int(input())\nprint(sum(i * i for i in range(n)))\n";
const FUNCTION: &str = "def f(n):\n    return sum(i * i for i in range(n))\n";

fn main() {
    let verifier = CodeVerifier::shared().expect("a sandbox");
    print!("{}", verifier.sandbox().layers());
    println!("Python {}", verifier.sandbox().python_version());
    let stdio = ProgramTest::Stdio { stdin: "1000".into(), stdout: "332833500".into() };
    let simple =
        |n: u64| assertion(format!("assert f({n}) == {}", (0..n).map(|i| i * i).sum::<u64>()));
    let other =
        |n: u64| assertion(format!("assert f({n}) in [{}]", (0..n).map(|i| i * i).sum::<u64>()));
    let cases = [
        ("input and output, 1 test", SCRIPT, vec![stdio.clone()]),
        ("input and output, 5 tests", SCRIPT, vec![stdio; 5]),
        ("assert call == literal, 1 test", FUNCTION, vec![simple(10)]),
        ("assert call == literal, 20 tests", FUNCTION, (1..21).map(simple).collect()),
        ("any other assert, 20 tests", FUNCTION, (1..21).map(other).collect()),
    ];
    let mut child: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let run = verifier.sandbox().run(SCRIPT, b"1000", &verifier.limits).expect("a run");
            run.cpu
        })
        .collect();
    println!("processor time of the interpreter: median {:.1} ms", median(&mut child));
    for (name, program, tests) in cases {
        let check = TestsCheck { tests, ..TestsCheck::default() };
        let judge = || {
            let start = Instant::now();
            let sandbox = verifier.sandbox();
            let report = judge_code(sandbox, program, &check, &verifier.limits, Extent::All);
            assert!(report.expect("a report").passed(), "{name}");
            start.elapsed()
        };
        let mut times: Vec<Duration> = (0..RUNS).map(|_| judge()).collect();
        let start = Instant::now();
        (0..RUNS).into_par_iter().for_each(|_| {
            judge();
        });
        let rate = RUNS as f64 / start.elapsed().as_secs_f64();
        let threads = rayon::current_num_threads();
        let median = median(&mut times);
        println!("{name}: median {median:.1} ms; on {threads} threads {rate:.0} programs/s");
    }
}

fn assertion(code: String) -> ProgramTest {
    ProgramTest::Assert { code }
}

/// In milliseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}
