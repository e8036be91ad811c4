//! Token losses whose formula is the fused operation `policy_surrogate`: one file each, settings and
//! documentation; and plain REINFORCE.

mod aspo;
mod cispo;
mod clipped;
mod reinforce;
mod sapo;

use burn::tensor::Tensor;
use fireproof_kernels::{
    KlPenalty, ObjectiveInputs, PolicyObjective, PolicySurrogate, SurrogateRule, policy_objective,
    policy_surrogate,
};

use crate::batch::PolicyBatch;
use crate::policy_loss::{Surrogate, SurrogateStats};

pub use aspo::AspoSurrogate;
pub use aspo::EntropySplit;
pub use cispo::ClippedWeight;
pub use clipped::ClippedSurrogate;
pub use reinforce::Reinforce;
pub use sapo::SoftGate;

/// A token loss that is the fused operation on a batch's own log-probabilities.
#[derive(Clone, Debug)]
pub struct FusedSurrogate {
    /// The surrogate.
    pub rule: SurrogateRule,
    /// Tokens with another clip range: 1 there and 0 elsewhere, `[B, T]`, and its `epsilon_low` and
    /// `epsilon_high`.
    pub wide: Option<(Tensor<2>, [f64; 2])>,
}

impl From<SurrogateRule> for FusedSurrogate {
    fn from(rule: SurrogateRule) -> Self {
        Self { rule, wide: None }
    }
}

impl FusedSurrogate {
    /// The loss of each token.
    pub(crate) fn surrogate(self, batch: &PolicyBatch) -> Surrogate {
        if self.wide.is_some() {
            return surrogate_of(self.run(batch, None).surrogate);
        }
        let (logprobs, behaviour) = (batch.logprobs.clone(), batch.behaviour_logprobs.clone());
        surrogate_of(run(batch, logprobs, behaviour, batch.advantages.clone(), self.rule))
    }

    /// The loss of each token with the penalty for its divergence from the reference in it, and that
    /// penalty.
    pub(crate) fn penalized(
        self,
        batch: &PolicyBatch,
        reference: Tensor<2>,
        penalty: KlPenalty,
    ) -> (Surrogate, Tensor<2>) {
        let out = self.run(batch, Some((reference, penalty)));
        (surrogate_of(out.surrogate), out.penalty)
    }

    fn run(
        self,
        batch: &PolicyBatch,
        reference: Option<(Tensor<2>, KlPenalty)>,
    ) -> PolicyObjective {
        policy_objective(
            batch.logprobs.clone(),
            batch.behaviour_logprobs.clone(),
            batch.advantages.clone(),
            batch.mask.clone(),
            self.rule,
            ObjectiveInputs { wide: self.wide, reference },
        )
    }
}

/// The operation with other log-probabilities or advantages than the batch's own.
pub(crate) fn run(
    batch: &PolicyBatch,
    logprobs: Tensor<2>,
    behaviour: Tensor<2>,
    advantages: Tensor<2>,
    rule: SurrogateRule,
) -> PolicySurrogate {
    policy_surrogate(logprobs, behaviour, advantages, batch.mask.clone(), rule)
}

pub(crate) fn surrogate_of(out: PolicySurrogate) -> Surrogate {
    Surrogate { loss: out.loss, stats: SurrogateStats { ratio: out.ratio, clip: out.clip } }
}
