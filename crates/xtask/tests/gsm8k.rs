//! Gold solutions that verify themselves and some that do not.

use std::fs;

use xtask::{GoldError, verify_gsm8k};

fn row(question: &str, answer: &str) -> String {
    format!("{}\n", serde_json::json!({ "question": question, "answer": answer }))
}

#[test]
fn every_file_of_the_folder_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let first = row("Two pens and three?", "2+3=<<2+3=5>>5\n#### 5")
        + &row("Twelve crates of 100?", "12*100=<<12*100=1200>>1,200\n#### 1,200");
    fs::write(folder.path().join("train.jsonl"), first).unwrap();
    fs::write(folder.path().join("test.jsonl"), row("Half of 3?", "3/2=1.5\n#### 1.5")).unwrap();
    fs::write(folder.path().join("LICENSE"), "not a data set").unwrap();
    let tally = verify_gsm8k(folder.path()).unwrap();
    assert_eq!((tally.right, tally.problems.as_slice()), (3, [].as_slice()));
    assert!(tally.to_string().ends_with("3 of 3 gold solutions verify themselves"), "{tally}");
}

#[test]
fn what_does_not_verify_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let text = row("One?", "#### 1") + &row("Many?", "#### 1/0") + &row("None?", "I do not know.");
    fs::write(folder.path().join("odd.jsonl"), text).unwrap();
    let tally = verify_gsm8k(folder.path()).unwrap();
    assert_eq!((tally.right, tally.problems.len()), (1, 2), "{tally}");
    assert!(tally.problems[0].contains("odd.jsonl:2: "), "{tally}");
    assert!(tally.problems[1].contains("odd.jsonl:3: field `answer`"), "{tally}");
}

#[test]
fn a_folder_without_data_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(verify_gsm8k(folder.path()), Err(GoldError::Empty { .. })));
    assert!(matches!(verify_gsm8k(&folder.path().join("no")), Err(GoldError::Folder { .. })));
}
