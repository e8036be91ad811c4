//! The experiment on focal scaling: its files, its resumption, its refusals.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::common::{refused, run, text_of};

/// Everything as small as it can be.
const TINY: [&str; 24] = [
    "--device",
    "flex",
    "--set",
    "groups=200",
    "--set",
    "categorical.seeds=2",
    "--set",
    "categorical.sizes=[8, 32]",
    "--set",
    "categorical.world.actions=60",
    "--set",
    "categorical.world.right=12",
    "--set",
    "categorical.world.steps=8",
    "--set",
    "answers.seeds=2",
    "--set",
    "answers.tuning_seeds=1",
    "--set",
    "answers.sizes=[8]",
    "--set",
    "answers.world.until=0.5",
    "--set",
    "answers.world.fixed=10",
];

fn tiny(out: &Path, more: &[&str]) -> Output {
    let out = ["--out", out.to_str().expect("a plain path")];
    run("focal", &[&TINY[..], &out, more].concat())
}

#[test]
fn the_exact_part_reports_and_does_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let text = text_of(&tiny(&out, &["--quick"]));
    for part in ["0.5, 0.05", "0.6578", "gamma 0.5, faster", "Expected before running"] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    for file in ["report.html", "summary.json", "tail-miss.svg", "retained-count.svg"] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    // As if killed: one result is gone, another has a mark that it would lose if it ran again.
    let jobs = out.join("jobs/answers");
    fs::remove_file(jobs.join("G8-GRPO-seed1.json")).unwrap();
    let kept = jobs.join("G8-GRPO-seed2.json");
    let marked = fs::read_to_string(&kept).unwrap() + " ";
    fs::write(&kept, &marked).unwrap();
    let again = text_of(&tiny(&out, &["--quick"]));
    assert!(jobs.join("G8-GRPO-seed1.json").exists());
    assert_eq!(fs::read_to_string(&kept).unwrap(), marked);
    let tables = |text: &str| text.split("== Prompts of mixed").nth(1).map(str::to_owned);
    assert_eq!(tables(&again), tables(&text));
    refused(
        &tiny(&out, &["--quick", "--set", "categorical.world.rate=0.02"]),
        &["holds results with `rate`", "--out"],
    );
}

#[test]
fn the_transformer_is_seen_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let small = [
        "--seeds",
        "2",
        "--set",
        "transformer.check_every=1",
        "--set",
        "transformer.fixed=3",
        "--set",
        "transformer.prompts=4",
        "--set",
        "transformer.run.trainer.steps=3",
        "--set",
        "transformer.run.trainer.prompts_per_step=4",
        "--set",
        "transformer.run.trainer.prompts_per_update=4",
        "--set",
        "transformer.run.warm_start.steps=100",
    ];
    let text = text_of(&tiny(&out, &small));
    assert!(text.contains("== The small transformer"), "{text}");
    let left = fs::read_to_string(out.join("jobs/transformer/gamma-1-seed1.json")).unwrap();
    let left: serde_json::Value = serde_json::from_str(&left).unwrap();
    // Before training every mass is retained, and after some steps some is lost.
    assert_eq!(left["start"]["retained"], 1.0);
    let retained = left["fixed"]["retained"].as_f64().unwrap();
    assert!(retained < 1.0 && retained > 0.0, "{left}");
}

#[test]
fn misspelt_settings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, part) in [
        ("answers.world.rat=3", "unknown field `rat`"),
        ("transformer.run.task.familie=split", "unknown field `familie`"),
    ] {
        let out = folder.path().join("run");
        refused(&tiny(&out, &["--quick", "--set", setting]), &[part]);
        assert!(!out.exists());
    }
}
