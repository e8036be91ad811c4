//! The formulas of `policy_surrogate`, one token at a time.
//!
//! Every function is plain Rust, in `f32` and `f64`, and with the feature `cube` a CubeCL function
//! too: the fused kernels of the CPU and of the GPUs call the same lines. There is no branch and no
//! exponential in them, so a loop over them vectorises with whatever exponential it brings:
//!
//! ```text
//! d = logprob - behaviour        x = limited(d, limit)        R = exp(x)
//! token = clipped(R, A, ..)  (then `capped`, then `held`, as the rule says)
//! token = aspo(R, A, ..)
//! token = cispo(R, A, logprob, ..)
//! token = sapo(R, 1 / (1 + exp(-sapo_exponent(R, A, ..))), A, ..)  (then `held`)
//! ```
//!
//! The token is what [`without_advantage`] makes of it: exactly 0 where the advantage is.
//!
//! The divergence from a reference policy has formulas of its own: [`kl_linear`], [`kl_absolute`],
//! [`kl_square`] or [`kl_exponential`] of `limited(logprob - reference, ..)`, then [`kl_within`].

#[cfg(feature = "cube")]
use burn_cubecl::cubecl;
#[cfg(feature = "cube")]
use cubecl::prelude::*;

#[cfg(not(feature = "cube"))]
use plain::{Float, select};

use super::{CLIP_DUAL, CLIP_HIGH, CLIP_LOW, CLIP_NONE};

/// What the formulas need of a number where CubeCL is not compiled in.
#[cfg(not(feature = "cube"))]
mod plain {
    use std::ops::{Add, Div, Mul, Neg, Sub};

    pub(crate) trait Float:
        Copy
        + PartialOrd
        + Add<Output = Self>
        + Sub<Output = Self>
        + Mul<Output = Self>
        + Div<Output = Self>
        + Neg<Output = Self>
    {
        fn new(value: f32) -> Self;
    }

    impl Float for f32 {
        fn new(value: f32) -> Self {
            value
        }
    }

    impl Float for f64 {
        fn new(value: f32) -> Self {
            value.into()
        }
    }

    /// Both values are computed, then one is taken.
    pub(crate) fn select<T>(condition: bool, then: T, otherwise: T) -> T {
        if condition { then } else { otherwise }
    }
}

/// What a surrogate makes of one token.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "cube", derive(CubeType), expand(derive(Clone, Copy)))]
pub(crate) struct TokenLoss<F: Float> {
    /// The loss.
    pub(crate) loss: F,
    /// `d loss / d logprob`.
    pub(crate) derivative: F,
    /// `CLIP_NONE`, `CLIP_LOW`, `CLIP_HIGH` or `CLIP_DUAL`.
    pub(crate) clip: F,
}

/// The log-ratio within plus or minus the limit.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn limited<F: Float>(log_ratio: F, limit: F) -> F {
    let raised = select(log_ratio < -limit, -limit, log_ratio);
    select(raised > limit, limit, raised)
}

/// The gradient of a limited log-ratio is 0 where the limit holds it.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn held<F: Float>(token: TokenLoss<F>, log_ratio: F, limited: F) -> TokenLoss<F> {
    TokenLoss::<F> {
        loss: token.loss,
        derivative: select(log_ratio == limited, token.derivative, F::new(0.0)),
        clip: token.clip,
    }
}

/// The side on which a clip cuts: low for negative advantages, high for positive ones.
#[cfg_attr(feature = "cube", cube)]
fn side<F: Float>(advantage: F) -> F {
    let negative = select(advantage < F::new(0.0), F::new(CLIP_LOW), F::new(CLIP_NONE));
    select(advantage > F::new(0.0), F::new(CLIP_HIGH), negative)
}

/// `-min(R A, clip(R, low, high) A)`, without a gradient where the clip is the smaller.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn clipped<F: Float>(ratio: F, advantage: F, low: F, high: F) -> TokenLoss<F> {
    let raised = select(ratio < low, low, ratio);
    let bounded = select(raised > high, high, raised);
    let plain = ratio * advantage;
    let cut = bounded * advantage;
    let active = cut < plain;
    TokenLoss::<F> {
        loss: -select(active, cut, plain),
        derivative: select(active, F::new(0.0), -plain),
        clip: select(active, side::<F>(advantage), F::new(CLIP_NONE)),
    }
}

