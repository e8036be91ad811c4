//! Which of the generated groups train.

use std::fmt::Debug;

use fireproof_trajectory::GroupView;

/// Decides whether a group trains.
pub trait GroupFilter: Debug + Send + Sync {
    /// True if the group trains.
    fn keep(&self, group: GroupView<'_>) -> bool;
}

/// Every group trains.
#[derive(Clone, Copy, Debug)]
pub struct KeepAll;

/// Dynamic sampling (DAPO, arXiv 2503.14476): groups that are all right or all wrong are dropped,
/// because their advantages are zero under any centred estimator.
///
/// This is the filter alone; generating more groups in place of the dropped ones is the trainer's.
/// With an asymmetric prompt weighting all-wrong groups do carry a gradient, and this drops it.
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
