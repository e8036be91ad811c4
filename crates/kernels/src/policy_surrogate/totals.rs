//! `surrogate_totals`: what people log about a surrogate, summed over its tokens in one pass.

use burn::backend::{Backend, Dispatch, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{Shape, Tensor};

use super::{CLIP_DUAL, CLIP_HIGH, CLIP_LOW};
use crate::ops::TokenKernels;
use crate::primitive::{accumulate, bool_dtype, indicator, keep_where};

/// Sums over the tokens whose mask is 1: their number, how many were clipped low, high and by the
/// dual clip, the ratio `R`, `-log R` and `R - 1 - log R`.
///
/// ```
/// use burn::tensor::Tensor;
/// use fireproof_kernels::{CLIP_LOW, resolve_device, surrogate_totals};
///
/// let device = resolve_device(Some("flex")).unwrap().device;
/// let row = |values: [f32; 3]| Tensor::<2>::from_data([values], &device);
/// let totals = surrogate_totals(row([0.5, 1.0, 9.0]), row([CLIP_LOW, 0.0, 0.0]), row([1.0, 1.0, 0.0]));
/// let found: Vec<f32> = totals.into_data().try_to_vec().unwrap();
/// let log = 2f32.ln();
/// for (found, expected) in found.iter().zip([2.0, 1.0, 0.0, 0.0, 1.5, log, log - 0.5]) {
///     assert!((found - expected).abs() < 1e-6);
/// }
/// ```
///
/// # Shapes
/// Inputs `[B, T]`, output `[7]`; without a gradient.
///
/// # Panics
/// If the shapes differ.
#[must_use]
pub fn surrogate_totals(ratio: Tensor<2>, clip: Tensor<2>, mask: Tensor<2>) -> Tensor<1> {
    let shape = ratio.dims();
    for (name, found) in [("clip codes", clip.dims()), ("mask", mask.dims())] {
        assert!(found == shape, "ratios have shape {shape:?} but {name} {found:?}");
    }
    let [ratio, clip, mask] = [ratio, clip, mask].map(|t| t.detach().into_dispatch());
    Tensor::from_dispatch(<Dispatch as TokenKernels>::surrogate_totals(ratio, clip, mask))
}

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    ratio: FloatTensor<B>,
    clip: FloatTensor<B>,
    mask: FloatTensor<B>,
) -> FloatTensor<B> {
    let sum = |tensor: FloatTensor<B>| B::float_sum(keep_where::<B>(tensor, &mask, 0.0));
    let dtype = ratio.dtype().into();
    let coded = |code: f32| {
        let equal = B::float_equal_elem(clip.clone(), code.into(), bool_dtype::<B>(&clip));
        sum(indicator::<B>(equal, dtype))
    };
    let log = B::float_log(ratio.clone());
    let above = B::float_sub_scalar(B::float_sub(ratio.clone(), log.clone()), 1.0f32.into());
    let totals = vec![
        B::float_sum(accumulate::<B>(mask.clone())),
        coded(CLIP_LOW),
        coded(CLIP_HIGH),
        coded(CLIP_DUAL),
        sum(ratio),
        sum(B::float_neg(log)),
        sum(above),
    ];
    let one = |total| B::float_reshape(total, Shape::new([1]));
    B::float_cat(totals.into_iter().map(one).collect(), 0)
}

#[cfg(feature = "flex")]
pub(crate) mod flex {
    //! The loop on the CPU.

    use burn::backend::{Flex, tensor::FloatTensor};
    use rayon::prelude::*;

    use super::{CLIP_DUAL, CLIP_HIGH, CLIP_LOW, reference};
    use crate::flex::math::log;
    use crate::flex::{LANES, are_f32, dense, load, numbers, simd, tensor};

    /// Tokens that are summed in `f32`, a sixteenth of them a lane; their sums are added in `f64`.
    const TOKENS: usize = 4096;

    pub(crate) fn fused(
        ratio: FloatTensor<Flex>,
        clip: FloatTensor<Flex>,
        mask: FloatTensor<Flex>,
    ) -> FloatTensor<Flex> {
        if !are_f32(&[&ratio, &clip, &mask]) {
            return reference::<Flex>(ratio, clip, mask);
        }
        let [ratio, clip, mask] = [ratio, clip, mask].map(dense);
        let [ratio, clip, mask] = [&ratio, &clip, &mask].map(numbers);
        let parts = ratio.par_chunks(TOKENS).zip(clip.par_chunks(TOKENS));
        let parts = parts.zip(mask.par_chunks(TOKENS)).with_min_len(4);
        let parts: Vec<[f64; 7]> = parts
            .map(|((ratio, clip), mask)| {
                simd(
                    #[inline(always)]
                    || sums(ratio, clip, mask),
                )
            })
            .collect();
        let mut totals = [0.0f64; 7];
        for part in parts {
            totals.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        tensor(totals.map(|total| total as f32).to_vec(), [7])
    }

    #[inline(always)]
    fn sums(ratio: &[f32], clip: &[f32], mask: &[f32]) -> [f64; 7] {
        let mut sums = [[0.0f32; LANES]; 7];
        for start in (0..ratio.len()).step_by(LANES) {
            let [ratio, clip, mask] = [load(ratio, start), load(clip, start), load(mask, start)];
            for lane in 0..LANES {
                let counts = mask[lane] > 0.0;
                let flag = |code: f32| if counts && clip[lane] == code { 1.0 } else { 0.0 };
                let ratio = if counts { ratio[lane] } else { 1.0 };
                let log = log(ratio);
                sums[0][lane] += mask[lane];
                sums[1][lane] += flag(CLIP_LOW);
                sums[2][lane] += flag(CLIP_HIGH);
                sums[3][lane] += flag(CLIP_DUAL);
                sums[4][lane] += if counts { ratio } else { 0.0 };
                sums[5][lane] -= log;
                sums[6][lane] += ratio - 1.0 - log;
            }
        }
        sums.map(|lanes| lanes.iter().map(|lane| f64::from(*lane)).sum())
    }
}
