//! Checkpoints: a run continued from one is the run that was never interrupted.

use std::fs;
use std::path::{Path, PathBuf};

use fireproof_losses::{Kl, Penalty};
use fireproof_model::TabularPolicy;
use fireproof_rollout::InProcessEngine;
use fireproof_selection::UniformWithoutReplacement;
use fireproof_trainer::{CheckpointError, Recipe, StepMetrics, TrainError, Trainer, TrainerConfig};
use fireproof_verifier::CheckVerifier;

use crate::common::*;

/// With a reference policy, a selector that has state, and several updates a step.
fn recipe() -> Recipe {
    let penalty = Penalty::reference_kl(Kl::K3, 0.1);
    let selector = Box::new(UniformWithoutReplacement::new(prompts()));
    Recipe { penalties: vec![penalty], ..Recipe::grpo(selector) }
}

fn trainer() -> Sampling {
    let config = TrainerConfig { prompts_per_update: 2, ..config(3, 8) };
    sampling(recipe(), config, &any_device())
}

fn steps(trainer: &mut Sampling, count: usize) -> Vec<StepMetrics> {
    (0..count).map(|_| timeless(&trainer.step().expect("trains").metrics)).collect()
}

#[test]
fn a_resumed_run_equals_one_never_interrupted_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("step-000003");
    let mut whole = trainer();
    let expected = steps(&mut whole, 7);

    let mut first = trainer();
    steps(&mut first, 3);
    first.save(&checkpoint).unwrap();
    steps(&mut first, 2);

    let mut second = trainer();
    assert_eq!(second.restore(&checkpoint).unwrap().version_note(), None);
    assert_eq!(second.steps_done(), 3);
    assert_eq!(steps(&mut second, 4), expected[3..]);
    assert_eq!(values(second.policy().table()), values(whole.policy().table()));
}

fn error_of(trainer: &mut Sampling, path: &Path) -> CheckpointError {
    match trainer.restore(path).expect_err("nothing to restore") {
        TrainError::Checkpoint(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_missing_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = error_of(&mut trainer(), &folder.path().join("step-000009"));
    assert!(matches!(error, CheckpointError::Missing { .. }));
    assert!(error.to_string().ends_with("step-000009"), "{error}");
}

/// Every file of a checkpoint cut short, changed in one bit or removed is found out, and the
/// trainer goes on as before.
#[test]
fn damage_of_any_kind_is_found_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("step-000002");
    let mut saved = trainer();
    steps(&mut saved, 2);
    saved.save(&checkpoint).unwrap();
    let mut victim = trainer();
    let before = values(victim.policy().table());
    let files: Vec<_> =
        fs::read_dir(&checkpoint).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 5, "policy, reference, optimiser, state, its checksum: {files:?}");
    for file in files {
        let whole = fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        let middle = whole.len() / 2;
        flipped[middle] ^= 1;
        for damaged in [Some(&whole[..middle]), Some(&flipped[..]), Some(&[]), None] {
            match damaged {
                Some(bytes) => fs::write(&file, bytes).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            let error = error_of(&mut victim, &checkpoint);
            let is_checksum = file.ends_with("state.crc32");
            assert!(
                matches!(&error, CheckpointError::Corrupt { path, .. } if *path == file || is_checksum),
                "{}: {error}",
                file.display()
            );
            assert_eq!(values(victim.policy().table()), before);
            fs::write(&file, &whole).unwrap();
        }
    }
    victim.restore(&checkpoint).unwrap();
    assert_eq!(values(victim.policy().table()), values(saved.policy().table()));
}

#[test]
fn a_checkpoint_of_another_recipe_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("step-000000");
    trainer().save(&checkpoint).unwrap();
    let other = Recipe { reduction: fireproof_losses::Reduction::TokenMean, ..recipe() };
    let mut other = sampling(other, config(3, 8), &any_device());
    let error = error_of(&mut other, &checkpoint).to_string();
    assert!(error.contains("another recipe"), "{error}");
    assert!(error.contains("-     reduction: SequenceMean"), "{error}");
    assert!(error.contains("+     reduction: TokenMean"), "{error}");
}

#[test]
fn a_checkpoint_of_another_model_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("step-000000");
    trainer().save(&checkpoint).unwrap();
    let device = any_device().autodiff();
    let wider = TabularPolicy::uniform(VOCABULARY, CONTEXT + 1, &device);
    let engine = InProcessEngine::new(64);
    let environment = environment(Box::new(CheckVerifier));
    let mut other = Trainer::new(wider, engine, recipe(), environment, config(3, 8)).unwrap();
    let error = error_of(&mut other, &checkpoint).to_string();
    assert!(error.contains("another model"), "{error}");
    assert!(error.contains("- table [20, 5]\n+ table [25, 5]"), "{error}");
}

/// A checkpoint whose state says something else, with the right checksum.
fn edited(folder: &Path, from: &str, to: &str) -> PathBuf {
    let checkpoint = folder.join("step-000000");
    trainer().save(&checkpoint).expect("writable");
    let state = checkpoint.join("state.json");
    let text = fs::read_to_string(&state).expect("just written");
    assert!(text.contains(from), "{from} is not in {text}");
    let text = text.replace(from, to);
    let checksum = format!("{:08x}\n", crc32fast::hash(text.as_bytes()));
    fs::write(&state, text).expect("writable");
    fs::write(checkpoint.join("state.crc32"), checksum).expect("writable");
    checkpoint
}

#[test]
fn a_checkpoint_of_another_version_is_restored_with_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let own = format!("\"package\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let checkpoint = edited(folder.path(), &own, "\"package\": \"0.0.7\"");
    let note = trainer().restore(&checkpoint).unwrap().version_note().unwrap();
    assert!(note.contains("written by fireproof 0.0.7, this is "), "{note}");
}

#[test]
fn a_checkpoint_of_another_format_names_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = edited(folder.path(), "\"format\": 2", "\"format\": 9");
    let error = error_of(&mut trainer(), &checkpoint).to_string();
    assert!(error.contains("another format") && error.contains("- format 9"), "{error}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let error = trainer().save(&file.join("step-000000")).unwrap_err();
    assert!(error.to_string().starts_with("writing checkpoint "), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_a_killed_run_left_beside_a_checkpoint_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("latest");
    trainer().save(&checkpoint).unwrap();
    for leftover in [".latest.replaced", ".latest.partial"] {
        fs::create_dir(folder.path().join(leftover)).unwrap();
        fs::write(folder.path().join(leftover).join("policy.bpk"), "half").unwrap();
    }
    trainer().save(&checkpoint).unwrap();
    trainer().restore(&checkpoint).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no leftovers");
}

#[test]
fn saving_again_replaces_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("step-000001");
    let mut saved = trainer();
    saved.save(&checkpoint).unwrap();
    steps(&mut saved, 1);
    saved.save(&checkpoint).unwrap();
    let mut restored = trainer();
    restored.restore(&checkpoint).unwrap();
    assert_eq!(restored.steps_done(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no leftovers");
}