/// The hard dual clip of the clipped surrogate: for `A < 0` at most `-A cap`, flat above it.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn capped<F: Float>(token: TokenLoss<F>, advantage: F, cap: F) -> TokenLoss<F> {
    let bound = -(advantage * cap);
    let above = select(advantage < F::new(0.0), token.loss, bound) > bound;
    TokenLoss::<F> {
        loss: select(above, bound, token.loss),
        derivative: select(above, F::new(0.0), token.derivative),
        clip: select(above, F::new(CLIP_DUAL), token.clip),
    }
}

/// `-A min(w, cap)` with `w = 1/R` for `A > 0` and `R` elsewhere, held and without a gradient
/// beyond the mask's edge, with a gradient at the cap.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn aspo<F: Float>(ratio: F, advantage: F, low: F, high: F, cap: F) -> TokenLoss<F> {
    let zero = F::new(0.0);
    let flipped = F::new(1.0) / select(ratio > high, high, ratio);
    let raised = select(ratio < low, low, ratio);
    let weight = select(advantage > zero, flipped, raised);
    let loss = -(select(weight > cap, cap, weight) * advantage);
    // Compared on one side only: the other side's ratio is put on its edge.
    let above = select(advantage > zero, ratio, high) > high;
    let below = select(advantage < zero, ratio, low) < low;
    let one_sided = select(above, F::new(CLIP_HIGH), select(below, F::new(CLIP_LOW), zero));
    TokenLoss::<F> {
        loss,
        derivative: select(one_sided > zero, zero, loss),
        clip: select(weight > cap, F::new(CLIP_DUAL), one_sided),
    }
}

/// `-A clip(R, lowest, highest) logprob` with a constant weight.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn cispo<F: Float>(
    ratio: F,
    advantage: F,
    logprob: F,
    lowest: F,
    highest: F,
) -> TokenLoss<F> {
    let raised = select(ratio < lowest, lowest, ratio);
    let weight = select(raised > highest, highest, raised);
    let derivative = -(weight * advantage);
    let low = select(ratio < lowest, F::new(CLIP_LOW), F::new(CLIP_NONE));
    TokenLoss::<F> {
        loss: derivative * logprob,
        derivative,
        clip: select(ratio > highest, F::new(CLIP_HIGH), low),
    }
}

/// The exponent `tau (R - 1)` of SAPO's gate, `sigmoid` of it.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn sapo_exponent<F: Float>(ratio: F, advantage: F, positive: F, negative: F) -> F {
    select(advantage > F::new(0.0), positive, negative) * (ratio - F::new(1.0))
}

/// `-(4 / tau) s A` with the gate `s`; derivative `-4 s (1 - s) R A`.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn sapo<F: Float>(
    ratio: F,
    gate: F,
    advantage: F,
    positive: F,
    negative: F,
) -> TokenLoss<F> {
    let tau = select(advantage > F::new(0.0), positive, negative);
    let slope = gate * (F::new(1.0) - gate);
    let pull = F::new(-4.0) * (slope * ratio * advantage);
    TokenLoss::<F> {
        loss: F::new(-4.0) / tau * gate * advantage,
        // s (1 - s) R goes to 0 as R grows, although R may be infinite there.
        derivative: select(slope > F::new(0.0), pull, F::new(0.0)),
        clip: F::new(CLIP_NONE),
    }
}

/// A token without an advantage has no loss, no gradient and is never called clipped, even where
/// its ratio is infinite and the product with 0 is not a number.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn without_advantage<F: Float>(token: TokenLoss<F>, advantage: F) -> TokenLoss<F> {
    let none = advantage == F::new(0.0);
    TokenLoss::<F> {
        loss: select(none, F::new(0.0), token.loss),
        derivative: select(none, F::new(0.0), token.derivative),
        clip: select(none, F::new(CLIP_NONE), token.clip),
    }
}

/// An estimate of a divergence from one token.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "cube", derive(CubeType), expand(derive(Clone, Copy)))]
pub(crate) struct TokenKl<F: Float> {
    /// The estimate.
    pub(crate) value: F,
    /// `d estimate / d logprob`.
    pub(crate) slope: F,
}

