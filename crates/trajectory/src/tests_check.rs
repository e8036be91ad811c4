//! Checks by tests: a program is right if it does what a list of tests demands.

use serde::{Deserialize, Serialize};

/// Tests that a program must pass, all of them.
///
/// ```
/// use fireproof_trajectory::{ProgramTest, TestsCheck};
///
/// let test = ProgramTest::Stdio { stdin: "3 4\n".into(), stdout: "7\n".into() };
/// let check = TestsCheck { tests: vec![test], ..TestsCheck::default() };
/// assert_eq!(check.limits.time_ms, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestsCheck {
    /// The tests, in the order in which they are judged and reported.
    pub tests: Vec<ProgramTest>,
    /// Code that stands in front of the program: imports, or the prompt that a completion goes on.
    #[serde(default)]
    pub prelude: String,
    /// Name of the function that the task asks for. Tests may call it `candidate`, and it may have
    /// the name of a built-in function.
    #[serde(default)]
    pub entry: Option<String>,
    /// If given, numbers may be off by `10^-decimals`, absolutely or relative to the expected one.
    #[serde(default)]
    pub decimals: Option<u32>,
    /// Bounds on the program; the verifier's own where nothing is given.
    #[serde(default)]
    pub limits: TestLimits,
}

/// One test of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProgramTest {
    /// The whole program is run and its output compared.
    Stdio {
        /// What it reads.
        stdin: String,
        /// What it must write, up to white space at the ends of lines and blank last lines.
        stdout: String,
    },
    /// A function of the program is called and its value compared.
    Call {
        /// Name of the function, or any Python expression for it.
        function: String,
        /// The arguments as Python source without the parentheses, such as `[1, 2], key='a'`.
        arguments: String,
        /// The value as a Python literal. A list here also stands for a tuple with the same items.
        expected: String,
    },
    /// Python statements, usually one `assert`, that must run without an exception.
    Assert {
        /// The statements.
        code: String,
    },
}

/// Bounds on a program under test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLimits {
    /// Processor time in milliseconds, the interpreter's start included: of each test with input and
    /// output, of all others together.
    #[serde(default)]
    pub time_ms: Option<u64>,
    /// Address space in MiB; at least 64, which the interpreter needs.
    #[serde(default)]
    pub memory_mb: Option<u64>,
    /// Bytes written, in KiB. Without it, twice what the tests expect is always allowed.
    #[serde(default)]
    pub output_kb: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_survives_json_and_may_leave_out_what_has_a_default() {
        let json = r#"{"tests":[
            {"kind":"stdio","stdin":"1","stdout":"2"},
            {"kind":"call","function":"f","arguments":"1, [2]","expected":"(3, 4)"},
            {"kind":"assert","code":"assert f(1) == 2"}]}"#;
        let check: TestsCheck = serde_json::from_str(json).unwrap();
        assert_eq!(check.tests.len(), 3);
        assert_eq!((check.entry.clone(), check.limits), (None, TestLimits::default()));
        let again = serde_json::to_string(&check).unwrap();
        assert_eq!(serde_json::from_str::<TestsCheck>(&again).unwrap(), check);
    }
}
