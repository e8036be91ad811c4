//! The command `verify` as a person or another program meets it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};

/// The example that Cargo builds beside this test.
fn program() -> PathBuf {
    let this = std::env::current_exe().expect("a running test has a path");
    let folder = this.ancestors().nth(2).expect("target/debug/deps/test");
    let path = folder.join("examples").join(format!("verify{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built: run `cargo test --workspace`", path.display());
    path
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

fn verify(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // In a thread of its own, because the answers may fill their pipe first.
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends").expect("all input is read");
    output
}

/// The answers to some lines; the program must end well and say nothing else.
#[track_caller]
fn answers(arguments: &[&str], input: impl AsRef<[u8]>) -> Vec<Value> {
    let output = verify(arguments, input.as_ref());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

#[test]
fn bare_answers_are_compared_with_the_gold() {
    let rows = [
        json!({"id": 1, "gold": "1/2", "pred": "0.5"}),
        json!({"id": "b", "gold": "\\frac{\\sqrt{8}}{2}", "pred": "\\sqrt 2"}),
        json!({"id": null, "gold": "(x+1)^2", "pred": "x^2+2x+1"}),
        json!({"id": [4], "gold": "7", "pred": "8"}),
        json!({"id": 5, "gold": 42, "pred": 42.0}),
    ];
    let found = answers(&["math"], lines(&rows));
    let equal: Vec<&Value> = found.iter().map(|answer| &answer["equal"]).collect();
    assert_eq!(equal, [true, true, true, false, true]);
    let ids: Vec<&Value> = found.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!("b"), &Value::Null, &json!([4]), &json!(5)]);
    assert_eq!(found[0]["tier"], "exact");
}

#[test]
fn a_gold_answer_that_cannot_be_read_is_an_error_and_never_equal() {
    let rows = [
        json!({"id": 1, "gold": "\\frac{1}{", "pred": "\\frac{1}{"}),
        json!({"id": 2, "gold": "", "pred": ""}),
    ];
    for answer in answers(&["math"], lines(&rows)) {
        assert_eq!(answer["equal"], false, "{answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("gold")), "{answer}");
    }
}

#[test]
fn bad_lines_get_an_error_with_their_number_and_the_stream_goes_on() {
    let good = br#"{"id":1,"gold":"1","pred":"1"}"#.as_slice();
    let input = [
        good,
        b"nonsense",
        b"",
        br#"{"id":7,"gold":"1"}"#,
        b"{\"id\":\"\xff\"}",
        br#"["1","1"]"#,
        br#"{"id":8,"gold":{},"pred":"1"}"#,
        &[b'['; 100_000],
        b"\0",
        good,
    ]
    .join(&b'\n');
    let found = answers(&["math"], input);
    assert_eq!(found.len(), 10);
    assert_eq!((&found[0]["equal"], &found[9]["equal"]), (&json!(true), &json!(true)));
    for (answer, number) in found.iter().zip(1..).take(9).skip(1) {
        assert_eq!(answer["line"], json!(number), "{answer}");
        assert!(answer["error"].is_string() && answer["equal"].is_null(), "{answer}");
    }
    // A line of the wrong form still says whose answer it is.
    assert_eq!((&found[3]["id"], &found[6]["id"]), (&json!(7), &json!(8)));
    assert_eq!(found[3]["error"], "missing field `pred`, at byte 19");
}

#[test]
fn many_jobs_keep_the_order_of_the_lines() {
    let rows: Vec<Value> = (0..500)
        .map(|id| json!({"id": id, "gold": format!("{id}"), "pred": format!("{}", id / 2 * 2)}))
        .collect();
    let one = answers(&["math"], lines(&rows));
    assert_eq!(one, answers(&["math", "--jobs", "4"], lines(&rows)));
    for (id, answer) in one.iter().enumerate() {
        assert_eq!((&answer["id"], &answer["equal"]), (&json!(id), &json!(id % 2 == 0)));
    }
}

#[test]
fn each_answer_comes_before_the_next_line_is_written() {
    for jobs in ["1", "3"] {
        let mut child = start(&["math", "--jobs", jobs]);
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        for id in 0..5 {
            writeln!(stdin, r#"{{"id":{id},"gold":"1","pred":"1.0"}}"#).unwrap();
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let answer: Value = serde_json::from_str(&line).unwrap();
            assert_eq!((&answer["id"], &answer["equal"]), (&json!(id), &json!(true)));
        }
        drop(stdin);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let mut child = start(&["math"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    drop(child.stdout.take());
    // It notices when it writes, and its own input closes then.
    let line = b"{\"id\":1,\"gold\":\"1\",\"pred\":\"1\"}\n".repeat(1000);
    while stdin.write_all(&line).is_ok() {}
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn answers_are_extracted_as_the_mode_says() {
    let cases = [
        ("auto", r"Thus $\boxed{\frac{1}{2}}$.", "0.5", Some(r"\frac{1}{2}"), true),
        ("boxed", r"\boxed{3} or rather \boxed{4}", "4", Some("4"), true),
        ("boxed", r"It is \boxed{4", "4", None, false),
        ("gsm8k", "2*3=<<2*3=6>>6\n#### 6", "6", Some("6"), true),
        ("gsm8k", r"\boxed{6}", "6", None, false),
        ("tags", "<think>7</think><answer> 8 </answer>", "8", Some("8"), true),
        ("choice", "A guess: the answer is (C).", "C", Some("C"), true),
        ("phrase", "So the answer is 12.", "12", Some("12"), true),
        ("last_number", "first 3, then 1,250 in all", "1250", Some("1,250"), true),
        ("whole", "x = 5", "5", Some("x = 5"), true),
        ("auto", "<think>it may be 7", "7", None, false),
        ("auto", "", "7", None, false),
    ];
    let rows: Vec<Value> = cases
        .iter()
        .map(|(mode, completion, gold, ..)| json!({"mode": mode, "completion": completion, "gold": gold}))
        .collect();
    for (answer, (mode, completion, _, extracted, correct)) in
        answers(&["extract"], lines(&rows)).iter().zip(cases)
    {
        let expected = json!({"id": null, "extracted": extracted, "correct": correct});
        assert_eq!(*answer, expected, "{mode}: {completion}");
    }
}

#[test]
fn an_unknown_mode_is_an_error_that_lists_the_modes() {
    let row = |mode: &str| json!({"id": 1, "mode": mode, "completion": "7", "gold": "7"});
    let found = answers(&["extract"], lines(&[row("guess"), row("whole")]));
    assert_eq!(found[1]["correct"], true);
    let error = found[0]["error"].as_str().expect("an error");
    let (start, modes) = error.split_once(": ").expect("a list");
    assert_eq!((start, &found[0]["line"]), ("`guess` is no mode", &json!(1)));
    let rows: Vec<Value> = modes.split(", ").map(row).collect();
    assert_eq!(rows.len(), 9);
    assert!(answers(&["extract"], lines(&rows)).iter().all(|answer| answer["error"].is_null()));
}

#[test]
fn a_completion_without_mode_and_gold_shows_its_answer() {
    let found = answers(&["extract"], lines(&[json!({"completion": r"\boxed{1/3}"})]));
    assert_eq!(found, [json!({"id": null, "extracted": "1/3"})]);
    let found = answers(&["extract"], lines(&[json!({"completion": "#### 2", "gold": "1/0"})]));
    assert_eq!((&found[0]["extracted"], &found[0]["correct"]), (&json!("2"), &json!(false)));
    assert!(found[0]["error"].as_str().is_some_and(|error| error.contains("gold")));
}

#[test]
fn programs_are_judged_by_output_calls_and_asserts() {
    let double = "def f(x):\n    return 2 * x\n";
    let fenced = format!("It doubles:\n```python\n{double}```\n");
    let rows = [
        json!({"id": 1, "style": "stdin", "code": "print(int(input()) + 1)",
            "tests": [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "5\n", "stdout": "7\n"}]}),
        json!({"id": 2, "style": "assert", "code": double, "tests": [{"assert": "assert f(2) == 4"}]}),
        json!({"id": 3, "style": "completion", "completion": fenced,
            "tests": [{"assert": "assert f(2) == 4"}, {"function": "f", "args": [3], "expected": 6}]}),
        json!({"id": 4, "style": "completion", "completion": double,
            "tests": [{"assert": "assert f(2) == 4"}]}),
        json!({"id": 5, "style": "stdin", "code": "while True: pass",
            "tests": [{"stdin": "", "stdout": ""}], "limits": {"time_s": 0.3}}),
        json!({"id": 6, "style": "assert", "code": "import os; print('PASSED'); os._exit(0)",
            "tests": [{"assert": "assert f(2) == 4"}]}),
    ];
    let found = answers(&["code", "--jobs", "2"], lines(&rows));
    let short: Vec<Value> = found
        .iter()
        .map(|answer| {
            json!([answer["id"], answer["reward"], answer["pass_frac"], answer["verdict"]])
        })
        .collect();
    assert_eq!(
        short[..5],
        [
            json!([1, 0, 0.5, "wrong"]),
            json!([2, 1, 1.0, "passed"]),
            json!([3, 1, 1.0, "passed"]),
            json!([4, 0, 0.0, "no-code"]),
            json!([5, 0, 0.0, "time-limit"]),
        ]
    );
    assert_eq!((&found[5]["reward"], &found[5]["pass_frac"]), (&json!(0), &json!(0.0)));
}

#[test]
fn a_request_that_makes_no_sense_is_an_error_and_not_a_wrong_program() {
    let rows = [
        json!({"id": 1, "style": "stdout", "code": "", "tests": [{"stdout": ""}]}),
        json!({"id": 2, "style": "stdin", "tests": [{"stdout": ""}]}),
        json!({"id": 3, "style": "stdin", "code": "1", "tests": []}),
        json!({"id": 4, "style": "assert", "code": "1", "tests": [{"assert": "assert ("}]}),
        json!({"id": 5, "style": "stdin", "code": "1", "tests": [{"stdin": ""}]}),
    ];
    let parts = ["`completion`", "`code` is missing", "no tests", "test 0 is broken", "test 0"];
    for (answer, part) in answers(&["code"], lines(&rows)).iter().zip(parts) {
        let error = answer["error"].as_str().expect("an error");
        assert!(error.contains(part) && answer["reward"].is_null(), "{answer}");
    }
}

#[test]
fn the_layers_of_the_sandbox_are_listed_and_a_missing_interpreter_named() {
    let output = verify(&["code", "--layers"], b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(text.starts_with("Python 3") && text.contains("Bounds: active"), "{text}");
    let output = verify(&["code", "--interpreter", "/nowhere/python"], b"");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && message.contains("/nowhere/python"), "{message}");
}

#[test]
fn the_help_shows_a_line_of_each_kind() {
    let output = verify(&["--help"], b"");
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for part in ["math", "extract", "code", "\"pred\":", "\"completion\":", "\"tests\":", "--jobs"]
    {
        assert!(help.contains(part), "{part} is missing: {help}");
    }
    // The example lines of the help are right.
    for what in ["math", "extract", "code"] {
        let start = help.find(&format!("verify {what}")).expect("an example");
        let shown: Vec<&str> = help[start..].lines().skip(1).take(2).map(str::trim).collect();
        let input = shown[0].strip_prefix("in  ").expect("an input line");
        let answer = answers(&[what], format!("{input}\n")).remove(0);
        let expected = shown[1].strip_prefix("out ").expect("an output line");
        assert_eq!(answer, serde_json::from_str::<Value>(expected).unwrap());
    }
}

#[test]
fn the_lines_in_the_book_are_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../book/src/verifiers-tasks.md");
    let chapter = std::fs::read_to_string(path).expect("a chapter");
    let mut what = None;
    let mut input = "";
    let mut seen = 0;
    for line in chapter.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            // The lines that cannot be judged are of `math`.
            what = Some(heading.split('`').nth(1).map_or("math", |name| &name["verify ".len()..]));
        }
        if let Some(rest) = line.strip_prefix("in  ") {
            input = rest;
        }
        if let (Some(what), Some(expected)) = (what, line.strip_prefix("out ")) {
            let found = answers(&[what], format!("{input}\n")).remove(0);
            let mut expected: Value = serde_json::from_str(expected).expect("a line of JSON");
            // It stands somewhere in a file there, and alone here.
            if let Some(line) = expected.get_mut("line") {
                *line = json!(1);
            }
            assert_eq!(found, expected, "{input}");
            seen += 1;
        }
    }
    assert!(seen >= 13, "{seen} lines");
}

#[test]
fn a_misspelt_command_is_named() {
    let output = verify(&["maths"], b"");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(message.contains("'maths'") && message.contains("'math'"), "{message}");
}
