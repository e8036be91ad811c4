//! The second half of a step: from judged groups to new parameters.

use burn::optim::GradientsParams;
use fireproof_advantage::{checked_advantages, checked_credit};
use fireproof_losses::Penalty;
use fireproof_model::CausalLm;
use fireproof_rollout::RolloutEngine;
use fireproof_selection::checked_selection;
use fireproof_trajectory::{CreditedView, GroupView, ScoredGroup, StepView, TokenStep, TokenView};

use super::Trainer;
use crate::config::TrainerConfig;
use crate::error::TrainError;
use crate::gradient_check::require_gradients;
use crate::metrics::mean;
use crate::optimizer::global_norm;
use crate::row::{Row, TrainerScores};
use crate::score::{ScoredTokens, host_logprobs};
use crate::seeds::{Purpose, seed_for};
use crate::update::{Scoring, Update, UpdateStats, gradient};

impl<M: CausalLm, E: RolloutEngine<Policy = M>> Trainer<M, E> {
    /// Log-probabilities of every completion under the reference, group by group; empty if no
    /// penalty needs them.
    pub(super) fn reference_logprobs(&self, groups: &[ScoredGroup]) -> Vec<Vec<f32>> {
        let Some(reference) = &self.reference else { return Vec::new() };
        let rows: Vec<ScoredTokens<'_>> = groups
            .iter()
            .flat_map(|group| {
                let prompt = group.group.prompt_tokens.as_slice();
                let completions = group.group.completions.iter();
                completions.map(move |completion| ScoredTokens::of(prompt, completion))
            })
            .collect();
        self.host_logprobs(reference, &rows)
    }

