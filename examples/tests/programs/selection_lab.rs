//! `selection_lab` as a person meets it.

use std::fs;

use serde_json::Value;

use crate::common::{refused, run, text_of};

#[test]
fn every_rule_is_compared_and_the_transformer_confirms() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().expect("a plain path");
    let text = text_of(&run(
        "selection_lab",
        &[
            "--device=flex",
            "--seeds=2",
            "--out",
            out,
            "--set=exact.cap=2000",
            "--set=exact.prompts=128",
            "--set=rates.tuning_seeds=1",
            "--set=rates.tried=[0.05]",
            "--set=rates.seeds=2",
            "--set=transformer.run.warm_start.steps=8",
            "--set=transformer.run.trainer.prompts_per_step=8",
            "--set=transformer.run.trainer.prompts_per_update=8",
            "--set=transformer.run.task.prompts_per_level=32",
            "--set=transformer.run.evaluation.prompts=8",
            "--set=transformer.evaluate_every=1",
            "--set=transformer.cap=200",
        ],
    ));
    for part in ["Confirmation: the small transformer", "dynamic-sampling", "as expected"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let summary = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["data"].as_array().unwrap().len(), 2);
    assert_eq!(summary["data"][1]["rules"].as_array().unwrap().len(), 6);
    for file in ["report.html", "exact-curves.svg", "transformer-curves.svg", "calibration.svg"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn a_misspelt_setting_is_refused() {
    let output = run("selection_lab", &["--quick", "--set", "exact.targt=0.5"]);
    refused(&output, &["unknown field `targt`"]);
}