/// k1: `d`.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn kl_linear<F: Float>(difference: F) -> TokenKl<F> {
    TokenKl::<F> { value: difference, slope: F::new(1.0) }
}

/// `|d|`; no slope at 0.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn kl_absolute<F: Float>(difference: F) -> TokenKl<F> {
    let zero = F::new(0.0);
    let below = select(difference < zero, F::new(-1.0), zero);
    let slope = select(difference > zero, F::new(1.0), below);
    TokenKl::<F> { value: select(difference < zero, -difference, difference), slope }
}

/// k2: `d^2 / 2`.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn kl_square<F: Float>(difference: F) -> TokenKl<F> {
    TokenKl::<F> { value: difference * difference * F::new(0.5), slope: difference }
}

/// k3: `e^-d - 1 + d`, from `d` and `e^-d`.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn kl_exponential<F: Float>(difference: F, exponential: F) -> TokenKl<F> {
    let one = F::new(1.0);
    TokenKl::<F> { value: exponential - one + difference, slope: one - exponential }
}

/// The estimate within plus or minus `limit`, without a slope where either limit holds it: the one
/// on the estimate, or the one that made `limited` of the difference.
#[cfg_attr(feature = "cube", cube)]
pub(crate) fn kl_within<F: Float>(
    estimate: TokenKl<F>,
    difference: F,
    held: F,
    limit: F,
) -> TokenKl<F> {
    let value = limited::<F>(estimate.value, limit);
    let slope = select(value == estimate.value, estimate.slope, F::new(0.0));
    TokenKl::<F> { value, slope: select(difference == held, slope, F::new(0.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss, derivative and clip code in `f64`.
    fn parts(token: TokenLoss<f64>) -> [f64; 3] {
        [token.loss, token.derivative, token.clip]
    }

    #[track_caller]
    fn assert_parts(token: TokenLoss<f64>, expected: [f64; 3]) {
        for (found, wanted) in parts(token).iter().zip(expected) {
            assert!((found - wanted).abs() < 1e-12, "{token:?} is not {expected:?}");
        }
    }

    #[test]
    fn the_eight_aspo_gradients() {
        let gradient = |ratio: f64, a: f64| aspo(ratio, a, 0.8, 1.2, 3.0).derivative;
        let up = [0.2, 0.5, 1.1, 1.9].map(|ratio| gradient(ratio, 1.0));
        assert_eq!(up, [-3.0, -2.0, -1.0 / 1.1, 0.0]);
        let down = [4.0, 1.5, 0.9, 0.5].map(|ratio| gradient(ratio, -1.0));
        assert_eq!(down, [3.0, 1.5, 0.9, 0.0]);
        // The same lines in f32.
        assert_eq!(aspo(0.5f32, 1.0, 0.8, 1.2, 3.0).derivative, -2.0);
    }

    #[test]
    fn aspo_names_what_it_clips() {
        let code = |ratio: f64, a: f64| aspo(ratio, a, 0.8, 1.2, 3.0).clip as f32;
        assert_eq!([0.2, 1.1, 1.9].map(|r| code(r, 1.0)), [CLIP_DUAL, CLIP_NONE, CLIP_HIGH]);
        assert_eq!([4.0, 0.9, 0.5].map(|r| code(r, -1.0)), [CLIP_DUAL, CLIP_NONE, CLIP_LOW]);
    }

    #[test]
    fn the_clip_takes_the_smaller_objective() {
        let token = |ratio, a| clipped(ratio, a, 0.75, 1.25);
        assert_parts(token(1.0, 2.0), [-2.0, -2.0, 0.0]);
        assert_parts(token(1.5, 2.0), [-2.5, 0.0, CLIP_HIGH.into()]);
        assert_parts(token(0.5, 2.0), [-1.0, -1.0, 0.0]);
        assert_parts(token(0.5, -2.0), [1.5, 0.0, CLIP_LOW.into()]);
        assert_parts(token(1.5, -2.0), [3.0, 3.0, 0.0]);
    }

    #[test]
    fn the_cap_flattens_only_bad_tokens_above_it() {
        let token = |ratio, a| capped(clipped(ratio, a, 0.8, 1.2), a, 3.0);
        assert_parts(token(4.0, -2.0), [6.0, 0.0, CLIP_DUAL.into()]);
        assert_parts(token(2.0, -2.0), [4.0, 4.0, 0.0]);
        assert_parts(token(0.5, -1.0), [0.8, 0.0, CLIP_LOW.into()]);
        assert_parts(token(4.0, 2.0), [-2.4, 0.0, CLIP_HIGH.into()]);
    }

    #[test]
    fn cispo_bounds_the_weight_and_keeps_the_gradient() {
        assert_parts(cispo(9.0, -3.0, -2.0, 0.5, 2.0), [-12.0, 6.0, CLIP_HIGH.into()]);
        assert_parts(cispo(0.1, 1.0, -2.0, 0.5, 2.0), [1.0, -0.5, CLIP_LOW.into()]);
        assert_parts(cispo(1.5, 1.0, -2.0, 0.5, 2.0), [3.0, -1.5, 0.0]);
    }

    #[test]
    fn sapo_is_reinforce_at_a_ratio_of_one_and_flat_far_from_it() {
        assert_eq!(sapo_exponent(1.0, 1.0, 2.0, 3.0), 0.0);
        assert_eq!(sapo_exponent(3.0, -1.0, 2.0, 3.0), 6.0);
        // Gate 1/2: loss -(4/2) A/2, derivative -4/4 A.
        assert_parts(sapo(1.0, 0.5, 1.5, 2.0, 3.0), [-1.5, -1.5, 0.0]);
        assert_parts(sapo(f64::INFINITY, 1.0, -1.0, 2.0, 4.0), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_limit_holds_the_log_ratio_and_its_gradient() {
        assert_eq!([-30.0, -1.0, 30.0].map(|d| limited(d, 20.0)), [-20.0, -1.0, 20.0]);
        let token = clipped(1.0, -1.0, 0.8, 1.2);
        assert_parts(held(token, 3.0, 3.0), [1.0, 1.0, 0.0]);
        assert_parts(held(token, 3.0, 2.0), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn estimates_of_a_divergence_have_their_slopes() {
        let estimates: [fn(f64) -> TokenKl<f64>; 4] =
            [kl_linear, kl_absolute, kl_square, |d| kl_exponential(d, (-d).exp())];
        let values = estimates.map(|estimate| estimate(-0.5).value);
        assert_eq!(values[..3], [-0.5, 0.5, 0.125]);
        assert!((values[3] - (0.5f64.exp() - 1.5)).abs() < 1e-15);
        for (estimate, d) in estimates.into_iter().zip([0.7, -0.7, 1.3, -2.0]) {
            let h = 1e-6;
            let difference = (estimate(d + h).value - estimate(d - h).value) / (2.0 * h);
            assert!((estimate(d).slope - difference).abs() < 1e-8, "{d}");
        }
    }

    #[test]
    fn limits_of_a_divergence_take_its_slope() {
        let at = |d: f64, exponent: f64, value: f64| {
            let held = limited(d, exponent);
            kl_within(kl_square(held), d, held, value)
        };
        assert_eq!(at(1.0, 2.0, 9.0), TokenKl { value: 0.5, slope: 1.0 });
        assert_eq!(at(3.0, 2.0, 9.0), TokenKl { value: 2.0, slope: 0.0 });
        assert_eq!(at(3.0, 9.0, 4.0), TokenKl { value: 4.0, slope: 0.0 });
    }

    #[test]
    fn no_advantage_is_no_loss_whatever_the_ratio() {
        let infinite = f64::INFINITY;
        let tokens = [
            capped(clipped(infinite, 0.0, 0.8, 1.2), 0.0, 3.0),
            aspo(infinite, 0.0, 0.8, 1.2, 3.0),
            cispo(infinite, 0.0, -1.0, 0.0, infinite),
            sapo(infinite, 1.0, 0.0, 1.0, 1.0),
        ];
        assert_eq!(tokens.map(|token| parts(without_advantage(token, 0.0))), [[0.0; 3]; 4]);
        let token = clipped(1.0, 2.0, 0.8, 1.2);
        assert_eq!(without_advantage(token, 2.0), token);
    }
}
