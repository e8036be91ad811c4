//! Penalties beside the surrogate, and the whole objective of a batch.

use burn::tensor::Tensor;

use crate::batch::PolicyBatch;
use crate::kl::{Kl, KlGuard, RatioLevel};
use crate::policy_loss::{Needs, PolicyLoss, Surrogate, SurrogateStats};

/// Where the divergence from the reference policy enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KlPlace {
    /// Into the loss of each token, differentiable (GRPO).
    Loss,
    /// Into the reward of each completion, as a sum over its tokens, before advantages are computed
    /// (RLOO). The trainer does this; it has no part in the loss.
    Reward,
    /// Into the reward of each token: credit assignment sees it as the token's cost (REINFORCE++).
    TokenReward,
}

/// A term beside the surrogate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// `coefficient * KL(policy || reference)`.
    ReferenceKl {
        /// The estimator.
        estimator: Kl,
        /// Limits and factors that peers add to it.
        guard: KlGuard,
        /// Weight, usually 0.001 to 0.1.
        coefficient: f64,
        /// Where it enters.
        place: KlPlace,
    },
    /// `-coefficient * entropy`: a bonus for spread-out distributions. The entropy is the true one
    /// over the vocabulary, at the sampling temperature.
    Entropy {
        /// Weight, usually 0 to 0.01.
        coefficient: f64,
    },
    /// An entropy bonus that keeps the entropy near a target (arXiv 2505.22312, Skywork-OR1;
    /// confidence MED).
    ///
    /// With `e` the mean behaviour entropy of a step's tokens and `c` the controller's state: the
    /// bonus has weight `c` where `e <= target` and 0 elsewhere; then `c` grows by `change` if
    /// `e <= target` and falls by it otherwise, within 0 and `highest`. Departure from TRL: whether the
    /// bonus acts depends on the step's own entropy (TRL: on the step before).
    AdaptiveEntropy {
        /// State at the start.
        initial: f64,
        /// Entropy to keep, in nats a token (the paper's 0.2).
        target: f64,
        /// Change of the state each step (the paper's 0.005).
        change: f64,
        /// Largest state; our addition, infinity for none.
        highest: f64,
    },
}

impl Penalty {
    /// A penalty in the loss without limits, as in GRPO.
    #[must_use]
    pub fn reference_kl(estimator: Kl, coefficient: f64) -> Self {
        Self::ReferenceKl {
            estimator,
            guard: KlGuard::default(),
            coefficient,
            place: KlPlace::Loss,
        }
    }

    /// What the batch must hold for this term.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let (reference, entropies) = match self {
            Self::ReferenceKl { .. } => (true, false),
            Self::Entropy { .. } | Self::AdaptiveEntropy { .. } => (false, true),
        };
        Needs { reference, entropies, ..Needs::default() }
    }

    /// State of the controller at the start of a run; 0 for a term that has none.
    #[must_use]
    pub fn initial_state(&self) -> f64 {
        match *self {
            Self::AdaptiveEntropy { initial, .. } => initial,
            _ => 0.0,
        }
    }

    /// The term as it is in a step of mean behaviour entropy `entropy`, and the controller's state
    /// after the step. Terms without a controller stay as they are.
    ///
    /// ```
    /// use fireproof_losses::Penalty;
    /// let bonus = Penalty::AdaptiveEntropy { initial: 0.0, target: 0.2, change: 0.005, highest: 1.0 };
    /// assert_eq!(bonus.adapt(0.01, 0.1), (Penalty::Entropy { coefficient: 0.01 }, 0.015));
    /// assert_eq!(bonus.adapt(0.01, 0.3), (Penalty::Entropy { coefficient: 0.0 }, 0.005));
    /// ```
    #[must_use]
    pub fn adapt(&self, state: f64, entropy: f64) -> (Self, f64) {
        let Self::AdaptiveEntropy { target, change, highest, .. } = *self else {
            return (*self, state);
        };
        let coefficient = if entropy <= target { state } else { 0.0 };
        let next = if entropy <= target { state + change } else { state - change };
        (Self::Entropy { coefficient }, next.clamp(0.0, highest))
    }

    /// The term of each token, `[B, T]`; `None` if it does not enter the loss.
    fn term(&self, batch: &PolicyBatch) -> Option<Tensor<2>> {
        match *self {
            Self::ReferenceKl { estimator, guard, coefficient, place: KlPlace::Loss } => {
                let kl = guard.estimate(estimator, batch.logprobs.clone(), batch.reference());
                let log_ratio = || batch.logprobs.clone() - batch.behaviour_logprobs.clone();
                let kl = match guard.times_ratio {
                    None => kl,
                    Some(RatioLevel::Token) => kl * log_ratio().exp(),
                    Some(RatioLevel::Completion) => kl * batch.row_mean(log_ratio()).exp(),
                };
                Some(kl * coefficient)
            }
            Self::ReferenceKl { .. } => None,
            Self::Entropy { coefficient } => {
                let entropies = batch.entropies.clone();
                let entropies = entropies.expect("the trainer computes entropies when needed");
                Some(entropies * -coefficient)
            }
            Self::AdaptiveEntropy { .. } => panic!("an adaptive term must be adapted to its step"),
        }
    }
}

