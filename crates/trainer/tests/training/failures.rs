//! What can go wrong in a step, and what is left after it.

use fireproof_kernels::test_devices;
use fireproof_losses::{
    Kl, KlGuard, KlPlace, Penalty, PolicyBatch, PolicyLoss, Surrogate, SurrogateStats,
};
use fireproof_model::TabularPolicy;
use fireproof_rollout::{ReplayEngine, RolloutError};
use fireproof_trainer::{Recipe, TrainError, Trainer};
use fireproof_trajectory::{PromptGroup, Task, Verdict};
use fireproof_verifier::{CheckVerifier, Verifier, VerifyError};

use crate::common::*;

/// A judge whose sandbox breaks on "bb", and on everything from prompt "c".
#[derive(Debug)]
struct Flaky;

impl Verifier for Flaky {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        if response == "bb" || task.prompt == "c" {
            let reason = "the sandbox is gone".to_owned();
            return Err(VerifyError::Infrastructure { task: task.id, reason });
        }
        CheckVerifier.verify(task, response)
    }
}

fn flaky(recorded: Vec<PromptGroup>, prompts_per_step: usize) -> Replay {
    let device = any_device();
    let engine = ReplayEngine::new(recorded);
    let config = config(prompts_per_step, 3);
    Trainer::new(uniform(&device), engine, centered(), environment(Box::new(Flaky)), config)
        .expect("possible settings")
}

#[test]
fn a_completion_that_cannot_be_judged_is_dropped_and_counted() {
    let recorded = vec![
        group('a', &["a", "bb", "b"]),
        // One completion left of three: no group.
        group('b', &["bb", "b", "bb"]),
        group('c', &["c", "c", "c"]),
    ];
    let record = flaky(recorded, 3).step().unwrap();
    let metrics = &record.metrics;
    assert_eq!((metrics.dropped_completions, metrics.dropped_groups), (1 + 3 + 3, 2));
    assert_eq!(record.groups.len(), 1);
    assert_eq!(record.groups[0].rewards, [1.0, 0.0]);
    assert_eq!(metrics.pass_at_1, 0.5, "what was dropped is neither right nor wrong");
    let error = record.verifier_error.unwrap();
    assert!(error.contains("the judge failed: the sandbox is gone"), "{error}");
}

#[test]
fn a_step_in_which_nothing_can_be_judged_is_an_error() {
    let recorded = vec![group('a', &["bb", "bb", "bb"])];
    let error = flaky(recorded, 1).step().unwrap_err();
    assert!(matches!(error, TrainError::NothingJudged { step: 0, .. }), "{error}");
    assert!(error.to_string().contains("the sandbox is gone"), "{error}");
}

#[test]
fn an_evaluation_refuses_to_leave_completions_out() {
    let recorded = vec![group('a', &["a", "bb", "b"])];
    let error = flaky(recorded, 1).evaluate(&prompts()[..1], 3).unwrap_err();
    assert!(matches!(error, TrainError::NotJudged { .. }), "{error}");
}

/// A loss that is NaN from the second update on.
#[derive(Debug)]
struct Bursting;

impl PolicyLoss for Bursting {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let ratio = (batch.logprobs.clone() - batch.behaviour_logprobs.clone()).exp();
        // 0/0 once the ratio is not 1 any more.
        let distance = (ratio.clone().detach() - 1.0).abs();
        let same = distance.lower_scalar(1e-3).float();
        let loss = -(ratio.clone() * batch.advantages.clone() * same.clone() / same);
        Surrogate { loss, stats: SurrogateStats::unclipped(ratio.detach()) }
    }
}

#[test]
fn an_update_that_is_not_finite_is_not_applied() {
    let device = any_device();
    let recorded = vec![group('a', &["a", "b"]), group('a', &["a", "b"])];
    let selector = Box::new(fireproof_selection::InOrder::new(prompts()[..1].to_vec()));
    let recipe = Recipe { selector, loss: Box::new(Bursting), ..centered() };
    let mut trainer = replay(recorded, recipe, config(1, 2), &device);
    trainer.step().unwrap();
    let before = values(trainer.policy().table());
    let error = trainer.step().unwrap_err();
    assert!(matches!(error, TrainError::Diverged { step: 1, .. }), "{error}");
    assert!(error.to_string().starts_with("step 2: the loss is NaN"), "{error}");
    assert_eq!(values(trainer.policy().table()), before);
    assert_eq!(trainer.steps_done(), 1);
}

/// A recording of another model must not reach a device, where a gather would read anything.
#[test]
fn recorded_tokens_that_do_not_fit_the_policy_are_refused() {
    type Damage = fn(&mut PromptGroup);
    let cases: [(Damage, &str); 4] = [
        (|group| group.completions[1].tokens[0] = 9, "token 9"),
        (|group| group.prompt_tokens = vec![1; 4], "context"),
        (|group| group.prompt_tokens.clear(), "has no tokens"),
        (|group| group.completions[1].tokens.clear(), "has no tokens"),
    ];
    for (damage, part) in cases {
        let mut recorded = group('a', &["a", "b"]);
        damage(&mut recorded);
        let mut trainer = replay(vec![recorded], centered(), config(1, 2), &any_device());
        let error = trainer.step().unwrap_err();
        assert!(matches!(error, TrainError::Group { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_recording_that_runs_out_is_an_error() {
    let mut trainer = replay(vec![group('a', &["a"])], centered(), config(1, 2), &any_device());
    let error = trainer.step().unwrap_err();
    assert!(
        matches!(error, TrainError::Rollout(RolloutError::NotRecorded { samples: 2, .. })),
        "{error}"
    );
}

#[test]
fn impossible_trainers_are_refused() {
    let device = any_device();
    let new = |policy, recipe, config| {
        let engine = ReplayEngine::<TabularPolicy>::new(vec![]);
        Trainer::new(policy, engine, recipe, environment(Box::new(CheckVerifier)), config)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let plain = TabularPolicy::uniform(VOCABULARY, CONTEXT, &test_devices().remove(0).device);
    let error = new(plain, centered(), config(1, 2));
    assert!(error.starts_with("policy: must be made on an autodiff device"), "{error}");
    let empty = Recipe { passes: vec![], ..centered() };
    let error = new(uniform(&device), empty, config(1, 2));
    assert!(error.starts_with("recipe: `passes` is empty"), "{error}");
    let penalty = Penalty::ReferenceKl {
        estimator: Kl::K1,
        guard: KlGuard::default(),
        coefficient: 0.1,
        place: KlPlace::Reward,
    };
    let idle = Recipe { penalties: vec![penalty], ..Recipe::linear_r(in_order()) };
    let error = new(uniform(&device), idle, config(1, 2));
    assert!(error.contains("a KL in the reward would do nothing"), "{error}");
    let error = new(uniform(&device), centered(), config(0, 2));
    assert_eq!(error, "prompts_per_step: must be at least 1, not 0");
}

#[test]
fn a_prompt_that_cannot_be_encoded_is_named() {
    let mut odd = tasks();
    odd[0].prompt = "a?".to_owned();
    let tokenizer = fireproof_model::Tokenizer::characters(LETTERS);
    let rewards = fireproof_verifier::RewardScale::default();
    let verifier = Box::new(CheckVerifier);
    let error = fireproof_trainer::Environment::new(odd, tokenizer, verifier, rewards).unwrap_err();
    assert!(error.to_string().contains("\"a?\" cannot be encoded: '?'"), "{error}");
}
