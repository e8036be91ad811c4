//! The backend trait: one method an operation, its backend-generic body, and the routing.
//!
//! In burn 0.22 and later a tensor has no backend parameter; the `Backend` trait is where
//! operations are composed. Each method's default body is written in terms of `Self::float_*` and
//! so runs on every backend; a backend overrides it where a fused kernel is faster.

// The macro's output for `Dispatch` is public through `Dispatch`, not by name.
#![allow(missing_docs, reason = "the routing that the macro generates has no docs")]
#![allow(clippy::too_many_arguments, reason = "an operation names each of its tensors")]
#![allow(clippy::type_complexity, reason = "the macro reads the tuple of an operation's outputs")]
#![allow(deprecated, reason = "burn removes ndarray in 0.23; it stays here as a second CPU oracle")]

use burn::backend::{
    Autodiff, AutodiffBackend, Backend,
    autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension,
    tensor::{FloatTensor, IntTensor},
};

use crate::group_normalize::ragged::{self, GroupOffsets};
use crate::group_normalize::{self, GroupNormalization};
use crate::linear_token_logprobs;
use crate::policy_objective::{self, ObjectiveRule};
use crate::policy_surrogate::{self, SurrogateRule};
use crate::sample_tokens::{self, SamplingRule, support};
use crate::token_logprobs;

/// The shapes of outputs, for the queue of fused operations. A Cube kernel stays one kernel there.
#[cfg(feature = "fusion")]
mod fusion {
    use burn::backend::fusion::custom::TensorSpec;

    use crate::primitive::accumulate_dtype;

    /// The input's shape in the dtype to accumulate in.
    pub(super) fn accumulated(input: &TensorSpec) -> TensorSpec {
        TensorSpec::new(input.shape.clone(), accumulate_dtype(input.dtype).into())
    }

    /// So many rows of so many numbers.
    pub(super) fn matrix(input: &TensorSpec, shape: [usize; 2]) -> TensorSpec {
        TensorSpec::new(shape.into(), accumulate_dtype(input.dtype).into())
    }

    /// That many columns for every row of the input.
    pub(super) fn columns(input: &TensorSpec, count: usize) -> TensorSpec {
        TensorSpec::new([input.shape[0], count].into(), accumulate_dtype(input.dtype).into())
    }
}

/// What `policy_objective` gives on a backend.
type Objective<B> = policy_objective::Outputs<B>;

