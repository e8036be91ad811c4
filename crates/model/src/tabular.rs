//! A softmax table as a language model: exact, instant, and honest enough to test a trainer on.

use burn::module::{Module, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::causal_lm::{CausalLm, KvCache, ModelLimits};

/// A policy whose next token depends only on the row's first token and on the position: one row of
/// logits for each pair. With one-token prompts each prompt has its own independent distribution
/// at each position, so everything about it can be computed by hand.
///
/// The "hidden state" is the row of logits itself, so `D = V`.
#[derive(Module, Debug)]
pub struct TabularPolicy {
    /// Logits, `[V context, V]`: row `first token * context + position`.
    table: Param<Tensor<2>>,
    context: usize,
}

impl TabularPolicy {
    /// A uniform policy.
    #[must_use]
    pub fn uniform(vocabulary: usize, context: usize, device: &Device) -> Self {
        Self::from_logits(&vec![0.0; vocabulary * context * vocabulary], vocabulary, device)
    }

    /// A policy with these logits, in rows of `vocabulary`: row `first token * context + position`
    /// gives the token *after* that position.
    ///
    /// # Panics
    /// If their number is not a multiple of `vocabulary^2`.
    #[must_use]
    pub fn from_logits(logits: &[f32], vocabulary: usize, device: &Device) -> Self {
        let square = vocabulary * vocabulary;
        assert!(
            square > 0 && logits.len().is_multiple_of(square) && !logits.is_empty(),
            "{} logits are not a table for a vocabulary of {vocabulary}",
            logits.len()
        );
        let context = logits.len() / square;
        let data = TensorData::new(logits.to_vec(), [vocabulary * context, vocabulary]);
        Self { table: Param::from_data(data, device), context }
    }

    /// The logits, in the order of [`from_logits`](Self::from_logits).
    #[must_use]
    pub fn table(&self) -> Tensor<2> {
        self.table.val()
    }

    /// Rows of the table for first tokens `[B, 1]` at positions `[B, T]`: `[B, T, V]`.
    fn rows(&self, first: Tensor<2, Int>, positions: Tensor<2, Int>) -> Tensor<3> {
        let [batch, time] = positions.dims();
        let index = first * self.context as i32 + positions;
        let vocabulary = self.table.dims()[1];
        self.table.val().select(0, index.reshape([batch * time])).reshape([batch, time, vocabulary])
    }
}

/// What the table remembers of each row: its first token and its length.
#[derive(Clone, Debug)]
pub struct TabularCache {
    /// `[B, 1]`.
    first: Tensor<2, Int>,
    lengths: Vec<usize>,
}

impl KvCache for TabularCache {
    fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    fn fork(&self, parent_of_row: &[usize], _capacity: usize) -> Self {
        let mut forked = self.clone();
        forked.retain(parent_of_row);
        forked
    }

    fn retain(&mut self, rows: &[usize]) {
        let index: Vec<i32> = rows.iter().map(|row| *row as i32).collect();
        let index = TensorData::new(index, [rows.len()]);
        let index = Tensor::<1, Int>::from_data(index, &self.first.device());
        self.first.inplace(|first| first.select(0, index));
        self.lengths = rows.iter().map(|row| self.lengths[*row]).collect();
    }

    fn admit(&mut self, other: Self) {
        self.first.inplace(|first| Tensor::cat(vec![first, other.first], 0));
        self.lengths.extend(other.lengths);
    }
}

impl CausalLm for TabularPolicy {
    type Cache = TabularCache;

    fn limits(&self) -> ModelLimits {
        ModelLimits { vocabulary: self.table.dims()[1], context: self.context }
    }

    fn hidden(&self, tokens: Tensor<2, Int>, positions: Tensor<2, Int>) -> Tensor<3> {
        self.rows(tokens.narrow(1, 0, 1), positions)
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden
    }

    fn prefill(&self, tokens: Tensor<2, Int>, lengths: &[usize]) -> (Tensor<2>, Self::Cache) {
        let first = tokens.narrow(1, 0, 1);
        let last: Vec<i32> = lengths.iter().map(|length| *length as i32 - 1).collect();
        let last = TensorData::new(last, [lengths.len(), 1]);
        let last = Tensor::<2, Int>::from_data(last, &first.device());
        let hidden = self.rows(first.clone(), last).squeeze_dim(1);
        (hidden, TabularCache { first, lengths: lengths.to_vec() })
    }

    fn extend(
        &self,
        tokens: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        cache: &mut Self::Cache,
    ) -> Tensor<3> {
        let [_, time] = tokens.dims();
        cache.lengths.iter_mut().for_each(|length| *length += time);
        self.rows(cache.first.clone(), positions)
    }
}
