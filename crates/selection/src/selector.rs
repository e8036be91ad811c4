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
    /// One gradient a prompt: of its own GRPO-like loss at ratio 1 over its completions, not
    /// trained on.
    Gradients {
        /// The prompts to compare.
        prompts: Vec<PromptId>,
        /// The prompts to compare them with; they are observed too.
        validation: Vec<PromptId>,
        /// Completions of each prompt.
        samples: usize,
        /// Numbers in the sketch of each gradient. A sketch keeps inner products: it is the same
        /// random projection for all prompts of the request.
        sketch: usize,
    },
}

/// A judged group that a selector may learn from.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The group.
    pub group: GroupView<'a>,
    /// The sketch of its gradient, if it answers [`Need::Gradients`].
    pub gradient: Option<&'a [f32]>,
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
/// [`observe`](Self::observe) with the groups of the step. Where a group filter wants its dropped
/// groups replaced (dynamic sampling), it calls `select` again within the step, with another seed.
///
/// **No prompt twice a step.** `need` begins a step. Until the next one, `select` gives a prompt
/// again only when every prompt that the rule may choose was given already; within one selection
/// all prompts differ.
///
/// The `Debug` text is part of a recipe's fingerprint: it must show the settings, and neither the
/// pool nor what was learned.
pub trait PromptSelector: Debug + Send + Sync {
    /// Begins `step`: what it wants to know before it selects.
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
    /// [`SelectError::PoolTooSmall`] if the rule may choose from fewer than `count` prompts, and
    /// what the selector's own docs name.
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

/// Why a selector could not be made, select or continue.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// A setting has a value that makes no sense.
    #[error("{rule}: {setting} is {value}, but must be {wanted}")]
    Setting {
        /// Name of the selector, filter or metric.
        rule: &'static str,
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// More prompts were asked for than there are.
    #[error("{asked} prompts a step were asked for, but there are only {available}")]
    PoolTooSmall {
        /// Prompts asked for.
        asked: usize,
        /// Prompts that the rule may choose.
        available: usize,
    },
    /// The selector was never shown what it had asked for.
    #[error("{selector} selects only after it was shown {what}, which `need` asks for")]
    NotObserved {
        /// Name of the selector.
        selector: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// Too few prompts are rarely right or rarely wrong.
    #[error(
        "of {probed} probed prompts {positive} are rarely right (1 to {c} of their completions) \
         and {negative} are rarely wrong, but {asked_positive} and {asked_negative} were asked for"
    )]
    TooFewPairs {
        /// Prompts probed.
        probed: usize,
        /// Most successes (or failures) that count as rare.
        c: usize,
        /// Prompts that are rarely right.
        positive: usize,
        /// Prompts that are rarely wrong.
        negative: usize,
        /// Rarely right prompts asked for.
        asked_positive: usize,
        /// Rarely wrong prompts asked for.
        asked_negative: usize,
    },
    /// A gradient cannot be used.
    #[error("the gradient of prompt {prompt} {reason}")]
    Gradient {
        /// The prompt.
        prompt: PromptId,
        /// What is wrong with it.
        reason: String,
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
