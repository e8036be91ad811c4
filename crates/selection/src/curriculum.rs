//! Easy levels first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::pool::Pool;
use crate::selector::{Need, Observation, PromptSelector, SelectError};
use crate::setting::{quotas, require, require_pool, require_share};

const NAME: &str = "Curriculum";

/// When the next level opens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Every so many steps, at least 1: at step `t` the levels `0 ..= t / steps` are open.
    Steps(u64),
    /// When the newest level is mastered: after every `groups` training groups of that level, if
    /// their mean success rate is at least `threshold`.
    Success {
        /// From 0 to 1.
        threshold: f64,
        /// At least 1.
        groups: usize,
    },
}

/// Curriculum by level: a share of each step comes from the newest open level, the rest from the
/// levels below it.
///
/// ```text
/// quota = newest_share * count (largest remainder) from the newest open level, drawn at random
/// rest  = from the open levels below, drawn at random
/// ```
///
/// The lowest level is open from the start. Where prompts are missing, the newest level fills up,
/// then the levels below, then the unopened ones from the lowest. Each step draws anew.
///
/// Source: our own rule, the simplest that moves with steps or with success; no paper's.
///
/// ```
/// use fireproof_selection::{Curriculum, Pace, PromptSelector};
/// use fireproof_trajectory::PromptId;
/// let levels = (0..30).map(|id| (PromptId(id), id as u32 / 10)); // ten prompts each of 0, 1, 2
/// let mut selector = Curriculum::new(levels, Pace::Steps(100), 0.75).unwrap();
/// selector.need(99, 0);
/// assert!(selector.select(4, 1).unwrap().iter().all(|prompt| prompt.0 < 10));
/// selector.need(100, 0);
/// let newest = selector.select(4, 2).unwrap().iter().filter(|p| p.0 >= 10).count();
/// assert_eq!(newest, 3);
/// ```
pub struct Curriculum {
    pool: Pool,
    levels: BTreeMap<PromptId, u32>,
    /// The levels that occur, from the lowest.
    ladder: Vec<u32>,
    pace: Pace,
    newest_share: f64,
    progress: Progress,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// Index of the newest open level.
    newest: usize,
    /// Groups of it in the present window, and the sum of their success rates.
    groups: usize,
    rates: f64,
}

impl Curriculum {
    /// Selects from these prompts, each with its level; of a prompt given twice the later level
    /// holds.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if there are no prompts, `newest_share` is not from 0 to 1, or a
    /// number of the pace is outside its range.
    pub fn new(
        levels: impl IntoIterator<Item = (PromptId, u32)>,
        pace: Pace,
        newest_share: f64,
    ) -> Result<Self, SelectError> {
        let levels: BTreeMap<PromptId, u32> = levels.into_iter().collect();
        require_pool(NAME, levels.len())?;
        require_share(NAME, "newest_share", newest_share)?;
        match pace {
            Pace::Steps(steps) => require(NAME, "steps", steps, "at least 1", steps > 0)?,
            Pace::Success { threshold, groups } => {
                require_share(NAME, "threshold", threshold)?;
                require(NAME, "groups", groups, "at least 1", groups > 0)?;
            }
        }
        let ladder = levels.values().copied().collect::<BTreeSet<u32>>().into_iter().collect();
        let pool = Pool::new(levels.keys().copied().collect());
        Ok(Self { pool, levels, ladder, pace, newest_share, progress: Progress::default() })
    }

    /// The newest open level.
    #[must_use]
    pub fn newest_level(&self) -> u32 {
        self.ladder[self.progress.newest]
    }

    fn open_next(&mut self) {
        let newest = (self.progress.newest + 1).min(self.ladder.len() - 1);
        self.progress = Progress { newest, ..Progress::default() };
    }

    /// Counts one training group of the newest level.
    fn count(&mut self, rate: f64, threshold: f64, window: usize) {
        self.progress.groups += 1;
        self.progress.rates += rate;
        if self.progress.groups >= window {
            let mean = self.progress.rates / self.progress.groups as f64;
            (self.progress.groups, self.progress.rates) = (0, 0.0);
            if mean >= threshold {
                self.open_next();
            }
        }
    }
}

impl PromptSelector for Curriculum {
    fn need(&mut self, step: u64, _seed: u64) -> Need {
        self.pool.begin_step();
        if let Pace::Steps(steps) = self.pace {
            let top = self.ladder.len() - 1;
            self.progress.newest = usize::try_from(step / steps).unwrap_or(top).min(top);
        }
        Need::None
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        let Pace::Success { threshold, groups } = self.pace else { return };
        for group in seen.iter().filter(|o| !o.probe && !o.group.is_empty()).map(|o| o.group) {
            if self.levels.get(&group.prompt) == Some(&self.newest_level()) {
                let rate = group.successes() as f64 / group.len() as f64;
                self.count(rate, threshold, groups);
            }
        }
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.pool.require(count)?;
        let newest = self.newest_level();
        // Class 0 is the newest level, 1 what lies below, from 2 what is not open yet.
        let class = |prompt: PromptId| match self.levels[&prompt] {
            level if level == newest => 0,
            level if level < newest => 1,
            level => 2 + self.ladder.partition_point(|other| *other < level),
        };
        let order = self.pool.shuffled(&mut ChaCha8Rng::seed_from_u64(seed));
        let order: Vec<_> = order.into_iter().map(|prompt| (class(prompt), prompt)).collect();
        let parts = quotas(&[self.newest_share, 1.0 - self.newest_share], count);
        Ok(self.pool.take_quotas(&order, &parts))
    }

    fn state(&self) -> serde_json::Value {
        self.pool.pack(NAME, &self.progress)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let unpacked = self.pool.unpack::<Progress>(NAME, state)?;
        let Progress { newest, rates, groups } = unpacked.learned;
        let sensible = (0.0..=groups as f64).contains(&rates);
        if newest >= self.ladder.len() || !sensible {
            let levels = self.ladder.len();
            let reason = format!("level {newest} of {levels}, success {rates} in {groups} groups");
            return Err(SelectError::State { selector: NAME, reason });
        }
        self.progress = self.pool.accept(unpacked);
        Ok(())
    }
}

impl fmt::Debug for Curriculum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct(NAME);
        text.field("pace", &self.pace).field("newest_share", &self.newest_share).finish()
    }
}
