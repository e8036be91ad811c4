//! `group_normalize`: from rewards in groups to advantages, on the device.
//!
//! The variance takes two passes, so a large offset of all rewards costs no digits.

use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::{BoolTensor, FloatTensor},
};
use burn::tensor::Tensor;

use crate::ops::TokenKernels;
use crate::primitive::{accumulate, bool_dtype, greater, keep_where};

#[cfg(feature = "cube")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod ragged;

/// Larger than any reward that makes sense, for the extremes of masked groups.
const HUGE: f32 = 3e38;

/// How a group's rewards become advantages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GroupEstimator {
    /// `r - mean`.
    Centered,
    /// `r - mean of the others`; 0 in a group of one.
    LeaveOneOut,
    /// `(r - mean) / (std + epsilon)`.
    ZScore {
        /// 0 for the population, 1 for the sample standard deviation.
        ddof: u8,
        /// Added to the standard deviation.
        epsilon: f32,
    },
    /// `(r - mean) / sqrt(variance + epsilon)`.
    ZScoreUnderRoot {
        /// 0 for the population, 1 for the sample variance.
        ddof: u8,
        /// Added to the variance.
        epsilon: f32,
    },
    /// Linear-R prompt weighting, from correctness alone (arXiv 2602.11128).
    LinearR,
    /// Sqrt-R prompt weighting, from correctness alone (arXiv 2602.11128).
    SqrtR,
    /// Uniform-R prompt weighting, from correctness alone (arXiv 2602.11128).
    UniformR,
}

impl GroupEstimator {
    /// Whether correctness alone decides: then rewards count for nothing and have no gradient.
    fn is_prompt_weight(self) -> bool {
        matches!(self, Self::LinearR | Self::SqrtR | Self::UniformR)
    }
}

/// A group estimator with an optional focal factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNormalization {
    /// The estimator.
    pub estimator: GroupEstimator,
    /// Exponent of the focal factor `(1-rho)^gamma` (F-GRPO, arXiv 2602.06717); 0 for none.
    pub focal_gamma: f32,
}

impl From<GroupEstimator> for GroupNormalization {
    fn from(estimator: GroupEstimator) -> Self {
        Self { estimator, focal_gamma: 0.0 }
    }
}

/// What [`group_normalize`] gives.
#[derive(Clone, Debug)]
pub struct GroupNormalized {
    /// Advantages, `[P, G]`; 0 where masked. Differentiable in the rewards.
    pub advantages: Tensor<2>,
    /// Mean reward of each group, `[P]`.
    pub means: Tensor<1>,
    /// Standard deviation of each group's rewards, `[P]` (the z-scores' ddof, else 0).
    pub stds: Tensor<1>,
    /// Success rate of each group, `[P]`.
    pub success_rates: Tensor<1>,
}

