//! Scoring: log-probabilities (and entropies) of given tokens under a model.
//!
//! Hidden states are gathered at the positions that predict a completion's tokens before logits are
//! computed, so `[B, T, V]` over prompts and padding never exists.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::token_logprobs;
use fireproof_model::CausalLm;
use fireproof_trajectory::{Completion, Support};

/// Widths of micro-batches are rounded up to a multiple of this, so that few shapes occur.
const WIDTH_STEP: usize = 8;

/// Tokens to score: `tokens` given `prompt`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoredTokens<'a> {
    pub(crate) prompt: &'a [u32],
    pub(crate) tokens: &'a [u32],
    /// One more token to score behind them.
    pub(crate) after: Option<u32>,
    /// What the tokens were drawn among; they are scored among those alone. Then nothing can come
    /// after.
    pub(crate) support: Option<&'a Support>,
}

impl<'a> ScoredTokens<'a> {
    /// Tokens scored among all, with nothing after.
    pub(crate) fn plain(prompt: &'a [u32], tokens: &'a [u32]) -> Self {
        Self { prompt, tokens, after: None, support: None }
    }

    /// A completion, among what it was drawn from.
    pub(crate) fn of(prompt: &'a [u32], completion: &'a Completion) -> Self {
        Self { support: completion.support.as_ref(), ..Self::plain(prompt, &completion.tokens) }
    }

    /// Scored tokens.
    fn length(&self) -> usize {
        self.tokens.len() + usize::from(self.after.is_some())
    }

    /// Tokens that go through the model: the last one predicts nothing.
    fn input_length(&self) -> usize {
        self.prompt.len() + self.length() - 1
    }

    /// What is gathered for a scored token: itself, or its place in its support.
    fn target(&self, time: usize, token: u32) -> u32 {
        let place = |support: &Support| support.at(time).iter().position(|other| *other == token);
        match self.support {
            Some(support) => place(support).expect("supports were checked") as u32,
            None => token,
        }
    }
}

/// Rows as tensors.
pub(crate) struct TokenBatch {
    /// Inputs, `[B, T]`, right-padded.
    tokens: Tensor<2, Int>,
    positions: Tensor<2, Int>,
    /// Where in the flattened inputs the state stands that predicts each token, `[B C]`.
    index: Tensor<1, Int>,
    /// The tokens to score, or their places in their supports, `[B C]`; 0 at padding.
    targets: Tensor<1, Int>,
    /// What they are scored among, `[B C, K]`, if not among all.
    support: Option<Tensor<2, Int>>,
    /// `[B, C]`: rows and the longest completion, rounded up.
    shape: [usize; 2],
}

/// Scores of a batch, `[B, C]`; what stands beyond a row's tokens is meaningless.
pub(crate) struct Scores {
    pub(crate) logprobs: Tensor<2>,
    pub(crate) entropies: Tensor<2>,
}

impl TokenBatch {
    /// Every row must have at least one prompt token and one token to score, and fit the model's
    /// `context`.
    pub(crate) fn new(rows: &[ScoredTokens<'_>], context: usize, device: &Device) -> Self {
        let longest = |length: fn(&ScoredTokens<'_>) -> usize| {
            padded_width(rows.iter().map(length).max().unwrap_or(0), context)
        };
        let width = longest(|row| row.input_length());
        let scored = longest(|row| row.length());
        let count = rows.len();
        let mut tokens = vec![0i32; count * width];
        let mut index = vec![0i32; count * scored];
        let mut targets = vec![0i32; count * scored];
        for (number, row) in rows.iter().enumerate() {
            let text = row.tokens.iter().chain(&row.after);
            let input = row.prompt.iter().chain(text.clone()).take(row.input_length());
            let cells = &mut tokens[number * width..];
            cells.iter_mut().zip(input).for_each(|(cell, token)| *cell = *token as i32);
            let first = number * width + row.prompt.len() - 1;
            for (time, token) in text.enumerate() {
                index[number * scored + time] = (first + time) as i32;
                targets[number * scored + time] = row.target(time, *token) as i32;
            }
        }
        let vector = |values: Vec<i32>| {
            let count = values.len();
            Tensor::<1, Int>::from_data(TensorData::new(values, [count]), device)
        };
        let positions = vector((0..width as i32).collect()).reshape([1, width]);
        Self {
            tokens: vector(tokens).reshape([count, width]),
            positions: positions.expand([count, width]),
            index: vector(index),
            targets: vector(targets),
            support: support_index(rows, scored, device),
            shape: [count, scored],
        }
    }

    /// `[B, C]`.
    pub(crate) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// Per-token host values as `[B, C]`, 0 beyond each row.
    pub(crate) fn spread<'a>(
        &self,
        rows: impl Iterator<Item = &'a [f32]>,
        device: &Device,
    ) -> Tensor<2> {
        let [count, scored] = self.shape;
        let mut cells = vec![0.0f32; count * scored];
        for (number, row) in rows.enumerate() {
            cells[number * scored..number * scored + row.len()].copy_from_slice(row);
        }
        Tensor::from_data(TensorData::new(cells, self.shape), device)
    }

