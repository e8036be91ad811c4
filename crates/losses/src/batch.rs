//! What a loss sees: the current scores of some completions and the constants they go with.

use burn::tensor::{Bool, Tensor};

/// The part of a batch that does not depend on the current parameters, each `[B, T]`.
#[derive(Clone, Debug)]
pub struct BatchConstants {
    /// Log-probabilities under the behaviour policy.
    pub behaviour_logprobs: Tensor<2>,
    /// Log-probabilities under the reference policy, if one is used.
    pub reference_logprobs: Option<Tensor<2>>,
    /// Advantages.
    pub advantages: Tensor<2>,
    /// Share of each token in the loss, reduction included ([`crate::Reduction`]).
    pub weights: Tensor<2>,
    /// 1 at tokens that train, 0 elsewhere.
    pub mask: Tensor<2>,
}

/// A batch of completions as a loss sees it, each field `[B, T]`.
#[derive(Clone, Debug)]
pub struct PolicyBatch {
    /// Log-probabilities under the current policy; differentiable.
    pub logprobs: Tensor<2>,
    /// Entropies of the current policy's distributions; differentiable. Present if asked for.
    pub entropies: Option<Tensor<2>>,
    /// Log-probabilities under the behaviour policy.
    pub behaviour_logprobs: Tensor<2>,
    /// Log-probabilities under the reference policy, if one is used.
    pub reference_logprobs: Option<Tensor<2>>,
    /// Advantages.
    pub advantages: Tensor<2>,
    /// Share of each token in the loss; 0 where masked.
    pub weights: Tensor<2>,
    /// 1 at tokens that train, 0 elsewhere.
    pub mask: Tensor<2>,
}

impl PolicyBatch {
    /// Joins scores and constants. Whatever stands at masked places is overwritten with 0, because
    /// a product with a mask would keep a NaN.
    ///
    /// # Panics
    /// If the shapes differ.
    #[must_use]
    pub fn new(
        logprobs: Tensor<2>,
        entropies: Option<Tensor<2>>,
        constants: BatchConstants,
    ) -> Self {
        let shape = logprobs.dims();
        let outside = constants.mask.clone().lower_equal_scalar(0.0);
        let clean = |name: &str, tensor: Tensor<2>| overwrite(name, tensor, shape, &outside);
        Self {
            logprobs: clean("logprobs", logprobs),
            entropies: entropies.map(|t| clean("entropies", t)),
            behaviour_logprobs: clean("behaviour_logprobs", constants.behaviour_logprobs),
            reference_logprobs: constants
                .reference_logprobs
                .map(|t| clean("reference_logprobs", t)),
            advantages: clean("advantages", constants.advantages),
            weights: clean("weights", constants.weights),
            mask: clean("mask", constants.mask),
        }
    }
}

fn overwrite(
    name: &str,
    tensor: Tensor<2>,
    shape: [usize; 2],
    outside: &Tensor<2, Bool>,
) -> Tensor<2> {
    let found = tensor.dims();
    assert!(found == shape, "logprobs have shape {shape:?} but {name} {found:?}");
    tensor.mask_fill(outside.clone(), 0.0)
}
