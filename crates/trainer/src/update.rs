//! One update: the rows of some prompts, split into micro-batches, as one gradient.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, Transaction};
use fireproof_losses::{
    BatchConstants, Penalty, PolicyBatch, RowShape, SurrogateStats, TokenField, UpdateRow,
    UpdateView, objective,
};
use fireproof_model::CausalLm;
use fireproof_trajectory::CreditedView;

use crate::error::TrainError;
use crate::recipe::Recipe;
use crate::row::Row;
use crate::score::{ScoredTokens, TokenBatch, host_logprobs, microbatches};

/// What an update did, summed over its tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct UpdateStats {
    /// Whole objective and the surrogate's part of it.
    pub(crate) loss: f32,
    pub(crate) policy_loss: f32,
    /// In the order of [`SurrogateStats::TOTALS`].
    pub(crate) totals: [f32; SurrogateStats::TOTALS.len()],
    /// Largest difference between a token's log-probability now and when it was sampled.
    pub(crate) max_logprob_delta: f32,
    /// Tokens that went through the model, padding left out.
    pub(crate) input_tokens: usize,
}

/// How rows are scored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoring {
    pub(crate) tokens_per_microbatch: usize,
    pub(crate) temperature: f32,
}

/// One update: rows, which of their tokens train, the penalties as they are now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update<'a> {
    pub(crate) rows: &'a [Row<'a>],
    pub(crate) selected: &'a [Vec<bool>],
    pub(crate) penalties: &'a [Penalty],
    /// Seed of what a loss draws at random.
    pub(crate) seed: u64,
}

/// Gradient and statistics of one update. `None` if no token is selected.
///
/// The shares of the loss and its plan are fixed for the whole update before it is split, so the
/// split changes nothing but rounding.
pub(crate) fn gradient<M: CausalLm>(
    policy: &M,
    recipe: &Recipe,
    update: Update<'_>,
    scoring: Scoring,
    device: &Device,
) -> Result<Option<(GradientsParams, UpdateStats)>, TrainError> {
    let Update { rows, selected, .. } = update;
    let shapes = row_shapes(rows, selected);
    if shapes.iter().all(|shape| shape.tokens == 0) {
        return Ok(None);
    }
    let weights = recipe.reduction.weights(&shapes);
    let plan = plan(policy, recipe, update, scoring, device);
    let self_weights = recipe.self_reward.map(|rule| {
        let correct: Vec<bool> = rows.iter().map(|row| row.correct).collect();
        let truncated: Vec<bool> = rows.iter().map(|row| row.completion.truncated()).collect();
        rule.weights(&correct, &truncated)
    });

    let scored: Vec<ScoredTokens<'_>> = rows.iter().map(Row::scored).collect();
    let mut accumulated = GradientsAccumulator::new();
    let mut reads = Vec::new();
    let mut stats = UpdateStats::default();
    for batch in microbatches(&scored, scoring.tokens_per_microbatch) {
        let self_weights = self_weights.as_deref();
        let part = Part { update, plan: &plan, weights: &weights, self_weights, batch: &batch };
        let (total, read) = part.objective(policy, recipe, scoring.temperature, device);
        accumulated.accumulate(policy, GradientsParams::from_grads(total.backward(), policy));
        reads.push(read);
        let length = |row: &usize| rows[*row].prompt_tokens.len() + selected[*row].len();
        stats.input_tokens += batch.iter().map(length).sum::<usize>();
    }
    read_stats(reads, &mut stats)?;
    Ok(Some((accumulated.grads(), stats)))
}

/// What the loss decides for the whole update.
fn plan<M: CausalLm>(
    policy: &M,
    recipe: &Recipe,
    update: Update<'_>,
    scoring: Scoring,
    device: &Device,
) -> Vec<TokenField> {
    let Scoring { tokens_per_microbatch, temperature } = scoring;
    let current = recipe.needs().current.then(|| {
        let scored: Vec<ScoredTokens<'_>> = update.rows.iter().map(Row::scored).collect();
        host_logprobs(&policy.valid(), &scored, tokens_per_microbatch, temperature, device)
    });
    let credited: Vec<CreditedView<'_>> = update.rows.iter().map(Row::credited).collect();
    let rows: Vec<UpdateRow<'_>> = credited
        .into_iter()
        .enumerate()
        .map(|(index, credited)| UpdateRow {
            credited,
            selected: &update.selected[index],
            current: current.as_ref().map(|current| current[index].as_slice()),
        })
        .collect();
    recipe.loss.plan(&UpdateView { rows: &rows, seed: update.seed })
}

