//! The folder of a run.

use std::fs;

use fireproof_trainer::{
    CheckpointError, Evaluation, RunFolder, StepMetrics, TrainError, latest_checkpoint, run_config,
    run_has_begun, run_metrics, run_result, run_transcripts,
};

use crate::common::*;

fn metrics(step: u64) -> StepMetrics {
    StepMetrics { step, pass_at_1: 0.25, ..StepMetrics::default() }
}

#[test]
fn a_folder_that_holds_anything_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    RunFolder::create(&path, "seed = 1\n").unwrap();
    assert_eq!(run_config(&path).unwrap(), "seed = 1\n");
    let error = RunFolder::create(&path, "seed = 2\n").unwrap_err();
    assert!(matches!(error, TrainError::RunExists { .. }));
    assert!(error.to_string().contains("--resume"), "{error}");
    assert_eq!(run_config(&path).unwrap(), "seed = 1\n");
    fs::remove_file(path.join("config.toml")).unwrap();
    let error = RunFolder::create(&path, "seed = 2\n").unwrap_err();
    assert!(matches!(error, TrainError::FolderInUse { .. }), "{error}");
}

#[test]
fn a_folder_whose_making_was_cut_short_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".config.toml.partial"), "seed =").unwrap();
    RunFolder::create(folder.path(), "seed = 1\n").unwrap();
    assert_eq!(run_config(folder.path()).unwrap(), "seed = 1\n");
}

#[test]
fn a_run_has_begun_once_there_is_a_checkpoint_or_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut run = RunFolder::create(&path, "").unwrap();
    assert!(!run_has_begun(&path));
    fs::create_dir_all(path.join("checkpoints/.step-000000.partial")).unwrap();
    assert!(!run_has_begun(&path));
    run.write_metrics(&metrics(0)).unwrap();
    assert!(run_has_begun(&path));
    drop(run);
    RunFolder::resume(&path, 0, "").unwrap();
    assert!(!run_has_begun(&path), "no step is kept");
    fs::create_dir(path.join("checkpoints/step-000000")).unwrap();
    assert!(run_has_begun(&path));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let error = RunFolder::create(&file.join("run"), "").unwrap_err().to_string();
    assert!(error.starts_with("creating ") && error.contains("file/run"), "{error}");
}

#[test]
fn resuming_drops_the_steps_after_the_checkpoint_and_a_half_written_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let mut run = RunFolder::create(&path, "").unwrap();
    for step in 0..5 {
        run.write_metrics(&metrics(step)).unwrap();
    }
    drop(run);
    let file = path.join("metrics.jsonl");
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("{\"step\":5,\"rew");
    fs::write(&file, text).unwrap();
    let mut run = RunFolder::resume(&path, 3, "").unwrap();
    run.write_metrics(&metrics(3)).unwrap();
    assert_eq!(run_metrics(&path).unwrap(), (0..4).map(metrics).collect::<Vec<_>>());
}

#[test]
fn a_malformed_metrics_line_is_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    RunFolder::create(&path, "").unwrap().write_metrics(&metrics(0)).unwrap();
    let file = path.join("metrics.jsonl");
    let text = fs::read_to_string(&file).unwrap() + "what is this?\n";
    fs::write(&file, &text).unwrap();
    let error = RunFolder::resume(&path, 1, "").unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl, line 2: "), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn the_newest_whole_checkpoint_is_found_and_old_ones_are_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = RunFolder::create(&path, "").unwrap();
    let missing = latest_checkpoint(&path).unwrap_err();
    assert!(matches!(missing, CheckpointError::Missing { .. }), "{missing}");
    let trainer = replay(vec![], centered(), config(1, 2), &any_device());
    for step in [0, 50, 100, 150] {
        trainer.save(&run.checkpoint_path(step)).unwrap();
    }
    run.prune_checkpoints(3).unwrap();
    assert!(!run.checkpoint_path(0).exists() && run.checkpoint_path(50).exists());
    // A killed run can leave a folder under another name, and a full disk a damaged one.
    fs::create_dir(path.join("checkpoints/.step-000200.partial")).unwrap();
    fs::write(run.checkpoint_path(150).join("policy.bpk"), "short").unwrap();
    let (found, damaged) = latest_checkpoint(&path).unwrap();
    assert_eq!(found, run.checkpoint_path(100));
    assert!(matches!(damaged.as_slice(), [CheckpointError::Corrupt { .. }]));
    run.prune_checkpoints(0).unwrap();
    assert!(run.checkpoint_path(50).exists(), "0 keeps all");
    // A seventh digit does not make a step older.
    trainer.save(&run.checkpoint_path(1_000_000)).unwrap();
    assert_eq!(latest_checkpoint(&path).unwrap().0, run.checkpoint_path(1_000_000));
}

#[test]
fn results_are_written_whole_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let run = RunFolder::create(&path, "").unwrap();
    let evaluation = Evaluation::default();
    run.write_json("evaluation", &evaluation).unwrap();
    let read = |name| run_result::<Evaluation>(&path, name);
    assert_eq!(read("evaluation").unwrap(), Some(evaluation));
    fs::write(path.join("evaluation.json"), "{\n  \"prompts\": [}").unwrap();
    let error = read("evaluation").unwrap_err().to_string();
    assert!(error.contains("evaluation.json, line 2: "), "{error}");
    assert_eq!(read("other").unwrap(), None);
}

#[test]
fn transcripts_spell_out_the_groups_and_are_cut_like_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let recorded = vec![group('a', &["a", "bc"]), group('b', &["bad", "b"])];
    let mut trainer = replay(recorded, centered(), config(2, 2), &any_device());
    let record = trainer.step().unwrap();
    let transcripts = trainer.transcripts(&record, 9).unwrap();
    assert_eq!(trainer.transcripts(&record, 1).unwrap(), transcripts[..1]);
    let texts: Vec<&str> = transcripts.iter().map(|t| t.text.as_str()).collect();
    assert_eq!(texts, ["a", "b"]);
    let [right, wrong] = &transcripts[0].completions[..] else { panic!("two completions") };
    assert_eq!((&right.tokens[..], right.reward), (&["a".into(), "<eos>".into()][..], 1.0));
    assert_eq!((right.advantage, wrong.advantage), (Some(0.5), Some(-0.5)));
    assert_eq!((wrong.answer.as_deref(), wrong.tokens.len()), (Some("bc"), 3));
    assert_eq!((wrong.logprobs.len(), wrong.entropies.len()), (3, 3));

    let mut run = RunFolder::create(&path, "").unwrap();
    run.write_transcripts(&transcripts).unwrap();
    assert_eq!(run_transcripts(&path).unwrap(), transcripts);
    RunFolder::resume(&path, 0, "").unwrap();
    assert_eq!(run_transcripts(&path).unwrap(), []);
}
