//! The line format of `verify code`: one program with its tests in, one judgement out.
//!
//! ```text
//! in   {"id": 1, "style": "stdin", "code": "...", "tests": [{"stdin": "1", "stdout": "2"}]}
//!      {"id": 2, "style": "assert", "code": "...", "tests": [{"assert": "assert f(1) == 2"}]}
//!      {"id": 3, "style": "completion", "completion": "...```python ...", "tests": [
//!          {"function": "f", "args": [1], "expected": 2}], "limits": {"time_s": 2, "mem_mb": 256}}
//! out  {"id": 1, "reward": 1, "pass_frac": 1.0, "verdict": "passed"}
//! ```

use fireproof_trajectory::{ProgramTest, TestLimits, TestsCheck};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::judging::Extent;
use super::report::{CodeError, TestVerdict};
use super::verifier::{CodeSource, CodeVerifier};

/// One program to judge.
#[derive(Clone, Debug, Deserialize)]
pub struct CodeRequest {
    /// Comes back as it is.
    #[serde(default)]
    pub id: Value,
    /// Where the program is.
    pub style: CodeStyle,
    /// The program, for `stdin` and `assert`.
    #[serde(default)]
    pub code: Option<String>,
    /// The completion, for `completion`.
    #[serde(default)]
    pub completion: Option<String>,
    /// The tests, of any kind.
    pub tests: Vec<WireTest>,
    /// Name of the function that the task asks for.
    #[serde(default)]
    pub entry: Option<String>,
    /// Code in front of the program.
    #[serde(default)]
    pub prelude: String,
    /// Tolerance of numbers: `10^-decimals`.
    #[serde(default)]
    pub decimals: Option<u32>,
    /// Bounds.
    #[serde(default)]
    pub limits: WireLimits,
}

/// Where the program is, and what it is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeStyle {
    /// `code` is a program that reads and writes.
    Stdin,
    /// `code` defines functions.
    Assert,
    /// The program is in the last code fence of `completion`.
    Completion,
}

/// One test: `stdin` and `stdout`, or `assert`, or `function`, `args`, `kwargs` and `expected`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireTest {
    /// What the program reads.
    #[serde(default)]
    pub stdin: Option<String>,
    /// What it must write.
    #[serde(default)]
    pub stdout: Option<String>,
    /// Python statements.
    #[serde(default)]
    pub assert: Option<String>,
    /// Name of a function.
    #[serde(default)]
    pub function: Option<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<Value>,
    /// Its named arguments.
    #[serde(default)]
    pub kwargs: serde_json::Map<String, Value>,
    /// Its value; `null` is one.
    #[serde(default, deserialize_with = "given")]
    pub expected: Option<Value>,
}

/// Keeps a `null` that is there apart from a field that is not.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Bounds; the verifier's own where nothing is given.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct WireLimits {
    /// Processor time in seconds.
    #[serde(default)]
    pub time_s: Option<f64>,
    /// Address space in MiB.
    #[serde(default)]
    pub mem_mb: Option<u64>,
    /// Output in KiB.
    #[serde(default)]
    pub output_kb: Option<u64>,
}

/// The judgement over one program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodeResponse {
    /// From the request.
    pub id: Value,
    /// 1 if all tests passed, else 0.
    pub reward: u8,
    /// Share of the tests that passed.
    pub pass_frac: f64,
    /// Name of the first verdict that is not `passed`, or `passed`, or `no-code`.
    pub verdict: &'static str,
}

/// Why a request got no judgement.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request is not complete or contradicts itself.
    #[error("{0}")]
    Malformed(String),
    /// It could not be judged.
    #[error(transparent)]
    Code(#[from] CodeError),
}

/// Judges one program.
///
/// # Errors
/// If the request is malformed, a test is broken or the sandbox fails.
pub fn judge_request(
    verifier: &CodeVerifier,
    request: &CodeRequest,
) -> Result<CodeResponse, RequestError> {
    let malformed = |text: &str| RequestError::Malformed(text.to_owned());
    let (text, source) = match request.style {
        CodeStyle::Completion => (&request.completion, CodeSource::LastFence),
        CodeStyle::Stdin | CodeStyle::Assert => (&request.code, CodeSource::Whole),
    };
    let field = if source == CodeSource::Whole { "code" } else { "completion" };
    let text = text.as_ref().ok_or_else(|| malformed(&format!("`{field}` is missing")))?;
    let check = request.check()?;
    if check.tests.is_empty() {
        return Err(CodeError::NoTests.into());
    }
    let mut verifier = verifier.clone();
    verifier.source = source;
    let response = |reward, pass_frac, verdict| CodeResponse {
        id: request.id.clone(),
        reward,
        pass_frac,
        verdict,
    };
    Ok(match verifier.report(&check, text, Extent::All)? {
        None => response(0, 0.0, "no-code"),
        Some(report) => {
            let verdict: TestVerdict = report.verdict();
            response(u8::from(report.passed()), report.pass_fraction(), verdict.name())
        }
    })
}