/// The loss of a batch with its statistics.
#[derive(Clone, Debug)]
pub struct Objective {
    /// `sum(weights * (surrogate + penalties))`, `[1]`; differentiable.
    pub total: Tensor<1>,
    /// The surrogate's part of it, `[1]`, without a gradient.
    pub policy: Tensor<1>,
    /// Loss of each token with its penalties, before its weight, `[B, T]`, without a gradient.
    pub tokens: Tensor<2>,
    /// What the surrogate did.
    pub stats: SurrogateStats,
}

/// The whole objective of a batch.
///
/// # Panics
/// If the batch lacks what [`Penalty::needs`] or [`PolicyLoss::needs`] asks for, or a term is not
/// [adapted](Penalty::adapt).
#[must_use]
pub fn objective(loss: &dyn PolicyLoss, penalties: &[Penalty], batch: &PolicyBatch) -> Objective {
    let (surrogate, policy, rest) = match fused(loss, penalties, batch) {
        Some((surrogate, penalty, rest)) => {
            let policy = surrogate.loss.clone().detach() - penalty;
            (surrogate, policy, rest)
        }
        None => {
            let surrogate = loss.surrogate(batch);
            let policy = surrogate.loss.clone().detach();
            (surrogate, policy, penalties.iter().collect())
        }
    };
    let policy = (policy * batch.weights.clone()).sum();
    let terms = rest.into_iter().filter_map(|penalty| penalty.term(batch));
    let tokens = terms.fold(surrogate.loss, |sum, term| sum + term);
    let total = (tokens.clone() * batch.weights.clone()).sum();
    Objective { total, policy, tokens: tokens.detach(), stats: surrogate.stats }
}

/// The surrogate with the first penalty for the divergence from the reference in it, that penalty,
/// and the penalties that are left; `None` if the loss or the penalty is not a fused operation.
fn fused<'a>(
    loss: &dyn PolicyLoss,
    penalties: &'a [Penalty],
    batch: &PolicyBatch,
) -> Option<(Surrogate, Tensor<2>, Vec<&'a Penalty>)> {
    let of = |penalty: &Penalty| match *penalty {
        Penalty::ReferenceKl { estimator, guard, coefficient, place: KlPlace::Loss } => {
            guard.fused(estimator, coefficient)
        }
        _ => None,
    };
    let (place, penalty) = penalties.iter().enumerate().find_map(|(i, p)| Some((i, of(p)?)))?;
    let fused = loss.fused(batch)?;
    let (surrogate, added) = fused.penalized(batch, batch.reference(), penalty);
    let others = penalties.iter().enumerate().filter(|(other, _)| *other != place);
    Some((surrogate, added, others.map(|(_, penalty)| penalty).collect()))
}