/// Advantages of rewards in groups of equal size.
///
/// With `n` valid rewards `r_i` in a group, `c_i = r_i - mean`, `std = sqrt(sum c^2 / (n - ddof))`
/// and success rate `rho` from the correctness flags:
///
/// ```text
/// centred        A_i = c_i
/// leave-one-out  A_i = n/(n-1) c_i
/// z-score        A_i = c_i / (std + epsilon)   or   c_i / sqrt(std^2 + epsilon)
/// Linear-R       A_i = (1-rho)/rho if right, -1 if wrong
/// Sqrt-R         A_i = sqrt(1-rho)/rho if right, -1/sqrt(1-rho) if wrong
/// Uniform-R      A_i = 1/rho if right, -1/(1-rho) if wrong
/// focal          A_i times (1-rho)^gamma
/// ```
///
/// Sources: arXiv 2503.20783 (centred), 2402.14740 (leave-one-out), 2402.03300 (z-score), 2602.11128
/// (Linear-R, Sqrt-R; Uniform-R DERIVED from its name), 2602.06717 (focal).
///
/// A group whose valid rewards are all equal gives exactly 0 in the first three (an exact comparison
/// of the largest with the smallest), and no gradient. Gradient of the z-score in the rewards, with
/// the focal factor and the correctness flags constant, `s` the divisor and `d` the root in it
/// (`std`, or `s` itself if epsilon is under the root):
///
/// ```text
/// dr_i = (g_i - mean g) / s - c_i sum_j(g_j c_j) / ((n - ddof) d s^2)
/// ```
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{GroupEstimator, group_normalize, resolve_device};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// let rewards = Tensor::<2>::from_data([[1.0f32, 0.0, 0.0, 0.0]], &device);
/// let mask = rewards.ones_like();
/// let out = group_normalize(rewards.clone(), rewards, mask, GroupEstimator::LeaveOneOut);
/// let found: Vec<f32> = out.advantages.into_data().try_to_vec().unwrap();
/// // 1 against a mean of the others of 0; 0 against a mean of the others of 1/3.
/// for (found, expected) in found.iter().zip([1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]) {
///     assert!((found - expected).abs() < 1e-6);
/// }
/// ```
///
/// # Shapes
/// - `rewards`, `correct`, `mask`: `[P, G]`. `correct` and `mask` are 1 or 0; where `mask` is 0 the
///   completion does not exist and whatever stands in the other two is ignored.
/// - output: `[P, G]` and three times `[P]`
///
/// # Panics
/// If the shapes differ, or ddof is neither 0 nor 1.
#[must_use]
pub fn group_normalize(
    rewards: Tensor<2>,
    correct: Tensor<2>,
    mask: Tensor<2>,
    rule: impl Into<GroupNormalization>,
) -> GroupNormalized {
    let rule = rule.into();
    let shape = rewards.dims();
    for (name, found) in [("correctness", correct.dims()), ("mask", mask.dims())] {
        assert!(found == shape, "rewards have shape {shape:?} but {name} {found:?}");
    }
    assert!(ddof(rule) <= 1, "ddof is 0 or 1, not {}", ddof(rule));
    let (advantages, statistics) = <Dispatch as TokenKernels>::group_normalize(
        rewards.into_dispatch(),
        correct.into_dispatch(),
        mask.into_dispatch(),
        rule,
    );
    let statistics = Tensor::<2>::from_dispatch(statistics);
    let column = |i| statistics.clone().narrow(1, i, 1).reshape([shape[0]]);
    GroupNormalized {
        advantages: Tensor::from_dispatch(advantages),
        means: column(0),
        stds: column(1),
        success_rates: column(2),
    }
}

fn ddof(rule: GroupNormalization) -> u8 {
    match rule.estimator {
        GroupEstimator::ZScore { ddof, .. } | GroupEstimator::ZScoreUnderRoot { ddof, .. } => ddof,
        _ => 0,
    }
}

// ANCHOR: reference
/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    rewards: FloatTensor<B>,
    correct: FloatTensor<B>,
    mask: FloatTensor<B>,
    rule: GroupNormalization,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let mask = accumulate::<B>(mask);
    let rates = Rates::<B>::new(accumulate::<B>(correct), &mask);
    let moments = Moments::<B>::new(accumulate::<B>(rewards), &mask, ddof(rule));
    let advantages = if rule.estimator.is_prompt_weight() {
        rates.weighted(rule.estimator)
    } else {
        let scaled = B::float_mul(moments.deviations.clone(), moments.scale(rule.estimator));
        B::float_mask_fill(scaled, moments.constant_rows(), 0.0f32.into())
    };
    let advantages = keep_where::<B>(advantages, &mask, 0.0);
    let advantages = match rule.focal_gamma {
        0.0 => advantages,
        gamma => B::float_mul(advantages, rates.focal(gamma)),
    };
    let statistics = B::float_cat(vec![moments.mean, moments.std, rates.rho], 1);
    (advantages, statistics)
}
// ANCHOR_END: reference

/// Success rate of each group, `[P, 1]`, and the correctness flags it came from.
struct Rates<B: Backend> {
    correct: FloatTensor<B>,
    rho: FloatTensor<B>,
}

impl<B: Backend> Rates<B> {
    fn new(correct: FloatTensor<B>, mask: &FloatTensor<B>) -> Self {
        let correct = keep_where::<B>(correct, mask, 0.0);
        let count = B::float_clamp_min(B::float_sum_dim(mask.clone(), 1), 1.0f32.into());
        let rho = B::float_div(B::float_sum_dim(correct.clone(), 1), count);
        Self { correct, rho }
    }

    /// `1 - rho`.
    fn failure(&self) -> FloatTensor<B> {
        B::float_add_scalar(B::float_neg(self.rho.clone()), 1.0f32.into())
    }

