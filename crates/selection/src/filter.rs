//! Which of the generated groups train.

use std::fmt::Debug;

use fireproof_trajectory::GroupView;

use crate::selector::SelectError;
use crate::setting::{require, require_share};

/// Decides whether a group trains.
///
/// A dropped group leaves a hole that the trainer may fill by selecting and generating again
/// (dynamic sampling); how often it does is a setting of the trainer, not of the filter.
pub trait GroupFilter: Debug + Send + Sync {
    /// True if the group trains.
    fn keep(&self, group: GroupView<'_>) -> bool;
}

/// Every group trains.
#[derive(Clone, Copy, Debug)]
pub struct KeepAll;

/// Groups that are all right or all wrong are dropped: `keep iff 0 < k < G`.
///
/// Source: dynamic sampling of DAPO (arXiv 2503.14476) and, as it is the same test on binary
/// outcomes, the filter of Reinforce-Rej (arXiv 2504.11343); confidence HIGH. The advantages of
/// such groups are zero under any centred estimator. Departures:
/// 1. It looks at correctness, where verl lets a metric be chosen (`acc` or a reward).
/// 2. With an asymmetric prompt weighting all-wrong groups do carry a gradient, and this drops it.
///
/// ```
/// use fireproof_selection::{GroupFilter, MixedOutcomes};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let group = |correct| GroupView {
///     prompt: PromptId(1),
///     rewards: &[0.0, 0.0],
///     correct,
///     lengths: &[1, 1],
///     truncated: &[false, false],
/// };
/// assert!(MixedOutcomes.keep(group(&[true, false])));
/// assert!(!MixedOutcomes.keep(group(&[false, false])));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MixedOutcomes;

/// Groups whose success rate lies in a band train: `keep iff low <= k / G <= high`.
///
/// Source: the usual offline difficulty filter (`GradAlign`'s code keeps 0.2 to 0.8 in its accuracy
/// mode, arXiv 2602.21492; confidence HIGH), applied to each group as it comes. Empty groups are
/// dropped.
///
/// ```
/// use fireproof_selection::{GroupFilter, SuccessBand};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let group = |correct| GroupView {
///     prompt: PromptId(1),
///     rewards: &[0.0; 4],
///     correct,
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let band = SuccessBand::new(0.25, 0.5).unwrap();
/// assert!(band.keep(group(&[true, false, false, false]))); // 1/4
/// assert!(!band.keep(group(&[true, true, true, false]))); // 3/4
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SuccessBand {
    low: f64,
    high: f64,
}

impl SuccessBand {
    /// The band from `low` to `high`, both included.
    ///
    /// # Errors
    /// [`SelectError::Setting`] unless `0 <= low <= high <= 1`.
    pub fn new(low: f64, high: f64) -> Result<Self, SelectError> {
        const NAME: &str = "SuccessBand";
        require_share(NAME, "low", low)?;
        require_share(NAME, "high", high)?;
        require(NAME, "the band", (low, high), "low <= high", low <= high)?;
        Ok(Self { low, high })
    }
}

/// Groups whose completions were all cut off are dropped, for they say nothing about the task; so
/// are empty ones. Our own rule; no paper's.
///
/// ```
/// use fireproof_selection::{GroupFilter, NotAllTruncated};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let group = |truncated| GroupView {
///     prompt: PromptId(1),
///     rewards: &[0.0, 0.0],
///     correct: &[false, false],
///     lengths: &[1, 1],
///     truncated,
/// };
/// assert!(NotAllTruncated.keep(group(&[true, false])));
/// assert!(!NotAllTruncated.keep(group(&[true, true])));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NotAllTruncated;

impl GroupFilter for KeepAll {
    fn keep(&self, _group: GroupView<'_>) -> bool {
        true
    }
}

impl GroupFilter for MixedOutcomes {
    fn keep(&self, group: GroupView<'_>) -> bool {
        let successes = group.successes();
        successes > 0 && successes < group.len()
    }
}

impl GroupFilter for SuccessBand {
    fn keep(&self, group: GroupView<'_>) -> bool {
        let rate = group.successes() as f64 / group.len() as f64;
        (self.low..=self.high).contains(&rate)
    }
}

impl GroupFilter for NotAllTruncated {
    fn keep(&self, group: GroupView<'_>) -> bool {
        group.truncated.iter().any(|truncated| !truncated)
    }
}
