//! `sample_tokens`: one token a row from logits and one uniform number, with its scores.

use burn::backend::{
    Backend, Dispatch, TensorMetadata, get_or_init_device_settings,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Int, Shape, Slice, Tensor};

use crate::ops::TokenKernels;
use crate::primitive::{accumulate, bool_dtype, dims2};
use crate::token_logprobs;

#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod support;

/// The distribution to draw from: `softmax(logits / temperature)`, cut to a support.
///
/// A token is in the support if all of these hold; ties at an edge are all in. Each rule looks at
/// the whole distribution, so their order does not matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingRule {
    /// Divides the logits; above 0.
    pub temperature: f32,
    /// It is among the `top_k` likeliest.
    pub top_k: Option<usize>,
    /// The tokens likelier than it have less than this probability together (arXiv 1904.09751).
    pub top_p: Option<f32>,
    /// It has at least this share of the likeliest token's probability (arXiv 2407.01082).
    pub min_p: Option<f32>,
}

impl SamplingRule {
    /// The whole distribution at a temperature.
    #[must_use]
    pub fn at(temperature: f32) -> Self {
        Self { temperature, top_k: None, top_p: None, min_p: None }
    }

    fn assert_possible(&self) {
        let Self { temperature, top_k, top_p, min_p } = *self;
        assert!(temperature > 0.0, "the temperature must be positive, not {temperature}");
        assert!(top_k != Some(0), "top_k must be at least 1, not 0");
        let within = |share: Option<f32>| share.is_none_or(|share| share > 0.0 && share <= 1.0);
        assert!(within(top_p), "top_p must be above 0 and at most 1, not {top_p:?}");
        assert!(within(min_p), "min_p must be above 0 and at most 1, not {min_p:?}");
    }
}

/// What [`sample_tokens`] gives, each `[N]` and without a gradient.
#[derive(Clone, Debug)]
pub struct SampledTokens {
    /// The tokens.
    pub tokens: Tensor<1, Int>,
    /// Log-probability of each under the whole distribution at the temperature.
    pub logprobs: Tensor<1>,
    /// Log-probability of each under the distribution that it was drawn from.
    pub support_logprobs: Tensor<1>,
    /// Entropy in nats of the whole distribution at the temperature.
    pub entropies: Tensor<1>,
}

/// Draws one token a row by inverting the distribution function: the first token whose cumulated
/// probability, in the order of ids, exceeds `u` times the support's whole.
///
/// A row's token depends on its logits and its number alone, on the CPU to the bit; a token outside
/// the support or of probability 0 is never drawn. A NaN in a row makes its log-probabilities NaN.
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{SamplingRule, resolve_device, sample_tokens};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// // Probabilities 1/2, 1/4, 1/8, 1/8.
/// let row = [8f32, 4.0, 2.0, 2.0].map(f32::ln);
/// let logits = Tensor::<2>::from_data([row, row], &device);
/// let uniforms = Tensor::<1>::from_data([0.6f32, 0.6], &device);
/// let rule = SamplingRule { top_k: Some(2), ..SamplingRule::at(1.0) };
/// let drawn = sample_tokens(logits, uniforms, rule);
/// let logprobs: Vec<f32> = drawn.logprobs.into_data().try_to_vec().unwrap();
/// let support: Vec<f32> = drawn.support_logprobs.into_data().try_to_vec().unwrap();
/// // 0.6 of 3/4 is 0.45: still the first token, of probability 1/2, and 2/3 in the support.
/// assert!((logprobs[0] - 0.5f32.ln()).abs() < 1e-6);
/// assert!((support[1] - (2f32 / 3.0).ln()).abs() < 1e-6);
/// ```
///
/// # Shapes
/// - `logits`: `[N, V]`
/// - `uniforms`: `[N]`, from 0 to below 1
/// - output: four times `[N]`
///
/// # Panics
/// If the shapes disagree or a setting is outside its range.
#[must_use]
pub fn sample_tokens(logits: Tensor<2>, uniforms: Tensor<1>, rule: SamplingRule) -> SampledTokens {
    let [rows, _] = logits.dims();
    assert!(
        uniforms.dims() == [rows],
        "logits have {rows} rows but uniform numbers have shape {:?}",
        uniforms.dims()
    );
    rule.assert_possible();
    let (tokens, scores) = <Dispatch as TokenKernels>::sample_tokens(
        logits.into_dispatch(),
        uniforms.into_dispatch(),
        rule,
    );
    let scores = Tensor::<2>::from_dispatch(scores);
    let column = |i| scores.clone().narrow(1, i, 1).reshape([rows]);
    SampledTokens {
        tokens: Tensor::from_dispatch(tokens),
        logprobs: column(0),
        support_logprobs: column(1),
        entropies: column(2),
    }
}

