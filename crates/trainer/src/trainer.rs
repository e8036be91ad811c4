//! The trainer: one visible loop over strategies that it does not know.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use fireproof_advantage::checked_advantages;
use fireproof_model::{CausalLm, ModelLimits};
use fireproof_rollout::RolloutEngine;
use fireproof_selection::{Need, Observation};
use fireproof_trajectory::{
    GroupView, PolicyVersion, PromptGroup, PromptId, ScoredGroup, StepView, TokenView,
};

use crate::checkpoint::{self, Parts};
use crate::config::TrainerConfig;
use crate::environment::{Environment, Judged};
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate};
use crate::metrics::StepMetrics;
use crate::optimizer::{Optimizer, global_norm};
use crate::recipe::Recipe;
use crate::score::{ScoredTokens, host_logprobs};
use crate::seeds::{Purpose, seed_for};
use crate::transcript::Transcript;
use crate::update::{Row, Scoring, UpdateStats, gradient};
use crate::warm_start::inner_device;

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
        let needless = !recipe.estimator.uses_rewards();
        if needless && !recipe.reward_penalties().is_empty() {
            let reason = "its estimator looks at correctness alone, so a KL in the reward would do \
                          nothing; put it into the loss";
            return Err(TrainError::config("recipe", reason));
        }
        if needless && environment.shapes_rewards() {
            let reason = "its estimator looks at correctness alone, so `format_weight` would do \
                          nothing; set it to 0";
            return Err(TrainError::config("recipe", reason));
        }
        if recipe.passes.is_empty() {
            return Err(TrainError::config("recipe", "`passes` is empty, so nothing would train"));
        }
        Ok(Self {
            reference: recipe.needs().reference.then(|| policy.valid()),
            optimizer: Optimizer::new(config.optimizer.clone()),
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
        let prompts = self.select()?;
        let clock = Instant::now();
        let groups = self.generate(&prompts, self.config.samples_per_prompt, self.config.seed)?;
        let generate = clock.elapsed().as_secs_f64();
        let new_tokens: usize =
            groups.iter().flat_map(|group| &group.completions).map(|c| c.tokens.len()).sum();

        let clock = Instant::now();
        let mut judged = self.environment.judge(groups, self.config.judge_truncated)?;
        require_groups(&judged, step)?;
        let verify = clock.elapsed().as_secs_f64();

        let clock = Instant::now();
        let references = self.reference_logprobs(&judged.groups);
        self.add_reward_penalties(&mut judged.groups, &references);
        let mut metrics = StepMetrics::of_groups(step, &judged.groups);
        let advantages = self.advantages(&judged.groups)?;
        metrics.add_advantages(&judged.groups, &advantages);
        metrics.levels = self.environment.pass_by_level(&judged.groups)?;
        let rows = self.rows(&judged.groups, &advantages, &references);
        let updates = self.update(&rows)?;
        metrics.add_updates(&updates);
        metrics.learning_rate = self.optimizer.last_learning_rate();
        self.observe(&judged.groups, false);
        self.step += 1;

        let train = clock.elapsed().as_secs_f64();
        let input: usize = updates.iter().map(|(stats, _)| stats.input_tokens).sum();
        metrics.dropped_completions = judged.dropped_completions;
        metrics.dropped_groups = judged.dropped_groups;
        metrics.time.generate = generate;
        metrics.time.verify = verify;
        metrics.time.train = train;
        metrics.time.step = started.elapsed().as_secs_f64();
        metrics.time.generate_tokens_per_second = new_tokens as f64 / generate.max(1e-9);
        metrics.time.train_tokens_per_second = input as f64 / train.max(1e-9);
        let Judged { groups, first_error: verifier_error, .. } = judged;
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
        self.recipe.selector.restore(state.selector)?;
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

    /// Prompts of this step, after probing what the selector wants to know.
    fn select(&mut self) -> Result<Vec<PromptId>, TrainError> {
        let seed = |purpose| seed_for(self.config.seed, self.step, purpose);
        let (probe_seed, select_seed) = (seed(Purpose::Probe), seed(Purpose::Select));
        let need = self.recipe.selector.need(self.step, seed(Purpose::Need));
        if let Need::Rollouts { prompts, samples } = need {
            let groups = self.generate(&prompts, samples, probe_seed)?;
            let judged = self.environment.judge(groups, self.config.judge_truncated)?;
            self.observe(&judged.groups, true);
        }
        let asked = self.config.prompts_per_step;
        let selected = self.recipe.selector.select(asked, select_seed)?;
        match selected.len() {
            found if found == asked => Ok(selected),
            found => Err(TrainError::Selected { asked, found }),
        }
    }

    fn generate(
        &mut self,
        prompts: &[PromptId],
        samples: usize,
        seed: u64,
    ) -> Result<Vec<PromptGroup>, TrainError> {
        let address = (seed, self.step);
        let requests = self.environment.requests(prompts, samples, &self.config, address)?;
        let groups = self.engine.generate(&requests)?;
        check_tokens(&groups, &self.policy.limits())?;
        Ok(groups)
    }

    /// Log-probabilities of every completion under the reference, group by group; empty if no
    /// penalty needs them.
    fn reference_logprobs(&self, groups: &[ScoredGroup]) -> Vec<Vec<f32>> {
        let Some(reference) = &self.reference else { return Vec::new() };
        let rows: Vec<ScoredTokens<'_>> = groups
            .iter()
            .flat_map(|group| {
                let prompt = group.group.prompt_tokens.as_slice();
                let tokens = group.group.completions.iter().map(|c| c.tokens.as_slice());
                tokens.map(move |tokens| ScoredTokens { prompt, tokens })
            })
            .collect();
        let TrainerConfig { tokens_per_microbatch, temperature, .. } = self.config;
        host_logprobs(reference, &rows, tokens_per_microbatch, temperature, &self.device)
    }

    /// Subtracts KL terms that enter the reward: the sum over a completion's tokens.
    fn add_reward_penalties(&self, groups: &mut [ScoredGroup], references: &[Vec<f32>]) {
        for (estimator, coefficient) in self.recipe.reward_penalties() {
            let mut references = references.iter();
            for group in &mut *groups {
                for (reward, completion) in group.rewards.iter_mut().zip(&group.group.completions) {
                    let reference = references.next().expect("one row for each completion");
                    let tokens = completion.logprobs.iter().zip(reference);
                    let kl: f32 = tokens.map(|(l, r)| estimator.of(*l, *r)).sum();
                    *reward -= coefficient * kl;
                }
            }
        }
    }

    /// Advantages of the groups that the filter lets through; `None` for the others.
    fn advantages(&self, groups: &[ScoredGroup]) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
        let views: Vec<GroupView<'_>> = groups.iter().map(ScoredGroup::view).collect();
        let kept: Vec<bool> = views.iter().map(|view| self.recipe.filter.keep(*view)).collect();
        let trained = views.into_iter().zip(&kept).filter(|(_, kept)| **kept);
        let trained: Vec<GroupView<'_>> = trained.map(|(view, _)| view).collect();
        let step = StepView { groups: &trained, step: self.step, steps: self.config.steps };
        let mut found = checked_advantages(self.recipe.estimator.as_ref(), &step)?.into_iter();
        Ok(kept.into_iter().map(|kept| if kept { found.next() } else { None }).collect())
    }

    /// The completions that train, with their advantages spread over their tokens.
    fn rows<'a>(
        &self,
        groups: &'a [ScoredGroup],
        advantages: &[Option<Vec<f32>>],
        references: &[Vec<f32>],
    ) -> Vec<Row<'a>> {
        let mut references = references.iter();
        let mut rows = Vec::new();
        let mut prompt = 0;
        for (scored, advantages) in groups.iter().zip(advantages) {
            let group = &scored.group;
            let references: Vec<Option<&Vec<f32>>> =
                group.completions.iter().map(|_| references.next()).collect();
            let Some(advantages) = advantages else { continue };
            for (sample, completion) in group.completions.iter().enumerate() {
                let (logprobs, entropies) = (&completion.logprobs, &completion.entropies);
                let tokens = TokenView { logprobs, entropies };
                rows.push(Row {
                    prompt,
                    prompt_tokens: &group.prompt_tokens,
                    completion,
                    advantages: self.recipe.credit.assign(advantages[sample], tokens),
                    reference: references[sample].cloned(),
                });
            }
            prompt += 1;
        }
        rows
    }

    /// All updates of the step: epochs, then passes, then updates of so many prompts.
    fn update(&mut self, rows: &[Row<'_>]) -> Result<Vec<(UpdateStats, f32)>, TrainError> {
        let TrainerConfig { tokens_per_microbatch, temperature, epochs_per_step, .. } = self.config;
        let scoring = Scoring { tokens_per_microbatch, temperature };
        let size = self.config.update_size();
        let mut done = Vec::new();
        for _epoch in 0..epochs_per_step {
            for pass in &self.recipe.passes {
                for part in rows.chunk_by(|a, b| a.prompt / size == b.prompt / size) {
                    let (policy, recipe) = (&self.policy, &self.recipe);
                    let tokens = pass.as_ref();
                    let found = gradient(policy, recipe, part, tokens, scoring, &self.device)?;
                    let Some((gradients, stats)) = found else { continue };
                    let norm = global_norm(policy, &gradients)?;
                    self.require_finite(&stats, norm)?;
                    self.policy = self.optimizer.step(policy.clone(), gradients, norm);
                    self.version.0 += 1;
                    done.push((stats, norm));
                }
            }
        }
        Ok(done)
    }

    fn require_finite(&self, stats: &UpdateStats, norm: f32) -> Result<(), TrainError> {
        for (what, value) in [("the loss", stats.loss), ("the gradient's norm", norm)] {
            if !value.is_finite() {
                return Err(TrainError::Diverged { step: self.step, what, value });
            }
        }
        Ok(())
    }

    fn observe(&mut self, groups: &[ScoredGroup], probe: bool) {
        let step = self.step;
        let seen = |group| Observation { group, probe, step };
        let seen: Vec<Observation<'_>> = groups.iter().map(ScoredGroup::view).map(seen).collect();
        self.recipe.selector.observe(&seen);
    }
}

/// Recorded tokens may belong to another model, and a device would gather out of bounds silently.
fn check_tokens(groups: &[PromptGroup], limits: &ModelLimits) -> Result<(), TrainError> {
    for group in groups {
        for (completion, found) in group.completions.iter().enumerate() {
            let prompt = group.prompt;
            let refuse = |reason: String| TrainError::Group { prompt, completion, reason };
            if group.prompt_tokens.is_empty() || found.tokens.is_empty() {
                return Err(refuse("the prompt or the completion has no tokens".to_owned()));
            }
            let row = [group.prompt_tokens.as_slice(), &found.tokens].concat();
            limits.check(&row, 0).map_err(|error| refuse(error.to_string()))?;
        }
    }
    Ok(())
}

/// A step without a single judged group cannot train; that is the verifier's failure.
fn require_groups(judged: &Judged, step: u64) -> Result<(), TrainError> {
    match (&judged.first_error, judged.groups.is_empty()) {
        (Some(error), true) => Err(TrainError::NothingJudged { step, error: error.clone() }),
        _ => Ok(()),
    }
}
