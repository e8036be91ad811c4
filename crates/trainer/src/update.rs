//! One update: the rows of some prompts, split into micro-batches, as one gradient.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, Transaction};
use fireproof_losses::{BatchConstants, PolicyBatch, RowShape, SurrogateStats, objective};
use fireproof_model::CausalLm;
use fireproof_selection::TokenSelector;
use fireproof_trajectory::{Completion, TokenView};

use crate::error::TrainError;
use crate::recipe::Recipe;
use crate::score::{ScoredTokens, TokenBatch, microbatches};

/// One completion with everything that training needs of it.
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    /// Index of its prompt within the step.
    pub(crate) prompt: usize,
    pub(crate) prompt_tokens: &'a [u32],
    pub(crate) completion: &'a Completion,
    /// One advantage for each token.
    pub(crate) advantages: Vec<f32>,
    /// Log-probabilities under the reference policy, if one is used.
    pub(crate) reference: Option<Vec<f32>>,
}

impl<'a> Row<'a> {
    pub(crate) fn scored(&self) -> ScoredTokens<'a> {
        ScoredTokens { prompt: self.prompt_tokens, tokens: &self.completion.tokens }
    }

    fn view(&self) -> TokenView<'_> {
        TokenView { logprobs: &self.completion.logprobs, entropies: &self.completion.entropies }
    }
}

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

/// Gradient and statistics of one update over `rows`, for the tokens that `tokens` selects. `None`
/// if no token is selected.
///
/// The shares of the loss are fixed for the whole update before it is split, so the split changes
/// nothing but rounding.
pub(crate) fn gradient<M: CausalLm>(
    policy: &M,
    recipe: &Recipe,
    rows: &[Row<'_>],
    tokens: &dyn TokenSelector,
    scoring: Scoring,
    device: &Device,
) -> Result<Option<(GradientsParams, UpdateStats)>, TrainError> {
    let masks: Vec<Vec<f32>> = rows
        .iter()
        .map(|row| tokens.select(row.view()).into_iter().map(f32::from).collect())
        .collect();
    let shapes = row_shapes(rows, &masks);
    if shapes.iter().all(|shape| shape.tokens == 0) {
        return Ok(None);
    }
    let weights = recipe.reduction.weights(&shapes);

    let scored: Vec<ScoredTokens<'_>> = rows.iter().map(Row::scored).collect();
    let mut accumulated = GradientsAccumulator::new();
    let mut reads = Vec::new();
    let mut stats = UpdateStats::default();
    for batch in microbatches(&scored, scoring.tokens_per_microbatch) {
        let part = Part { rows, masks: &masks, weights: &weights, batch: &batch };
        let (total, read) = part.objective(policy, recipe, scoring.temperature, device);
        accumulated.accumulate(policy, GradientsParams::from_grads(total.backward(), policy));
        reads.push(read);
        let lengths = batch.iter().map(|row| rows[*row].prompt_tokens.len() + masks[*row].len());
        stats.input_tokens += lengths.sum::<usize>();
    }
    read_stats(reads, &mut stats)?;
    Ok(Some((accumulated.grads(), stats)))
}

/// What a reduction needs to know, with prompts counted from 0 within the update.
fn row_shapes(rows: &[Row<'_>], masks: &[Vec<f32>]) -> Vec<RowShape> {
    let mut prompts: Vec<usize> = rows.iter().map(|row| row.prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    let shape = |(row, mask): (&Row<'_>, &Vec<f32>)| RowShape {
        prompt: prompts.partition_point(|prompt| *prompt < row.prompt),
        tokens: mask.iter().filter(|selected| **selected > 0.0).count(),
    };
    rows.iter().zip(masks).map(shape).collect()
}

/// One micro-batch of an update.
struct Part<'a> {
    rows: &'a [Row<'a>],
    masks: &'a [Vec<f32>],
    weights: &'a [f32],
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
        let scored: Vec<ScoredTokens<'_>> =
            self.batch.iter().map(|row| self.rows[*row].scored()).collect();
        let tokens = TokenBatch::new(&scored, policy.limits().context, device);
        let constants = self.constants(&tokens, device);
        let scores = tokens.score(policy, temperature);
        let entropies = recipe.needs().entropies.then_some(scores.entropies);
        let batch = PolicyBatch::new(scores.logprobs, entropies, constants);
        let objective = objective(recipe.loss.as_ref(), &recipe.penalties, &batch);
        // Both are 0 where masked, so the difference is too.
        let difference = batch.logprobs.clone().detach() - batch.behaviour_logprobs.clone();
        let read = Tensor::cat(
            vec![
                objective.stats.totals(&batch.mask),
                objective.total.clone().detach(),
                objective.policy,
                difference.abs().max(),
            ],
            0,
        );
        (objective.total, read)
    }

    fn constants(&self, tokens: &TokenBatch, device: &Device) -> BatchConstants {
        let spread = |of: &dyn Fn(usize) -> Vec<f32>| {
            let rows: Vec<Vec<f32>> = self.batch.iter().map(|row| of(*row)).collect();
            tokens.spread(rows.iter().map(Vec::as_slice), device)
        };
        let has_reference = self.rows[self.batch[0]].reference.is_some();
        BatchConstants {
            behaviour_logprobs: spread(&|row| self.rows[row].completion.logprobs.clone()),
            reference_logprobs: has_reference
                .then(|| spread(&|row| self.rows[row].reference.clone().unwrap_or_default())),
            advantages: spread(&|row| self.rows[row].advantages.clone()),
            weights: spread(&|row| {
                self.masks[row].iter().map(|selected| selected * self.weights[row]).collect()
            }),
            mask: spread(&|row| self.masks[row].clone()),
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
