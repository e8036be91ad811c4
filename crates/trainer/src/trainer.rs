//! The trainer: one visible loop over strategies that it does not know.

mod collect;
mod learn;

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use fireproof_losses::{KlPlace, Penalty};
use fireproof_model::CausalLm;
use fireproof_rollout::RolloutEngine;
use fireproof_trajectory::{PolicyVersion, PromptId, ScoredGroup};

use crate::checkpoint::{self, Parts};
use crate::config::TrainerConfig;
use crate::environment::Environment;
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate};
use crate::metrics::StepMetrics;
use crate::optimizer::Optimizer;
use crate::recipe::Recipe;
use crate::transcript::Transcript;
use crate::warm_start::inner_device;

pub(crate) use collect::Collected;

/// Trains a policy by a recipe: select, generate, verify, weigh, update, observe.
///
/// The policy lives on an autodiff device (`device.clone().autodiff()`).
#[derive(Debug)]
pub struct Trainer<M, E> {
    policy: M,
    /// The policy as it was at the start, if a penalty compares with it.
    reference: Option<M>,
    engine: E,
    recipe: Recipe,
    environment: Environment,
    config: TrainerConfig,
    optimizer: Optimizer,
    /// What the controller of each penalty has come to.
    penalty_states: Vec<f64>,
    device: Device,
    step: u64,
    version: PolicyVersion,
}

/// What a trainer was restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Version of the package that wrote the checkpoint.
    pub package: String,
}

impl Restored {
    /// What to tell people if another version wrote it. It reads the same files, but its arithmetic
    /// may differ, so the run is no longer bound to equal one that was never interrupted.
    #[must_use]
    pub fn version_note(&self) -> Option<String> {
        let own = env!("CARGO_PKG_VERSION");
        (self.package != own).then(|| {
            format!(
                "the checkpoint was written by fireproof {}, this is {own}: the rest of the run may \
                 differ from one without an interruption",
                self.package
            )
        })
    }
}

/// A finished step.
#[derive(Debug)]
pub struct StepRecord {
    /// What was measured.
    pub metrics: StepMetrics,
    /// All judged groups, also those that the filter dropped.
    pub groups: Vec<ScoredGroup>,
    /// Advantages of each group's completions; `None` where the filter dropped the group.
    pub advantages: Vec<Option<Vec<f32>>>,
    /// The verifier's first error, if it failed on a completion.
    pub verifier_error: Option<String>,
}

impl<M: CausalLm, E: RolloutEngine<Policy = M>> Trainer<M, E> {
    /// A trainer at step 0.
    ///
    /// # Errors
    /// [`TrainError::Config`] if a setting is impossible or the policy is not on an autodiff device.
    pub fn new(
        policy: M,
        engine: E,
        recipe: Recipe,
        environment: Environment,
        config: TrainerConfig,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        if !policy.devices().iter().all(Device::is_autodiff) {
            let reason = "must be made on an autodiff device: `device.clone().autodiff()`";
            return Err(TrainError::config("policy", reason));
        }
        check_recipe(&recipe, &environment)?;
        Ok(Self {
            reference: recipe.needs().reference.then(|| policy.valid()),
            optimizer: Optimizer::new(config.optimizer.clone()),
            penalty_states: recipe.penalties.iter().map(Penalty::initial_state).collect(),
            device: inner_device(&policy),
            policy,
            engine,
            recipe,
            environment,
            config,
            step: 0,
            version: PolicyVersion(0),
        })
    }

    /// The policy as trained so far.
    pub fn policy(&self) -> &M {
        &self.policy
    }

    /// Evaluates the policy as trained so far ([`evaluate`]) on prompts of its environment.
    ///
    /// # Errors
    /// If generation or the verifier fails.
    pub fn evaluate(
        &mut self,
        prompts: &[PromptId],
        samples: usize,
    ) -> Result<Evaluation, TrainError> {
        let Self { engine, policy, environment, config, .. } = self;
        evaluate(engine, policy, environment, prompts, samples, config)
    }

    /// Steps completed.
    pub fn steps_done(&self) -> u64 {
        self.step
    }

