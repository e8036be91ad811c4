//! Penalties beside the surrogate, and the whole objective of a batch.

use burn::tensor::Tensor;

use crate::batch::PolicyBatch;
use crate::kl::Kl;
use crate::surrogate::{Needs, PolicyLoss, SurrogateStats};

/// Where the divergence from the reference policy enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KlPlace {
    /// Into the loss of each token, differentiable (GRPO).
    Loss,
    /// Into the reward of each completion, as a sum over its tokens, before advantages are computed
    /// (RLOO, REINFORCE++). The trainer does this; it has no part in the loss.
    Reward,
}

/// A term beside the surrogate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Penalty {
    /// `coefficient * KL(policy || reference)`.
    ReferenceKl {
        /// The estimator.
        estimator: Kl,
        /// Weight, usually 0.001 to 0.1.
        coefficient: f32,
        /// Where it enters.
        place: KlPlace,
    },
    /// `-coefficient * entropy`: a bonus for spread-out distributions. The entropy is the true one
    /// over the vocabulary, at the sampling temperature.
    Entropy {
        /// Weight, usually 0 to 0.01.
        coefficient: f32,
    },
}

impl Penalty {
    /// What the batch must hold for this term.
    #[must_use]
    pub fn needs(&self) -> Needs {
        match self {
            Self::ReferenceKl { .. } => Needs { reference: true, entropies: false },
            Self::Entropy { .. } => Needs { reference: false, entropies: true },
        }
    }

    /// The term of each token, `[B, T]`; `None` if it does not enter the loss.
    fn term(&self, batch: &PolicyBatch) -> Option<Tensor<2>> {
        match *self {
            Self::ReferenceKl { estimator, coefficient, place: KlPlace::Loss } => {
                let reference = batch.reference_logprobs.clone();
                let reference = reference.expect("the trainer scores the reference when needed");
                Some(estimator.estimate(batch.logprobs.clone(), reference) * coefficient)
            }
            Self::ReferenceKl { place: KlPlace::Reward, .. } => None,
            Self::Entropy { coefficient } => {
                let entropies = batch.entropies.clone();
                let entropies = entropies.expect("the trainer computes entropies when needed");
                Some(entropies * -coefficient)
            }
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
    /// What the surrogate did.
    pub stats: SurrogateStats,
}

/// The whole objective of a batch.
///
/// # Panics
/// If the batch lacks what [`Penalty::needs`] or [`PolicyLoss::needs`] asks for.
#[must_use]
pub fn objective(loss: &dyn PolicyLoss, penalties: &[Penalty], batch: &PolicyBatch) -> Objective {
    let surrogate = loss.surrogate(batch);
    let policy = (surrogate.loss.clone().detach() * batch.weights.clone()).sum();
    let terms = penalties.iter().filter_map(|penalty| penalty.term(batch));
    let tokens = terms.fold(surrogate.loss, |sum, term| sum + term);
    let total = (tokens * batch.weights.clone()).sum();
    Objective { total, policy, stats: surrogate.stats }
}
