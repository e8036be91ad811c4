//! What one step measures and does, by hand.

use fireproof_model::Tokenizer;
use fireproof_rollout::ReplayEngine;
use fireproof_selection::{HighEntropy, MixedOutcomes};
use fireproof_trainer::{Environment, Recipe, SuccessBin, Trainer, TrainerConfig};
use fireproof_verifier::{CheckVerifier, RewardScale};

use crate::common::*;

/// Group "a": one of four right, one truncated. Group "b": all right. Group "c": all wrong.
fn recorded() -> Vec<fireproof_trajectory::PromptGroup> {
    vec![
        group('a', &["a", "b", "", "aaa"]),
        group('b', &["b", "b", "b", "b"]),
        group('c', &["a", "dd", "b", "d"]),
    ]
}

#[test]
fn the_metrics_of_a_recorded_step_by_hand() {
    on_every_device(|device| {
        let mut trainer = replay(recorded(), centered(), config(3, 4), device);
        let metrics = trainer.step().unwrap().metrics;
        assert_eq!(metrics.step, 0);
        assert_close(metrics.pass_at_1, 5.0 / 12.0);
        assert_close(metrics.reward.mean, 5.0 / 12.0);
        assert_eq!((metrics.reward.min, metrics.reward.max), (0.0, 1.0));
        assert_close(metrics.dead_groups, 2.0 / 3.0);
        assert_close(metrics.all_right, 1.0 / 3.0);
        assert_close(metrics.all_wrong, 1.0 / 3.0);
        assert_close(metrics.truncated, 1.0 / 12.0);
        // Tokens with the stop token: 2 2 1 3, 2 2 2 2, 2 3 2 2.
        assert_close(metrics.length.mean, 25.0 / 12.0);
        assert_eq!((metrics.length.min, metrics.length.max), (1.0, 3.0));
        assert_close(metrics.entropy, 5f32.ln());
        // Advantages: 3/4, three times -1/4, eight zeros.
        assert_close(metrics.advantage.mean, 0.0);
        assert_close(metrics.advantage.max, 0.75);
        assert_close(metrics.advantage.std, (0.75f32 / 12.0).sqrt());
        assert_eq!((metrics.groups_trained, metrics.updates), (3, 1));
        assert_eq!((metrics.dropped_completions, metrics.dropped_groups), (0, 0));
        // On policy: ratio 1, nothing clipped, and minus the mean advantage as loss.
        assert_close(metrics.ratio, 1.0);
        assert_close(metrics.loss, 0.0);
        assert_eq!(metrics.clip.low + metrics.clip.high + metrics.clip.dual, 0.0);
        assert!(metrics.max_logprob_delta < 1e-6, "{}", metrics.max_logprob_delta);
        assert_eq!(metrics.learning_rate, 0.1);
    });
}

#[test]
fn levels_and_success_rates_of_a_recorded_step_by_hand() {
    let device = any_device();
    let recipe = Recipe { filter: Box::new(MixedOutcomes), ..centered() };
    let mut trainer = replay(recorded(), recipe, config(3, 4), &device);
    let record = trainer.step().unwrap();
    let bin = |successes, trained, right, wrong| SuccessBin {
        successes,
        samples: 4,
        groups: 1,
        trained,
        right,
        wrong,
    };
    let expected = [bin(0, 0, 0.0, 0.0), bin(1, 1, 0.75, -0.25), bin(4, 0, 0.0, 0.0)];
    assert_eq!(record.metrics.by_successes, expected);
    assert_eq!(record.advantages, [Some(vec![0.75, -0.25, -0.25, -0.25]), None, None]);
    assert!(record.metrics.levels.is_empty(), "letters have no level");

    let mut tasks = tasks();
    for (level, task) in (1..).zip(&mut tasks) {
        task.metadata.level = (level < 3).then_some(level);
    }
    let (tokenizer, verifier) = (Tokenizer::characters(LETTERS), Box::new(CheckVerifier));
    let environment = Environment::new(tasks, tokenizer, verifier, RewardScale::default()).unwrap();
    let engine = ReplayEngine::new(recorded());
    let mut trainer =
        Trainer::new(uniform(&device), engine, centered(), environment, config(3, 4)).unwrap();
    let levels = trainer.step().unwrap().metrics.levels;
    assert_eq!(levels.into_iter().collect::<Vec<_>>(), [(1, 0.25), (2, 1.0)]);
}

/// For a uniform policy over 5 tokens, `d loss / d logit_v = -A w (1[v = token] - 1/5)`.
#[test]
fn the_norm_of_a_gradient_by_hand() {
    on_every_device(|device| {
        let recorded = vec![group('a', &["a", "b"])];
        let mut trainer = replay(recorded, centered(), config(1, 2), device);
        let metrics = trainer.step().unwrap().metrics;
        // Two rows of two tokens: weight 1/4 each; advantages 1/2 and -1/2. At the first position
        // the tokens differ, so two logits get -+1/8 and the -1/5 cancel; at the second both rows
        // stop, so everything cancels.
        assert_close(metrics.grad_norm, 2f32.sqrt() / 8.0);
    });
}

