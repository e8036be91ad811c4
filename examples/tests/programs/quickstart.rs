//! The quickstart as a person meets it: its messages, its exit codes, its folders.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{metrics, program, quickstart, refused, text_of, tiny};

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, seed| {
        let path = folder.path().join(name);
        let text = text_of(&tiny(&path, &["--seed", seed, "--recipe", "aspo"]));
        (metrics(&path), text)
    };
    let (first, text) = run("first", "5");
    assert_eq!(first, run("second", "5").0);
    assert_ne!(first, run("third", "6").0);
    assert_eq!(first.len(), 4);
    for part in [
        "device   flex (CPU, ",
        "F32; CPU threads: 1",
        "recipe   aspo, prompts uniform, seed 5",
        "pass@1",
        "pass@8",
        " ± ",
    ] {
        assert!(text.contains(part), "{part:?} is missing: {text}");
    }
    assert!(first[0].max_logprob_delta <= 1e-5, "{}", first[0].max_logprob_delta);
}

#[test]
fn a_run_that_lost_its_last_steps_resumes_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    text_of(&tiny(&whole, &[]));
    text_of(&tiny(&cut, &[]));
    // As if it had been killed while it wrote the line of step 4.
    fs::remove_dir_all(cut.join("checkpoints/step-000004")).unwrap();
    fs::remove_file(cut.join("evaluation-after.json")).unwrap();
    let file = cut.join("metrics.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() - 20]).unwrap();
    let path = cut.to_str().unwrap();
    let arguments = ["--device", "flex", "--resume", path];
    // What burn would make of such a variable does not matter where a device is named.
    let resumed =
        Command::new(program()).args(arguments).env("BURN_DEVICE", "cuda:0").output().unwrap();
    assert!(text_of(&resumed).contains("resumed  after step 2"));
    assert_eq!(metrics(&cut), metrics(&whole));
    for result in ["evaluation-before.json", "evaluation-after.json", "config.toml"] {
        let read = |run: &Path| fs::read_to_string(run.join(result)).unwrap();
        assert_eq!(read(&cut), read(&whole), "{result}");
    }
}

#[test]
fn damaged_and_missing_checkpoints_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    text_of(&tiny(&run, &[]));
    for entry in fs::read_dir(run.join("checkpoints")).unwrap() {
        fs::write(entry.unwrap().path().join("policy.bpk"), "short").unwrap();
    }
    let path = run.to_str().unwrap();
    refused(&quickstart(&["--resume", path]), &["step-000004", "policy.bpk is damaged"]);
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    refused(&quickstart(&["--resume", path]), &["there is no checkpoint in", "checkpoints"]);
    refused(&quickstart(&["--resume", "/nowhere/run"]), &["/nowhere/run/config.toml"]);
}

#[test]
fn a_run_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    text_of(&tiny(&run, &[]));
    let before = metrics(&run);
    refused(&tiny(&run, &[]), &["already holds a run", "--resume"]);
    assert_eq!(metrics(&run), before);
}

#[test]
fn an_unwritable_folder_is_named_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    refused(&tiny(&file.join("run"), &[]), &["creating ", "file/run"]);
}

#[test]
fn misspelt_things_are_named_with_what_there_is() {
    let cases: [(&[&str], &[&str]); 8] = [
        (
            &["--recipe", "gprpo"],
            &[
                "invalid value 'gprpo' for '--recipe",
                "grpo, dr-grpo, dapo, rloo, reinforce, reinforce-pp",
            ],
        ),
        (&["--selector", "best"], &["invalid value 'best'", "uniform, curriculum, highest"]),
        (&["--steps", "3"], &["--steps"]),
        (&["--set", "trainer.stepz=3"], &["--set trainer.stepz=3", "unknown field `stepz`"]),
        (&["--set", "task.family=chess"], &["`chess` is none of", "sort"]),
        (&["--device", "cdua"], &["`cdua` names no device", "`flex`"]),
        (&["--config", "/nowhere/run.toml"], &["reading run file /nowhere/run.toml"]),
        (&["--seed=-1"], &["--seed", "-1"]),
    ];
    for (arguments, parts) in cases {
        refused(&quickstart(&[arguments, &["--quick"]].concat()), parts);
    }
}

#[test]
fn impossible_sizes_are_refused_before_a_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    for (setting, part) in [
        ("trainer.prompts_per_step=0", "trainer.prompts_per_step: must be at least 1, not 0"),
        ("trainer.samples_per_prompt=-4", "trainer.samples_per_prompt=-4"),
        ("trainer.tokens_per_microbatch=0", "tokens_per_microbatch: must be at least 1, not 0"),
        ("trainer.prompts_per_update=99", "prompts_per_update: 99 is more than"),
        ("trainer.temperature=0", "temperature: must be above 0, not 0"),
        ("trainer.optimizer.learning_rate=-1", "trainer.optimizer.learning_rate: must be above 0"),
        ("trainer.seed=9223372036854775808", "trainer.seed=9223372036854775808"),
        ("trainer.prompts_per_step=999999", "trainer.prompts_per_step: 999999 prompts"),
        ("evaluation.prompts=0", "evaluation.prompts: must be at least 1, not 0"),
        ("task.hardest=3", "evaluation.prompts: 8000 prompts"),
        ("model.heads=3", "width 64 must be a multiple of 2 heads"),
        ("model.layers=0", "layers must be at least 1, not 0"),
        ("model.width=65536", "of memory are free: choose a smaller model (model.width"),
        ("warm_start.demonstrations_per_step=0", "demonstrations_per_step: must be at least 1"),
        ("warm_start.optimizer.epsilon=-1", "warm_start.optimizer.epsilon: must be above 0"),
    ] {
        let many = ["--set", "evaluation.prompts=8000", "--set", setting];
        let arguments = if setting == "task.hardest=3" { &many[..] } else { &many[2..] };
        refused(&tiny(&out, arguments), &[part]);
        assert!(!out.exists(), "{setting} left a folder behind");
    }
}
