//! The halves of a transformer's block, as a backend sees them.
//!
//! Their bodies for every backend are the operations of [`ModelKernels`] one after the other; a
//! backend overrides them where keeping some rows in the cache pays.

// The macro's output for `Dispatch` is public through `Dispatch`, not by name.
#![allow(missing_docs, reason = "the routing that the macro generates has no docs")]
#![allow(deprecated, reason = "burn removes ndarray in 0.23; it stays here as a second CPU oracle")]

use burn::backend::{
    Autodiff, AutodiffBackend, autodiff::checkpoint::strategy::CheckpointStrategy,
    backend_extension, tensor::FloatTensor,
};

use crate::feed_forward::{self, FeedForwardParameters, FeedForwardSaved};
use crate::model_ops::ModelKernels;
use crate::self_attention::{
    self, Attended, AttentionConstants, AttentionParameters, AttentionRule,
};

/// Why the methods that take an upstream gradient have none themselves.
const FIRST_ORDER: &str = "gradients are of first order";

/// The halves of a transformer's block, as a backend sees them.
///
/// `keep` says whether a gradient will be asked for; without it a backend may return tensors of no
/// numbers in the place of what only the gradient needs.
#[backend_extension(
    Cube: cfg(feature = "cube"),
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Fusion: cfg(feature = "fusion"),
    Autodiff
)]
pub trait BlockKernels: ModelKernels {
    /// `[N, D]` -> `[N, D]` and what the gradient needs, twice `[N, F]`.
    #[fusion(default)]
    fn feed_forward(
        x: FloatTensor<Self>,
        #[extension_type] parameters: FeedForwardParameters<Self>,
        epsilon: f64,
        keep: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let _ = keep;
        feed_forward::reference::<Self>(x, parameters, epsilon)
    }

    /// Gradients of the input and the parameters.
    #[fusion(default)]
    fn feed_forward_backward(
        #[extension_type] saved: FeedForwardSaved<Self>,
        #[extension_type] parameters: FeedForwardParameters<Self>,
        upstream: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FeedForwardParameters<Self>) {
        feed_forward::gradient::<Self>(saved, parameters, upstream, epsilon)
    }

    /// `[B T, D]` -> `[B T, D]` and what the gradient needs.
    #[fusion(default)]
    fn self_attention(
        x: FloatTensor<Self>,
        #[extension_type] parameters: AttentionParameters<Self>,
        #[extension_type] view: AttentionConstants<Self>,
        rule: AttentionRule,
        keep: bool,
    ) -> Attended<Self> {
        let _ = keep;
        self_attention::reference::<Self>(x, parameters, view, rule)
    }

    /// Gradients of the input and the parameters; `saved` has the input in the place of the output.
    #[fusion(default)]
    fn self_attention_backward(
        #[extension_type] saved: Attended<Self>,
        #[extension_type] parameters: AttentionParameters<Self>,
        #[extension_type] view: AttentionConstants<Self>,
        upstream: FloatTensor<Self>,
        rule: AttentionRule,
    ) -> (FloatTensor<Self>, AttentionParameters<Self>) {
        self_attention::gradient::<Self>(saved, parameters, view, upstream, rule)
    }
}

#[cfg(feature = "flex")]
impl BlockKernels for burn::backend::Flex {
    fn feed_forward(
        x: FloatTensor<Self>,
        parameters: FeedForwardParameters<Self>,
        epsilon: f64,
        keep: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        feed_forward::flex::fused(x, parameters, epsilon, keep)
    }

    fn feed_forward_backward(
        saved: FeedForwardSaved<Self>,
        parameters: FeedForwardParameters<Self>,
        upstream: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FeedForwardParameters<Self>) {
        feed_forward::flex::backward(saved, parameters, upstream, epsilon)
    }

    fn self_attention(
        x: FloatTensor<Self>,
        parameters: AttentionParameters<Self>,
        view: AttentionConstants<Self>,
        rule: AttentionRule,
        keep: bool,
    ) -> Attended<Self> {
        self_attention::flex::fused(x, parameters, view, rule, keep)
    }

    fn self_attention_backward(
        saved: Attended<Self>,
        parameters: AttentionParameters<Self>,
        view: AttentionConstants<Self>,
        upstream: FloatTensor<Self>,
        rule: AttentionRule,
    ) -> (FloatTensor<Self>, AttentionParameters<Self>) {
        self_attention::flex::backward(saved, parameters, view, upstream, rule)
    }
}

#[cfg(feature = "ndarray")]
impl BlockKernels for burn::backend::NdArray {}

#[cfg(feature = "cube")]
impl BlockKernels for burn_cubecl::CubeBackend {}

// The hand-written gradients.
impl<B: BlockKernels, C: CheckpointStrategy> BlockKernels for Autodiff<B, C> {
    fn feed_forward(
        x: FloatTensor<Self>,
        parameters: FeedForwardParameters<Self>,
        epsilon: f64,
        _keep: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let output = feed_forward::tracked::<B, C>(x, parameters, epsilon);
        let nothing =
            || constant::<B, C>(feed_forward::nothing::<B>(&output.clone().into_primitive()));
        let (gate, up) = (nothing(), nothing());
        (output, gate, up)
    }

    fn feed_forward_backward(
        _saved: FeedForwardSaved<Self>,
        _parameters: FeedForwardParameters<Self>,
        _upstream: FloatTensor<Self>,
        _epsilon: f64,
    ) -> (FloatTensor<Self>, FeedForwardParameters<Self>) {
        unreachable!("{FIRST_ORDER}")
    }

    fn self_attention(
        x: FloatTensor<Self>,
        parameters: AttentionParameters<Self>,
        view: AttentionConstants<Self>,
        rule: AttentionRule,
        _keep: bool,
    ) -> Attended<Self> {
        let output = self_attention::tracked::<B, C>(x, parameters, view, rule);
        let nothing =
            constant::<B, C>(feed_forward::nothing::<B>(&output.clone().into_primitive()));
        let [query, key, value, mixed] = std::array::from_fn(|_| nothing.clone());
        Attended { output, query, key, value, mixed }
    }

    fn self_attention_backward(
        _saved: Attended<Self>,
        _parameters: AttentionParameters<Self>,
        _view: AttentionConstants<Self>,
        _upstream: FloatTensor<Self>,
        _rule: AttentionRule,
    ) -> (FloatTensor<Self>, AttentionParameters<Self>) {
        unreachable!("{FIRST_ORDER}")
    }
}

fn constant<B: BlockKernels, C: CheckpointStrategy>(
    tensor: FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    <Autodiff<B, C> as AutodiffBackend>::from_inner(tensor)
}
