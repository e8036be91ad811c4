//! The operations that a transformer's step pays for, as a backend sees them.
//!
//! As with [`TokenKernels`](crate::TokenKernels), each method has a body in tensor operations for
//! every backend; gradients are operations too, so that a backend can make one pass of them. A
//! method that takes an `upstream` is the gradient of the method of the same name.

// The macro's output for `Dispatch` is public through `Dispatch`, not by name.
#![allow(missing_docs, reason = "the routing that the macro generates has no docs")]
#![allow(deprecated, reason = "burn removes ndarray in 0.23; it stays here as a second CPU oracle")]

use burn::backend::{
    Autodiff, Backend, autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension,
    tensor::FloatTensor,
};

use crate::{attend, rms_norm, rotate, swiglu};

/// Why the methods that take an upstream gradient have none themselves.
const FIRST_ORDER: &str = "gradients are of first order";

/// The operations of a transformer, as a backend sees them.
#[backend_extension(
    Cube: cfg(feature = "cube"),
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Fusion: cfg(feature = "fusion"),
    Autodiff
)]
pub trait ModelKernels: Backend {
    /// Two tensors of one shape -> `silu(gate) up`.
    #[fusion(default)]
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        swiglu::reference::<Self>(gate, up)
    }

    /// Gradients of gate and up.
    #[fusion(default)]
    fn swiglu_backward(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        swiglu::gradient::<Self>(gate, up, upstream)
    }

    /// `[N, D]` and `[D]` -> `[N, D]`.
    #[fusion(default)]
    fn rms_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        rms_norm::reference::<Self>(x, gamma, epsilon)
    }

    /// Gradients of x and gamma.
    #[fusion(default)]
    fn rms_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        rms_norm::gradient::<Self>(x, gamma, upstream, epsilon)
    }

    /// `[B, H, T, d]` turned by angles `[B or 1, 1, T, d/2]`, or turned back.
    #[fusion(default)]
    fn rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        back: bool,
    ) -> FloatTensor<Self> {
        rotate::reference::<Self>(x, cos, sin, back)
    }

    /// Queries `[B, H, T, d]`, keys and values `[B, K, C, d]`, bias `[B or 1, 1, T or 1, C]` ->
    /// `[B, H, T, d]`.
    #[fusion(default)]
    fn attend(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attend::reference::<Self>(q, k, v, bias, scale)
    }

    /// Gradients of queries, keys and values.
    #[fusion(default)]
    fn attend_backward(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        attend::gradient::<Self>(attend::Saved { q, k, v, bias, scale }, upstream)
    }
}

#[cfg(feature = "flex")]
impl ModelKernels for burn::backend::Flex {
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        swiglu::flex::fused(gate, up)
    }

    fn swiglu_backward(
        gate: FloatTensor<Self>,
        up: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        swiglu::flex::backward(gate, up, upstream)
    }

    fn rms_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        rms_norm::flex::fused(x, gamma, epsilon)
    }

    fn rms_norm_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        rms_norm::flex::backward(x, gamma, upstream, epsilon)
    }

    fn rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        back: bool,
    ) -> FloatTensor<Self> {
        rotate::flex::fused(x, cos, sin, back)
    }

    fn attend(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attend::flex::fused(q, k, v, bias, scale)
    }

    fn attend_backward(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        upstream: FloatTensor<Self>,
        scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        attend::flex::backward(attend::Saved { q, k, v, bias, scale }, upstream)
    }
}

#[cfg(feature = "ndarray")]
impl ModelKernels for burn::backend::NdArray {}

#[cfg(feature = "cube")]
impl ModelKernels for burn_cubecl::CubeBackend {}

impl<B: ModelKernels, C: CheckpointStrategy> ModelKernels for Autodiff<B, C> {
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        swiglu::tracked::<B, C>(gate, up)
    }

    fn swiglu_backward(
        _gate: FloatTensor<Self>,
        _up: FloatTensor<Self>,
        _upstream: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{FIRST_ORDER}")
    }

    fn rms_norm(x: FloatTensor<Self>, gamma: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        rms_norm::tracked::<B, C>(x, gamma, epsilon)
    }

    fn rms_norm_backward(
        _x: FloatTensor<Self>,
        _gamma: FloatTensor<Self>,
        _upstream: FloatTensor<Self>,
        _epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{FIRST_ORDER}")
    }

    fn rotate(
        x: FloatTensor<Self>,
        cos: FloatTensor<Self>,
        sin: FloatTensor<Self>,
        back: bool,
    ) -> FloatTensor<Self> {
        rotate::tracked::<B, C>(x, cos, sin, back)
    }

    fn attend(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attend::tracked::<B, C>(q, k, v, bias, scale)
    }

    fn attend_backward(
        _q: FloatTensor<Self>,
        _k: FloatTensor<Self>,
        _v: FloatTensor<Self>,
        _bias: FloatTensor<Self>,
        _upstream: FloatTensor<Self>,
        _scale: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("{FIRST_ORDER}")
    }
}
