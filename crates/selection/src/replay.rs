//! Prompts that were solved, but rarely, come again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::rates::{SuccessCounts, SuccessRates, require_counts};
use crate::selector::{Need, Observation, PromptSelector, SelectError};
use crate::setting::{quotas, require_share};

const NAME: &str = "RareSuccessReplay";

/// How much of a step is replayed, and what counts as rare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplaySettings {
    /// Largest share of a step that is replayed, from 0 to 1.
    pub share: f64,
    /// Largest estimated success rate of a replayed prompt, from 0 to 1; 0 itself is never rare.
    pub threshold: f64,
    /// What older counts are multiplied by (see [`SuccessRates`]).
    pub discount: f64,
}

impl Default for ReplaySettings {
    /// A quarter of each step, success rates up to 1/4, discount 0.5 (our choice).
    fn default() -> Self {
        Self { share: 0.25, threshold: 0.25, discount: 0.5 }
    }
}

/// Replays rare successes beside the choice of any other selector.
///
/// ```text
/// rare = prompts trained on with an estimated success rate in (0, threshold]
/// min(share * count, |rare|) prompts of each selection are rare ones, drawn at random,
/// the others are the inner selector's
/// ```
///
/// The inner selector's prompts come first. Probes teach it nothing, so that no prompt is replayed
/// which the inner selector never chose. Replaying breaks the alternation of
/// [`Pairing`](crate::Pairing).
///
/// Source: our own rule; no paper's.
///
/// ```
/// use fireproof_selection::{InOrder, Observation, PromptSelector, RareSuccessReplay, ReplaySettings};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let inner = InOrder::new((0..8).map(PromptId).collect());
/// let mut selector = RareSuccessReplay::new(Box::new(inner), ReplaySettings::default()).unwrap();
/// assert_eq!(selector.select(4, 1).unwrap(), [0, 1, 2, 3].map(PromptId));
/// let group = GroupView {
///     prompt: PromptId(2),
///     rewards: &[0.0; 4],
///     correct: &[true, false, false, false],
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// selector.observe(&[Observation { group, gradient: None, probe: false, step: 0 }]);
/// selector.need(1, 0);
/// assert_eq!(selector.select(4, 2).unwrap(), [4, 5, 6, 2].map(PromptId));
/// ```
pub struct RareSuccessReplay {
    inner: Box<dyn PromptSelector>,
    settings: ReplaySettings,
    rates: SuccessRates,
    /// Selected since the step began.
    taken: BTreeSet<PromptId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    selector: String,
    inner: serde_json::Value,
    counts: BTreeMap<PromptId, SuccessCounts>,
    taken: BTreeSet<PromptId>,
}

impl RareSuccessReplay {
    /// Wraps a selector.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if a setting is not from 0 to 1.
    pub fn new(
        inner: Box<dyn PromptSelector>,
        settings: ReplaySettings,
    ) -> Result<Self, SelectError> {
        require_share(NAME, "share", settings.share)?;
        require_share(NAME, "threshold", settings.threshold)?;
        require_share(NAME, "discount", settings.discount)?;
        let rates = SuccessRates::new(settings.discount)?;
        Ok(Self { inner, settings, rates, taken: BTreeSet::new() })
    }

    /// Lets the inner selector choose what is missing, preferring what this step does not hold.
    fn fill(&mut self, chosen: &mut Chosen, count: usize, seed: u64) -> Result<(), SelectError> {
        let mut offered = HashSet::new();
        let mut seed = seed;
        while chosen.list.len() < count {
            seed = seed.wrapping_add(1);
            let more = self.inner.select(count - chosen.list.len(), seed)?;
            let before = offered.len();
            offered.extend(more.iter().copied());
            if offered.len() == before {
                // It has nothing new left: some of this step come again.
                let any = self.inner.select(count, seed)?;
                chosen.add(any, count, &BTreeSet::new());
                break;
            }
            chosen.add(more, count, &self.taken);
        }
        Ok(())
    }

    /// Rare prompts that this step does not hold, in a random order.
    fn rare(&self, seed: u64) -> Vec<PromptId> {
        let is_rare = |rate: f64| rate > 0.0 && rate <= self.settings.threshold;
        let seen = self.rates.seen().filter(|(prompt, _)| !self.taken.contains(prompt));
        let mut rare: Vec<PromptId> =
            seen.filter(|(_, rate)| is_rare(*rate)).map(|(prompt, _)| prompt).collect();
        rare.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        rare
    }
}

/// A selection as it grows.
#[derive(Default)]
struct Chosen {
    list: Vec<PromptId>,
    held: HashSet<PromptId>,
}

impl Chosen {
    /// Adds what is neither held nor excluded, until there are `limit`.
    fn add(&mut self, prompts: Vec<PromptId>, limit: usize, excluded: &BTreeSet<PromptId>) {
        for prompt in prompts {
            let is_new = !excluded.contains(&prompt) && !self.held.contains(&prompt);
            if is_new && self.list.len() < limit {
                self.list.push(prompt);
                self.held.insert(prompt);
            }
        }
    }
}

impl PromptSelector for RareSuccessReplay {
    fn need(&mut self, step: u64, seed: u64) -> Need {
        self.taken.clear();
        self.inner.need(step, seed)
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        seen.iter().filter(|o| !o.probe).for_each(|o| self.rates.learn(o.group));
        self.inner.observe(seen);
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        let rare = self.rare(seed);
        let share = self.settings.share;
        let replayed = quotas(&[share, 1.0 - share], count)[0].min(rare.len());
        let mut chosen = Chosen::default();
        chosen.add(self.inner.select(count - replayed, seed)?, count, &self.taken);
        // The inner selector may have chosen some of them itself.
        chosen.add(rare, (chosen.list.len() + replayed).min(count), &self.taken);
        self.fill(&mut chosen, count, seed)?;
        self.taken.extend(&chosen.list);
        Ok(chosen.list)
    }

    fn state(&self) -> serde_json::Value {
        serde_json::json!({
            "selector": NAME,
            "inner": self.inner.state(),
            "counts": self.rates.all(),
            "taken": self.taken,
        })
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let refuse = |reason: String| SelectError::State { selector: NAME, reason };
        let state: State = serde_json::from_value(state).map_err(|e| refuse(e.to_string()))?;
        if state.selector != NAME {
            return Err(refuse(format!("it is one of {}", state.selector)));
        }
        require_counts(NAME, &state.counts)?;
        // Last, because it changes the inner selector.
        self.inner.restore(state.inner)?;
        self.rates.replace(state.counts);
        self.taken = state.taken;
        Ok(())
    }
}

impl fmt::Debug for RareSuccessReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(NAME).field(&self.settings).field(&self.inner).finish()
    }
}
