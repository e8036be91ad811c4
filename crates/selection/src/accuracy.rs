//! Prompts whose success rate is nearest a target.

use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::estimates::{Estimates, Estimation};
use crate::selector::{Need, Observation, PromptSelector, SelectError};
use crate::setting::require_share;

const NAME: &str = "AccuracyGreedy";

/// The prompts of smallest `|rho - target|`, with the estimated success rate for `rho` (`AccGreedy`).
///
/// A prompt never seen counts as `rho = 1/2`. Ties are broken at random.
///
/// Source: the `AccGreedy` baseline of `GradAlign` (arXiv 2602.21492 and its code), target 1/2;
/// confidence HIGH. Departures:
/// 1. There the accuracies come from a fresh probe of the candidates at each selection round; here
///    also from training. With a [`Probe`](crate::Probe) every round and discount 0 a probe
///    replaces what was known.
/// 2. The target is a setting.
///
/// ```
/// use fireproof_selection::{AccuracyGreedy, Estimation, Observation, PromptSelector};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let pool = vec![PromptId(0), PromptId(1), PromptId(2)];
/// let mut selector = AccuracyGreedy::new(pool, 0.5, Estimation::default()).unwrap();
/// let outcomes = [[false; 4], [true, false, false, false], [true, true, false, false]];
/// for (id, correct) in outcomes.iter().enumerate() {
///     let prompt = PromptId(id as u64);
///     let (lengths, truncated) = (&[1; 4], &[false; 4]);
///     let group = GroupView { prompt, rewards: &[0.0; 4], correct, lengths, truncated };
///     selector.observe(&[Observation { group, gradient: None, probe: false, step: 0 }]);
/// }
/// // |0.5 - 0.5| = 0, |0.25 - 0.5| = 0.25, |0 - 0.5| = 0.5
/// assert_eq!(selector.select(3, 7).unwrap(), [PromptId(2), PromptId(1), PromptId(0)]);
/// ```
pub struct AccuracyGreedy {
    known: Estimates,
    target: f64,
}

impl AccuracyGreedy {
    /// Selects from this pool.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the pool is empty or a setting is outside its range.
    pub fn new(
        pool: Vec<PromptId>,
        target: f64,
        estimation: Estimation,
    ) -> Result<Self, SelectError> {
        require_share(NAME, "target", target)?;
        Ok(Self { known: Estimates::new(NAME, pool, estimation)?, target })
    }
}

impl PromptSelector for AccuracyGreedy {
    fn need(&mut self, step: u64, _seed: u64) -> Need {
        self.known.need(step)
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        self.known.observe(seen);
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.known.pool.require(count)?;
        let order = self.known.pool.shuffled(&mut ChaCha8Rng::seed_from_u64(seed));
        let distance = |prompt| (self.known.rate(prompt) - self.target).abs();
        let scored = order.into_iter().map(|prompt| (distance(prompt), prompt)).collect();
        Ok(self.known.pool.take_lowest(count, scored))
    }

    fn state(&self) -> serde_json::Value {
        self.known.state(NAME)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        self.known.restore(NAME, state)
    }
}

impl fmt::Debug for AccuracyGreedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct(NAME);
        text.field("target", &self.target).field("estimation", &self.known.estimation()).finish()
    }
}
