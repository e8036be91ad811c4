//! The experiment on prompt weights: its files, its resumption, its refusals.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::common::{refused, run, text_of};

/// Everything as small as it can be.
const TINY: [&str; 18] = [
    "--device",
    "flex",
    "--set",
    "steps=100000",
    "--set",
    "rivals=4",
    "--set",
    "exact.seeds=2",
    "--set",
    "exact.tuning_seeds=1",
    "--set",
    "exact.world.cap=6",
    "--set",
    "exact.world.prompts=16",
    "--set",
    "exact.world.actions=4",
    "--set",
    "exact.starts=[{ success = 0.1, check_every = 2, budget = 256 }]",
];

fn tiny(out: &Path, more: &[&str]) -> Output {
    let out = ["--out", out.to_str().expect("a plain path")];
    run("asymmetric_weighting", &[&TINY[..], &out, more].concat())
}

#[test]
fn the_exact_part_reports_and_does_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let text = text_of(&tiny(&out, &["--quick"]));
    for part in ["device   flex (CPU, ", "Linear-R, drop", "Expected before running", "report.html"]
    {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    for file in ["report.html", "summary.json", "weights.svg", "trajectories.svg", "curves.svg"] {
        assert!(out.join(file).exists(), "{file} is missing");
    }
    // As if killed: one result is gone, another has a mark that it would lose if it ran again.
    let jobs = out.join("jobs/exact");
    fs::remove_file(jobs.join("from0.1-grpo-seed1.json")).unwrap();
    let kept = jobs.join("from0.1-grpo-seed2.json");
    let marked = fs::read_to_string(&kept).unwrap() + " ";
    fs::write(&kept, &marked).unwrap();
    let again = text_of(&tiny(&out, &["--quick"]));
    assert!(jobs.join("from0.1-grpo-seed1.json").exists());
    assert_eq!(fs::read_to_string(&kept).unwrap(), marked);
    let tables = |text: &str| text.split("== Many prompts").nth(1).map(str::to_owned);
    assert_eq!(tables(&again), tables(&text));
    refused(
        &tiny(&out, &["--quick", "--set", "exact.world.target=0.6"]),
        &["holds results with", "--out"],
    );
}

#[test]
fn the_transformer_races_with_few_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let small = [
        "--seeds",
        "2",
        "--set",
        "transformer.check_every=1",
        "--set",
        "transformer.run.trainer.steps=2",
        "--set",
        "transformer.run.trainer.prompts_per_step=4",
        "--set",
        "transformer.run.trainer.prompts_per_update=4",
        "--set",
        "transformer.run.evaluation.prompts=8",
        "--set",
        "transformer.starts=[{ name = \"start\", warm_steps = 2, target = 0.5, budget = 1, rates = [1e-3, 1e-3, 1e-3] }]",
    ];
    let text = text_of(&tiny(&out, &small));
    assert!(text.contains("== The small transformer"), "{text}");
    let summary = fs::read_to_string(out.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let arms = &summary["data"]["transformer"][0]["arms"];
    assert_eq!(arms[1]["arm"], "Linear-R, drop");
    assert_eq!(arms[1]["completions"].as_array().unwrap().len(), 2);
    assert!(out.join("transformer.svg").exists());
}

#[test]
fn misspelt_settings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, part) in [
        ("exact.wrold.cap=3", "unknown field `wrold`"),
        ("transformer.run.trainer.stepz=3", "unknown field `stepz`"),
        ("exact.world.optimizer=rmsprop", "unknown variant `rmsprop`"),
    ] {
        let out = folder.path().join("run");
        refused(&tiny(&out, &["--quick", "--set", setting]), &[part]);
        assert!(!out.exists());
    }
}