    fn host_logprobs(&self, model: &M, rows: &[ScoredTokens<'_>]) -> Vec<Vec<f32>> {
        let TrainerConfig { tokens_per_microbatch, temperature, .. } = self.config;
        host_logprobs(model, rows, tokens_per_microbatch, temperature, &self.device)
    }

    /// Subtracts KL terms that enter the reward: the sum over a completion's tokens.
    pub(super) fn add_reward_penalties(&self, groups: &mut [ScoredGroup], references: &[Vec<f32>]) {
        let mut references = references.iter();
        for group in groups {
            for (reward, completion) in group.rewards.iter_mut().zip(&group.group.completions) {
                let Some(reference) = references.next() else { return };
                let costs = self.recipe.reward_costs(completion.behaviour_logprobs(), reference);
                *reward -= costs.iter().sum::<f32>();
            }
        }
    }

    /// Advantages of the groups that train; `None` for the others.
    pub(super) fn advantages(
        &self,
        groups: &[ScoredGroup],
        kept: &[bool],
    ) -> Result<Vec<Option<Vec<f32>>>, TrainError> {
        let trained = groups.iter().zip(kept).filter(|(_, kept)| **kept);
        let trained: Vec<GroupView<'_>> = trained.map(|(group, _)| group.view()).collect();
        let step = StepView { groups: &trained, step: self.step, steps: self.config.steps };
        let mut found = checked_advantages(self.recipe.estimator.as_ref(), &step)?.into_iter();
        Ok(kept.iter().map(|kept| if *kept { found.next() } else { None }).collect())
    }

    /// The completions that train, with their advantages spread over their tokens.
    pub(super) fn rows<'a>(
        &self,
        groups: &'a [ScoredGroup],
        advantages: &[Option<Vec<f32>>],
        references: &[Vec<f32>],
    ) -> Result<Vec<Row<'a>>, TrainError> {
        let mut references = references.iter();
        let (mut rows, mut of_rows) = (Vec::new(), Vec::new());
        let mut prompt = 0;
        for (scored, advantages) in groups.iter().zip(advantages) {
            let own: Vec<Option<&Vec<f32>>> =
                scored.group.completions.iter().map(|_| references.next()).collect();
            let Some(advantages) = advantages else { continue };
            for (sample, reference) in own.into_iter().enumerate() {
                let mut row = Row::new(prompt, scored, sample);
                if let Some(reference) = reference {
                    row.costs = self.recipe.token_costs(row.sampled(), reference);
                    row.reference = Some(reference.clone());
                }
                rows.push(row);
            }
            of_rows.extend_from_slice(advantages);
            prompt += 1;
        }
        self.mix_self_rewards(&rows, &mut of_rows);
        let views: Vec<TokenView<'_>> = rows.iter().map(Row::view).collect();
        let credited =
            checked_credit(self.recipe.credit.as_ref(), &of_rows, &self.token_step(&views))?;
        rows.iter_mut().zip(credited).for_each(|(row, credited)| row.advantages = credited);
        Ok(rows)
    }

    /// Mixes the policy's own judgement into the advantages, after its warm-up (LaSeR).
    fn mix_self_rewards(&self, rows: &[Row<'_>], advantages: &mut [f32]) {
        let Some(rule) = self.recipe.self_reward.filter(|rule| self.step >= rule.warmup) else {
            return;
        };
        let after = Some(rule.token);
        let scored: Vec<ScoredTokens<'_>> = rows.iter().map(|row| row.scored_with(after)).collect();
        let scores = self.host_logprobs(&self.policy.valid(), &scored);
        let mut first = 0;
        for group in rows.chunk_by(|a, b| a.prompt == b.prompt) {
            let all = first..first + group.len();
            first = all.end;
            // A completion that was cut off has no verdict of its own.
            let ended: Vec<usize> =
                all.filter(|index| !rows[*index].completion.truncated()).collect();
            let own: Vec<f32> = ended.iter().map(|index| advantages[*index]).collect();
            let last: Vec<f32> =
                ended.iter().filter_map(|index| scores[*index].last().copied()).collect();
            let mixed = rule.mix(&own, &last);
            ended.iter().zip(mixed).for_each(|(index, mixed)| advantages[*index] = mixed);
        }
    }

    fn token_step<'a>(&self, rows: &'a [TokenView<'a>]) -> TokenStep<'a> {
        TokenStep { rows, step: self.step, steps: self.config.steps }
    }

    /// Lets credit assignment learn from the step.
    pub(super) fn learn_from(&mut self, rows: &[Row<'_>]) {
        let views: Vec<TokenView<'_>> = rows.iter().map(Row::view).collect();
        let step = TokenStep { rows: &views, step: self.step, steps: self.config.steps };
        self.recipe.credit.observe(&step);
    }

    /// Scores the rows under the policy as it is, if the recipe distrusts the sampler.
    pub(super) fn correct_mismatch(&self, rows: &mut [Row<'_>]) {
        let Some(correction) = self.recipe.mismatch else { return };
        let scored: Vec<ScoredTokens<'_>> = rows.iter().map(Row::scored).collect();
        let scores = self.host_logprobs(&self.policy.valid(), &scored);
        for (row, logprobs) in rows.iter_mut().zip(scores) {
            let weights = correction.weights(&logprobs, row.sampled());
            row.trainer = Some(TrainerScores { logprobs, weights });
        }
    }

    /// The penalties as they are in this step.
    pub(super) fn adapt_penalties(&mut self, rows: &[Row<'_>]) -> Vec<Penalty> {
        let entropies = rows.iter().flat_map(|row| &row.completion.entropies);
        let entropy = mean(entropies.map(|entropy| f64::from(*entropy)));
        let states = self.penalty_states.iter_mut();
        let adapt = |(penalty, state): (&Penalty, &mut f64)| {
            let (adapted, next) = penalty.adapt(*state, entropy);
            *state = next;
            adapted
        };
        self.recipe.penalties.iter().zip(states).map(adapt).collect()
    }

    /// All updates of the step: epochs, then passes, then updates of so many prompts.
    pub(super) fn update(
        &mut self,
        rows: &[Row<'_>],
        penalties: &[Penalty],
    ) -> Result<Vec<(UpdateStats, f32)>, TrainError> {
        let size = self.config.update_size();
        let selected = self.select_tokens(rows)?;
        let mut done = Vec::new();
        for _epoch in 0..self.config.epochs_per_step {
            for selected in &selected {
                let mut first = 0;
                for part in rows.chunk_by(|a, b| a.prompt / size == b.prompt / size) {
                    let selected = &selected[first..first + part.len()];
                    first += part.len();
                    let Some((gradients, stats)) = self.gradient(part, selected, penalties)? else {
                        continue;
                    };
                    if self.version.0 == 0 {
                        require_gradients(&self.policy, &gradients)?;
                    }
                    let norm = global_norm(&self.policy, &gradients)?;
                    self.require_finite(&stats, norm)?;
                    self.policy = self.optimizer.step(self.policy.clone(), gradients, norm);
                    self.version.0 += 1;
                    done.push((stats, norm));
                }
            }
        }
        Ok(done)
    }

    /// For each pass the tokens that train in it.
    fn select_tokens(&self, rows: &[Row<'_>]) -> Result<Vec<Vec<Vec<bool>>>, TrainError> {
        let views: Vec<CreditedView<'_>> = rows.iter().map(Row::credited).collect();
        let passes = self.recipe.passes.iter();
        Ok(passes.map(|pass| checked_selection(pass.as_ref(), &views)).collect::<Result<_, _>>()?)
    }

    /// Gradient and statistics of one update; `None` if none of its tokens trains.
    pub(super) fn gradient(
        &self,
        rows: &[Row<'_>],
        selected: &[Vec<bool>],
        penalties: &[Penalty],
    ) -> Result<Option<(GradientsParams, UpdateStats)>, TrainError> {
        let TrainerConfig { tokens_per_microbatch, temperature, seed, .. } = self.config;
        let scoring = Scoring { tokens_per_microbatch, temperature };
        let seed = seed_for(seed, self.version.0, Purpose::Update);
        let update = Update { rows, selected, penalties, seed };
        gradient(&self.policy, &self.recipe, update, scoring, &self.device)
    }

    fn require_finite(&self, stats: &UpdateStats, norm: f32) -> Result<(), TrainError> {
        for (what, value) in [("the loss", stats.loss), ("the gradient's norm", norm)] {
            if !value.is_finite() {
                return Err(TrainError::Diverged { step: self.step, what, value });
            }
        }
        Ok(())
    }
}
