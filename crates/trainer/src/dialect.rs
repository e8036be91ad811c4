//! The conventions of a framework as one plain value, so that its numbers come out.

mod batch;
mod explain;
mod name;
mod presets;
mod rule;
#[cfg(test)]
mod tests;

use fireproof_advantage::{AdvantageEstimator, Centered, LeaveOneOut, RelativeToMean, ZScore};
use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, ClippedWeight, Denominators, DivergenceMasked, Kl, KlGuard,
    PolicyLoss, Reduction, Reinforce, SequenceRatio, SoftGate,
};

pub use batch::DialectBatch;
pub use batch::DialectCompletion;
pub use explain::ExplainedCompletion;
pub use explain::ExplainedToken;
pub use explain::Explanation;
pub use name::DialectName;
pub use name::UnknownDialect;
pub use rule::Rule;

/// Every convention in which frameworks differ when they say "GRPO".
///
/// A dialect is data: no framework's formula stands here, only the settings with which the parts of
/// this library give its numbers. [`Dialect::explain`] computes a batch, [`Rule::differing`] says in
/// which rules two dialects differ, and [`Rule::adopt`] takes one of them over, so that its share of a
/// difference can be measured alone.
///
/// The presets hold each framework's defaults; the docs of each name the version and the file they
/// were read in. Clip ranges and coefficients are settings that every user chooses, so a
/// [`DialectBatch`] may bring its own.
///
/// ```
/// use fireproof_trainer::{Dialect, DialectBatch};
///
/// let batch: DialectBatch = serde_json::from_str(
///     r#"{"groups": [[
///         {"reward": 1, "logprobs": [-0.7], "behaviour": [-0.7]},
///         {"reward": 0, "logprobs": [-0.7], "behaviour": [-0.7]}
///     ]]}"#,
/// )
/// .unwrap();
/// let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// // Standard deviation sqrt(1/2); TRL adds 1e-4 to it and verl 1e-6.
/// let trl = Dialect::TRL.explain(&batch, &device);
/// let verl = Dialect::VERL.explain(&batch, &device);
/// assert!((trl.completions[0].advantage - 0.5 / (0.5f64.sqrt() + 1e-4)).abs() < 1e-6);
/// assert!((verl.completions[0].advantage - 0.5 / (0.5f64.sqrt() + 1e-6)).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// Rewards to advantages.
    pub advantage: AdvantageRule,
    /// What the importance ratio is against.
    pub against: RatioAgainst,
    /// The loss of each token: ratio guard, clip, dual clip.
    pub loss: TokenLoss,
    /// Weight of the squared log-ratio beside the loss (prime-rl 1e-3); 0 for none.
    pub drift: f64,
    /// How the losses of tokens become one number.
    pub reduction: Reduction,
    /// What that divides by.
    pub denominators: Denominators,
    /// Estimator of the divergence from the reference policy.
    pub kl: Kl,
    /// Its clamps, its multiplier and whose gradient it has.
    pub kl_guard: KlGuard,
}

/// How a dialect makes advantages.
#[derive(Clone, Copy, Debug)]
pub enum AdvantageRule {
    /// `(r - baseline) / (std + epsilon)` with conventions of its own.
    ZScore(ZScore),
    /// `r - mean` (Dr.GRPO).
    Centered,
    /// `r - mean of the others` (RLOO).
    LeaveOneOut,
    /// `(r - mean) / mean` (MaxRL).
    RelativeToMean,
}

/// What an importance ratio is against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatioAgainst {
    /// The policy that sampled, or the trainer's scores at the start of the step.
    Behaviour,
    /// The current policy without a gradient: the ratio is 1 and no clip ever acts.
    Current,
}

/// The loss of each token in a dialect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenLoss {
    /// PPO's clip, with or without the dual clip.
    Clipped(ClippedSurrogate),
    /// GSPO: one ratio for the whole completion.
    Sequence(SequenceRatio),
    /// CISPO: the clipped ratio as a weight.
    ClippedWeight(ClippedWeight),
    /// ASPO: the ratio flipped under positive advantages. A batch has no entropies, so without an
    /// entropy split.
    Flipped(AspoSurrogate),
    /// SAPO: a soft gate.
    SoftGate(SoftGate),
    /// Tokens masked by how far their probability has moved.
    Divergence(DivergenceMasked),
    /// The importance-weighted log-likelihood.
    Reinforce,
}

impl AdvantageRule {
    /// The estimator.
    #[must_use]
    pub fn estimator(&self) -> &dyn AdvantageEstimator {
        match self {
            Self::ZScore(z_score) => z_score,
            Self::Centered => &Centered,
            Self::LeaveOneOut => &LeaveOneOut,
            Self::RelativeToMean => &RelativeToMean,
        }
    }
}

impl TokenLoss {
    /// The loss.
    #[must_use]
    pub fn policy_loss(&self) -> &dyn PolicyLoss {
        match self {
            Self::Clipped(loss) => loss,
            Self::Sequence(loss) => loss,
            Self::ClippedWeight(loss) => loss,
            Self::Flipped(loss) => loss,
            Self::SoftGate(loss) => loss,
            Self::Divergence(loss) => loss,
            Self::Reinforce => &Reinforce,
        }
    }

    /// The same with another clip range, where it has one around 1.
    #[must_use]
    pub fn with_clip(mut self, [low, high]: [f64; 2]) -> Self {
        let bounds = match &mut self {
            Self::Clipped(loss) => Some((&mut loss.epsilon_low, &mut loss.epsilon_high)),
            Self::Sequence(loss) => Some((&mut loss.epsilon_low, &mut loss.epsilon_high)),
            Self::Flipped(loss) => Some((&mut loss.epsilon_low, &mut loss.epsilon_high)),
            Self::ClippedWeight(_) | Self::SoftGate(_) | Self::Divergence(_) | Self::Reinforce => {
                None
            }
        };
        if let Some((epsilon_low, epsilon_high)) = bounds {
            (*epsilon_low, *epsilon_high) = (low, high);
        }
        self
    }
}