#[test]
fn adam_moves_each_logit_by_the_learning_rate_against_its_gradient() {
    on_every_device(|device| {
        let recorded = vec![group('a', &["a", "b"])];
        let mut trainer = replay(recorded, centered(), config(1, 2), device);
        trainer.step().unwrap();
        // The first update of Adam is lr * g / (|g| + epsilon). Row of the table: token "a" (1)
        // times the context, position 0. Right is "a" (1), wrong is "b" (2).
        let table = values(trainer.policy().table());
        let row = CONTEXT * VOCABULARY;
        let expected = [0.0, 0.1, -0.1, 0.0, 0.0];
        for (column, expected) in expected.into_iter().enumerate() {
            assert!((table[row + column] - expected).abs() < 1e-5, "{:?}", &table[row..row + 5]);
        }
        assert!(table[..row].iter().all(|logit| *logit == 0.0), "other prompts are untouched");
    });
}

#[test]
fn a_filtered_group_trains_nothing_and_is_still_measured() {
    let device = any_device();
    let recipe = Recipe { filter: Box::new(MixedOutcomes), ..centered() };
    let mut trainer = replay(recorded(), recipe, config(3, 4), &device);
    let record = trainer.step().unwrap();
    assert_eq!((record.metrics.groups_trained, record.groups.len()), (1, 3));
    assert_close(record.metrics.pass_at_1, 5.0 / 12.0);
    // Only the prompt "a" was trained on; "b" was all right.
    let table = values(trainer.policy().table());
    let of = |token: usize| &table[token * CONTEXT * VOCABULARY..][..CONTEXT * VOCABULARY];
    assert!(of(1).iter().any(|logit| *logit != 0.0));
    assert!(of(2).iter().chain(of(3)).all(|logit| *logit == 0.0));
}

#[test]
fn a_step_without_any_group_that_trains_makes_no_update() {
    let device = any_device();
    let recipe = Recipe { filter: Box::new(MixedOutcomes), ..centered() };
    let recorded = vec![group('a', &["a", "a"])];
    let mut trainer = replay(recorded, recipe, config(1, 2), &device);
    let metrics = trainer.step().unwrap().metrics;
    assert_eq!((metrics.groups_trained, metrics.updates, metrics.loss), (0, 0, 0.0));
    assert!(values(trainer.policy().table()).iter().all(|logit| *logit == 0.0));
}

#[test]
fn truncated_completions_are_wrong_unless_the_run_says_otherwise() {
    let device = any_device();
    for (judge_truncated, expected) in [(false, 0.0), (true, 1.0)] {
        // The stop token decodes to nothing, so "a" cut off at the limit reads as the answer.
        let mut recorded = group('a', &["a", "a"]);
        for completion in &mut recorded.completions {
            completion.finish = fireproof_trajectory::FinishReason::Length;
        }
        let config = TrainerConfig { judge_truncated, ..config(1, 2) };
        let mut trainer = replay(vec![recorded], centered(), config, &device);
        let metrics = trainer.step().unwrap().metrics;
        assert_eq!((metrics.pass_at_1, metrics.truncated), (expected, 1.0));
    }
}

#[test]
fn updates_are_epochs_times_passes_times_parts() {
    let device = any_device();
    let mut recipe = centered();
    recipe.passes.push(Box::new(HighEntropy::new(0.5).unwrap().per_completion()));
    let config = TrainerConfig {
        prompts_per_update: 2,
        epochs_per_step: 3,
        tokens_per_microbatch: 8,
        ..config(3, 4)
    };
    let mut trainer = replay(recorded(), recipe, config, &device);
    // 3 prompts in updates of 2 make 2 updates, for each of 2 passes and 3 epochs.
    assert_eq!(trainer.step().unwrap().metrics.updates, 12);
}

#[test]
fn later_updates_of_a_step_see_a_ratio_and_clip() {
    let device = any_device();
    let config = TrainerConfig { epochs_per_step: 8, ..config(3, 4) };
    let mut trainer = replay(recorded(), centered(), config, &device);
    let metrics = trainer.step().unwrap().metrics;
    assert!(metrics.clip.high > 0.0 && metrics.clip.low > 0.0, "{:?}", metrics.clip);
    assert!(metrics.kl_behaviour.k3 > 0.0, "{:?}", metrics.kl_behaviour);
    // What was right has become likelier and what was wrong less so.
    let (positive, negative) = (metrics.positive, metrics.negative);
    assert!(positive.ratio > 1.0 && negative.ratio < 1.0, "{positive:?} {negative:?}");
    assert!(metrics.ratio_distance > 0.01, "{}", metrics.ratio_distance);
    let shares = positive.share * positive.ratio + negative.share * negative.ratio;
    let neither = 1.0 - positive.share - negative.share;
    assert!((0.0..1.0).contains(&neither), "{positive:?} {negative:?}");
    assert!(neither > 0.0 || (shares - metrics.ratio).abs() < 1e-5, "{shares} {}", metrics.ratio);
    assert!(metrics.max_logprob_delta < 1e-6, "the first update is still on policy");
}
