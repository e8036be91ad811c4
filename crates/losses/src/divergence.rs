//! DPPO: tokens are masked by how far their probability has moved, not by their ratio.

use burn::tensor::{Bool, Tensor};
use fireproof_kernels::{SurrogateKind, SurrogateRule};

use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate, SurrogateStats};
use crate::surrogate::run;

/// Probabilities are held this far from 0 and 1 in the binary KL.
const EDGE: f64 = 1e-7;

/// How far a token's probability may move from the behaviour's before it stops training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Divergence {
    /// Total variation of "this token or another": `|pi - mu|`.
    TotalVariation {
        /// Limit on `mu - pi` of bad tokens.
        low: f64,
        /// Limit on `pi - mu` of good tokens.
        high: f64,
    },
    /// KL of "this token or another": `mu ln(mu / pi) + (1 - mu) ln((1 - mu) / (1 - pi))`.
    BinaryKl {
        /// Limit.
        limit: f64,
    },
}

/// DPPO (arXiv 2602.04879; confidence HIGH, from its released code): `-sg(min(R, cap)) M A logprob`.
///
/// `M = 0` exactly where a token moves outward and is too far already: `A > 0`, `pi > mu`, or
/// `A <= 0`, `pi < mu`, with the divergence above its limit. `mu` is the behaviour policy's
/// probability of the token. A rare token may so multiply its probability many times, which a clip of
/// the ratio forbids, and a likely one may not move far, which the clip allows.
///
/// Departure: the top-K forms of the divergence are not here (they need the distribution beyond
/// the sampled token). The binary KL holds probabilities 1e-7 from 0 and 1.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, DivergenceMasked, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values.map(f32::ln)], &device);
/// # let ones = Tensor::<2>::ones([1, 2], &device);
/// // From 1% to 5% is a ratio of 5, but a small step; from 50% to 75% is masked.
/// let batch = PolicyBatch::new(row([0.05, 0.75]), None, BatchConstants::new(row([0.01, 0.5]), ones));
/// let loss: Vec<f32> = DivergenceMasked::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert!((loss[0] + 5.0 * 0.05f32.ln()).abs() < 1e-4 && loss[1] == 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DivergenceMasked {
    /// The measure and its limits.
    pub divergence: Divergence,
    /// Largest weight (the released code has 10; a port has 20).
    pub cap: f64,
    /// Limit on the absolute log-ratio (verl 20).
    pub log_ratio_limit: Option<f64>,
}

impl Default for DivergenceMasked {
    /// Total variation within 0.2 on both sides, cap 10.
    fn default() -> Self {
        Self {
            divergence: Divergence::TotalVariation { low: 0.2, high: 0.2 },
            cap: 10.0,
            log_ratio_limit: None,
        }
    }
}

impl Divergence {
    /// Where a good token is too far up, and where a bad one is too far down.
    fn beyond(self, policy: Tensor<2>, behaviour: Tensor<2>) -> [Tensor<2, Bool>; 2] {
        let up = policy.clone() - behaviour.clone();
        match self {
            Self::TotalVariation { low, high } => {
                [up.clone().greater_scalar(high), up.lower_scalar(-low)]
            }
            Self::BinaryKl { limit } => {
                let [policy, behaviour] =
                    [policy, behaviour].map(|p: Tensor<2>| p.clamp(EDGE, 1.0 - EDGE));
                let rest = |p: &Tensor<2>| p.ones_like() - p.clone();
                let other = rest(&behaviour) * (rest(&behaviour) / rest(&policy)).log();
                let same = behaviour.clone() * (behaviour / policy).log();
                let far = (same + other).greater_scalar(limit);
                [
                    far.clone().bool_and(up.clone().greater_scalar(0.0)),
                    far.bool_and(up.lower_scalar(0.0)),
                ]
            }
        }
    }
}

impl PolicyLoss for DivergenceMasked {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let (logprobs, behaviour) = (batch.logprobs.clone(), batch.behaviour_logprobs.clone());
        let [above, below] =
            self.divergence.beyond(logprobs.clone().detach().exp(), behaviour.clone().exp());
        let good = batch.advantages.clone().greater_scalar(0.0);
        let trains = batch.advantages.clone().not_equal_scalar(0.0);
        let high = above.bool_and(good.clone());
        let low = below.bool_and(good.bool_not()).bool_and(trains);
        let advantages =
            batch.advantages.clone().mask_fill(high.clone(), 0.0).mask_fill(low.clone(), 0.0);
        let kind = SurrogateKind::Cispo { lowest: 0.0, highest: self.cap };
        let rule = SurrogateRule { kind, log_ratio_limit: self.log_ratio_limit };
        let out = run(batch, logprobs, behaviour, advantages, rule);
        Surrogate { loss: out.loss, stats: SurrogateStats::clipped(out.ratio, &low, &high) }
    }
}
