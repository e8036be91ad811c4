//! The experiment on pairs of prompts: its files, and that it goes on where it stopped.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::common::{refused, run, text_of};

/// Sizes of a run of seconds. Prompts of two digits are right now and then after a few supervised
/// steps, and with so wide a range of "rarely" there are pairs among them.
const TINY: [&str; 34] = [
    "--device",
    "flex",
    "--set",
    "exact.seeds=2",
    "--set",
    "exact.tuning_seeds=1",
    "--set",
    "exact.rates=2",
    "--set",
    "exact.updates=20",
    "--set",
    "transformer.c=7",
    "--set",
    "transformer.rates=1",
    "--set",
    "transformer.tuning_seeds=1",
    "--set",
    "transformer.draws=1",
    "--set",
    "transformer.every=1",
    "--set",
    "transformer.run.trainer.steps=2",
    "--set",
    "transformer.run.task.easiest=2",
    "--set",
    "transformer.run.task.hardest=2",
    "--set",
    "transformer.run.task.prompts_per_level=32",
    "--set",
    "transformer.run.evaluation.prompts=4",
    "--set",
    "transformer.run.warm_start.steps=20",
    "--set",
    "transformer.run.warm_start.demonstrations_per_step=16",
];

fn tiny(out: &Path, more: &[&str]) -> Output {
    let out = out.to_str().expect("a plain path");
    run("pairing", &[&TINY[..], &["--out", out], more].concat())
}

#[test]
fn a_quick_run_writes_its_report_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of(&tiny(folder.path(), &["--quick"]));
    for part in ["2.4749", "two-hard", "fresh-pairs", "pair minus", "5. partial", "report.html"] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    assert!(!text.contains("transformer"), "quick is the exact part alone: {text}");
    let summary = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["criteria"].as_array().unwrap().len(), 1 + 4 + 4 + 2 + 2);
    assert_eq!(summary["criteria"][0]["met"], true);
    assert!(fs::read_to_string(folder.path().join("report.html")).unwrap().contains("<svg"));
    for figure in ["amplification", "simulated-differences", "simulated-dead", "simulated-pass"] {
        assert!(folder.path().join(format!("{figure}.svg")).exists(), "{figure}");
    }
    let again = text_of(&tiny(folder.path(), &["--quick"]));
    assert!(again.contains("simulated    24/24  (0 s)"), "nothing runs twice: {again}");
    let findings = |text: &str| text[text.find("== Exact").unwrap()..].to_owned();
    assert_eq!(findings(&again), findings(&text));
}

#[test]
fn the_transformer_runs_under_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of(&tiny(folder.path(), &["--seeds", "2"]));
    let found = text.find("== The small transformer").expect("its own part");
    for part in ["two-random", "fresh-random", "6. transformer", "9. transformer"] {
        assert!(text[found..].contains(part), "{part:?} is missing: {text}");
    }
    let jobs = fs::read_dir(folder.path().join("jobs/transformer")).unwrap().count();
    assert_eq!(jobs, 1 + 6 + 6 * 2, "settings, tuning, two seeds");
}

#[test]
fn misspelt_settings_and_pools_without_pairs_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let misspelt = tiny(folder.path(), &["--quick", "--set", "exact.drawz=2"]);
    refused(&misspelt, &["exact.drawz=2", "unknown field `drawz`"]);
    // Four actions, one of them right for nearly every prompt: nothing is rarely right.
    let easy = ["--quick", "--set", "exact.start=0.999", "--set", "exact.spread=0.1"];
    refused(&tiny(folder.path(), &easy), &["none-", "rarely right"]);
}
