//! Files as they come: whole, broken, hostile, endless.

use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use fireproof_tasks::{
    FAMILIES, Fields, LONGEST_LINE, Layout, Partition, ReadReport, Record, TaskReader, generate,
    write_jsonl,
};
use fireproof_trajectory::CheckSpec;
use fireproof_verifier::{CheckVerifier, Verifier};
use proptest::prelude::*;

fn sums() -> Layout {
    Layout::Fields(Fields::new("sums", "q", "a"))
}

/// Prompt and answer of each row, or the message.
fn read(bytes: impl Into<Vec<u8>>, layout: Layout) -> (Vec<String>, ReadReport) {
    let mut reader = TaskReader::jsonl("f", Cursor::new(bytes.into()), layout);
    let rows =
        (&mut reader).map(|row| row.map_or_else(|error| error.to_string(), |row| shown(&row)));
    (rows.collect(), reader.report().clone())
}

fn shown(record: &Record) -> String {
    match &record.task.check {
        CheckSpec::Math { answer } => format!("{} -> {answer}", record.task.prompt),
        other => format!("{} -> {other:?}", record.task.prompt),
    }
}

#[test]
fn a_file_in_the_form_of_gsm8k() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/made_up.jsonl");
    let mut reader = TaskReader::open(&path, Layout::gsm8k()).unwrap();
    let rows: Vec<_> = (&mut reader).collect();
    let answers: Vec<String> = rows.iter().flatten().map(shown).collect();
    assert_eq!(answers.len(), 4);
    for (row, end) in answers.iter().zip(["-> 14", "-> 12,000", "-> -7", "-> .75"]) {
        assert!(row.ends_with(end), "{row}");
    }
    let errors: Vec<String> =
        rows.iter().filter_map(|row| row.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].ends_with(
        "made_up.jsonl:8: field `answer` should hold an answer after `####`, not \"One.\""
    ));
    assert_eq!(
        reader.report().to_string(),
        "4 tasks; left out: unreadable 1 (line 8), with an empty prompt 1 (line 6), \
         duplicates 1 (line 5), contradictions 1 (line 9)"
    );
}

#[test]
fn worked_solutions_verify_themselves() {
    for (file, layout, tasks) in
        [("made_up.jsonl", Layout::gsm8k(), 4), ("made_up_math.jsonl", Layout::math(), 6)]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        let records: Vec<Record> =
            TaskReader::open(&path, layout).unwrap().filter_map(Result::ok).collect();
        assert_eq!(records.len(), tasks, "{file}");
        for (record, other) in records.iter().zip(records.iter().cycle().skip(1)) {
            let solution = |record: &Record| record.demonstration.clone().expect("a solution");
            let verdict = |text: &str| CheckVerifier.verify(&record.task, text).unwrap();
            assert!(verdict(&solution(record)).correct(), "{record:?}");
            assert!(!verdict(&solution(other)).correct(), "{record:?} {other:?}");
        }
    }
}

#[test]
fn a_missing_file_and_an_unknown_ending_are_named() {
    let open = |path: &str| TaskReader::open(Path::new(path), sums()).unwrap_err().to_string();
    let missing = open("/nowhere/tasks.jsonl");
    assert!(missing.starts_with("/nowhere/tasks.jsonl: cannot be read: "), "{missing}");
    assert!(open("tasks.csv").starts_with("tasks.csv: not a kind of file that is known"));
    assert!(open(".jsonl").contains("not a kind of file"));
}

#[test]
fn every_family_survives_being_written_and_read() {
    for family in FAMILIES {
        let made = generate(family, family.levels(), 3, Partition::Train, 5);
        let made: Vec<Record> = made.into_iter().map(Record::from).collect();
        let mut file = Vec::new();
        write_jsonl(&mut file, &made).unwrap();
        let reader = TaskReader::jsonl("f", Cursor::new(file), Layout::Tasks);
        let read: Vec<Record> = reader.map(Result::unwrap).collect();
        assert_eq!(read.len(), made.len());
        for (line, (read, made)) in read.iter().zip(&made).enumerate() {
            assert_eq!((&read.task, &read.demonstration), (&made.task, &made.demonstration));
            assert_eq!(read.line, line as u64 + 1);
        }
    }
}

#[test]
fn byte_order_mark_line_ends_and_blank_lines_do_not_matter() {
    let text = "\u{feff}{\"q\":\"1+1\",\"a\":2}\r\n\r\n  \t\n{\"q\":\"2+2\",\"a\":4}";
    let (rows, report) = read(text, sums());
    assert_eq!(rows, ["1+1 -> 2", "2+2 -> 4"]);
    assert_eq!(report, ReadReport { tasks: 2, ..ReadReport::default() });
}

