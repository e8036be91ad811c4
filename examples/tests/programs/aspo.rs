//! The experiment on importance ratios: its files, and that it goes on where it stopped.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::common::{refused, run, text_of};

/// Sizes of a run of seconds.
const TINY: [&str; 32] = [
    "--device",
    "flex",
    "--set",
    "exact.seeds=2",
    "--set",
    "exact.tuning_seeds=1",
    "--set",
    "exact.rates=2",
    "--set",
    "exact.steps=4",
    "--set",
    "exact.every=2",
    "--set",
    "transformer.rates=1",
    "--set",
    "transformer.tuning_seeds=1",
    "--set",
    "transformer.every=2",
    "--set",
    "transformer.run.trainer.steps=2",
    "--set",
    "transformer.run.trainer.prompts_per_step=4",
    "--set",
    "transformer.run.trainer.prompts_per_update=2",
    "--set",
    "transformer.run.evaluation.prompts=4",
    "--set",
    "transformer.run.warm_start.steps=3",
    "--set",
    "transformer.run.model.layers=1",
    "--set",
    "transformer.run.model.mlp_width=32",
];

fn tiny(out: &Path, more: &[&str]) -> Output {
    let out = out.to_str().expect("a plain path");
    run("aspo", &[&TINY[..], &["--out", out], more].concat())
}

#[test]
fn a_quick_run_writes_its_report_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of(&tiny(folder.path(), &["--quick"]));
    for part in ["grpo", "one-epoch", "R, A>0", "1. ASPO's weights", "8. simulated", "report.html"]
    {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    assert!(!text.contains("transformer"), "quick is the exact part alone: {text}");
    let summary = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["criteria"].as_array().unwrap().len(), 1 + 3 + 6);
    assert_eq!(summary["criteria"][0]["met"], true);
    assert!(fs::read_to_string(folder.path().join("report.html")).unwrap().contains("<svg"));
    for figure in ["weights", "ratios", "simulated-learning"] {
        assert!(folder.path().join(format!("{figure}.svg")).exists(), "{figure}");
    }
    let again = text_of(&tiny(folder.path(), &["--quick"]));
    assert!(again.contains("simulated    5/5  (0 s)"), "nothing runs twice: {again}");
    let findings = |text: &str| text[text.find("== Exact").unwrap()..].to_owned();
    assert_eq!(findings(&again), findings(&text));
}

#[test]
fn the_transformer_runs_under_every_arm() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of(&tiny(folder.path(), &["--seeds", "2"]));
    let found = text.find("== The small transformer").expect("its own part");
    for part in ["dapo-clip", "no-ratio", "one-epoch, equal updates", "9. transformer", "14. "] {
        assert!(text[found..].contains(part), "{part:?} is missing: {text}");
    }
    let jobs = fs::read_dir(folder.path().join("jobs/transformer")).unwrap().count();
    assert_eq!(jobs, 1 + 5 + 5 * 2, "settings, tuning, two seeds");
}

#[test]
fn misspelt_and_changed_settings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &str); 3] = [
        ("exact.epoks=2", "unknown field `epoks`"),
        ("transformer.run.trainer.stepz=2", "unknown field `stepz`"),
        ("exact.steps=many", "invalid type"),
    ];
    for (setting, part) in cases {
        refused(&tiny(folder.path(), &["--quick", "--set", setting]), &[setting, part]);
    }
    text_of(&tiny(folder.path(), &["--quick"]));
    let other = tiny(folder.path(), &["--quick", "--set", "exact.steps=5"]);
    refused(&other, &["`steps` = 4, now it is 5", "--out"]);
}
