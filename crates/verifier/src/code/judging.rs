//! Running a program's tests: each kind of test in the way that keeps expected values away from it.
//!
//! | test | the program's process gets | who compares |
//! |---|---|---|
//! | input and output | the inputs | this crate |
//! | call | function and arguments; one process for all | this crate |
//! | `assert call == literal` | the call, in the same process | this crate |
//! | any other statements | single calls with plain arguments | a second process, which runs the test |

use fireproof_trajectory::{ProgramTest, TestsCheck};

use super::assertion;
use super::literal::{self, Rule, Value};
use super::report::{self, CodeError, CodeReport, TestVerdict};
use super::sandbox::{self, End, Finished, Limits, Sandbox};

/// With less address space the interpreter does not start.
const LEAST_MEMORY: u64 = 64 << 20;

/// How much of the tests to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All, for the share that passed.
    All,
    /// None after the first that failed: enough for a binary reward.
    UntilFailure,
}

/// Judges a program, which is Python source, by tests.
///
/// After a test that met a bound on time, memory or output the rest are not run.
///
/// # Errors
/// If the sandbox fails or a test is broken. Nothing the program does is an error.
pub fn judge_code(
    sandbox: &Sandbox,
    program: &str,
    check: &TestsCheck,
    limits: &Limits,
    extent: Extent,
) -> Result<CodeReport, CodeError> {
    if check.tests.is_empty() {
        return Err(CodeError::NoTests);
    }
    let limits = bounded(limits, check);
    let source = if check.prelude.is_empty() {
        program.to_owned()
    } else {
        format!("{}\n{program}", check.prelude)
    };
    let sorted = sort(check)?;
    let mut judging = Judging {
        sandbox,
        source: &source,
        check,
        limits: &limits,
        extent,
        tests: report::blank(check),
    };
    judging.calls(&sorted.calls)?;
    judging.scripts(&sorted.scripts)?;
    judging.stdio(&sorted.stdio)?;
    Ok(CodeReport { tests: judging.tests })
}

/// The task's own bounds where it has any.
fn bounded(limits: &Limits, check: &TestsCheck) -> Limits {
    let mut limits = limits.clone();
    if let Some(millis) = check.limits.time_ms {
        limits = limits.with_time_ms(millis);
    }
    if let Some(mebibytes) = check.limits.memory_mb {
        limits.memory = mebibytes.saturating_mul(1 << 20).max(LEAST_MEMORY);
    }
    match check.limits.output_kb {
        Some(kibibytes) => {
            let bytes = kibibytes.saturating_mul(1 << 10);
            limits.output = usize::try_from(bytes).unwrap_or(usize::MAX);
        }
        // A right answer is never too long.
        None => limits.output = limits.output.max(2 * longest_output(check)),
    }
    limits
}

/// Bytes of the expected outputs that one process may have to write.
fn longest_output(check: &TestsCheck) -> usize {
    let length = |test: &ProgramTest| match test {
        ProgramTest::Stdio { stdout: text, .. } | ProgramTest::Call { expected: text, .. } => {
            text.len()
        }
        ProgramTest::Assert { code } => code.len(),
    };
    check.tests.iter().map(length).sum()
}

/// Tests by how they are run, with their places.
#[derive(Default)]
struct Sorted<'a> {
    stdio: Vec<(usize, &'a str, &'a str)>,
    calls: Vec<(usize, Call)>,
    scripts: Vec<(usize, &'a str)>,
}

/// An expression of the program and the value it must have.
struct Call {
    expression: String,
    expected: Value,
    rule: Rule,
}

fn sort(check: &TestsCheck) -> Result<Sorted<'_>, CodeError> {
    let mut sorted = Sorted::default();
    let decimals = check.decimals;
    for (index, test) in check.tests.iter().enumerate() {
        match test {
            ProgramTest::Stdio { stdin, stdout } => sorted.stdio.push((index, stdin, stdout)),
            ProgramTest::Call { function, arguments, expected } => {
                let expression = format!("({function})({arguments}\n)");
                let expected = literal::parse(expected).ok_or_else(|| CodeError::BrokenTest {
                    index,
                    reason: "the expected value is no Python literal".to_owned(),
                })?;
                let rule = Rule { one_sequence: true, decimals };
                sorted.calls.push((index, Call { expression, expected, rule }));
            }
            ProgramTest::Assert { code } => match assertion::split(code, check.entry.as_deref()) {
                Some(assertion) => {
                    let rule = Rule { one_sequence: false, decimals };
                    let expression = assertion.call;
                    let expected = assertion.expected;
                    sorted.calls.push((index, Call { expression, expected, rule }));
                }
                None => sorted.scripts.push((index, code)),
            },
        }
    }
    Ok(sorted)
}

