//! Easy, medium and hard prompts in fixed shares.

use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::estimates::{Estimates, Estimation};
use crate::selector::{Need, Observation, PromptSelector, SelectError};
use crate::setting::{quotas, require, require_share};

const NAME: &str = "DifficultyPools";

/// Where the pools meet and how much of each step comes from each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DifficultyShares {
    /// Hard is `rho <= hard_up_to`.
    pub hard_up_to: f64,
    /// Easy is `rho >= easy_from`; the rest is medium.
    pub easy_from: f64,
    /// Share of easy prompts. The three shares sum to 1.
    pub easy: f64,
    /// Share of medium prompts.
    pub medium: f64,
    /// Share of hard prompts.
    pub hard: f64,
}

impl Default for DifficultyShares {
    /// Borders 1/4 and 3/4, shares 1/4, 1/2, 1/4 (our choice).
    fn default() -> Self {
        Self { hard_up_to: 0.25, easy_from: 0.75, easy: 0.25, medium: 0.5, hard: 0.25 }
    }
}

/// Fixed shares of each step from three pools by estimated success rate.
///
/// ```text
/// hard: rho <= hard_up_to    easy: rho >= easy_from    medium: between
/// prompts of a pool in a step = its share * count, by largest remainders, drawn at random
/// ```
///
/// A prompt never seen is medium. Where a pool is too small, medium prompts fill up, then hard,
/// then easy ones. Source: the usual curriculum by pools; borders, shares and the order of filling
/// up are our choice (DERIVED).
///
/// ```
/// use fireproof_selection::{DifficultyPools, DifficultyShares, Estimation};
/// use fireproof_selection::{Observation, PromptSelector};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let pool: Vec<PromptId> = (0..6).map(PromptId).collect();
/// let (shares, estimation) = (DifficultyShares::default(), Estimation::default());
/// let mut selector = DifficultyPools::new(pool, shares, estimation).unwrap();
/// for id in 0..6 {
///     let correct = [id >= 4, id >= 2]; // 0 and 1 are hard, 2 and 3 medium, 4 and 5 easy
///     let prompt = PromptId(id);
///     let (lengths, truncated) = (&[1, 1], &[false, false]);
///     let group = GroupView { prompt, rewards: &[0.0; 2], correct: &correct, lengths, truncated };
///     selector.observe(&[Observation { group, gradient: None, probe: false, step: 0 }]);
/// }
/// let mut pools: Vec<u64> = selector.select(4, 7).unwrap().iter().map(|p| p.0 / 2).collect();
/// pools.sort();
/// assert_eq!(pools, [0, 1, 1, 2]);
/// ```
pub struct DifficultyPools {
    known: Estimates,
    shares: DifficultyShares,
}

impl DifficultyPools {
    /// Selects from this pool.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the pool is empty, a share or border is not from 0 to 1, the
    /// shares do not sum to 1, or the borders cross.
    pub fn new(
        pool: Vec<PromptId>,
        shares: DifficultyShares,
        estimation: Estimation,
    ) -> Result<Self, SelectError> {
        let DifficultyShares { hard_up_to, easy_from, easy, medium, hard } = shares;
        for (setting, value) in [
            ("easy", easy),
            ("medium", medium),
            ("hard", hard),
            ("hard_up_to", hard_up_to),
            ("easy_from", easy_from),
        ] {
            require_share(NAME, setting, value)?;
        }
        let sum = easy + medium + hard;
        require(NAME, "the sum of the shares", sum, "1", (sum - 1.0).abs() < 1e-9)?;
        let borders = (hard_up_to, easy_from);
        let wanted = "hard_up_to < easy_from";
        require(NAME, "the pair of borders", borders, wanted, hard_up_to < easy_from)?;
        Ok(Self { known: Estimates::new(NAME, pool, estimation)?, shares })
    }
}

impl PromptSelector for DifficultyPools {
    fn need(&mut self, step: u64, _seed: u64) -> Need {
        self.known.need(step)
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        self.known.observe(seen);
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.known.pool.require(count)?;
        let order = self.known.pool.shuffled(&mut ChaCha8Rng::seed_from_u64(seed));
        let DifficultyShares { hard_up_to, easy_from, easy, medium, hard } = self.shares;
        // In the order in which the pools fill up.
        let class = |prompt| match self.known.rate(prompt) {
            rho if rho <= hard_up_to => 1,
            rho if rho >= easy_from => 2,
            _ => 0,
        };
        let order: Vec<_> = order.into_iter().map(|prompt| (class(prompt), prompt)).collect();
        let parts = quotas(&[medium, hard, easy], count);
        Ok(self.known.pool.take_quotas(&order, &parts))
    }

    fn state(&self) -> serde_json::Value {
        self.known.state(NAME)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        self.known.restore(NAME, state)
    }
}

impl fmt::Debug for DifficultyPools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct(NAME);
        text.field("shares", &self.shares).field("estimation", &self.known.estimation()).finish()
    }
}
