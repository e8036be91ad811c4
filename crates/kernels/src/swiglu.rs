//! `swiglu`: the gated activation of a transformer's feed-forward layer.

use burn::backend::{
    Autodiff, Backend, Dispatch,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::model_ops::ModelKernels;

#[cfg(feature = "flex")]
pub(crate) mod flex;

/// `silu(gate) up` with `silu(x) = x sigmoid(x)`, element by element (arXiv 2002.05202).
///
/// ```text
/// s = sigmoid(gate)
/// d / d gate = up s (1 + gate (1 - s))        d / d up = gate s
/// ```
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{resolve_device, swiglu};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// let found: Vec<f32> = swiglu(row([0.0, 3f32.ln()]), row([5.0, 4.0])).into_data().try_to_vec().unwrap();
/// // sigmoid(ln 3) = 3/4
/// assert!(found[0] == 0.0 && (found[1] - 3.0 * 3f32.ln()).abs() < 1e-6);
/// ```
///
/// # Shapes
/// Both inputs and the output `[N, F]`.
///
/// # Panics
/// If the shapes differ.
#[must_use]
pub fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    assert!(gate.dims() == up.dims(), "gate has shape {:?} but up {:?}", gate.dims(), up.dims());
    let output = <Dispatch as ModelKernels>::swiglu(gate.into_dispatch(), up.into_dispatch());
    Tensor::from_dispatch(output)
}

/// The body for every backend.
pub(crate) fn reference<B: Backend>(gate: FloatTensor<B>, up: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(B::float_mul(gate.clone(), B::sigmoid(gate)), up)
}

/// The gradients for every backend.
pub(crate) fn gradient<B: Backend>(
    gate: FloatTensor<B>,
    up: FloatTensor<B>,
    upstream: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let sigmoid = B::sigmoid(gate.clone());
    let silu = B::float_mul(gate, sigmoid.clone());
    // s (1 + gate (1 - s)) = s + silu (1 - s)
    let closed = B::float_add_scalar(B::float_neg(sigmoid.clone()), 1.0f32.into());
    let slope = B::float_add(sigmoid, B::float_mul(silu.clone(), closed));
    let to_gate = B::float_mul(B::float_mul(upstream.clone(), up), slope);
    (to_gate, B::float_mul(upstream, silu))
}

#[derive(Debug)]
struct SwigluBackward;

impl<B: ModelKernels> Backward<B, 2> for SwigluBackward {
    /// Gate and up.
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let (gate, up) = ops.state;
        let (to_gate, to_up) = B::swiglu_backward(gate, up, upstream);
        for (parent, gradient) in ops.parents.into_iter().zip([to_gate, to_up]) {
            if let Some(node) = parent {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: ModelKernels, C: CheckpointStrategy>(
    gate: FloatTensor<Autodiff<B, C>>,
    up: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let ((gate, gate_guard), (up, up_guard)) = (gate.into_parts(), up.into_parts());
    let output = B::swiglu(gate.clone(), up.clone());
    let guards = [gate_guard, up_guard];
    match SwigluBackward.prepare::<C>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((gate, up), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}
