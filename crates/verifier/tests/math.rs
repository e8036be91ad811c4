//! The corpus of mathematical answers: every case of every file in `tests/math`.
//!
//! Columns: name, gold, prediction, expected (`equal`, `different` or `gold-error`), why.

use std::path::Path;

use fireproof_verifier::math::{Policy, equal};

fn judge(gold: &str, prediction: &str) -> &'static str {
    match equal(gold, prediction, &Policy::default()) {
        Ok(comparison) if comparison.equal => "equal",
        Ok(_) => "different",
        Err(_) => "gold-error",
    }
}

#[test]
fn every_case_of_the_corpus_is_judged_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/math");
    let (mut cases, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "tsv") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [name, gold, prediction, expected, why] = columns[..] else {
                panic!("{}: not five columns: {line}", path.display());
            };
            cases += 1;
            let found = judge(gold, prediction);
            if found != expected {
                wrong.push(format!(
                    "{name}: {gold} | {prediction}: {found}, not {expected} ({why})"
                ));
            }
        }
    }
    assert!(cases >= 600, "only {cases} cases");
    assert!(wrong.is_empty(), "{} of {cases} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
