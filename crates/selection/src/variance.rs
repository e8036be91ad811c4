//! Prompts whose outcomes vary most.

use std::collections::HashSet;
use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::estimates::{Estimates, Estimation};
use crate::selector::{Need, Observation, PromptSelector, SelectError};
use crate::setting::{require, require_share};

const NAME: &str = "HighestVariance";

/// How many of the most variable prompts a step draws from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Among {
    /// The `k` most variable ones, at least 1 (top-k).
    Top(usize),
    /// This share of the pool, from 0 to 1, rounded up (top-p).
    Share(f64),
}

/// Draws at random among the prompts of highest outcome variance `rho (1 - rho)`, with the
/// estimated success rate for `rho`.
///
/// ```text
/// candidates = the k (or p * pool, rounded up) prompts of largest rho (1 - rho)
/// selection  = drawn from the candidates uniformly, without replacement
/// ```
///
/// A prompt never seen counts as `rho = 1/2`, so it comes first. If a step needs more prompts than
/// there are candidates left, the next in order of variance follow. Ties are broken at random.
///
/// Source: top-k and top-p by variance are the usual baselines; that the draw among the candidates
/// is uniform is our choice (DERIVED). The order is that of [`AccuracyGreedy`](crate::AccuracyGreedy)
/// at target 1/2, because `rho (1 - rho) = 1/4 - (rho - 1/2)^2`; what differs is the draw.
///
/// ```
/// use fireproof_selection::{Among, Estimation, HighestVariance, Observation, PromptSelector};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let pool = vec![PromptId(0), PromptId(1), PromptId(2)];
/// let mut selector = HighestVariance::new(pool, Among::Top(1), Estimation::default()).unwrap();
/// let outcomes = [[false, false], [true, false], [true, true]]; // variance 0, 1/4, 0
/// for (id, correct) in outcomes.iter().enumerate() {
///     let prompt = PromptId(id as u64);
///     let (lengths, truncated) = (&[1, 1], &[false, false]);
///     let group = GroupView { prompt, rewards: &[0.0; 2], correct, lengths, truncated };
///     selector.observe(&[Observation { group, gradient: None, probe: false, step: 0 }]);
/// }
/// assert_eq!(selector.select(1, 7).unwrap(), [PromptId(1)]);
/// ```
pub struct HighestVariance {
    known: Estimates,
    among: Among,
}

impl HighestVariance {
    /// Selects from this pool.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the pool is empty or a setting is outside its range.
    pub fn new(
        pool: Vec<PromptId>,
        among: Among,
        estimation: Estimation,
    ) -> Result<Self, SelectError> {
        match among {
            Among::Top(k) => require(NAME, "k", k, "at least 1", k > 0)?,
            Among::Share(p) => require_share(NAME, "p", p)?,
        }
        Ok(Self { known: Estimates::new(NAME, pool, estimation)?, among })
    }

    fn candidates(&self) -> usize {
        match self.among {
            Among::Top(k) => k.min(self.known.pool.len()),
            Among::Share(p) => (p * self.known.pool.len() as f64).ceil() as usize,
        }
    }
}

impl PromptSelector for HighestVariance {
    fn need(&mut self, step: u64, _seed: u64) -> Need {
        self.known.need(step)
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        self.known.observe(seen);
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.known.pool.require(count)?;
        let order = self.known.pool.shuffled(&mut ChaCha8Rng::seed_from_u64(seed));
        let negative_variance = |prompt: PromptId| {
            let rho = self.known.rate(prompt);
            -rho * (1.0 - rho)
        };
        let scored = order.iter().map(|prompt| (negative_variance(*prompt), *prompt));
        let mut ranked: Vec<(f64, PromptId)> = scored.clone().collect();
        ranked.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let top: HashSet<PromptId> =
            ranked.iter().take(self.candidates()).map(|(_, prompt)| *prompt).collect();
        // All candidates get one score, below any other, so that they stay in random order.
        let scored = scored.map(|(v, p)| (if top.contains(&p) { -1.0 } else { v }, p)).collect();
        Ok(self.known.pool.take_lowest(count, scored))
    }

    fn state(&self) -> serde_json::Value {
        self.known.state(NAME)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        self.known.restore(NAME, state)
    }
}

impl fmt::Debug for HighestVariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct(NAME);
        text.field("among", &self.among).field("estimation", &self.known.estimation()).finish()
    }
}
