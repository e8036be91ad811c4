//! Strategies of the user's own, and what the trainer promises them.

use std::sync::{Arc, Mutex};

use fireproof_advantage::{AdvantageEstimator, CreditAssignment};
use fireproof_losses::{PolicyBatch, PolicyLoss, Surrogate, SurrogateStats};
use fireproof_selection::{Need, Observation, PromptSelector, SelectError};
use fireproof_trainer::{Recipe, TrainError};
use fireproof_trajectory::{PromptId, StepView, TokenStep, TokenView};

use crate::common::*;

/// What a [`Probing`] selector was told: (prompt, successes, probe, step).
type Seen = Arc<Mutex<Vec<(PromptId, usize, bool, u64)>>>;

/// Probes all prompts and selects those with the fewest successes.
#[derive(Default)]
struct Probing {
    seen: Seen,
}

impl std::fmt::Debug for Probing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Probing")
    }
}

impl PromptSelector for Probing {
    fn need(&mut self, _step: u64, _seed: u64) -> Need {
        Need::Rollouts { prompts: prompts(), samples: 2 }
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        let of = |o: &Observation<'_>| (o.group.prompt, o.group.successes(), o.probe, o.step);
        self.seen.lock().expect("one thread").extend(seen.iter().map(of));
    }

    fn select(&mut self, count: usize, _seed: u64) -> Result<Vec<PromptId>, SelectError> {
        let mut probes: Vec<_> = self.seen.lock().expect("one thread").clone();
        probes.sort_by_key(|(_, successes, ..)| *successes);
        Ok(probes.into_iter().map(|(prompt, ..)| prompt).take(count).collect())
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _state: serde_json::Value) -> Result<(), SelectError> {
        Ok(())
    }
}

#[test]
fn a_selector_that_asks_for_rollouts_sees_them_before_it_selects() {
    let device = any_device();
    let recorded = vec![
        group('a', &["a", "a"]),
        group('b', &["b", "a"]),
        group('c', &["a", "a"]),
        group('d', &["d", "d"]),
        // The groups to train on, after the probes.
        group('c', &["c", "a"]),
        group('b', &["b", "b"]),
    ];
    let seen = Seen::default();
    let selector = Box::new(Probing { seen: seen.clone() });
    let recipe = Recipe { selector, ..centered() };
    let mut trainer = replay(recorded, recipe, config(2, 2), &device);
    let record = trainer.step().unwrap();
    let [a, b, c, d] = prompts().try_into().unwrap();
    let expected = [
        (a, 2, true, 0),
        (b, 1, true, 0),
        (c, 0, true, 0),
        (d, 2, true, 0),
        (c, 1, false, 0),
        (b, 2, false, 0),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(record.groups.len(), 2, "probes are not trained on");
}

/// Selects a prompt that is in no task.
#[derive(Debug)]
struct Stray;

impl PromptSelector for Stray {
    fn select(&mut self, _count: usize, _seed: u64) -> Result<Vec<PromptId>, SelectError> {
        Ok(vec![PromptId(0xdead_beef)])
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _state: serde_json::Value) -> Result<(), SelectError> {
        Ok(())
    }
}

#[test]
fn a_selected_prompt_without_a_task_is_an_error_with_its_id() {
    let recipe = Recipe { selector: Box::new(Stray), ..centered() };
    let mut trainer = replay(vec![], recipe, config(1, 2), &any_device());
    let error = trainer.step().unwrap_err().to_string();
    assert_eq!(error, "the selector chose prompt 00000000deadbeef, which is not among the tasks");
}

#[test]
fn more_prompts_than_there_are_is_an_error_with_both_numbers() {
    let mut trainer = replay(vec![], centered(), config(5, 2), &any_device());
    let error = trainer.step().unwrap_err().to_string();
    assert_eq!(error, "5 prompts a step were asked for, but there are only 4");
}

/// Looks at the step and forgets a group.
#[derive(Debug)]
struct Forgetful;

impl AdvantageEstimator for Forgetful {
    fn advantages(&self, step: &StepView<'_>) -> Vec<Vec<f32>> {
        vec![vec![0.0; step.groups[0].len()]]
    }
}

#[test]
fn an_estimator_that_forgets_a_group_is_caught() {
    let recorded = vec![group('a', &["a", "b"]), group('b', &["a", "b"])];
    let recipe = Recipe { estimator: Box::new(Forgetful), ..centered() };
    let mut trainer = replay(recorded, recipe, config(2, 2), &any_device());
    let error = trainer.step().unwrap_err();
    assert!(matches!(error, TrainError::Advantage(_)), "{error}");
}

/// Pays the first token only.
#[derive(Debug)]
struct FirstToken;

impl CreditAssignment for FirstToken {
    fn assign(&self, advantages: &[f32], step: &TokenStep<'_>) -> Vec<Vec<f32>> {
        let row = |(advantage, row): (&f32, &TokenView<'_>)| {
            (0..row.len()).map(|time| if time == 0 { *advantage } else { 0.0 }).collect()
        };
        advantages.iter().zip(step.rows).map(row).collect()
    }
}

/// REINFORCE: `-A logprob`.
#[derive(Debug)]
struct Reinforce;

impl PolicyLoss for Reinforce {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let ratio = (batch.logprobs.clone() - batch.behaviour_logprobs.clone()).exp().detach();
        let loss = -(batch.advantages.clone() * batch.logprobs.clone());
        Surrogate { loss, stats: SurrogateStats::unclipped(ratio) }
    }
}

#[test]
fn a_credit_and_a_loss_of_ones_own_train() {
    on_every_device(|device| {
        let recorded = vec![group('a', &["a", "bb"])];
        let recipe =
            Recipe { credit: Box::new(FirstToken), loss: Box::new(Reinforce), ..centered() };
        let mut trainer = replay(recorded, recipe, config(1, 2), device);
        let metrics = trainer.step().unwrap().metrics;
        // Only the first position has a gradient: weights 1/4 and 1/6, advantages 1/2 and -1/2.
        let (right, wrong) = (0.125f32, 1.0 / 12.0);
        let rest = -(right - wrong) / 5.0;
        let squares = (right + rest).powi(2) + (rest - wrong).powi(2) + 3.0 * rest.powi(2);
        assert_close(metrics.grad_norm, squares.sqrt());
        // The loss is not zero: minus the weighted advantages times ln(1/5).
        assert_close(metrics.loss, (right - wrong) * 5f32.ln());
        let table = values(trainer.policy().table());
        let second = &table[(CONTEXT + 1) * VOCABULARY..][..VOCABULARY];
        assert!(second.iter().all(|logit| *logit == 0.0), "{second:?}");
    });
}
