//! ASPO: the importance ratio of positive tokens flipped.

use fireproof_kernels::{SurrogateKind, SurrogateRule};

use super::FusedSurrogate;
use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate};
use crate::quantile::quantile;
use crate::update::{TokenField, UpdateRow, UpdateView};

/// ASPO (arXiv 2510.06062), paper form: for positive advantages the importance ratio is flipped, so
/// that tokens the policy has fallen behind on get a larger weight instead of a smaller one.
///
/// ```text
/// A < 0: weight R,   no gradient if R < 1 - epsilon_low
/// A > 0: weight 1/R, no gradient if R > 1 + epsilon_high
/// d loss / d logprob = -A min(weight, cap)
/// ```
///
/// The dual clip is soft: above the cap the gradient keeps the cap's size instead of vanishing. Cap
/// 3 is the released code's; the paper prints no number. Losses of different forms are comparable by
/// gradient only.
///
/// With an [`EntropySplit`] this is the released code's form (confidence HIGH: the code was read):
/// the most uncertain tokens of a completion get a wider range. One departure from it: a token whose
/// weight is above the cap has the value `-A cap` here and `-A cap logprob` there; the gradients are
/// the same.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{AspoSurrogate, BatchConstants, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// let constants = BatchConstants::new(row([0.0; 2]), row([1.0, -1.0]));
/// // Both ratios are 0.9: the good token counts 1/0.9, the bad one 0.9.
/// let batch = PolicyBatch::new(row([0.9f32.ln(); 2]), None, constants);
/// let loss: Vec<f32> = AspoSurrogate::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert!((loss[0] + 1.0 / 0.9).abs() < 1e-6 && (loss[1] - 0.9).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AspoSurrogate {
    /// Negative advantages: no gradient below `1 - epsilon_low`.
    pub epsilon_low: f64,
    /// Positive advantages: no gradient above `1 + epsilon_high`.
    pub epsilon_high: f64,
    /// Largest weight.
    pub cap: f64,
    /// Limit on the absolute log-ratio.
    pub log_ratio_limit: Option<f64>,
    /// Another range for uncertain tokens.
    pub entropy_split: Option<EntropySplit>,
}

/// A wider range for the tokens whose behaviour entropy lies above a quantile of their completion's
/// training tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EntropySplit {
    /// The quantile, from 0 to 1 (linear interpolation between order statistics).
    pub quantile: f64,
    /// `epsilon_low` of the tokens above it.
    pub epsilon_low: f64,
    /// `epsilon_high` of the tokens above it.
    pub epsilon_high: f64,
}

impl Default for EntropySplit {
    /// The released code's: quantile 0.8, 0.4 on both sides.
    fn default() -> Self {
        Self { quantile: 0.8, epsilon_low: 0.4, epsilon_high: 0.4 }
    }
}

impl Default for AspoSurrogate {
    /// The paper form: 0.2 on both sides, cap 3, log-ratios within ±20, no split.
    fn default() -> Self {
        Self {
            epsilon_low: 0.2,
            epsilon_high: 0.2,
            cap: 3.0,
            log_ratio_limit: Some(20.0),
            entropy_split: None,
        }
    }
}

impl AspoSurrogate {
    fn rule(&self, batch: &PolicyBatch) -> FusedSurrogate {
        let Self { epsilon_low, epsilon_high, cap, log_ratio_limit, entropy_split } = *self;
        let kind = SurrogateKind::Aspo { epsilon_low, epsilon_high, cap };
        let wide = entropy_split.map(|split| {
            let flags = batch.planned(0, "ASPO with an entropy split");
            (flags, [split.epsilon_low, split.epsilon_high])
        });
        FusedSurrogate { rule: SurrogateRule { kind, log_ratio_limit }, wide }
    }
}

impl PolicyLoss for AspoSurrogate {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        self.rule(batch).surrogate(batch)
    }

    fn fused(&self, batch: &PolicyBatch) -> Option<FusedSurrogate> {
        Some(self.rule(batch))
    }

    /// 1 at the tokens above the quantile.
    fn plan(&self, update: &UpdateView<'_>) -> Vec<TokenField> {
        let Some(split) = self.entropy_split else { return Vec::new() };
        let flags = |row: &UpdateRow<'_>| {
            let entropies = row.credited.tokens.entropies;
            let trained = entropies.iter().zip(row.selected).filter(|(_, selected)| **selected);
            let trained: Vec<f32> = trained.map(|(entropy, _)| *entropy).collect();
            let threshold = quantile(&trained, split.quantile);
            entropies.iter().map(|h| f32::from(f64::from(*h) > threshold)).collect()
        };
        vec![update.rows.iter().map(flags).collect()]
    }
}
