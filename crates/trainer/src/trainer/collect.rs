//! The first half of a step: what to train on.

use std::time::Instant;

use fireproof_model::{CausalLm, ModelLimits};
use fireproof_rollout::RolloutEngine;
use fireproof_selection::{Need, Observation};
use fireproof_trajectory::{Completion, GroupView, PromptGroup, PromptId, ScoredGroup};

use super::Trainer;
use crate::environment::Judged;
use crate::error::TrainError;
use crate::seeds::{Purpose, seed_for};
use crate::sketch::sketch;

/// What a step generated and judged.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// All judged groups.
    pub(crate) groups: Vec<ScoredGroup>,
    /// Which of them train.
    pub(crate) kept: Vec<bool>,
    /// Times that prompts were selected.
    pub(crate) batches: usize,
    pub(crate) dropped_completions: usize,
    pub(crate) dropped_groups: usize,
    pub(crate) first_error: Option<String>,
    pub(crate) new_tokens: usize,
    /// Seconds.
    pub(crate) generate: f64,
    pub(crate) verify: f64,
}

impl Collected {
    fn trained(&self) -> usize {
        self.kept.iter().filter(|kept| **kept).count()
    }
}

impl<M: CausalLm, E: RolloutEngine<Policy = M>> Trainer<M, E> {
    /// Groups until enough of them pass the filter, in at most so many batches as the recipe allows.
    pub(super) fn collect(&mut self) -> Result<Collected, TrainError> {
        self.answer_need()?;
        let asked = self.config.prompts_per_step;
        let mut collected = Collected::default();
        while collected.batches < self.recipe.generation_batches && collected.trained() < asked {
            self.collect_batch(&mut collected)?;
        }
        match (&collected.first_error, collected.groups.is_empty()) {
            // A step without a single judged group cannot train; that is the verifier's failure.
            (Some(error), true) => {
                Err(TrainError::NothingJudged { step: self.step, error: error.clone() })
            }
            _ => Ok(collected),
        }
    }

    fn collect_batch(&mut self, collected: &mut Collected) -> Result<(), TrainError> {
        let batch = collected.batches as u64;
        let prompts = self.select(batch)?;
        let clock = Instant::now();
        // A prompt may come again in a later batch, and then must not get the same completions.
        let seed = match batch {
            0 => self.config.seed,
            _ => seed_for(self.config.seed, batch, Purpose::Refill),
        };
        let groups = self.generate(&prompts, self.config.samples_per_prompt, seed)?;
        collected.generate += clock.elapsed().as_secs_f64();
        let completions = groups.iter().flat_map(|group| &group.completions);
        collected.new_tokens += completions.map(|c| c.tokens.len()).sum::<usize>();

        let clock = Instant::now();
        let judged = self.environment.judge(groups, self.config.judge_truncated)?;
        collected.verify += clock.elapsed().as_secs_f64();
        self.filter(judged, collected);
        collected.batches += 1;
        Ok(())
    }

    /// Adds judged groups; those that pass the filter train until there are enough.
    fn filter(&self, judged: Judged, collected: &mut Collected) {
        let mut places = self.config.prompts_per_step - collected.trained();
        for group in judged.groups {
            let kept = places > 0 && self.recipe.filter.keep(group.view());
            places -= usize::from(kept);
            collected.kept.push(kept);
            collected.groups.push(group);
        }
        collected.dropped_completions += judged.dropped_completions;
        collected.dropped_groups += judged.dropped_groups;
        if collected.first_error.is_none() {
            collected.first_error = judged.first_error;
        }
    }

    /// Prompts of one batch of this step.
    fn select(&mut self, batch: u64) -> Result<Vec<PromptId>, TrainError> {
        let asked = self.config.prompts_per_step;
        let seed = seed_for(self.config.seed, self.step, Purpose::Select);
        let seed = if batch == 0 { seed } else { seed_for(seed, batch, Purpose::Refill) };
        let selected = self.recipe.selector.select(asked, seed)?;
        match selected.len() {
            found if found == asked => Ok(selected),
            found => Err(TrainError::Selected { asked, found }),
        }
    }

