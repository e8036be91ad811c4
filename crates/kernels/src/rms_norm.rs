//! `rms_norm`: root-mean-square normalisation of rows.

use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use crate::model_ops::ModelKernels;

#[cfg(feature = "flex")]
pub(crate) mod flex;

/// `x / sqrt(mean(x^2) + epsilon) * gamma` over the last dimension (arXiv 1910.07467).
///
/// ```text
/// r = 1 / sqrt(mean(x^2) + epsilon)        h = upstream * gamma
/// d / d x     = r h - r^3 x mean(h x)
/// d / d gamma = sum over rows of upstream * x * r
/// ```
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{resolve_device, rms_norm};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// let x = Tensor::<2>::from_data([[1.0f32, 7.0]], &device);
/// let gamma = Tensor::<1>::from_data([1.0f32, 10.0], &device);
/// let found: Vec<f32> = rms_norm(x, gamma, 0.0).into_data().try_to_vec().unwrap();
/// // sqrt((1 + 49) / 2) = 5
/// assert!((found[0] - 0.2).abs() < 1e-6 && (found[1] - 14.0).abs() < 1e-5);
/// ```
///
/// # Shapes
/// `x` and the output `[.., D]`, `gamma` `[D]`.
///
/// # Panics
/// If `gamma` is not as long as the last dimension.
#[must_use]
pub fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    let shape = x.dims();
    let width = shape[D - 1];
    assert!(gamma.dims() == [width], "rows have {width} numbers but gamma {:?}", gamma.dims());
    let rows = shape.iter().product::<usize>() / width.max(1);
    let output = <Dispatch as ModelKernels>::rms_norm(
        x.reshape([rows, width]).into_dispatch(),
        gamma.into_dispatch(),
        epsilon,
    );
    Tensor::<2>::from_dispatch(output).reshape(shape)
}

/// `1 / sqrt(mean(x^2) + epsilon)`, `[N, 1]`.
fn inverse<B: Backend>(x: FloatTensor<B>, epsilon: f64) -> FloatTensor<B> {
    let mean = B::float_mean_dim(B::float_mul(x.clone(), x), 1);
    B::float_recip(B::float_sqrt(B::float_add_scalar(mean, epsilon.into())))
}

/// Gamma as one row, `[1, D]`.
fn as_row<B: Backend>(gamma: FloatTensor<B>) -> FloatTensor<B> {
    let width = gamma.shape()[0];
    B::float_reshape(gamma, Shape::new([1, width]))
}

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    let normed = B::float_mul(x.clone(), inverse::<B>(x, epsilon));
    B::float_mul(normed, as_row::<B>(gamma))
}

/// The gradients for every backend.
pub(crate) fn gradient<B: Backend>(
    x: FloatTensor<B>,
    gamma: FloatTensor<B>,
    upstream: FloatTensor<B>,
    epsilon: f64,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let shape = gamma.shape();
    let normed = inverse::<B>(x.clone(), epsilon);
    let (normed, inverse) = (B::float_mul(x, normed.clone()), normed);
    let to_gamma = B::float_sum_dim(B::float_mul(upstream.clone(), normed.clone()), 0);
    let inner = B::float_mul(upstream, as_row::<B>(gamma));
    let along = B::float_mean_dim(B::float_mul(inner.clone(), normed.clone()), 1);
    let across = B::float_sub(inner, B::float_mul(normed, along));
    (B::float_mul(across, inverse), B::float_reshape(to_gamma, shape))
}

#[derive(Debug)]
struct RmsNormBackward;

impl<B: ModelKernels> Backward<B, 2> for RmsNormBackward {
    /// Input, gamma and epsilon.
    type State = (FloatTensor<B>, FloatTensor<B>, f64);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let (x, gamma, epsilon) = ops.state;
        let (to_x, to_gamma) = B::rms_norm_backward(x, gamma, upstream, epsilon);
        for (parent, gradient) in ops.parents.into_iter().zip([to_x, to_gamma]) {
            if let Some(node) = parent {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: ModelKernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    gamma: FloatTensor<Autodiff<B, C>>,
    epsilon: f64,
) -> FloatTensor<Autodiff<B, C>> {
    let ((x, x_guard), (gamma, gamma_guard)) = (x.into_parts(), gamma.into_parts());
    let output = B::rms_norm(x.clone(), gamma.clone(), epsilon);
    let guards = [x_guard, gamma_guard];
    match RmsNormBackward.prepare::<C>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, gamma, epsilon), output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}
