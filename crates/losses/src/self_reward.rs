//! LaSeR: the probability of a reserved token after the end of a completion learns the verdict.

use burn::tensor::Tensor;

/// LaSeR (arXiv 2510.14943; confidence HIGH, from its released code): last-token self-rewarding.
///
/// With `l` the log-probability of a reserved token right after the completion's last one:
///
/// ```text
/// s = beta (l - reference)                                            the self-reward
/// added loss = coefficient * mean over completions of c (s - r)^2     r: 1 if right, else 0
/// c = N / (2 N_right) or N / (2 N_wrong) among the completions that ended; 0 if cut off
/// ```
///
/// `reference` stands for the reference policy's log-probability of the reserved token, which is
/// nearly constant for a token that never occurs (-23 for Qwen2.5, -25 for OctoThinker). After
/// `warmup` steps the advantages are mixed, in groups whose scores spread by more than `min_spread`:
/// `A <- (1 - share) A + share zscore(clip(s, 0, 1))`.
///
/// Whether `N` counts the completions that were cut off could not be confirmed; here it does not.
/// Departures: the mean is over all completions of an update, those cut off counting 0, as in the
/// released code; the z-score of the mix has the population deviation (NOT FOUND which one the paper
/// takes).
///
/// ```
/// use fireproof_losses::SelfReward;
/// let rule = SelfReward { reference: -3.0, ..SelfReward::new(7) };
/// assert!((rule.score(-1.0) - 0.2).abs() < 1e-6);
/// // Two right, one wrong, one cut off: 3/4 and 3/2, over four completions.
/// let weights = rule.weights(&[true, true, false, false], &[false, false, false, true]);
/// assert_eq!(weights, [0.1 * 0.1875, 0.1 * 0.1875, 0.1 * 0.375, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfReward {
    /// The reserved token: one that completions never contain.
    pub token: u32,
    /// Scale of the self-reward.
    pub beta: f64,
    /// Stands for the reference policy's log-probability of the token.
    pub reference: f64,
    /// Weight of the added loss.
    pub coefficient: f64,
    /// Share of the self-reward in the advantages after the warm-up.
    pub share: f64,
    /// Steps before the advantages are mixed.
    pub warmup: u64,
    /// Groups whose scores have at most this standard deviation keep their advantages.
    pub min_spread: f64,
}

impl SelfReward {
    /// The released settings for Qwen2.5: beta, coefficient, share and spread 0.1, reference -23, 200
    /// steps of warm-up.
    #[must_use]
    pub fn new(token: u32) -> Self {
        Self {
            token,
            beta: 0.1,
            reference: -23.0,
            coefficient: 0.1,
            share: 0.1,
            warmup: 200,
            min_spread: 0.1,
        }
    }

    /// The self-reward of a log-probability.
    #[must_use]
    pub fn score(&self, logprob: f32) -> f64 {
        self.beta * (f64::from(logprob) - self.reference)
    }

    /// The share of each completion of an update in the added loss, coefficient included.
    #[must_use]
    pub fn weights(&self, correct: &[bool], truncated: &[bool]) -> Vec<f32> {
        let ended = |wanted: bool| {
            correct.iter().zip(truncated).filter(|(c, cut)| **c == wanted && !**cut).count() as f64
        };
        let (right, wrong) = (ended(true), ended(false));
        let weight = |(correct, truncated): (&bool, &bool)| match (truncated, correct) {
            (true, _) => 0.0,
            (false, true) => (right + wrong) / (2.0 * right),
            (false, false) => (right + wrong) / (2.0 * wrong),
        };
        let all = correct.len().max(1) as f64;
        let weights = correct.iter().zip(truncated).map(weight);
        weights.map(|weight| (self.coefficient * weight / all) as f32).collect()
    }

    /// The added loss, `[1]`: the weighted squares of `s - r` wherever the weight is positive.
    ///
    /// # Shapes
    /// `[B, T]` each: log-probabilities of the reserved token, weights, and 1 for right completions.
    #[must_use]
    pub fn loss(&self, logprobs: Tensor<2>, weights: Tensor<2>, correct: Tensor<2>) -> Tensor<1> {
        let outside = weights.clone().lower_equal_scalar(0.0);
        let miss = (logprobs - self.reference) * self.beta - correct;
        (miss.mask_fill(outside, 0.0).powi_scalar(2) * weights).sum()
    }

    /// A group's advantages mixed with the z-scores of its self-rewards; unchanged where those
    /// hardly spread.
    #[must_use]
    pub fn mix(&self, advantages: &[f32], logprobs: &[f32]) -> Vec<f32> {
        let scores: Vec<f64> = logprobs.iter().map(|l| self.score(*l).clamp(0.0, 1.0)).collect();
        let count = scores.len().max(1) as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let std = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / count).sqrt();
        if std <= self.min_spread {
            return advantages.to_vec();
        }
        let mixed = |(advantage, score): (&f32, &f64)| {
            let own = (1.0 - self.share) * f64::from(*advantage);
            (own + self.share * (score - mean) / std) as f32
        };
        advantages.iter().zip(&scores).map(mixed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_spread_are_mixed_in_and_others_are_not() {
        let rule = SelfReward { beta: 1.0, reference: -1.0, share: 0.5, ..SelfReward::new(0) };
        // Scores 1 (held) and 0: z-scores 1 and -1.
        assert_eq!(rule.mix(&[2.0, -2.0], &[3.0, -1.0]), [1.5, -1.5]);
        assert_eq!(rule.mix(&[2.0, -2.0], &[-0.5, -0.45]), [2.0, -2.0]);
        assert_eq!(rule.mix(&[], &[]), [0.0f32; 0]);
    }

    #[test]
    fn without_wrong_completions_the_right_ones_share_half_the_weight() {
        let weights = SelfReward::new(0).weights(&[true, true], &[false, false]);
        assert_eq!(weights, [0.1 * 0.25, 0.1 * 0.25]);
    }
}
