//! Pairs of a prompt that is rarely right and one that is rarely wrong (arXiv 2602.03452).

use std::collections::BTreeMap;
use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::estimates::Probe;
use crate::pool::Pool;
use crate::selector::{Need, Observation, PromptSelector, SelectError};
use crate::setting::{require, require_pool};

const NAME: &str = "Pairing";

/// What counts as rare, and how that is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairingSettings {
    /// Most successes of a hard prompt, and most failures of an easy one, at least 1 and less than
    /// half of the completions.
    pub c: usize,
    /// Completions of each prompt in a probe, `G`.
    pub samples: usize,
    /// Steps from one probe to the next; `None` probes once before training.
    pub refresh: Option<u64>,
}

impl Default for PairingSettings {
    /// `c = 2` (DERIVED: the paper's number was not found), `G = 8` (our choice), one probe.
    fn default() -> Self {
        Self { c: 2, samples: 8, refresh: None }
    }
}

/// Positive-negative pairing: hard but solvable prompts beside easy but brittle ones.
///
/// ```text
/// q+  rarely right:  1 <= k <= c          success rate in [1/G, c/G]
/// q-  rarely wrong:  G - c <= k <= G - 1  success rate in [1 - c/G, 1 - 1/G]
/// selection          q+, q-, q+, q-, ...
/// ```
///
/// with `k` right of the `G` completions of a probe. A selection alternates, so its groups 0 and 1,
/// 2 and 3, ... are pairs, as the pair scope of the advantage crate's `PairWeighted` wants them; an
/// odd count ends with a q+. Pairs are drawn at random among the qualifying prompts, those already
/// given in this step last. Groups that were trained on teach it nothing.
///
/// Source: arXiv 2602.03452. The range of q- and the single probe before training: confidence MED.
/// The range of q+ is DERIVED by symmetry, `c = 2` is DERIVED. Departures:
/// 1. The paper probes an easy and a hard pool. Here one pool gives both: the ranges do not overlap.
/// 2. Several pairs a step are possible, and the probe can be repeated.
///
/// # Errors
/// `select` gives [`SelectError::TooFewPairs`] with the numbers found if too few prompts qualify,
/// and [`SelectError::NotObserved`] before the first probe was shown.
///
/// ```
/// use fireproof_selection::{Need, Observation, Pairing, PairingSettings, PromptSelector};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let pool: Vec<PromptId> = (0..4).map(PromptId).collect();
/// let settings = PairingSettings { c: 1, samples: 4, refresh: None };
/// let mut selector = Pairing::new(pool.clone(), settings).unwrap();
/// assert_eq!(selector.need(0, 0), Need::Rollouts { prompts: pool, samples: 4 });
/// for (id, right) in [0, 1, 3, 4].into_iter().enumerate() {
///     let correct: Vec<bool> = (0..4).map(|sample| sample < right).collect();
///     let prompt = PromptId(id as u64);
///     let (lengths, truncated) = (&[1; 4], &[false; 4]);
///     let group = GroupView { prompt, rewards: &[0.0; 4], correct: &correct, lengths, truncated };
///     selector.observe(&[Observation { group, gradient: None, probe: true, step: 0 }]);
/// }
/// assert_eq!(selector.select(2, 5).unwrap(), [PromptId(1), PromptId(2)]);
/// assert_eq!(selector.need(1, 0), Need::None);
/// ```
pub struct Pairing {
    pool: Pool,
    settings: PairingSettings,
    learned: Learned,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    probed: Option<u64>,
    counts: BTreeMap<PromptId, Probed>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probed {
    right: usize,
    wrong: usize,
}

impl Probed {
    fn is_rarely_right(self, c: usize) -> bool {
        (1..=c).contains(&self.right)
    }

    fn is_rarely_wrong(self, c: usize) -> bool {
        // A probe that lost completions may be both; then it counts as rarely right only.
        (1..=c).contains(&self.wrong) && !self.is_rarely_right(c)
    }
}

impl Pairing {
    /// Selects from this pool.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the pool is empty, or `c` is 0 or not below `samples / 2`, or
    /// `refresh` is 0.
    pub fn new(pool: Vec<PromptId>, settings: PairingSettings) -> Result<Self, SelectError> {
        let pool = Pool::new(pool);
        require_pool(NAME, pool.len())?;
        let PairingSettings { c, samples, refresh } = settings;
        Probe { samples, every: refresh }.validate(NAME)?;
        let wanted = "at least 1 and less than half of the samples";
        require(NAME, "c", c, wanted, c > 0 && 2 * c < samples)?;
        Ok(Self { pool, settings, learned: Learned::default() })
    }

    fn probe(&self) -> Probe {
        Probe { samples: self.settings.samples, every: self.settings.refresh }
    }

    /// Those of `order` that are rarely right and those that are rarely wrong.
    fn rare(&self, order: &[PromptId]) -> (Vec<PromptId>, Vec<PromptId>) {
        let c = self.settings.c;
        let those = |is_rare: fn(Probed, usize) -> bool| {
            let known = |prompt: &&PromptId| self.learned.counts.get(prompt).copied();
            let rare = |prompt: &&PromptId| known(prompt).is_some_and(|probed| is_rare(probed, c));
            order.iter().filter(rare).copied().collect()
        };
        (those(Probed::is_rarely_right), those(Probed::is_rarely_wrong))
    }
}

impl PromptSelector for Pairing {
    fn need(&mut self, step: u64, _seed: u64) -> Need {
        self.pool.begin_step();
        let is_known = !self.learned.counts.is_empty();
        if is_known && !self.probe().is_due(self.learned.probed, step) {
            return Need::None;
        }
        self.learned = Learned { probed: Some(step), counts: BTreeMap::new() };
        let prompts = self.pool.prompts().to_vec();
        Need::Rollouts { prompts, samples: self.settings.samples }
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        let probes = seen.iter().filter(|o| o.probe && self.pool.contains(o.group.prompt));
        for group in probes.map(|o| o.group) {
            let right = group.successes();
            let probed = Probed { right, wrong: group.len() - right };
            self.learned.counts.insert(group.prompt, probed);
        }
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.pool.require(count)?;
        if self.learned.counts.is_empty() {
            return Err(SelectError::NotObserved { selector: NAME, what: "a probe of its pool" });
        }
        let order = self.pool.shuffled(&mut ChaCha8Rng::seed_from_u64(seed));
        let (positive, negative) = self.rare(&order);
        let (asked_positive, asked_negative) = (count.div_ceil(2), count / 2);
        if positive.len() < asked_positive || negative.len() < asked_negative {
            return Err(SelectError::TooFewPairs {
                probed: self.learned.counts.len(),
                c: self.settings.c,
                positive: positive.len(),
                negative: negative.len(),
                asked_positive,
                asked_negative,
            });
        }
        let side = |i: usize| if i.is_multiple_of(2) { positive[i / 2] } else { negative[i / 2] };
        Ok(self.pool.take((0..count).map(side).collect()))
    }

    fn state(&self) -> serde_json::Value {
        self.pool.pack(NAME, &self.learned)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let unpacked = self.pool.unpack::<Learned>(NAME, state)?;
        self.pool.require_known(NAME, unpacked.learned.counts.keys())?;
        self.learned = self.pool.accept(unpacked);
        Ok(())
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PairingSettings { c, samples, refresh } = &self.settings;
        let mut text = f.debug_struct(NAME);
        text.field("c", c).field("samples", samples).field("refresh", refresh).finish()
    }
}