/// What a reduction needs to know, with prompts counted from 0 within the update.
fn row_shapes(rows: &[Row<'_>], selected: &[Vec<bool>]) -> Vec<RowShape> {
    let mut prompts: Vec<usize> = rows.iter().map(|row| row.prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    let shape = |(row, selected): (&Row<'_>, &Vec<bool>)| RowShape {
        prompt: prompts.partition_point(|prompt| *prompt < row.prompt),
        tokens: selected.iter().filter(|selected| **selected).count(),
    };
    rows.iter().zip(selected).map(shape).collect()
}

/// One micro-batch of an update.
struct Part<'a> {
    update: Update<'a>,
    plan: &'a [TokenField],
    weights: &'a [f32],
    /// The share of each row in the loss of the self-reward, if there is one.
    self_weights: Option<&'a [f32]>,
    batch: &'a [usize],
}

impl Part<'_> {
    /// The objective, and its statistics still on the device:
    /// totals, then objective, surrogate's part and largest difference.
    fn objective<M: CausalLm>(
        &self,
        policy: &M,
        recipe: &Recipe,
        temperature: f32,
        device: &Device,
    ) -> (Tensor<1>, Tensor<1>) {
        let after = recipe.self_reward.map(|rule| rule.token);
        let rows = self.batch.iter().map(|row| &self.update.rows[*row]);
        let scored: Vec<ScoredTokens<'_>> = rows.map(|row| row.scored_with(after)).collect();
        let tokens = TokenBatch::new(&scored, policy.limits().context, device);
        let constants = self.constants(&tokens, device);
        let judged = self.judged(&tokens, device);
        let scores = tokens.score(policy, temperature);
        let own = recipe
            .self_reward
            .zip(judged)
            .map(|(rule, [weights, correct])| rule.loss(scores.logprobs.clone(), weights, correct));
        let entropies = recipe.needs().entropies.then_some(scores.entropies);
        let batch = PolicyBatch::new(scores.logprobs, entropies, constants);
        let mut objective = objective(recipe.loss.as_ref(), self.update.penalties, &batch);
        if let Some(own) = own {
            objective.total = objective.total + own;
        }
        // Both are 0 where masked, so the difference is too.
        let difference = batch.logprobs.clone().detach() - batch.behaviour_logprobs.clone();
        let read = Tensor::cat(
            vec![
                objective.stats.totals(&batch.advantages, &batch.mask),
                objective.total.clone().detach(),
                objective.policy,
                difference.abs().max(),
            ],
            0,
        );
        (objective.total, read)
    }

    fn constants(&self, tokens: &TokenBatch, device: &Device) -> BatchConstants {
        let Update { rows, selected, .. } = self.update;
        let spread = |of: &dyn Fn(usize) -> Vec<f32>| {
            let rows: Vec<Vec<f32>> = self.batch.iter().map(|row| of(*row)).collect();
            tokens.spread(rows.iter().map(Vec::as_slice), device)
        };
        let has_reference = rows[self.batch[0]].reference.is_some();
        BatchConstants {
            behaviour_logprobs: spread(&|row| rows[row].behaviour().to_vec()),
            reference_logprobs: has_reference
                .then(|| spread(&|row| rows[row].reference.clone().unwrap_or_default())),
            advantages: spread(&|row| rows[row].advantages.clone()),
            weights: spread(&|row| self.token_weights(row)),
            mask: spread(&|row| selected[row].iter().map(|s| f32::from(*s)).collect()),
            plan: self.plan.iter().map(|field| spread(&|row| field[row].clone())).collect(),
        }
    }

    /// Weights and verdicts of the self-reward, behind the tokens of each row that ended; `None` if
    /// there is no self-reward.
    fn judged(&self, tokens: &TokenBatch, device: &Device) -> Option<[Tensor<2>; 2]> {
        let weights = self.self_weights?;
        let behind = |value: &dyn Fn(usize) -> f32| {
            let row = |row: &usize| {
                let completion = self.update.rows[*row].completion;
                let mut cells = vec![0.0; completion.tokens.len()];
                cells.extend((!completion.truncated()).then(|| value(*row)));
                cells
            };
            let rows: Vec<Vec<f32>> = self.batch.iter().map(row).collect();
            tokens.spread(rows.iter().map(Vec::as_slice), device)
        };
        let correct = |row: usize| f32::from(self.update.rows[row].correct);
        Some([behind(&|row| weights[row]), behind(&correct)])
    }

    /// The share of each token of a row.
    fn token_weights(&self, row: usize) -> Vec<f32> {
        let selected = self.update.selected[row].iter();
        let share = selected.map(|selected| f32::from(*selected) * self.weights[row]);
        match &self.update.rows[row].trainer {
            Some(scores) => share.zip(&scores.weights).map(|(share, w)| share * w).collect(),
            None => share.collect(),
        }
    }
}

/// Sums the statistics of all micro-batches, in one transfer.
fn read_stats(reads: Vec<Tensor<1>>, stats: &mut UpdateStats) -> Result<(), TrainError> {
    let transaction = reads.into_iter().fold(Transaction::default(), |t, read| t.register(read));
    let data = transaction.try_execute().map_err(|error| TrainError::Device(error.to_string()))?;
    for read in data {
        let values: Vec<f32> = read.try_to_vec_as().expect("statistics are floats");
        let (totals, [loss, policy_loss, delta]) = values.split_at(stats.totals.len()) else {
            unreachable!("three numbers follow the totals")
        };
        stats.totals.iter_mut().zip(totals).for_each(|(sum, value)| *sum += value);
        stats.loss += loss;
        stats.policy_loss += policy_loss;
        stats.max_logprob_delta = stats.max_logprob_delta.max(*delta);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
