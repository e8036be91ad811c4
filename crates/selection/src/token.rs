//! Which tokens of a completion train.

use std::fmt::Debug;

use fireproof_trajectory::TokenView;

/// Decides which tokens of a completion train, from behaviour-time values alone, so that the
/// decision does not depend on how an update is split.
pub trait TokenSelector: Debug + Send + Sync {
    /// One flag for each token.
    fn select(&self, tokens: TokenView<'_>) -> Vec<bool>;
}

/// Every token trains.
#[derive(Clone, Copy, Debug)]
pub struct AllTokens;

/// Only the tokens of highest entropy train (the 80/20 rule, arXiv 2506.01939).
///
/// The paper takes the quantile over a batch; here it is taken over each completion (a departure
/// that keeps the rule a function of one completion). At least one token is kept.
///
/// ```
/// use fireproof_selection::{HighEntropy, TokenSelector};
/// use fireproof_trajectory::TokenView;
/// let tokens = TokenView { logprobs: &[-1.0; 4], entropies: &[0.1, 2.0, 0.3, 1.0] };
/// assert_eq!(HighEntropy { share: 0.5 }.select(tokens), [false, true, false, true]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HighEntropy {
    /// Share of tokens kept, from 0 to 1; the paper keeps 0.2.
    pub share: f32,
}

impl TokenSelector for AllTokens {
    fn select(&self, tokens: TokenView<'_>) -> Vec<bool> {
        vec![true; tokens.logprobs.len()]
    }
}

impl TokenSelector for HighEntropy {
    fn select(&self, tokens: TokenView<'_>) -> Vec<bool> {
        let count = tokens.entropies.len();
        let keep = ((self.share * count as f32).round() as usize).clamp(1, count.max(1));
        let mut order: Vec<usize> = (0..count).collect();
        // Stable: among equal entropies the earlier token is kept.
        order.sort_by(|a, b| tokens.entropies[*b].total_cmp(&tokens.entropies[*a]));
        let mut kept = vec![false; count];
        order.iter().take(keep).for_each(|token| kept[*token] = true);
        kept
    }
}
