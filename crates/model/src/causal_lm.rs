//! The traits of causal language models and their caches.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

/// What a cache remembers of each row so that decoding need not start over.
///
/// Rows are ragged: each has its own number of tokens.
pub trait KvCache: Clone {
    /// Tokens that each row holds.
    fn lengths(&self) -> &[usize];

    /// A cache whose row `i` continues row `parent_of_row[i]` of this one, with room for
    /// `capacity` more tokens a row.
    fn fork(&self, parent_of_row: &[usize], capacity: usize) -> Self;

    /// Keeps these rows, in this order.
    fn retain(&mut self, rows: &[usize]);

    /// Appends the rows of another cache.
    fn admit(&mut self, other: Self);
}

/// A causal language model.
///
/// Rows are right-padded: padding stands after a row's tokens, where a causal model does not see
/// it. Positions count from 0 in each row.
pub trait CausalLm: Module {
    /// What decoding remembers.
    type Cache: KvCache;

    /// Vocabulary and context of the model.
    fn limits(&self) -> ModelLimits;

    /// Last hidden states: `[B, T]` tokens at `[B, T]` positions -> `[B, T, D]`.
    ///
    /// Row `b` at time `t` sees tokens `0..=t` of the row.
    ///
    /// # Panics
    /// If the positions of a row do not count from 0, as those of left-padded rows; on accelerators in
    /// debug builds only.
    fn hidden(&self, tokens: Tensor<2, Int>, positions: Tensor<2, Int>) -> Tensor<3>;

    /// Logits of the next token: `[N, D]` -> `[N, V]`.
    fn logits(&self, hidden: Tensor<2>) -> Tensor<2>;

    /// Reads prompts of `lengths[b]` tokens, `[B, T]` right-padded, into a new cache: the hidden
    /// state at each row's last token, `[B, D]`, and the cache.
    ///
    /// # Panics
    /// If there is not one length for each row, from 1 to `T`.
    fn prefill(&self, tokens: Tensor<2, Int>, lengths: &[usize]) -> (Tensor<2>, Self::Cache);

    /// Reads `T` more tokens of every row, `[B, T]` at `[B, T]` positions: their hidden states
    /// `[B, T, D]`.
    ///
    /// # Panics
    /// If the cache has no room for them.
    fn extend(
        &self,
        tokens: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        cache: &mut Self::Cache,
    ) -> Tensor<3>;
}

/// Bounds that the host checks before it uploads tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelLimits {
    /// Token ids are below this.
    pub vocabulary: usize,
    /// A row holds at most this many tokens.
    pub context: usize,
}

impl ModelLimits {
    /// Checks a row of tokens that will grow by up to `new_tokens`.
    ///
    /// # Errors
    /// Names the token or both lengths.
    pub fn check(&self, tokens: &[u32], new_tokens: usize) -> Result<(), ModelError> {
        let vocabulary = self.vocabulary;
        if let Some(position) = tokens.iter().position(|token| *token as usize >= vocabulary) {
            return Err(ModelError::TokenOutOfRange {
                token: tokens[position],
                position,
                vocabulary,
            });
        }
        if tokens.len() + new_tokens > self.context {
            return Err(ModelError::ContextExceeded {
                tokens: tokens.len(),
                new_tokens,
                context: self.context,
            });
        }
        Ok(())
    }
}

/// What is wrong with a model's configuration or input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A token id is not in the vocabulary.
    #[error("token {token} at position {position} is not in the vocabulary of {vocabulary}")]
    TokenOutOfRange {
        /// The id.
        token: u32,
        /// Where it stands in its row.
        position: usize,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// A row would grow beyond the model's context.
    #[error("{tokens} tokens and up to {new_tokens} new ones exceed the context of {context}")]
    ContextExceeded {
        /// Tokens in the row.
        tokens: usize,
        /// Tokens that may be added.
        new_tokens: usize,
        /// The context.
        context: usize,
    },
    /// A size of the configuration is impossible.
    #[error("model configuration: {0}")]
    Config(String),
}