// ANCHOR: trait
/// The operations of this crate, as a backend sees them.
///
/// The functions of the same names at the crate root take and return [`burn::tensor::Tensor`]s and
/// document formulas, shapes and gradients.
#[backend_extension(
    Cube: cfg(feature = "cube"),
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Fusion: cfg(feature = "fusion"),
    Autodiff
)]
pub trait TokenKernels: Backend {
    /// `[P, G]` rewards, correctness and mask -> (`[P, G]` advantages, `[P, 3]` statistics).
    #[fusion(meta = |rewards, _correct, _mask, _rule| {
        (fusion::accumulated(rewards), fusion::columns(rewards, 3))
    })]
    fn group_normalize(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        group_normalize::reference::<Self>(rewards, correct, mask, rule)
    }

    /// `[N]` rewards and correctness of groups by offsets -> (`[N]` advantages, `[P, 3]` statistics).
    #[fusion(meta = |rewards, _correct, offsets, _rule| {
        (fusion::accumulated(rewards), fusion::matrix(rewards, [offsets.groups(), 3]))
    })]
    fn group_normalize_ragged(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        offsets: GroupOffsets,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        ragged::reference::<Self>(rewards, correct, &offsets, rule)
    }

    /// `[B, T]` log-probabilities, behaviour log-probabilities, advantages and mask ->
    /// (loss, derivative, ratio, clip code), each `[B, T]`.
    #[fusion(meta = |logprobs, _behaviour, _advantages, _mask, _rule| {
        let output = fusion::accumulated(logprobs);
        (output.clone(), output.clone(), output.clone(), output)
    })]
    fn policy_surrogate(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: SurrogateRule,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        policy_surrogate::reference::<Self>(logprobs, behaviour, advantages, mask, rule)
    }

    /// As `policy_surrogate`, with flags of a second clip range and reference log-probabilities ->
    /// (loss, derivative, ratio, clip code, penalty), each `[B, T]`.
    #[fusion(meta = |logprobs, _behaviour, _advantages, _mask, _wide, _reference, _rule| {
        let output = fusion::accumulated(logprobs);
        (output.clone(), output.clone(), output.clone(), output.clone(), output)
    })]
    fn policy_objective(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        wide: FloatTensor<Self>,
        reference: FloatTensor<Self>,
        rule: ObjectiveRule,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        let constants = [behaviour, advantages, mask, wide, reference];
        policy_objective::reference::<Self>((logprobs, constants), rule)
    }

    /// `[B, T]` ratios, clip codes and mask -> `[7]` sums.
    #[fusion(default)]
    fn surrogate_totals(
        ratio: FloatTensor<Self>,
        clip: FloatTensor<Self>,
        mask: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        policy_surrogate::totals::reference::<Self>(ratio, clip, mask)
    }

    /// `[N, V]` logits and `[N]` targets -> `[N, 3]`: log-probability, entropy, log-sum-exp.
    #[fusion(meta = |logits, _targets, _temperature| fusion::columns(logits, 3))]
    fn token_logprobs(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        token_logprobs::reference::<Self>(logits, targets, temperature)
    }

    /// The gradient of the logits from that of the three columns, with what was computed forward.
    #[fusion(dtype = logits, shape = logits)]
    fn token_logprobs_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        output: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        let saved = token_logprobs::Saved { logits, targets, output, temperature };
        token_logprobs::gradient::<Self>(saved, upstream)
    }

    /// `[N, D]` hidden states, `[D, V]` head and `[N]` targets -> `[N, 3]` as `token_logprobs`.
    #[fusion(default)]
    fn linear_token_logprobs(
        hidden: FloatTensor<Self>,
        head: FloatTensor<Self>,
        targets: IntTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        linear_token_logprobs::reference::<Self>(hidden, head, targets, temperature)
    }

    /// `[N, V]` logits and `[N]` uniform numbers -> (`[N]` tokens, `[N, 3]` scores).
    #[fusion(default)]
    fn sample_tokens(
        logits: FloatTensor<Self>,
        uniforms: FloatTensor<Self>,
        rule: SamplingRule,
    ) -> (IntTensor<Self>, FloatTensor<Self>) {
        sample_tokens::reference::<Self>(logits, uniforms, rule)
    }

    /// `[N, V]` logits -> positive in the support of the rule's distribution, 0 elsewhere.
    #[fusion(default)]
    fn support(logits: FloatTensor<Self>, rule: SamplingRule) -> FloatTensor<Self> {
        support::reference::<Self>(logits, rule)
    }
}
// ANCHOR_END: trait

#[cfg(feature = "flex")]
impl TokenKernels for burn::backend::Flex {
    fn group_normalize(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        group_normalize::flex::fused(rewards, correct, mask, rule)
    }

    fn group_normalize_ragged(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        offsets: GroupOffsets,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        ragged::flex::fused(rewards, correct, &offsets, rule)
    }

    fn policy_surrogate(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: SurrogateRule,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        policy_surrogate::flex::fused(logprobs, behaviour, advantages, mask, rule)
    }

    fn policy_objective(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        wide: FloatTensor<Self>,
        reference: FloatTensor<Self>,
        rule: ObjectiveRule,
    ) -> Objective<Self> {
        let constants = [behaviour, advantages, mask, wide, reference];
        policy_objective::flex::fused((logprobs, constants), rule)
    }

    fn surrogate_totals(
        ratio: FloatTensor<Self>,
        clip: FloatTensor<Self>,
        mask: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        policy_surrogate::totals::flex::fused(ratio, clip, mask)
    }

    fn token_logprobs(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        token_logprobs::flex::fused(logits, targets, temperature)
    }

    fn token_logprobs_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        output: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        let saved = token_logprobs::Saved { logits, targets, output, temperature };
        token_logprobs::flex::backward(saved, upstream)
    }

    fn sample_tokens(
        logits: FloatTensor<Self>,
        uniforms: FloatTensor<Self>,
        rule: SamplingRule,
    ) -> (IntTensor<Self>, FloatTensor<Self>) {
        sample_tokens::flex::fused(logits, uniforms, rule)
    }

    fn support(logits: FloatTensor<Self>, rule: SamplingRule) -> FloatTensor<Self> {
        sample_tokens::flex::support(logits, rule)
    }
}