    /// Scores every row under a model, at a temperature.
    pub(crate) fn score<M: CausalLm>(self, model: &M, temperature: f32) -> Scores {
        let hidden = model.hidden(self.tokens, self.positions);
        let [batch, time, width] = hidden.dims();
        let states = hidden.reshape([batch * time, width]).select(0, self.index);
        let logits = model.logits(states);
        let logits = match self.support {
            Some(support) => logits.gather(1, support),
            None => logits,
        };
        let scores = token_logprobs(logits, self.targets, temperature);
        Scores {
            logprobs: scores.logprobs.reshape(self.shape),
            entropies: scores.entropies.reshape(self.shape),
        }
    }
}

/// The supports of all rows, `[B C, K]`, token 0 at padding; `None` if the rows have none.
///
/// Rows of one step are sampled alike, so either all have supports of one width or none has.
fn support_index(
    rows: &[ScoredTokens<'_>],
    scored: usize,
    device: &Device,
) -> Option<Tensor<2, Int>> {
    let width = rows.first()?.support?.width;
    let mut index = vec![0i32; rows.len() * scored * width];
    for (number, row) in rows.iter().enumerate() {
        let cells = &mut index[number * scored * width..];
        let tokens = row.support.into_iter().flat_map(|support| &support.tokens);
        cells.iter_mut().zip(tokens).for_each(|(cell, token)| *cell = *token as i32);
    }
    Some(Tensor::from_data(TensorData::new(index, [rows.len() * scored, width]), device))
}

/// A width rounded up, within the model's context: there is no position beyond it.
fn padded_width(longest: usize, context: usize) -> usize {
    longest.next_multiple_of(WIDTH_STEP).min(context).max(longest)
}

/// Splits rows into micro-batches of at most `budget` padded tokens (or one row), similar lengths
/// together. Every row occurs exactly once.
pub(crate) fn microbatches(rows: &[ScoredTokens<'_>], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // Longest first: the first row of a micro-batch gives its width.
    order.sort_by_key(|row| std::cmp::Reverse(rows[*row].input_length()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut capacity = 0;
    for row in order {
        match batches.last_mut() {
            Some(batch) if batch.len() < capacity => batch.push(row),
            _ => {
                let width = rows[row].input_length().next_multiple_of(WIDTH_STEP);
                capacity = (budget / width).max(1);
                batches.push(vec![row]);
            }
        }
    }
    batches
}

/// Log-probabilities of every row under a model without a gradient, on the host; one more than it
/// has tokens where one comes after.
pub(crate) fn host_logprobs<M: CausalLm>(
    model: &M,
    rows: &[ScoredTokens<'_>],
    budget: usize,
    temperature: f32,
    device: &Device,
) -> Vec<Vec<f32>> {
    let mut logprobs = vec![Vec::new(); rows.len()];
    for batch in microbatches(rows, budget) {
        let some: Vec<ScoredTokens<'_>> = batch.iter().map(|row| rows[*row]).collect();
        let tokens = TokenBatch::new(&some, model.limits().context, device);
        let [_, scored] = tokens.shape();
        let scores = tokens.score(model, temperature).logprobs.into_data();
        let scores: Vec<f32> = scores.try_to_vec_as().expect("log-probabilities are floats");
        for (number, row) in batch.into_iter().enumerate() {
            let start = number * scored;
            logprobs[row] = scores[start..start + rows[row].length()].to_vec();
        }
    }
    logprobs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microbatches_hold_every_row_once_within_their_budget() {
        let lengths = [3usize, 20, 1, 7, 7, 40, 2];
        let tokens = vec![0; 64];
        let rows: Vec<ScoredTokens<'_>> =
            lengths.iter().map(|n| ScoredTokens::plain(&tokens[..1], &tokens[..*n])).collect();
        for budget in [1, 16, 48, 1000] {
            let batches = microbatches(&rows, budget);
            let mut seen: Vec<usize> = batches.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &batches {
                let width = batch.iter().map(|row| rows[*row].input_length()).max().unwrap();
                let padded = width.next_multiple_of(WIDTH_STEP) * batch.len();
                assert!(padded <= budget || batch.len() == 1, "{batch:?} has {padded}");
            }
        }
    }
}
