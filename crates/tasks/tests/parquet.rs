//! Parquet files written by another implementation (`data/make_parquet.py`).

#![cfg(feature = "parquet")]

use std::path::PathBuf;

use fireproof_tasks::{Fields, Layout, ReadReport, TaskReader};
use fireproof_trajectory::CheckSpec;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Prompt and answer of each row, or the message after the file's name.
fn read(name: &str, layout: Layout) -> (Vec<String>, ReadReport) {
    let mut reader = TaskReader::open(&data(name), layout).expect("a Parquet file");
    let mut rows = Vec::new();
    for row in &mut reader {
        rows.push(match row {
            Ok(record) => match &record.task.check {
                CheckSpec::Math { answer } => format!("{} -> {answer}", record.task.prompt),
                other => format!("{other:?}"),
            },
            Err(error) => error.to_string().rsplit_once(".parquet:").expect("a place").1.to_owned(),
        });
    }
    (rows, reader.report().clone())
}

#[test]
fn gsm8k_in_parquet() {
    let (rows, report) = read("gsm8k.parquet", Layout::gsm8k());
    assert_eq!(
        rows,
        ["Ann has 3 pens and buys 4. How many? -> 7", "Bob runs 5 km a day. In a week? -> 35"]
    );
    assert_eq!(report.empty_prompts.first, [2]);
}

#[test]
fn messages_nested_answers_and_row_groups() {
    let (rows, report) = read("dapo.parquet", Layout::dapo());
    assert_eq!(
        rows,
        [
            "17*2? -> 34",
            "Half of 7? -> 3.5",
            "5: field `reward_model.ground_truth` or `answer` or `solution` is null or missing",
        ]
    );
    assert_eq!((report.duplicates.first, report.contradictions.first), (vec![3], vec![4]));
}

#[test]
fn answers_of_every_type_under_every_compression() {
    let layout = || Layout::Fields(Fields::new("s", "q", "a"));
    let missing = "3: field `a` is null or missing";
    let (rows, _) = read("whole.parquet", layout());
    assert_eq!(rows, ["a -> 7", "b -> -9223372036854775808", missing]);
    let (rows, _) = read("decimal.parquet", layout());
    assert_eq!(rows, ["a -> 1.50", "b -> -0.07", missing]);
    let (rows, _) = read("floating.parquet", layout());
    assert_eq!(rows[0], "a -> 0.5");
    assert_eq!(rows[1].trim_end_matches('0'), "b -> 1");
    assert_eq!(rows[2], "c -> NaN");
    let (rows, _) = read("bytes.parquet", layout());
    assert_eq!(
        rows,
        [
            "a -> ½",
            "2: field `a` is null or missing",
            "3: field `a` should hold an answer, not \" \"",
        ]
    );
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.parquet");
    let whole = std::fs::read(data("dapo.parquet")).unwrap();
    let (mut refused, mut read) = (0, 0);
    for place in (0..whole.len()).step_by(29) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x5a;
        std::fs::write(&path, &bytes).unwrap();
        match TaskReader::open(&path, Layout::dapo()) {
            Ok(reader) => read += reader.filter(Result::is_ok).count(),
            Err(error) => {
                assert!(error.to_string().contains("damaged.parquet: "), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 5 && read > 50, "{refused} {read}");
    for bytes in [&whole[..whole.len() / 2], b"PAR1", b""] {
        std::fs::write(&path, bytes).unwrap();
        TaskReader::open(&path, Layout::dapo()).unwrap_err();
    }
}
