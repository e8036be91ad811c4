//! `leaderboard` as a person meets it.

use std::fs;
use std::path::Path;

use fireproof::trainer::RecipeName;
use serde_json::Value;

use crate::common::{refused, run, text_of};

/// Two steps a recipe.
const TINY: [&str; 11] = [
    "--quick",
    "--device",
    "flex",
    "--set",
    "letters.run.budget=128",
    "--set",
    "letters.run.prompts_per_step=8",
    "--set",
    "letters.rates=[0.1]",
    "--set",
    "letters.seeds=2",
];

fn tiny(out: &Path, more: &[&str]) -> std::process::Output {
    let out = out.to_str().expect("a plain path");
    run("leaderboard", &[&TINY[..], &["--out", out], more].concat())
}

#[test]
fn every_recipe_is_ranked_and_a_second_start_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_of(&tiny(folder.path(), &[]));
    assert!(text.contains("pass@1 on the sixteen prompts"), "{text}");
    let summary = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let places = summary["data"][0]["places"].as_array().unwrap();
    assert_eq!(places.len(), RecipeName::ALL.len());
    let scores: Vec<f64> =
        places.iter().map(|place| place["pass_at_1"]["value"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("linear-r") && page.contains("<svg"));

    // A result that is there is not computed again, and one that was lost is.
    let jobs = folder.path().join("jobs/letters");
    let kept = jobs.join("grpo-0.1-1.json");
    fs::write(&kept, r#"{"correct":[0],"samples":64,"completions":0,"steps":777}"#).unwrap();
    fs::remove_file(jobs.join("aspo-0.1-1.json")).unwrap();
    text_of(&tiny(folder.path(), &[]));
    assert!(jobs.join("aspo-0.1-1.json").exists());
    assert!(fs::read_to_string(&kept).unwrap().contains("777"));
}

#[test]
fn other_settings_and_misspelt_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    text_of(&tiny(folder.path(), &[]));
    let other = tiny(folder.path(), &["--set", "letters.run.spread=0.5"]);
    refused(&other, &["`spread` = 1.5, now it is 0.5", "--out"]);
    refused(&tiny(folder.path(), &["--set", "letters.rate=0.5"]), &["unknown field `rate`"]);
}