    fn focal(&self, gamma: f32) -> FloatTensor<B> {
        B::float_powf_scalar(self.failure(), gamma.into())
    }

    /// `c/rho` where right and `-c/(1-rho)` where wrong. The divisors are kept away from 0, which
    /// changes nothing: a right completion exists only if rho is at least `1/G`.
    fn weighted(&self, estimator: GroupEstimator) -> FloatTensor<B> {
        let coefficient = match estimator {
            GroupEstimator::SqrtR => B::float_sqrt(self.failure()),
            GroupEstimator::UniformR => {
                B::float_ones(self.rho.shape(), &self.rho.device(), self.rho.dtype().into())
            }
            _ => self.failure(),
        };
        let away = |tensor| B::float_clamp_min(tensor, 1e-9f32.into());
        let right = B::float_div(coefficient.clone(), away(self.rho.clone()));
        let wrong = B::float_neg(B::float_div(coefficient, away(self.failure())));
        let shape = self.correct.shape();
        let flag = greater::<B>(self.correct.clone(), 0.5);
        B::float_mask_where(
            B::float_expand(wrong, shape.clone()),
            flag,
            B::float_expand(right, shape),
        )
    }
}

/// Mean, deviations and standard deviation of each group's valid rewards.
struct Moments<B: Backend> {
    /// Valid rewards a group, at least 1, `[P, 1]`.
    count: FloatTensor<B>,
    mean: FloatTensor<B>,
    std: FloatTensor<B>,
    /// `r - mean`, 0 where masked, `[P, G]`.
    deviations: FloatTensor<B>,
    /// Largest minus smallest valid reward, `[P, 1]`; not positive if there are fewer than two.
    spread: FloatTensor<B>,
    degrees: FloatTensor<B>,
}

impl<B: Backend> Moments<B> {
    fn new(rewards: FloatTensor<B>, mask: &FloatTensor<B>, ddof: u8) -> Self {
        let rewards = keep_where::<B>(rewards, mask, 0.0);
        let count = B::float_clamp_min(B::float_sum_dim(mask.clone(), 1), 1.0f32.into());
        let mean = B::float_div(B::float_sum_dim(rewards.clone(), 1), count.clone());
        let deviations = B::float_sub(rewards.clone(), mean.clone());
        let deviations = keep_where::<B>(deviations, mask, 0.0);
        let squares = B::float_mul(deviations.clone(), deviations.clone());
        let degrees = B::float_sub_scalar(count.clone(), f32::from(ddof).into());
        let degrees = B::float_clamp_min(degrees, 1.0f32.into());
        let std = B::float_sqrt(B::float_div(B::float_sum_dim(squares, 1), degrees.clone()));
        let largest = B::float_max_dim(keep_where::<B>(rewards.clone(), mask, -HUGE), 1);
        let smallest = B::float_min_dim(keep_where::<B>(rewards, mask, HUGE), 1);
        let spread = B::float_sub(largest, smallest);
        Self { count, mean, std, deviations, spread, degrees }
    }

    /// True in rows whose valid rewards are all equal, `[P, G]`.
    fn constant_rows(&self) -> BoolTensor<B> {
        let dtype = bool_dtype::<B>(&self.spread);
        let shape = self.deviations.shape();
        let spread = B::float_expand(self.spread.clone(), shape);
        B::float_lower_equal_elem(spread, 0.0f32.into(), dtype)
    }

    /// What the deviations are multiplied with, `[P, 1]`.
    fn scale(&self, estimator: GroupEstimator) -> FloatTensor<B> {
        match estimator {
            GroupEstimator::LeaveOneOut => {
                let others = B::float_sub_scalar(self.count.clone(), 1.0f32.into());
                let others = B::float_clamp_min(others, 1.0f32.into());
                B::float_div(self.count.clone(), others)
            }
            GroupEstimator::ZScore { .. } | GroupEstimator::ZScoreUnderRoot { .. } => {
                let [_, divisor] = self.root_and_divisor(estimator);
                B::float_recip(divisor)
            }
            _ => B::float_div(self.count.clone(), self.count.clone()),
        }
    }

