//! The loop of `sample_tokens` on the CPU: a row's exponentials stay in the cache.

use burn::backend::{
    Flex, TensorMetadata, get_or_init_device_settings,
    ops::IntTensorOps,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::{SamplingRule, reference};
use crate::flex::math::exp;
use crate::flex::{are_f32, dense, largest, numbers, rows, simd, tensor};
use crate::primitive::dims2;

/// Likeliest tokens to sort first; more only if they do not hold the nucleus.
const FIRST_SORTED: usize = 64;

pub(crate) fn fused(
    logits: FloatTensor<Flex>,
    uniforms: FloatTensor<Flex>,
    rule: SamplingRule,
) -> (IntTensor<Flex>, FloatTensor<Flex>) {
    if !are_f32(&[&logits, &uniforms]) {
        return reference::<Flex>(logits, uniforms, rule);
    }
    let device = logits.device();
    let [count, vocabulary] = dims2(&logits, "logits");
    let [logits, uniforms] = [logits, uniforms].map(dense);
    let [logits, uniforms] = [&logits, &uniforms].map(numbers);
    let drawn = logits.par_chunks(vocabulary.max(1)).zip(uniforms).map_init(
        || (vec![0.0; vocabulary], Vec::new()),
        |(exponentials, sorted), (row, uniform)| {
            simd(
                #[inline(always)]
                || Row { exponentials, sorted, rule }.draw(row, *uniform),
            )
        },
    );
    let drawn: Vec<(usize, [f32; 3])> = drawn.collect();
    let tokens: Vec<i64> = drawn.iter().map(|(token, _)| *token as i64).collect();
    let dtype = get_or_init_device_settings::<Flex>(&device).int_dtype;
    let tokens = TensorData::new(tokens, [count]).convert_dtype(dtype.into());
    let scores = drawn.iter().flat_map(|(_, scores)| *scores).collect();
    (Flex::int_from_data(tokens, &device), tensor(scores, [count, 3]))
}

/// The exponentials of each row, 0 outside the support.
pub(crate) fn support(logits: FloatTensor<Flex>, rule: SamplingRule) -> FloatTensor<Flex> {
    if !are_f32(&[&logits]) {
        return super::support::reference::<Flex>(logits, rule);
    }
    let [count, vocabulary] = dims2(&logits, "logits");
    let logits = dense(logits);
    let logits = numbers(&logits);
    let [kept] = rows(count, vocabulary, [vocabulary], |range, [kept]| {
        let mut sorted = Vec::new();
        for (row, exponentials) in range.zip(kept.chunks_exact_mut(vocabulary)) {
            let logits = &logits[row * vocabulary..(row + 1) * vocabulary];
            simd(
                #[inline(always)]
                || Row { exponentials, sorted: &mut sorted, rule }.restrict(logits),
            );
        }
    });
    tensor(kept, [count, vocabulary])
}

/// One row's work.
struct Row<'a> {
    exponentials: &'a mut [f32],
    sorted: &'a mut Vec<f32>,
    rule: SamplingRule,
}

impl Row<'_> {
    /// The token; its log-probabilities in the whole and in the support; the entropy.
    #[inline(always)]
    fn draw(mut self, logits: &[f32], uniform: f32) -> (usize, [f32; 3]) {
        let [inverse, shift] = self.exponentials(logits);
        let (whole, weighted) = self.sums(logits, inverse, shift);
        let edge = self.edge(whole);
        let kept = |exponential: f32| if exponential < edge { 0.0 } else { f64::from(exponential) };
        let support =
            if edge > 0.0 { self.exponentials.iter().map(|e| kept(*e)).sum() } else { whole };
        let threshold = support * f64::from(uniform);
        let (mut cumulated, mut token) = (0.0, None);
        for (id, exponential) in self.exponentials.iter().enumerate() {
            cumulated += kept(*exponential);
            if cumulated > threshold {
                token = Some(id);
                break;
            }
        }
        // Rounding could let the product reach the whole, and a NaN exceeds nothing.
        let token = token.unwrap_or(logits.len() - 1);
        let above = logits[token].mul_add(inverse, -shift);
        let logprob = (f64::from(above) - whole.ln()) as f32;
        let within = (f64::from(above) - support.ln()) as f32;
        (token, [logprob, within, (whole.ln() - weighted / whole) as f32])
    }

    /// `exp(z / temperature - shift)` of each logit; the inverse temperature and the shift.
    #[inline(always)]
    fn exponentials(&mut self, logits: &[f32]) -> [f32; 2] {
        let inverse = 1.0 / self.rule.temperature;
        let shift = largest(logits) * inverse;
        let places = self.exponentials.iter_mut().zip(logits);
        places.for_each(|(place, z)| *place = exp(z.mul_add(inverse, -shift)));
        [inverse, shift]
    }

    /// The exponentials, 0 outside the support.
    #[inline(always)]
    fn restrict(mut self, logits: &[f32]) {
        let [inverse, shift] = self.exponentials(logits);
        let (whole, _) = self.sums(logits, inverse, shift);
        let edge = self.edge(whole);
        let places = self.exponentials.iter_mut();
        places.for_each(|place| *place = if *place < edge { 0.0 } else { *place });
    }

    /// `sum exp(s)` and `sum exp(s) s`, each exponential as it is.
    #[inline(always)]
    fn sums(&self, logits: &[f32], inverse: f32, shift: f32) -> (f64, f64) {
        let [mut whole, mut weighted] = [[0.0f64; 8]; 2];
        for (part, logits) in self.exponentials.chunks(8).zip(logits.chunks(8)) {
            for (lane, (exponential, z)) in part.iter().zip(logits).enumerate() {
                let above = z.mul_add(inverse, -shift);
                let above = if above < -200.0 { -200.0 } else { above };
                whole[lane] += f64::from(*exponential);
                weighted[lane] += f64::from(*exponential) * f64::from(above);
            }
        }
        (whole.iter().sum(), weighted.iter().sum())
    }

    /// The smallest exponential in the support.
    fn edge(&mut self, whole: f64) -> f32 {
        let SamplingRule { top_k, top_p, min_p, .. } = self.rule;
        // The likeliest token's exponential is 1.
        let mut edge = min_p.unwrap_or(0.0);
        let count = self.exponentials.len();
        if let Some(top) = top_k.filter(|top| *top < count) {
            self.sorted.clear();
            self.sorted.extend_from_slice(self.exponentials);
            let (_, kth, _) = self.sorted.select_nth_unstable_by(top - 1, |a, b| b.total_cmp(a));
            edge = edge.max(*kth);
        }
        top_p.map_or(edge, |share| edge.max(self.nucleus_edge(f64::from(share) * whole)))
    }

    /// The last token, likeliest first, whose predecessors have less than the mass together.
    fn nucleus_edge(&mut self, mass: f64) -> f32 {
        self.sorted.clear();
        self.sorted.extend_from_slice(self.exponentials);
        let (mut start, mut width, mut before) = (0, FIRST_SORTED, 0.0f64);
        let mut edge = f32::MAX;
        while start < self.sorted.len() {
            let rest = &mut self.sorted[start..];
            let width_here = width.min(rest.len());
            if width_here < rest.len() {
                rest.select_nth_unstable_by(width_here - 1, |a, b| b.total_cmp(a));
            }
            rest[..width_here].sort_unstable_by(|a, b| b.total_cmp(a));
            for exponential in &rest[..width_here] {
                if before >= mass {
                    return edge;
                }
                edge = *exponential;
                before += f64::from(*exponential);
            }
            start += width_here;
            width *= 8;
        }
        edge
    }
}
