//! `evaluate` and `custom_recipe` as a person meets them.

use std::fs;

use crate::common::{refused, run, text_of, tiny};
use fireproof::trainer::Evaluation;

#[test]
fn two_checkpoints_are_evaluated_and_compared_on_the_same_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    text_of(&tiny(&path, &[]));
    let path = path.to_str().unwrap();
    let first = format!("{path}/checkpoints/step-000000");
    let counts = folder.path().join("counts.json");
    let more = ["--samples", "6", "--k", "1,6", "--device", "flex"];
    let with = ["--against", &first, "--json", counts.to_str().unwrap()];
    let text = text_of(&run("evaluate", &[&[path], &more[..], &with].concat()));
    for part in [
        "after step 4 (grpo): 8 held-out prompts x 6 samples",
        "after step 0 (grpo)",
        "maj@k",
        "prompt by prompt",
        " ± ",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    let evaluation: Evaluation =
        serde_json::from_str(&fs::read_to_string(&counts).unwrap()).unwrap();
    assert_eq!(evaluation.prompts.len(), 8);
    for result in &evaluation.prompts {
        assert_eq!(result.samples, 6);
        let right = result.answers.iter().filter(|a| a.correct).map(|a| a.count).sum::<u64>();
        assert_eq!(right, result.correct, "every right completion has an answer");
    }
    // A policy compared with itself draws the same completions.
    let text = text_of(&run("evaluate", &[&[path, "--against", path], &more[..]].concat()));
    assert!(text.contains("+0.000 ± 0.000") && text.contains("1.0000"), "{text}");
}

#[test]
fn what_cannot_be_evaluated_is_named() {
    refused(&run("evaluate", &["/nowhere"]), &["there is no checkpoint in /nowhere/checkpoints"]);
    let few = run("evaluate", &["/nowhere", "--samples", "4", "--k", "2,8"]);
    refused(&few, &["--k 8: needs at least 8 --samples, not 4"]);
    refused(&run("evaluate", &["/nowhere", "--samples", "0"]), &["--samples"]);

    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    text_of(&tiny(&one, &[]));
    text_of(&tiny(&other, &["--set", "task.hardest=4"]));
    let [one, other] = [&one, &other].map(|path| path.to_str().unwrap());
    let mixed = run("evaluate", &[one, "--against", other, "--samples", "4", "--device", "flex"]);
    refused(&mixed, &["the evaluations are not over the same prompts: 8 and 8"]);
}

#[test]
fn the_custom_recipe_trains() {
    let text = text_of(&run("custom_recipe", &["--steps", "2", "--device", "flex"]));
    assert!(text.contains("step    2") && text.contains("pass@1 over all 33 prompts"), "{text}");
}
