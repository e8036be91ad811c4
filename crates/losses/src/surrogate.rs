//! Token losses whose formula is the fused operation `policy_surrogate`: one file each, settings and
//! documentation; and plain REINFORCE.

mod aspo;
mod cispo;
mod clipped;
mod reinforce;
mod sapo;

use burn::tensor::Tensor;
use fireproof_kernels::{PolicySurrogate, SurrogateRule, policy_surrogate};

use crate::batch::PolicyBatch;
use crate::policy_loss::{Surrogate, SurrogateStats};

pub use aspo::AspoSurrogate;
pub use aspo::EntropySplit;
pub use cispo::ClippedWeight;
pub use clipped::ClippedSurrogate;
pub use reinforce::Reinforce;
pub use sapo::SoftGate;

/// The operation on a batch as it is.
pub(crate) fn by_kernel(batch: &PolicyBatch, rule: SurrogateRule) -> Surrogate {
    let (logprobs, behaviour) = (batch.logprobs.clone(), batch.behaviour_logprobs.clone());
    surrogate_of(run(batch, logprobs, behaviour, batch.advantages.clone(), rule))
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