struct Judging<'a> {
    sandbox: &'a Sandbox,
    source: &'a str,
    check: &'a TestsCheck,
    limits: &'a Limits,
    extent: Extent,
    tests: Vec<TestVerdict>,
}

impl Judging<'_> {
    /// True if no further test needs to be run.
    fn done(&self) -> bool {
        let stops = |test: &TestVerdict| match self.extent {
            Extent::UntilFailure => !matches!(test, TestVerdict::Passed | TestVerdict::NotRun),
            Extent::All => test.ends_the_run(),
        };
        self.tests.iter().any(stops)
    }

    /// First all in one process, which takes about as long as one. What does not pass there is
    /// judged in a process of its own, so that no test fails for what another one left behind.
    fn stdio(&mut self, tests: &[(usize, &str, &str)]) -> Result<(), CodeError> {
        if tests.len() > 1 {
            for some in tests.chunks(sandbox::RUNS) {
                if self.done() || !self.together(some)? {
                    break;
                }
            }
        }
        for (index, stdin, stdout) in tests {
            if self.done() {
                break;
            }
            if self.tests[*index] == TestVerdict::Passed {
                continue;
            }
            let run = self.sandbox.run(self.source, stdin.as_bytes(), self.limits)?;
            self.tests[*index] = match TestVerdict::of_end(&run) {
                Some(verdict) => verdict,
                None if self.same(&run.output, stdout) => TestVerdict::Passed,
                None => TestVerdict::Wrong,
            };
        }
        Ok(())
    }

    /// Notes which tests pass in one process. True if all of them do.
    fn together(&mut self, tests: &[(usize, &str, &str)]) -> Result<bool, CodeError> {
        let inputs: Vec<&str> = tests.iter().map(|(_, stdin, _)| *stdin).collect();
        let run = self.sandbox.run_each(self.source, &inputs, self.limits)?;
        let ends = run.output.windows(sandbox::END_OF_RUN.len());
        if ends.filter(|bytes| *bytes == sandbox::END_OF_RUN).count() > tests.len() {
            // The program writes such marks itself, and what belongs to which test is not known.
            return Ok(false);
        }
        let mut rest = run.output.as_slice();
        let mut passed = 0;
        for (index, _, stdout) in tests {
            let mark = sandbox::END_OF_RUN;
            let Some(end) = rest.windows(mark.len()).position(|bytes| bytes == mark) else { break };
            let output = &rest[..end];
            rest = &rest[end + mark.len()..];
            if self.same(output, stdout) {
                self.tests[*index] = TestVerdict::Passed;
                passed += 1;
            }
        }
        // The first test had a fresh process and all of its time: no need to try that again.
        let first = &mut self.tests[tests[0].0];
        if rest.len() == run.output.len() && run.end == End::TimeLimit {
            *first = TestVerdict::TimeLimit;
        }
        Ok(passed == tests.len())
    }

    fn same(&self, output: &[u8], expected: &str) -> bool {
        same_output(output, expected, self.check.decimals)
    }

    /// All calls in one process.
    fn calls(&mut self, calls: &[(usize, Call)]) -> Result<(), CodeError> {
        if calls.is_empty() || self.done() {
            return Ok(());
        }
        let mut requests = Vec::new();
        for (_, call) in calls {
            push_frame(&mut requests, "eval", &call.expression);
        }
        let run = self.sandbox.serve(self.source, &requests, self.limits)?;
        let mut answers = frames(&run.reply);
        let loaded = answers.next();
        for (index, call) in calls {
            let verdict = match (&loaded, answers.next()) {
                (Some(("loaded", _)), Some(("value", text))) => value_verdict(text, call),
                (Some(("loaded", _)), Some(("raised", name))) => raised(name),
                (Some(("loaded", _)), Some(_)) => TestVerdict::Wrong,
                (Some(("failed", name)), _) => raised(name),
                _ => unanswered(&run),
            };
            let ends = verdict.ends_the_run();
            self.tests[*index] = verdict;
            if ends {
                break;
            }
        }
        Ok(())
    }

    /// All statements in one process, the program in another.
    fn scripts(&mut self, scripts: &[(usize, &str)]) -> Result<(), CodeError> {
        if scripts.is_empty() || self.done() {
            return Ok(());
        }
        let mut tests = Vec::new();
        push_frame(&mut tests, "entry", self.check.entry.as_deref().unwrap_or_default());
        for (_, code) in scripts {
            push_frame(&mut tests, "test", code);
        }
        let (run, program) = self.sandbox.judge(self.source, &tests, self.limits)?;
        let mut results = frames(&run.reply);
        for (index, _) in scripts {
            let verdict = match results.next() {
                Some(("passed", _)) => TestVerdict::Passed,
                Some(("broken", reason)) => {
                    return Err(CodeError::BrokenTest { index: *index, reason: reason.to_owned() });
                }
                Some(("failed", _)) => TestVerdict::Wrong,
                Some(("raised", name)) if name != "ProgramGone" => raised(name),
                _ => untested(&run, &program),
            };
            let ends = verdict.ends_the_run();
            self.tests[*index] = verdict;
            if ends {
                break;
            }
        }
        Ok(())
    }
}

