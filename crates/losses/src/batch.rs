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
    /// The fields of the loss's [`plan`](crate::PolicyLoss::plan), in order.
    pub plan: Vec<Tensor<2>>,
}

impl BatchConstants {
    /// Constants in which every token trains with weight 1, without a reference and without a plan;
    /// set what differs by `BatchConstants { mask, ..BatchConstants::new(..) }`.
    #[must_use]
    pub fn new(behaviour_logprobs: Tensor<2>, advantages: Tensor<2>) -> Self {
        let ones = behaviour_logprobs.ones_like();
        Self {
            behaviour_logprobs,
            reference_logprobs: None,
            advantages,
            weights: ones.clone(),
            mask: ones,
            plan: Vec::new(),
        }
    }
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
    /// The fields of the loss's [`plan`](crate::PolicyLoss::plan), in order.
    pub plan: Vec<Tensor<2>>,
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
            plan: constants.plan.into_iter().map(|t| clean("a field of the plan", t)).collect(),
        }
    }

    /// The mean over the training tokens of each row, `[B, 1]`; 0 for a row that has none.
    pub(crate) fn row_mean(&self, tokens: Tensor<2>) -> Tensor<2> {
        self.row_mean_by(tokens, 0.0)
    }

    /// The same with something added to the number of tokens.
    pub(crate) fn row_mean_by(&self, tokens: Tensor<2>, epsilon: f64) -> Tensor<2> {
        let outside = self.mask.clone().lower_equal_scalar(0.0);
        let count = self.mask.clone().sum_dim(1).clamp_min(1.0) + epsilon;
        tokens.mask_fill(outside, 0.0).sum_dim(1) / count
    }

    /// The log-probabilities under the reference policy.
    ///
    /// # Panics
    /// If there are none.
    pub(crate) fn reference(&self) -> Tensor<2> {
        self.reference_logprobs.clone().expect("the trainer scores the reference when needed")
    }

    /// A field of the plan.
    ///
    /// # Panics
    /// If the plan is not the one of the loss that asks.
    pub(crate) fn planned(&self, field: usize, loss: &str) -> Tensor<2> {
        let fields = self.plan.len();
        let found = self.plan.get(field);
        found
            .unwrap_or_else(|| panic!("{loss} needs its plan, but the batch has {fields} fields"))
            .clone()
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
