//! The line format of programs with tests, and many of them judged at once.

#![cfg(target_os = "linux")]

use fireproof_trajectory::{
    CheckSpec, Outcome, ProgramTest, PromptId, Task, TaskMetadata, TestsCheck,
};
use fireproof_verifier::{
    CodeRequest, CodeVerifier, RequestError, Response, Responses, judge_request, verify_groups,
};

fn answer(line: &str) -> Result<String, RequestError> {
    let request: CodeRequest =
        serde_json::from_str(line).map_err(|error| RequestError::Malformed(error.to_string()))?;
    let response = judge_request(&CodeVerifier::shared().expect("a sandbox"), &request)?;
    Ok(serde_json::to_string(&response).expect("plain data"))
}

#[test]
fn one_line_in_and_one_line_out() {
    for (line, expected) in [
        (
            r#"{"id":"a","style":"stdin","code":"print(int(input())*2)","tests":[{"stdin":"2","stdout":"4"},{"stdin":"3","stdout":"7"}]}"#,
            r#"{"id":"a","reward":0,"pass_frac":0.5,"verdict":"wrong"}"#,
        ),
        (
            r#"{"id":1,"style":"assert","code":"def f(x): return x+1","tests":[{"assert":"assert f(1) == 2"},{"assert":"f(2) == 3"},{"function":"f","args":[1],"expected":2}],"limits":{"time_s":2,"mem_mb":256,"output_kb":64}}"#,
            r#"{"id":1,"reward":1,"pass_frac":1.0,"verdict":"passed"}"#,
        ),
        (
            r#"{"id":null,"style":"completion","completion":"So:\n```python\ndef f(x):\n    return [x, None]\n```","tests":[{"function":"f","args":["é"],"expected":["é",null]}]}"#,
            r#"{"id":null,"reward":1,"pass_frac":1.0,"verdict":"passed"}"#,
        ),
        (
            r#"{"id":2,"style":"completion","completion":"no program","tests":[{"stdout":"1"}]}"#,
            r#"{"id":2,"reward":0,"pass_frac":0.0,"verdict":"no-code"}"#,
        ),
        (
            r#"{"id":3,"style":"stdin","code":"while True: pass","tests":[{"stdout":"1"}],"limits":{"time_s":0.2}}"#,
            r#"{"id":3,"reward":0,"pass_frac":0.0,"verdict":"time-limit"}"#,
        ),
    ] {
        assert_eq!(answer(line).unwrap(), expected);
    }
}

#[test]
fn a_line_that_cannot_be_judged_is_an_error_and_not_a_reward() {
    for line in [
        "{",
        r#"{"style":"java","code":"","tests":[]}"#,
        r#"{"style":"stdin","code":"print(1)","tests":[]}"#,
        r#"{"style":"stdin","completion":"print(1)","tests":[{"stdout":"1"}]}"#,
        r#"{"style":"stdin","code":"print(1)","tests":[{"stdout":"1","assert":"x"}]}"#,
        r#"{"style":"stdin","code":"print(1)","tests":[{"output":"1"}]}"#,
        r#"{"style":"assert","code":"x = 1","tests":[{"assert":"assert x ="}]}"#,
    ] {
        assert!(answer(line).is_err(), "{line}");
    }
}

#[test]
fn a_steps_programs_are_judged_on_all_cores() {
    let tasks: Vec<Task> = (0..6)
        .map(|n: u64| {
            let stdout = (n * n).to_string();
            let test = ProgramTest::Stdio { stdin: n.to_string(), stdout };
            let check = TestsCheck { tests: vec![test], ..TestsCheck::default() };
            Task {
                id: PromptId(n),
                prompt: "square".into(),
                check: CheckSpec::Tests(check),
                metadata: TaskMetadata::default(),
            }
        })
        .collect();
    let programs = ["print(int(input()) ** 2)", "print(9)", "import os; os._exit(0)"];
    let fenced = |program: &&str| Response::Text(format!("```python\n{program}\n```"));
    let groups: Vec<Responses<'_>> = tasks
        .iter()
        .map(|task| Responses { task, responses: programs.iter().map(fenced).collect() })
        .collect();
    let verifier = CodeVerifier::shared().unwrap();
    for (n, group) in verify_groups(&verifier, &groups, None).into_iter().enumerate() {
        let outcomes: Vec<Outcome> = group.into_iter().map(|v| v.unwrap().outcome).collect();
        let nine = if n == 3 { Outcome::Correct } else { Outcome::Wrong };
        assert_eq!(outcomes, [Outcome::Correct, nine, Outcome::Wrong], "{n}");
    }
}
