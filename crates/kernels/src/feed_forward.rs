//! `feed_forward`: the second half of a transformer's block as one operation.

use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use crate::block_ops::BlockKernels;
use crate::model_ops::ModelKernels;

#[cfg(feature = "flex")]
pub(crate) mod flex;

/// The parameters of [`feed_forward`].
#[derive(Clone, Debug)]
pub struct FeedForward {
    /// Factors of the normalisation, `[D]`.
    pub gamma: Tensor<1>,
    /// The gate, `[D, F]`.
    pub gate: Tensor<2>,
    /// What is gated, `[D, F]`.
    pub up: Tensor<2>,
    /// The way back, `[F, D]`.
    pub down: Tensor<2>,
}

/// `x + swiglu(h gate, h up) down` with `h = rms_norm(x, gamma)`: the operations of the same names
/// one after the other.
///
/// The gradient needs the input and the two products with `h`, which are kept; `h` itself and the
/// gated activations are computed again. On the CPU some hundred rows go through everything while
/// they are in a core's cache, so the activations are not read from and written to memory again and
/// again.
///
/// # Shapes
/// `x` and the output `[N, D]`.
///
/// # Panics
/// If the shapes do not fit.
#[must_use]
pub fn feed_forward(x: Tensor<2>, parameters: FeedForward, epsilon: f64) -> Tensor<2> {
    let ([_, width], [_, inner]) = (x.dims(), parameters.gate.dims());
    let FeedForward { gamma, gate, up, down } = parameters;
    assert!(gamma.dims() == [width], "rows have {width} numbers but gamma {:?}", gamma.dims());
    for (name, found, expected) in [
        ("gate", gate.dims(), [width, inner]),
        ("up", up.dims(), [width, inner]),
        ("down", down.dims(), [inner, width]),
    ] {
        assert!(found == expected, "{name} has shape {found:?}, not {expected:?}");
    }
    let parameters = FeedForwardParameters {
        gamma: gamma.into_dispatch(),
        gate: gate.into_dispatch(),
        up: up.into_dispatch(),
        down: down.into_dispatch(),
    };
    let (output, _, _) =
        <Dispatch as BlockKernels>::feed_forward(x.into_dispatch(), parameters, epsilon, false);
    Tensor::from_dispatch(output)
}

/// The parameters of a block's second half, as a backend sees them, or their gradients.
#[derive(Clone, Debug, ExtensionType)]
pub struct FeedForwardParameters<B: Backend> {
    /// `[D]`.
    pub gamma: FloatTensor<B>,
    /// `[D, F]`.
    pub gate: FloatTensor<B>,
    /// `[D, F]`.
    pub up: FloatTensor<B>,
    /// `[F, D]`.
    pub down: FloatTensor<B>,
}

/// What the gradient needs beside the parameters.
#[derive(Clone, Debug, ExtensionType)]
pub struct FeedForwardSaved<B: Backend> {
    /// The input, `[N, D]`.
    pub x: FloatTensor<B>,
    /// `h gate`, `[N, F]`.
    pub gate: FloatTensor<B>,
    /// `h up`, `[N, F]`.
    pub up: FloatTensor<B>,
}

/// The body for every backend.
pub(crate) fn reference<B: ModelKernels>(
    x: FloatTensor<B>,
    parameters: FeedForwardParameters<B>,
    epsilon: f64,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let FeedForwardParameters { gamma, gate, up, down } = parameters;
    let h = B::rms_norm(x.clone(), gamma, epsilon);
    let (gate, up) = (B::float_matmul(h.clone(), gate), B::float_matmul(h, up));
    let gated = B::swiglu(gate.clone(), up.clone());
    (B::float_add(x, B::float_matmul(gated, down)), gate, up)
}

/// The gradients for every backend.
pub(crate) fn gradient<B: ModelKernels>(
    saved: FeedForwardSaved<B>,
    parameters: FeedForwardParameters<B>,
    upstream: FloatTensor<B>,
    epsilon: f64,
) -> (FloatTensor<B>, FeedForwardParameters<B>) {
    let turned = |tensor: &FloatTensor<B>| B::float_swap_dims(tensor.clone(), 0, 1);
    let FeedForwardSaved { x, gate, up } = saved;
    let gated = B::swiglu(gate.clone(), up.clone());
    let to_down = B::float_matmul(turned(&gated), upstream.clone());
    let to_gated = B::float_matmul(upstream.clone(), turned(&parameters.down));
    let (to_gate, to_up) = B::swiglu_backward(gate, up, to_gated);
    let h = turned(&B::rms_norm(x.clone(), parameters.gamma.clone(), epsilon));
    let to_h = B::float_add(
        B::float_matmul(to_gate.clone(), turned(&parameters.gate)),
        B::float_matmul(to_up.clone(), turned(&parameters.up)),
    );
    let (to_x, to_gamma) = B::rms_norm_backward(x, parameters.gamma, to_h, epsilon);
    let to_parameters = FeedForwardParameters {
        gamma: to_gamma,
        gate: B::float_matmul(h.clone(), to_gate),
        up: B::float_matmul(h, to_up),
        down: to_down,
    };
    (B::float_add(upstream, to_x), to_parameters)
}

#[derive(Debug)]
struct FeedForwardBackward;

impl<B: BlockKernels> Backward<B, 5> for FeedForwardBackward {
    type State = (FeedForwardSaved<B>, FeedForwardParameters<B>, f64);

    fn backward(self, ops: Ops<Self::State, 5>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let (saved, parameters, epsilon) = ops.state;
        let (to_x, to) = B::feed_forward_backward(saved, parameters, upstream, epsilon);
        let found = [to_x, to.gamma, to.gate, to.up, to.down];
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: BlockKernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    parameters: FeedForwardParameters<Autodiff<B, C>>,
    epsilon: f64,
) -> FloatTensor<Autodiff<B, C>> {
    let FeedForwardParameters { gamma, gate, up, down } = parameters;
    let (x, x_guard) = x.into_parts();
    let ((gamma, gamma_guard), (gate, gate_guard)) = (gamma.into_parts(), gate.into_parts());
    let ((up, up_guard), (down, down_guard)) = (up.into_parts(), down.into_parts());
    let parameters = FeedForwardParameters { gamma, gate, up, down };
    let guards = [x_guard, gamma_guard, gate_guard, up_guard, down_guard];
    match FeedForwardBackward.prepare::<C>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (output, gate, up) = B::feed_forward(x.clone(), parameters.clone(), epsilon, true);
            let saved = FeedForwardSaved { x, gate, up };
            prepared.finish((saved, parameters, epsilon), output)
        }
        OpsKind::UnTracked(prepared) => {
            prepared.finish(B::feed_forward(x, parameters, epsilon, false).0)
        }
    }
}

/// A tensor of no numbers, where nothing is kept.
pub(crate) fn nothing<B: Backend>(like: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_zeros(Shape::new([0, 0]), &like.device(), like.dtype().into())
}
