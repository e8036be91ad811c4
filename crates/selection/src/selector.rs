//! The trait of prompt selectors.

use std::fmt::Debug;

use fireproof_trajectory::{GroupView, PromptId};

/// What a selector wants to know before it selects; the trainer supplies it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// Nothing.
    None,
    /// Completions of these prompts by the current policy, judged but not trained on.
    Rollouts {
        /// The prompts to probe.
        prompts: Vec<PromptId>,
        /// Completions of each.
        samples: usize,
    },
}

/// A judged group that a selector may learn from.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The group.
    pub group: GroupView<'a>,
    /// True if it answers a [`Need`]; false if it was generated for training (also if the group
    /// filter dropped it afterwards).
    pub probe: bool,
    /// The step that it belongs to, from 0.
    pub step: u64,
}

/// Chooses the prompts of each step.
///
/// The trainer calls, once a step: [`need`](Self::need), then [`observe`](Self::observe) with the
/// probes if there was a need, then [`select`](Self::select), and after the updates
/// [`observe`](Self::observe) with the groups of the step.
///
/// The `Debug` text is part of a recipe's fingerprint: it must show the settings, and neither the
/// pool nor what was learned.
pub trait PromptSelector: Debug + Send + Sync {
    /// What it wants to know before it selects for `step`.
    fn need(&mut self, step: u64, seed: u64) -> Need {
        let _ = (step, seed);
        Need::None
    }

    /// Learns from judged groups.
    fn observe(&mut self, seen: &[Observation<'_>]) {
        let _ = seen;
    }

    /// Chooses `count` different prompts.
    ///
    /// # Errors
    /// [`SelectError::PoolTooSmall`] if the pool holds fewer than `count` prompts.
    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError>;

    /// Everything it has learned, for a checkpoint.
    fn state(&self) -> serde_json::Value;

    /// Continues from a state that [`state`](Self::state) gave.
    ///
    /// # Errors
    /// [`SelectError::State`] if the state is not one of this selector over this pool; the selector
    /// is unchanged then.
    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError>;
}

/// Why a selector could not select or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// More prompts were asked for than there are.
    #[error("{asked} prompts a step were asked for, but there are only {available}")]
    PoolTooSmall {
        /// Prompts asked for.
        asked: usize,
        /// Prompts in the pool.
        available: usize,
    },
    /// A state does not fit this selector.
    #[error("this state does not belong to {selector} over this pool of prompts: {reason}")]
    State {
        /// Name of the selector.
        selector: &'static str,
        /// What does not fit.
        reason: String,
    },
}