    /// The root in a z-score's divisor and the divisor, kept away from 0 for constant rows, which
    /// are overwritten.
    fn root_and_divisor(&self, estimator: GroupEstimator) -> [FloatTensor<B>; 2] {
        let away = |tensor| B::float_clamp_min(tensor, 1e-30f32.into());
        let std = self.std.clone();
        match estimator {
            GroupEstimator::ZScore { epsilon, .. } => {
                [away(std.clone()), away(B::float_add_scalar(std, epsilon.into()))]
            }
            GroupEstimator::ZScoreUnderRoot { epsilon, .. } => {
                let variance = B::float_mul(std.clone(), std);
                let root = away(B::float_sqrt(B::float_add_scalar(variance, epsilon.into())));
                [root.clone(), root]
            }
            _ => unreachable!("only a z-score is divided"),
        }
    }
}

/// The gradient of the rewards.
fn gradient<B: Backend>(saved: Saved<B>, upstream: FloatTensor<B>) -> FloatTensor<B> {
    let Saved { rewards, correct, mask, rule } = saved;
    let dtype = rewards.dtype();
    let (correct, mask) = (accumulate::<B>(correct), accumulate::<B>(mask));
    let upstream = accumulate::<B>(upstream);
    let moments = Moments::<B>::new(accumulate::<B>(rewards), &mask, ddof(rule));
    let upstream = keep_where::<B>(upstream, &mask, 0.0);
    let upstream = match rule.focal_gamma {
        0.0 => upstream,
        gamma => B::float_mul(upstream, Rates::<B>::new(correct, &mask).focal(gamma)),
    };
    let mean = B::float_div(B::float_sum_dim(upstream.clone(), 1), moments.count.clone());
    let centred = B::float_sub(upstream.clone(), mean);
    let scaled = B::float_mul(centred, moments.scale(rule.estimator));
    let whole = match rule.estimator {
        GroupEstimator::ZScore { .. } | GroupEstimator::ZScoreUnderRoot { .. } => {
            let product = B::float_mul(upstream, moments.deviations.clone());
            let [root, divisor] = moments.root_and_divisor(rule.estimator);
            // Divided one after the other: the product of the divisors could underflow.
            let through_std = B::float_div(B::float_sum_dim(product, 1), moments.degrees.clone());
            let through_std = B::float_div(B::float_div(through_std, divisor.clone()), divisor);
            let through_std = B::float_div(through_std, root);
            B::float_sub(scaled, B::float_mul(moments.deviations.clone(), through_std))
        }
        GroupEstimator::Centered | GroupEstimator::LeaveOneOut => scaled,
        _ => B::float_mul_scalar(upstream, 0.0f32.into()),
    };
    let whole = B::float_mask_fill(whole, moments.constant_rows(), 0.0f32.into());
    let whole = keep_where::<B>(whole, &mask, 0.0);
    if whole.dtype() == dtype { whole } else { B::float_cast(whole, dtype.into()) }
}

/// What backward needs.
#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    rewards: FloatTensor<B>,
    correct: FloatTensor<B>,
    mask: FloatTensor<B>,
    rule: GroupNormalization,
}

#[derive(Debug)]
struct GroupNormalizeBackward;

impl<B: Backend> Backward<B, 1> for GroupNormalizeBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let [rewards] = ops.parents;
        if let Some(node) = rewards {
            gradients.register::<B>(node.id, gradient::<B>(ops.state, upstream));
        }
    }
}

/// Advantages and statistics.
type Outputs<B> = (FloatTensor<B>, FloatTensor<B>);

// ANCHOR: tracked
/// The operation with its gradient.
pub(crate) fn tracked<B: TokenKernels, C: CheckpointStrategy>(
    rewards: FloatTensor<Autodiff<B, C>>,
    correct: FloatTensor<Autodiff<B, C>>,
    mask: FloatTensor<Autodiff<B, C>>,
    rule: GroupNormalization,
) -> Outputs<Autodiff<B, C>> {
    let (rewards, guard) = rewards.into_parts();
    let (correct, mask) = (correct.into_primitive(), mask.into_primitive());
    let (advantages, statistics) =
        B::group_normalize(rewards.clone(), correct.clone(), mask.clone(), rule);
    let advantages = match GroupNormalizeBackward.prepare::<C>([guard]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            prepared.finish(Saved { rewards, correct, mask, rule }, advantages)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(advantages),
    };
    (advantages, <Autodiff<B, C> as AutodiffBackend>::from_inner(statistics))
}
// ANCHOR_END: tracked
