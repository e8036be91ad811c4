//! `adamw`: one step of AdamW, and the sum of squares that a clip of the gradient's norm needs.
//!
//! An operation a tensor, and one pass over it: a step in tensor operations reads and writes every
//! parameter some ten times.

// The macro's output for `Dispatch` is public through `Dispatch`, not by name.
#![allow(missing_docs, reason = "the routing that the macro generates has no docs")]
#![allow(deprecated, reason = "burn removes ndarray in 0.23; it stays here as a second CPU oracle")]

use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, TensorMetadata,
    autodiff::checkpoint::strategy::CheckpointStrategy, backend_extension, tensor::FloatTensor,
};
use burn::tensor::{DType, Shape, Tensor};

use crate::primitive::accumulate;

#[cfg(feature = "flex")]
pub(crate) mod flex;

/// The settings of one step of [`adamw`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Learning rate.
    pub learning_rate: f64,
    /// Decay of the first moment, from 0 to below 1.
    pub beta_1: f64,
    /// Decay of the second moment, from 0 to below 1.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// The gradient is multiplied with this first: the factor of a clip by the global norm, or 1.
    pub gradient_scale: f64,
    /// Number of this step for the parameter, from 1; it corrects the bias of the moments.
    pub number: u64,
}

/// The moments of a parameter: all 0 before the first step.
#[derive(Clone, Debug)]
pub struct Moments<const D: usize> {
    /// Decaying mean of the gradient.
    pub first: Tensor<D>,
    /// Decaying mean of its square.
    pub second: Tensor<D>,
}

/// One step of AdamW (arXiv 1711.05101) as `torch.optim.AdamW` makes it.
///
/// ```text
/// g = scale gradient
/// m = b1 m + (1-b1) g              v = b2 v + (1-b2) g^2
/// p = (1 - lr decay) p - lr / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + epsilon)
/// ```
///
/// Parameter and moments are `f32` (or `f64`), the gradient may be narrower. A model in `bf16` or
/// `f16` keeps the `f32` parameter beside its own: a step that is smaller than half the distance of
/// two `bf16` numbers would be lost each time, and so forever.
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{AdamWStep, Moments, adamw, resolve_device};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// let step = AdamWStep {
///     learning_rate: 0.1,
///     beta_1: 0.9,
///     beta_2: 0.999,
///     epsilon: 0.0,
///     weight_decay: 0.0,
///     gradient_scale: 1.0,
///     number: 1,
/// };
/// let row = |values| Tensor::<1>::from_data(values, &device);
/// let none = Moments { first: row([0.0, 0.0]), second: row([0.0, 0.0]) };
/// let (parameter, _) = adamw(row([1.0, 1.0]), row([3.0, -0.5]), none, step);
/// let found: Vec<f32> = parameter.into_data().try_to_vec().unwrap();
/// // The first step goes by the learning rate against the sign of the gradient.
/// assert!((found[0] - 0.9).abs() < 1e-6 && (found[1] - 1.1).abs() < 1e-6);
/// ```
///
/// # Shapes
/// All the same. The results have no gradient.
///
/// # Panics
/// If shapes differ, the types of parameter and moments differ or are narrower than `f32`, or the
/// step's number is 0.
#[must_use]
pub fn adamw<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: Moments<D>,
    step: AdamWStep,
) -> (Tensor<D>, Moments<D>) {
    assert!(step.number > 0, "the first step of a parameter has number 1, not 0");
    let (shape, dtype) = (parameter.dims(), parameter.dtype());
    assert!(matches!(dtype, DType::F32 | DType::F64), "a parameter to step is f32, not {dtype:?}");
    for (name, tensor) in [("first moment", &moments.first), ("second moment", &moments.second)] {
        let found = (tensor.dims(), tensor.dtype());
        assert!(
            found == (shape, dtype),
            "the parameter is {shape:?} {dtype:?} but its {name} {found:?}"
        );
    }
    assert!(
        gradient.dims() == shape,
        "the parameter is {shape:?} but its gradient {:?}",
        gradient.dims()
    );
    let (parameter, first, second) = <Dispatch as OptimizerKernels>::adamw(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moments.first.into_dispatch(),
        moments.second.into_dispatch(),
        step,
    );
    let [parameter, first, second] = [parameter, first, second].map(Tensor::from_dispatch);
    (parameter, Moments { first, second })
}