/// The body for every backend: `[N]` tokens and `[N, 3]` scores.
pub(crate) fn reference<B: Backend>(
    logits: FloatTensor<B>,
    uniforms: FloatTensor<B>,
    rule: SamplingRule,
) -> (IntTensor<B>, FloatTensor<B>) {
    let [rows, vocabulary] = dims2(&logits, "logits");
    let logits = accumulate::<B>(logits);
    let scaled = B::float_div_scalar(logits.clone(), rule.temperature.into());
    let shifted = B::float_sub(scaled.clone(), B::float_max_dim(scaled, 1));
    let exponentials = B::float_exp(shifted);
    let kept = within_support::<B>(exponentials.clone(), rule);
    let cumulated = B::float_cumsum(kept, 1);
    let last = [Slice::full(), Slice::from(vocabulary - 1..vocabulary)];
    let whole = B::float_slice(cumulated.clone(), &last);
    let uniforms = B::float_reshape(accumulate::<B>(uniforms), Shape::new([rows, 1]));
    let threshold = B::float_mul(whole.clone(), uniforms);
    let threshold = B::float_expand(threshold, cumulated.shape());
    let below = B::float_lower_equal(cumulated.clone(), threshold, bool_dtype::<B>(&cumulated));
    let int = get_or_init_device_settings::<B>(&logits.device()).int_dtype;
    let tokens = B::int_sum_dim(B::bool_into_int(below, int), 1);
    // Rounding could let the product reach the whole.
    let tokens = B::int_clamp_max(tokens, (vocabulary as i64 - 1).into());
    let tokens = B::int_reshape(tokens, Shape::new([rows]));

    let scored = token_logprobs::reference::<B>(logits, tokens.clone(), rule.temperature);
    let column = |i: usize| B::float_slice(scored.clone(), &[Slice::full(), Slice::from(i..i + 1)]);
    // The share of the support in the whole distribution.
    let share = B::float_div(whole, B::float_sum_dim(exponentials, 1));
    let within = B::float_sub(column(0), B::float_log(share));
    (tokens, B::float_cat(vec![column(0), within, column(1)], 1))
}

/// The exponentials, 0 outside the support.
pub(crate) fn within_support<B: Backend>(
    exponentials: FloatTensor<B>,
    rule: SamplingRule,
) -> FloatTensor<B> {
    let [_, vocabulary] = dims2(&exponentials, "exponentials");
    let mut edges = Vec::new();
    if rule.top_k.is_some() || rule.top_p.is_some() {
        let sorted = B::float_sort(exponentials.clone(), 1, true);
        if let Some(count) = rule.top_k {
            let place = count.min(vocabulary) - 1;
            let edge = [Slice::full(), Slice::from(place..place + 1)];
            edges.push(B::float_slice(sorted.clone(), &edge));
        }
        if let Some(share) = rule.top_p {
            edges.push(nucleus_edge::<B>(sorted, share));
        }
    }
    if let Some(share) = rule.min_p {
        let largest = B::float_max_dim(exponentials.clone(), 1);
        edges.push(B::float_mul_scalar(largest, share.into()));
    }
    edges.into_iter().fold(exponentials, |kept, edge| {
        let edge = B::float_expand(edge, kept.shape());
        let outside = B::float_lower(kept.clone(), edge, bool_dtype::<B>(&kept));
        B::float_mask_fill(kept, outside, 0.0f32.into())
    })
}

/// The smallest exponential whose predecessors have less than the share together, `[N, 1]`.
fn nucleus_edge<B: Backend>(sorted: FloatTensor<B>, share: f32) -> FloatTensor<B> {
    let cumulated = B::float_cumsum(sorted.clone(), 1);
    let before = B::float_sub(cumulated, sorted.clone());
    let whole = B::float_mul_scalar(B::float_sum_dim(sorted.clone(), 1), share.into());
    let whole = B::float_expand(whole, before.shape());
    let outside = B::float_greater_equal(before.clone(), whole, bool_dtype::<B>(&before));
    // The first is always in.
    let largest = B::float_max_dim(sorted.clone(), 1);
    let largest = B::float_expand(largest, sorted.shape());
    let inside = B::float_mask_where(sorted, outside, largest);
    B::float_min_dim(inside, 1)
}
