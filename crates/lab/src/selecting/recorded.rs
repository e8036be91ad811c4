//! A selector whose observations are counted.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use fireproof_selection::{Need, Observation, PromptSelector, SelectError};
use fireproof_trajectory::PromptId;

use super::forecaster::{ForecastBin, Forecaster};

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Completions generated, probes included.
    pub completions: u64,
    /// Completions generated for probes.
    pub probes: u64,
    /// Groups generated for training.
    pub groups: u64,
    /// Groups of them with a single outcome.
    pub dead: u64,
}

/// Counts and forecasts of a run, shared with the [`Recorded`] selector inside its trainer.
#[derive(Clone, Debug)]
pub struct Notes {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    counts: Counts,
    forecaster: Forecaster,
}

impl Notes {
    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.with(|inner| inner.counts)
    }

    /// Predicted against observed success of the groups trained on.
    ///
    /// # Errors
    /// [`SelectError`] if a forecast is no share, which the posterior rules out.
    pub fn forecasts(&self) -> Result<Vec<ForecastBin>, SelectError> {
        self.with(|inner| inner.forecaster.bins())
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A selector that does what another one does while its observations are noted.
pub struct Recorded {
    inner: Box<dyn PromptSelector>,
    notes: Notes,
}

impl Recorded {
    /// Wraps a selector over a pool of prompts with their levels.
    ///
    /// # Errors
    /// [`SelectError`] if the pool is empty.
    pub fn new(
        inner: Box<dyn PromptSelector>,
        pool: &[(PromptId, u32)],
    ) -> Result<(Self, Notes), SelectError> {
        let (counts, forecaster) = (Counts::default(), Forecaster::new(pool)?);
        let notes = Notes { inner: Arc::new(Mutex::new(Inner { counts, forecaster })) };
        Ok((Self { inner, notes: notes.clone() }, notes))
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is a recipe's fingerprint, and noting changes nothing.
        self.inner.fmt(f)
    }
}

impl PromptSelector for Recorded {
    fn need(&mut self, step: u64, seed: u64) -> Need {
        self.inner.need(step, seed)
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        self.notes.with(|inner| {
            for Observation { group, probe, .. } in seen {
                let completions = group.len() as u64;
                let successes = group.successes();
                let counts = &mut inner.counts;
                counts.completions += completions;
                if *probe {
                    counts.probes += completions;
                } else {
                    counts.groups += 1;
                    counts.dead += u64::from(successes == 0 || successes == group.len());
                }
            }
            inner.forecaster.seen(seen);
        });
        self.inner.observe(seen);
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.inner.select(count, seed)
    }

    fn state(&self) -> serde_json::Value {
        self.inner.state()
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        self.inner.restore(state)
    }
}

#[cfg(test)]
mod tests {
    use fireproof_selection::UniformWithoutReplacement;
    use fireproof_trajectory::GroupView;

    use super::*;

    #[test]
    fn it_selects_like_the_other_and_counts() {
        let prompts: Vec<PromptId> = (0..6).map(PromptId).collect();
        let pool: Vec<(PromptId, u32)> = prompts.iter().map(|prompt| (*prompt, 0)).collect();
        let mut plain = UniformWithoutReplacement::new(prompts.clone());
        let inner = Box::new(UniformWithoutReplacement::new(prompts));
        let (mut recorded, notes) = Recorded::new(inner, &pool).unwrap();
        assert_eq!(format!("{recorded:?}"), format!("{plain:?}"));
        assert_eq!(recorded.select(4, 9).unwrap(), plain.select(4, 9).unwrap());
        assert_eq!(recorded.state(), plain.state());
        let group = |correct| GroupView {
            prompt: PromptId(0),
            rewards: &[0.0; 2],
            correct,
            lengths: &[1; 2],
            truncated: &[false; 2],
        };
        let seen = |group, probe| Observation { group, gradient: None, probe, step: 0 };
        recorded.observe(&[seen(group(&[true, false]), true)]);
        recorded.observe(&[seen(group(&[true, true]), false), seen(group(&[true, false]), false)]);
        let expected = Counts { completions: 6, probes: 2, groups: 2, dead: 1 };
        assert_eq!(notes.counts(), expected);
        assert!(!notes.forecasts().unwrap().is_empty());
    }
}