#[test]
fn each_broken_line_is_an_error_of_its_own() {
    let lines: [(&[u8], &str); 14] = [
        (b"{\"q\":\"a\",\"a\":1}", "a -> 1"),
        (b"not json", "f:2: expected ident, at column 2: not json"),
        (b"{\"q\":\"\xff\",\"a\":1}", "f:3: not UTF-8 at byte 7 of the line"),
        (b"{\"q\":\"b\",\"a\":null}", "f:4: field `a` is null or missing"),
        (b"{\"q\":null,\"a\":1}", "f:5: field `q` is null or missing"),
        (b"null", "f:6: invalid type: null, expected a map, at column 4: null"),
        (
            b"{\"q\":\"c\",\"a\":{\"b\":1}}",
            "f:7: field `a` should hold a text or a number, not {\"b\":1}",
        ),
        (
            b"{\"q\":\"d\",\"a\":1} x",
            "f:8: trailing characters, at column 17: {\"q\":\"d\",\"a\":1} x",
        ),
        (
            b"{\"q\":\"e\0\",\"a\":1}",
            "f:9: control character (\\u0000-\\u001F) found while parsing a string, at column 7: {\"q\":\"e\\0\",\"a\":1}",
        ),
        (
            b"{\"q\":\"\\ud800\",\"a\":1}",
            "f:10: field `q` should hold a text or a list of messages, not \"\\ud800\"",
        ),
        (b"\0\0\0", "f:11: expected value, at column 1: \\0\\0\\0"),
        (
            b"{\"q\":[{\"role\":\"user\"}],\"a\":1}",
            "f:12: field `q` should hold a text or a list of messages, not [{\"role\":\"user\"}]",
        ),
        (b"{\"q\":\"f\",\"a\":true}", "f -> true"),
        (b"{\"q\":\"g\\u0000\",\"a\":\"\\u0001\"}", "g\0 -> \u{1}"),
    ];
    let file = lines.map(|(line, _)| line).join(&b'\n');
    let (rows, report) = read(file, sums());
    for (row, (_, expected)) in rows.iter().zip(lines) {
        assert_eq!(row, expected);
    }
    assert_eq!((report.tasks, report.failed.count), (3, 11));
}

#[test]
fn deep_nesting_is_an_error_or_ignored_and_never_a_crash() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let unclosed = open.repeat(100_000);
        let text = format!(
            "{{\"q\":\"x\",\"a\":{deep}}}\n{{\"q\":{deep},\"a\":1}}\n{{\"q\":\"y\",\"a\":1,\"b\":{deep}}}\n{unclosed}\n"
        );
        let (rows, report) = read(text, sums());
        assert_eq!((rows.len(), report.tasks, report.failed.count), (4, 1, 3));
        assert_eq!(rows[2], "y -> 1");
    }
}

#[test]
fn a_line_of_many_megabytes_is_skipped_without_being_kept() {
    let head = b"{\"q\":\"".as_slice();
    let tail = b"\",\"a\":1}\n{\"q\":\"after\",\"a\":2}\n".as_slice();
    let filler = std::io::repeat(b'x').take(4 * LONGEST_LINE as u64);
    let input = BufReader::new(head.chain(filler).chain(tail));
    let rows: Vec<String> = TaskReader::jsonl("f", input, sums())
        .map(|row| row.map_or_else(|error| error.to_string(), |row| shown(&row)))
        .collect();
    assert_eq!(rows, ["f:1: the line is longer than 16777216 bytes", "after -> 2"]);
}

#[test]
fn an_endless_file_is_read_as_far_as_one_asks() {
    struct Endless(u64, Vec<u8>);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.1.is_empty() {
                self.0 += 1;
                self.1 = format!("{{\"q\":\"{0}+0\",\"a\":{0}}}\n", self.0).into_bytes();
            }
            let count = self.1.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.1[..count]);
            self.1.drain(..count);
            Ok(count)
        }
    }
    let reader = TaskReader::jsonl("f", BufReader::new(Endless(0, Vec::new())), sums());
    let rows: Vec<String> = reader.take(3).map(|row| shown(&row.unwrap())).collect();
    assert_eq!(rows, ["1+0 -> 1", "2+0 -> 2", "3+0 -> 3"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_give_an_answer_for_each_line(bytes: Vec<u8>) {
        for layout in [Layout::Tasks, Layout::gsm8k(), Layout::math(), Layout::dapo()] {
            let (rows, report) = read(bytes.clone(), layout);
            prop_assert_eq!(rows.len() as u64, report.tasks + report.failed.count);
            prop_assert!(rows.len() <= bytes.split(|byte| *byte == b'\n').count());
        }
    }

    #[test]
    fn a_row_with_one_byte_changed_is_a_task_or_an_error(place: prop::sample::Index, byte: u8) {
        let row = r#"{"prompt":[{"content":"17*2?","role":"user"}],"reward_model":{"ground_truth":"34"}}"#;
        let mut bytes = row.as_bytes().to_vec();
        bytes[place.index(row.len())] = byte;
        bytes.extend_from_slice(b"\n{\"prompt\":\"whole\",\"answer\":1}");
        let (rows, _) = read(bytes, Layout::dapo());
        prop_assert_eq!(rows.last().map(String::as_str), Some("whole -> 1"));
    }

    #[test]
    fn any_prompt_and_answer_come_back_as_they_were(prompt: String, answer: String) {
        prop_assume!(!prompt.trim().is_empty() && !answer.trim().is_empty());
        let row = serde_json::json!({ "q": prompt, "a": answer }).to_string();
        let (rows, _) = read(row, sums());
        prop_assert_eq!(rows, vec![format!("{prompt} -> {}", answer.trim())]);
    }
}