fn value_verdict(text: &str, call: &Call) -> TestVerdict {
    match literal::parse(text) {
        Some(value) if call.rule.equal(&value, &call.expected) => TestVerdict::Passed,
        _ => TestVerdict::Wrong,
    }
}

fn raised(name: &str) -> TestVerdict {
    if name == "MemoryError" {
        return TestVerdict::MemoryLimit;
    }
    TestVerdict::Raised { exception: name.chars().take(80).collect() }
}

/// The verdict over a test whose answer never came.
fn unanswered(run: &Finished) -> TestVerdict {
    TestVerdict::of_end(run).unwrap_or(TestVerdict::Exited { status: 0 })
}

/// The verdict over statements that gave no result: the program's end, if that was its own doing.
fn untested(tests: &Finished, program: &Finished) -> TestVerdict {
    match (unanswered(program), TestVerdict::of_end(tests)) {
        // Not the program, which was ended after its tests, but the tests met a bound.
        (TestVerdict::Killed { signal: 9 }, Some(verdict)) | (verdict, _) => verdict,
    }
}

fn push_frame(frames: &mut Vec<u8>, kind: &str, text: &str) {
    frames.extend(format!("{kind} {}\n", text.len()).into_bytes());
    frames.extend(text.as_bytes());
}

/// The frames of a reply, up to the first that is none. The program may have written anything.
fn frames(bytes: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = rest.iter().take(64).position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&rest[..end]).ok()?;
        let (kind, length) = head.split_once(' ')?;
        let length: usize = length.parse().ok()?;
        let after = rest.get(end + 1..)?;
        let text = std::str::from_utf8(after.get(..length)?).ok()?;
        rest = &after[length..];
        Some((kind, text))
    })
}

/// True if an output is the expected one, up to white space at the ends of lines and blank last
/// lines; numbers up to a tolerance if there is one.
fn same_output(output: &[u8], expected: &str, decimals: Option<u32>) -> bool {
    let trimmed = output.trim_ascii_end();
    let expected = expected.trim_end();
    let lines = |bytes: &'_ [u8]| -> Vec<Vec<u8>> {
        bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect()
    };
    let (found, wanted) = (lines(trimmed), lines(expected.as_bytes()));
    if found == wanted {
        return true;
    }
    let Some(decimals) = decimals else { return false };
    found.len() == wanted.len()
        && found.iter().zip(&wanted).all(|(found, wanted)| {
            let text = |line| String::from_utf8_lossy(line).into_owned();
            let (found, wanted) = (text(found), text(wanted));
            let same = |(a, b): (&str, &str)| a == b || literal::close_words(a, b, decimals);
            let (found, wanted) = (found.split_whitespace(), wanted.split_whitespace());
            found.clone().count() == wanted.clone().count() && found.zip(wanted).all(same)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_compared_line_by_line() {
        assert!(same_output(b"1 \n2\n\n", "1\n2", None));
        assert!(same_output(b"1\r\n2\r\n", "1\n2\n", None));
        assert!(!same_output(b"1 2", "1\n2", None));
        assert!(!same_output(b" 1", "1", None));
        assert!(!same_output(b"0.33333333", "0.33333334", None));
        assert!(same_output(b"x 0.33333333", "x  0.33333334", Some(6)));
        assert!(!same_output(b"x 0.33333333 1", "x 0.33333334", Some(6)));
        assert!(!same_output(b"\xff", "\u{fffd}", None));
    }

    #[test]
    fn a_reply_ends_at_the_first_thing_that_is_no_frame() {
        let all: Vec<_> = frames(b"value 1\n3raised 4\nIOErvalue 99\n3").collect();
        assert_eq!(all, [("value", "3"), ("raised", "IOEr")]);
        for junk in [&b"value x\n3"[..], b"value 18446744073709551615\n3", b"\n", b"a", b"a -1\nb"]
        {
            assert_eq!(frames(junk).count(), 0);
        }
    }
}