    /// Shows the selector what it wants to know.
    fn answer_need(&mut self) -> Result<(), TrainError> {
        let need_seed = seed_for(self.config.seed, self.step, Purpose::Need);
        match self.recipe.selector.need(self.step, need_seed) {
            Need::Rollouts { prompts, samples } => {
                let groups = self.probe(&prompts, samples)?;
                self.observe(&groups, &[], true);
            }
            Need::Gradients { prompts, validation, samples, sketch } => {
                let all = [prompts, validation].concat();
                let groups = self.probe(&all, samples)?;
                let gradients = self.gradients(&groups, sketch)?;
                self.observe(&groups, &gradients, true);
            }
            _ => {}
        }
        Ok(())
    }

    /// Judged groups that only the selector sees.
    fn probe(
        &mut self,
        prompts: &[PromptId],
        samples: usize,
    ) -> Result<Vec<ScoredGroup>, TrainError> {
        let seed = seed_for(self.config.seed, self.step, Purpose::Probe);
        let groups = self.generate(prompts, samples, seed)?;
        let judged = self.environment.judge(groups, self.config.judge_truncated)?;
        Ok(judged.groups)
    }

    /// A sketch of the gradient of each group alone, under the recipe's own estimator and loss
    /// without its penalties; zeros for a group that has none.
    fn gradients(&self, groups: &[ScoredGroup], size: usize) -> Result<Vec<Vec<f32>>, TrainError> {
        let advantages = self.advantages(groups, &vec![true; groups.len()])?;
        let references = self.reference_logprobs(groups);
        let rows = self.rows(groups, &advantages, &references)?;
        let seed = seed_for(self.config.seed, self.step, Purpose::Sketch);
        let mut sketches = vec![vec![0.0; size]; groups.len()];
        for part in rows.chunk_by(|a, b| a.prompt == b.prompt) {
            let selected: Vec<Vec<bool>> =
                part.iter().map(|row| vec![true; row.completion.tokens.len()]).collect();
            if let Some((gradients, _)) = self.gradient(part, &selected, &[])? {
                sketches[part[0].prompt] = sketch(&self.policy, &gradients, size, seed)?;
            }
        }
        Ok(sketches)
    }

    fn generate(
        &mut self,
        prompts: &[PromptId],
        samples: usize,
        seed: u64,
    ) -> Result<Vec<PromptGroup>, TrainError> {
        let address = (seed, self.step);
        let Self { environment, config, recipe, .. } = &*self;
        let requests = environment.requests(prompts, samples, config, recipe.top_k, address)?;
        let groups = self.engine.generate(&requests)?;
        check_tokens(&groups, &self.policy.limits())?;
        Ok(groups)
    }

    /// Tells the selector of judged groups; `gradients` is empty or has a sketch for each.
    pub(super) fn observe(&mut self, groups: &[ScoredGroup], gradients: &[Vec<f32>], probe: bool) {
        let step = self.step;
        let views: Vec<GroupView<'_>> = groups.iter().map(ScoredGroup::view).collect();
        let seen: Vec<Observation<'_>> = views
            .into_iter()
            .enumerate()
            .map(|(index, group)| {
                let gradient = gradients.get(index).map(Vec::as_slice);
                Observation { group, gradient, probe, step }
            })
            .collect();
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
            check_support(found, limits).map_err(refuse)?;
        }
    }
    Ok(())
}

/// Every token must be among those that it was drawn from, all of them tokens of the model.
fn check_support(completion: &Completion, limits: &ModelLimits) -> Result<(), String> {
    let Some(support) = &completion.support else { return Ok(()) };
    let all = completion.tokens.len() * support.width;
    if support.tokens.len() != all {
        let found = support.tokens.len();
        return Err(format!("its support holds {found} tokens instead of {all}"));
    }
    if let Some(token) = support.tokens.iter().find(|token| **token as usize >= limits.vocabulary) {
        let vocabulary = limits.vocabulary;
        return Err(format!(
            "token {token} of its support is not in the vocabulary of {vocabulary}"
        ));
    }
    let missing = |(place, token): &(usize, &u32)| !support.at(*place).contains(token);
    match completion.tokens.iter().enumerate().find(missing) {
        Some((place, token)) => Err(format!("token {token} at {place} is not in its support")),
        None => Ok(()),
    }
}