#[cfg(feature = "ndarray")]
impl TokenKernels for burn::backend::NdArray {}

#[cfg(feature = "cube")]
impl TokenKernels for burn_cubecl::CubeBackend {
    fn group_normalize(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        group_normalize::cube::launch(rewards, correct, mask, rule)
    }

    fn group_normalize_ragged(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        offsets: GroupOffsets,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        ragged::cube::launch(rewards, correct, &offsets, rule)
    }

    fn policy_surrogate(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: SurrogateRule,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        policy_surrogate::cube::launch(logprobs, behaviour, advantages, mask, rule)
    }

    fn policy_objective(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        wide: FloatTensor<Self>,
        reference: FloatTensor<Self>,
        rule: ObjectiveRule,
    ) -> Objective<Self> {
        let constants = [behaviour, advantages, mask, wide, reference];
        policy_objective::cube::launch((logprobs, constants), rule)
    }

    fn token_logprobs(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        token_logprobs::cube::launch(logits, targets, temperature)
    }

    fn token_logprobs_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        output: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        let saved = token_logprobs::Saved { logits, targets, output, temperature };
        token_logprobs::cube::launch_backward(saved, upstream)
    }
}

// The hand-written gradients.
impl<B: TokenKernels, C: CheckpointStrategy> TokenKernels for Autodiff<B, C> {
    fn group_normalize(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        group_normalize::tracked::<B, C>(rewards, correct, mask, rule)
    }

    fn group_normalize_ragged(
        rewards: FloatTensor<Self>,
        correct: FloatTensor<Self>,
        offsets: GroupOffsets,
        rule: GroupNormalization,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        ragged::tracked::<B, C>(rewards, correct, offsets, rule)
    }

    fn policy_surrogate(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        rule: SurrogateRule,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        policy_surrogate::tracked::<B, C>(logprobs, behaviour, advantages, mask, rule)
    }

    fn policy_objective(
        logprobs: FloatTensor<Self>,
        behaviour: FloatTensor<Self>,
        advantages: FloatTensor<Self>,
        mask: FloatTensor<Self>,
        wide: FloatTensor<Self>,
        reference: FloatTensor<Self>,
        rule: ObjectiveRule,
    ) -> Objective<Self> {
        let constants = [behaviour, advantages, mask, wide, reference];
        policy_objective::tracked::<B, C>((logprobs, constants), rule)
    }

    // Sums of constants.
    fn surrogate_totals(
        ratio: FloatTensor<Self>,
        clip: FloatTensor<Self>,
        mask: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let [ratio, clip, mask] = [ratio, clip, mask].map(|t| t.into_primitive());
        <Self as AutodiffBackend>::from_inner(B::surrogate_totals(ratio, clip, mask))
    }

    fn token_logprobs(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        token_logprobs::tracked::<B, C>(logits, targets, temperature)
    }

    fn token_logprobs_backward(
        _logits: FloatTensor<Self>,
        _targets: IntTensor<Self>,
        _output: FloatTensor<Self>,
        _upstream: FloatTensor<Self>,
        _temperature: f32,
    ) -> FloatTensor<Self> {
        unreachable!("gradients are first order")
    }

    fn linear_token_logprobs(
        hidden: FloatTensor<Self>,
        head: FloatTensor<Self>,
        targets: IntTensor<Self>,
        temperature: f32,
    ) -> FloatTensor<Self> {
        linear_token_logprobs::tracked::<B, C>(hidden, head, targets, temperature)
    }

    // Drawing has no gradient.
    fn sample_tokens(
        logits: FloatTensor<Self>,
        uniforms: FloatTensor<Self>,
        rule: SamplingRule,
    ) -> (IntTensor<Self>, FloatTensor<Self>) {
        let (tokens, scores) =
            B::sample_tokens(logits.into_primitive(), uniforms.into_primitive(), rule);
        (tokens, <Self as AutodiffBackend>::from_inner(scores))
    }
    // A support is a constant.
    fn support(logits: FloatTensor<Self>, rule: SamplingRule) -> FloatTensor<Self> {
        <Self as AutodiffBackend>::from_inner(B::support(logits.into_primitive(), rule))
    }
}