/// The sum of the squares of all numbers, `[1]`, in `f32` at least and without a gradient.
#[must_use]
pub fn square_sum<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as OptimizerKernels>::square_sum(tensor.into_dispatch()))
}

/// What an optimiser pays for, as a backend sees it.
#[backend_extension(
    Cube: cfg(feature = "cube"),
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Fusion: cfg(feature = "fusion"),
    Autodiff
)]
pub trait OptimizerKernels: Backend {
    /// Parameter, gradient and both moments -> parameter and both moments.
    #[fusion(default)]
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        reference::<Self>(parameter, gradient, first, second, step)
    }

    /// Any shape -> `[1]`.
    #[fusion(default)]
    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        reference_square_sum::<Self>(tensor)
    }
}

#[cfg(feature = "flex")]
impl OptimizerKernels for burn::backend::Flex {
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        flex::fused(parameter, gradient, first, second, step)
    }

    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        flex::square_sum(tensor)
    }
}

#[cfg(feature = "ndarray")]
impl OptimizerKernels for burn::backend::NdArray {}

#[cfg(feature = "cube")]
impl OptimizerKernels for burn_cubecl::CubeBackend {}

// A step has no gradient.
impl<B: OptimizerKernels, C: CheckpointStrategy> OptimizerKernels for Autodiff<B, C> {
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let inputs = [parameter, gradient, first, second].map(|tensor| tensor.into_primitive());
        let [parameter, gradient, first, second] = inputs;
        let (parameter, first, second) = B::adamw(parameter, gradient, first, second, step);
        let [parameter, first, second] =
            [parameter, first, second].map(<Self as AutodiffBackend>::from_inner);
        (parameter, first, second)
    }

    fn square_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        <Self as AutodiffBackend>::from_inner(B::square_sum(tensor.into_primitive()))
    }
}

/// The numbers that a step multiplies with.
#[derive(Clone, Copy, Debug)]
struct Factors {
    /// What is left of the parameter, `1 - lr decay`.
    kept: f64,
    /// `lr / (1 - b1^t)`.
    rate: f64,
    /// `1 / sqrt(1 - b2^t)`.
    root: f64,
}

impl Factors {
    fn of(step: AdamWStep) -> Self {
        let AdamWStep { learning_rate, beta_1, beta_2, weight_decay, number, .. } = step;
        // Beyond this many steps the powers are 0 for every beta that an f64 can tell from 1.
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            kept: 1.0 - learning_rate * weight_decay,
            rate: learning_rate / (1.0 - beta_1.powi(number)),
            root: 1.0 / (1.0 - beta_2.powi(number)).sqrt(),
        }
    }
}

/// The body for every backend.
fn reference<B: Backend>(
    parameter: FloatTensor<B>,
    gradient: FloatTensor<B>,
    first: FloatTensor<B>,
    second: FloatTensor<B>,
    step: AdamWStep,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let Factors { kept, rate, root } = Factors::of(step);
    let dtype = parameter.dtype();
    let gradient =
        if gradient.dtype() == dtype { gradient } else { B::float_cast(gradient, dtype.into()) };
    let times = |tensor: FloatTensor<B>, factor: f64| B::float_mul_scalar(tensor, factor.into());
    let gradient = times(gradient, step.gradient_scale);
    let square = B::float_mul(gradient.clone(), gradient.clone());
    let first = B::float_add(times(first, step.beta_1), times(gradient, 1.0 - step.beta_1));
    let second = B::float_add(times(second, step.beta_2), times(square, 1.0 - step.beta_2));
    let divisor = times(B::float_sqrt(second.clone()), root);
    let divisor = B::float_add_scalar(divisor, step.epsilon.into());
    let change = times(B::float_div(first.clone(), divisor), rate);
    (B::float_sub(times(parameter, kept), change), first, second)
}

/// The body of [`square_sum`] for every backend.
fn reference_square_sum<B: Backend>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let tensor = accumulate::<B>(tensor);
    let sum = B::float_sum(B::float_mul(tensor.clone(), tensor));
    B::float_reshape(sum, Shape::new([1]))
}