impl CodeRequest {
    /// The check as a task carries it.
    ///
    /// # Errors
    /// If a test is none of the three kinds or the limits are no numbers to count with.
    pub fn check(&self) -> Result<TestsCheck, RequestError> {
        let tests = self.tests.iter().enumerate();
        let tests = tests.map(|(index, test)| test.test(index)).collect::<Result<_, _>>()?;
        let millis = |seconds: f64| {
            let valid = seconds.is_finite() && seconds > 0.0;
            valid.then_some((seconds * 1e3).ceil() as u64)
        };
        let time_ms = match self.limits.time_s.map(millis) {
            Some(None) => {
                let text = "`time_s` is not a positive number".to_owned();
                return Err(RequestError::Malformed(text));
            }
            given => given.flatten(),
        };
        let (memory_mb, output_kb) = (self.limits.mem_mb, self.limits.output_kb);
        Ok(TestsCheck {
            tests,
            prelude: self.prelude.clone(),
            entry: self.entry.clone(),
            decimals: self.decimals,
            limits: TestLimits { time_ms, memory_mb, output_kb },
        })
    }
}

impl WireTest {
    fn test(&self, index: usize) -> Result<ProgramTest, RequestError> {
        match (&self.stdin, &self.stdout, &self.assert, &self.function, &self.expected) {
            (stdin, Some(stdout), None, None, None) => Ok(ProgramTest::Stdio {
                stdin: stdin.clone().unwrap_or_default(),
                stdout: stdout.clone(),
            }),
            (None, None, Some(code), None, None) => Ok(ProgramTest::Assert { code: code.clone() }),
            (None, None, None, Some(function), Some(expected)) => {
                let positional = self.args.iter().map(python);
                let named =
                    self.kwargs.iter().map(|(key, value)| format!("{key}={}", python(value)));
                let arguments = positional.chain(named).collect::<Vec<_>>().join(", ");
                let (function, expected) = (function.clone(), python(expected));
                Ok(ProgramTest::Call { function, arguments, expected })
            }
            _ => Err(RequestError::Malformed(format!(
                "test {index} is neither stdin/stdout nor assert nor function/args/expected"
            ))),
        }
    }
}

/// A JSON value as a Python literal.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        Value::Object(items) => {
            let pair =
                |(key, value): (&String, &Value)| format!("{}: {}", quoted(key), python(value));
            format!("{{{}}}", items.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '\\' => "\\\\".to_owned(),
        '\'' => "\\'".to_owned(),
        ' '..='~' => c.to_string(),
        _ => format!("\\U{:08x}", u32::from(c)),
    });
    format!("'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_python() {
        let value: Value =
            serde_json::from_str(r#"[null, true, -1.5e3, "a'\\\né", {"k": []}]"#).unwrap();
        let text = python(&value);
        assert_eq!(text, r"[None, True, -1500.0, 'a\'\\\U0000000a\U000000e9', {'k': []}]");
    }

    #[test]
    fn tests_of_all_kinds_are_read_and_others_named() {
        let request: CodeRequest = serde_json::from_str(
            r#"{"id":7,"style":"assert","code":"","limits":{"time_s":0.5,"mem_mb":64},"tests":[
                {"stdin":"1","stdout":"2"},{"stdout":"2"},{"assert":"assert f(1) == 2"},
                {"function":"f","args":[1],"kwargs":{"k":2},"expected":null}]}"#,
        )
        .unwrap();
        let check = request.check().unwrap();
        assert_eq!(check.limits.time_ms, Some(500));
        let ProgramTest::Call { arguments, expected, .. } = &check.tests[3] else { panic!() };
        assert_eq!((arguments.as_str(), expected.as_str()), ("1, k=2", "None"));
        let request: CodeRequest =
            serde_json::from_str(r#"{"style":"stdin","code":"","tests":[{"stdin":"1"}]}"#).unwrap();
        assert!(request.check().unwrap_err().to_string().contains("test 0"));
        let request: CodeRequest = serde_json::from_str(
            r#"{"style":"stdin","code":"","limits":{"time_s":-1},"tests":[{"stdout":""}]}"#,
        )
        .unwrap();
        assert!(request.check().unwrap_err().to_string().contains("time_s"));
    }
}