    // ANCHOR: step
    /// One step: select, generate, verify, score the reference, weigh, update, observe.
    ///
    /// A step that fails leaves the policy as the updates before the failure left it.
    ///
    /// # Errors
    /// [`TrainError`] says what failed.
    pub fn step(&mut self) -> Result<StepRecord, TrainError> {
        let (started, step) = (Instant::now(), self.step);
        self.engine.publish(&self.policy, self.version);
        let mut collected = self.collect()?;

        let clock = Instant::now();
        let references = self.reference_logprobs(&collected.groups);
        self.add_reward_penalties(&mut collected.groups, &references);
        let mut metrics = StepMetrics::of_groups(step, &collected.groups);
        let advantages = self.advantages(&collected.groups, &collected.kept)?;
        metrics.add_advantages(&collected.groups, &advantages);
        metrics.levels = self.environment.pass_by_level(&collected.groups)?;
        let mut rows = self.rows(&collected.groups, &advantages, &references)?;
        self.correct_mismatch(&mut rows);
        let penalties = self.adapt_penalties(&rows);
        let updates = self.update(&rows, &penalties)?;
        metrics.add_updates(&updates);
        metrics.learning_rate = self.optimizer.last_learning_rate();
        self.learn_from(&rows);
        self.observe(&collected.groups, &[], false);
        self.step += 1;

        let input = updates.iter().map(|(stats, _)| stats.input_tokens).sum();
        metrics.add_collected(&collected);
        metrics.add_times(&collected, clock.elapsed(), started.elapsed(), input);
        let Collected { groups, first_error: verifier_error, .. } = collected;
        Ok(StepRecord { metrics, groups, advantages, verifier_error })
    }
    // ANCHOR_END: step

    /// Writes a checkpoint, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let parts = Parts {
            policy: &self.policy,
            reference: self.reference.as_ref(),
            optimizer: &self.optimizer,
            recipe: self.recipe.fingerprint(),
            selector: self.recipe.selector.state(),
            credit: self.recipe.credit.state(),
            penalties: self.penalty_states.clone(),
            step: self.step,
            version: self.version.0,
        };
        Ok(checkpoint::save(parts, path)?)
    }

    /// Continues from a checkpoint of the same recipe and model; the trainer is unchanged if that
    /// fails.
    ///
    /// # Errors
    /// If the checkpoint is missing, damaged or of another recipe or model; the message says what
    /// differs.
    pub fn restore(&mut self, path: &Path) -> Result<Restored, TrainError> {
        let state = checkpoint::read_state(path)?;
        let mut optimizer = Optimizer::new(self.config.optimizer.clone());
        let fingerprint = self.recipe.fingerprint();
        let loaded = checkpoint::load(path, &state, &self.policy, &mut optimizer, &fingerprint)?;
        let credit = self.recipe.credit.state();
        self.recipe.credit.restore(state.credit)?;
        if let Err(error) = self.recipe.selector.restore(state.selector) {
            // What it said of itself a moment ago it can take back.
            self.recipe.credit.restore(credit)?;
            return Err(error.into());
        }
        self.penalty_states = state.penalties;
        self.policy = loaded.policy;
        self.reference = loaded.reference.map(|reference| reference.valid());
        self.optimizer = optimizer;
        self.step = state.step;
        self.version = PolicyVersion(state.version);
        Ok(Restored { package: state.package })
    }

    /// The first `count` groups of a step as text, for people to read.
    ///
    /// # Errors
    /// If a group belongs to no task or holds a token that the tokenizer does not know.
    pub fn transcripts(
        &self,
        record: &StepRecord,
        count: usize,
    ) -> Result<Vec<Transcript>, TrainError> {
        let groups = record.groups.iter().zip(&record.advantages).take(count);
        let step = record.metrics.step;
        groups.map(|(g, a)| Transcript::of(&self.environment, step, g, a.as_deref())).collect()
    }
}

/// Refuses recipes in which a part would silently do nothing.
fn check_recipe(recipe: &Recipe, environment: &Environment) -> Result<(), TrainError> {
    let refuse = |reason: &str| Err(TrainError::config("recipe", reason));
    let needless = !recipe.estimator.uses_rewards();
    if needless && recipe.has_penalty_in(KlPlace::Reward) {
        return refuse(
            "its estimator looks at correctness alone, so a KL in the reward would do nothing; put \
             it into the loss",
        );
    }
    if needless && environment.shapes_rewards() {
        return refuse(
            "its estimator looks at correctness alone, so `format_weight` would do nothing; set it \
             to 0",
        );
    }
    if recipe.has_penalty_in(KlPlace::TokenReward) && !recipe.credit.uses_costs() {
        return refuse(
            "its credit assignment does not look at what a token costs, so a KL by token would do \
             nothing; use `WhitenedReturns`, or put it into the loss",
        );
    }
    if recipe.passes.is_empty() {
        return refuse("`passes` is empty, so nothing would train");
    }
    if recipe.top_k.is_some() && recipe.self_reward.is_some() {
        return refuse(
            "`top_k` scores tokens among those they were drawn from, and the token of `self_reward` \
             is never drawn; use one of the two",
        );
    }
    if recipe.generation_batches == 0 {
        return refuse("`generation_batches` is 0, so nothing would be generated");
    }
    Ok(())
}
