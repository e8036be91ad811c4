//! `rotate`: rotary position encoding of heads.

use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::{Slice, Tensor};

use crate::model_ops::ModelKernels;

#[cfg(feature = "flex")]
pub(crate) mod flex;

/// Turns each head by the angles of its position, rotate-half layout (arXiv 2104.09864).
///
/// ```text
/// [x1, x2] -> [x1 cos - x2 sin, x2 cos + x1 sin]      the halves of a head
/// ```
///
/// The gradient is the upstream gradient turned back. Angles are constants.
///
/// # Shapes
/// - `x` and the output: `[B, H, T, d]`
/// - `cos`, `sin`: `[B or 1, 1, T, d/2]`
///
/// # Panics
/// If the shapes do not fit.
#[must_use]
pub fn rotate(x: Tensor<4>, cos: Tensor<4>, sin: Tensor<4>) -> Tensor<4> {
    let [batch, _, time, head] = x.dims();
    for (name, found) in [("cosines", cos.dims()), ("sines", sin.dims())] {
        let fits = [[batch, 1, time, head / 2], [1, 1, time, head / 2]].contains(&found);
        assert!(fits && head % 2 == 0, "heads have shape {:?} but {name} {found:?}", x.dims());
    }
    let (x, cos, sin) = (x.into_dispatch(), cos.into_dispatch(), sin.into_dispatch());
    Tensor::from_dispatch(<Dispatch as ModelKernels>::rotate(x, cos, sin, false))
}

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    x: FloatTensor<B>,
    cos: FloatTensor<B>,
    sin: FloatTensor<B>,
    back: bool,
) -> FloatTensor<B> {
    let half = x.shape()[3] / 2;
    let part = |from: usize| {
        let slices = [Slice::full(), Slice::full(), Slice::full(), Slice::from(from..from + half)];
        B::float_slice(x.clone(), &slices)
    };
    let (first, second) = (part(0), part(half));
    let sin = if back { B::float_neg(sin) } else { sin };
    let times = |a: &FloatTensor<B>, b: &FloatTensor<B>| B::float_mul(a.clone(), b.clone());
    let turned = [
        B::float_sub(times(&first, &cos), times(&second, &sin)),
        B::float_add(times(&second, &cos), times(&first, &sin)),
    ];
    B::float_cat(turned.to_vec(), 3)
}

#[derive(Debug)]
struct RotateBackward;

impl<B: ModelKernels> Backward<B, 1> for RotateBackward {
    /// Cosines, sines and the direction.
    type State = (FloatTensor<B>, FloatTensor<B>, bool);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let (cos, sin, back) = ops.state;
        let [x] = ops.parents;
        if let Some(node) = x {
            gradients.register::<B>(node.id, B::rotate(upstream, cos, sin, !back));
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: ModelKernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    cos: FloatTensor<Autodiff<B, C>>,
    sin: FloatTensor<Autodiff<B, C>>,
    back: bool,
) -> FloatTensor<Autodiff<B, C>> {
    let (x, guard) = x.into_parts();
    let (cos, sin) = (cos.into_primitive(), sin.into_primitive());
    let output = B::rotate(x, cos.clone(), sin.clone(), back);
    match RotateBackward.prepare::<C>([guard]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((cos, sin, back), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}
