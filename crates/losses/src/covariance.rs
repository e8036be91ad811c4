//! Clip-Cov and KL-Cov: the few tokens whose log-probability moves with their advantage lose their
//! gradient or pay for moving.

use burn::tensor::Tensor;
use fireproof_kernels::{SurrogateKind, SurrogateRule};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::index::sample;

use crate::batch::PolicyBatch;
use crate::policy_loss::{Needs, PolicyLoss, Surrogate};
use crate::surrogate::{ClippedSurrogate, FusedSurrogate};
use crate::update::{TokenField, UpdateRow, UpdateView};

/// Clip-Cov (arXiv 2505.22617; confidence HIGH, as in verl): the clipped surrogate with a few tokens
/// of high covariance left out.
///
/// ```text
/// cov_t = (A_t - mean A) (logprob_t - mean logprob)       means over the update's training tokens
/// candidates: lowest < cov_t < highest and not clipped;  max(1, floor(share N)) of them, at random
/// ```
///
/// Tokens left out have loss 0 but keep their share of the denominator. Log-probabilities are those
/// of the policy before the update, for the whole update at once, so that splitting it changes
/// nothing (verl takes them micro-batch by micro-batch).
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, CovarianceClipped, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// // The plan has left the second token out.
/// let constants = BatchConstants::new(row([-1.0; 2]), row([1.0; 2]));
/// let constants = BatchConstants { plan: vec![row([0.0, 1.0])], ..constants };
/// let batch = PolicyBatch::new(row([-1.0; 2]), None, constants);
/// let loss: Vec<f32> = CovarianceClipped::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// assert_eq!(loss, [-1.0, 0.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CovarianceClipped {
    /// The surrogate of the other tokens.
    pub surrogate: ClippedSurrogate,
    /// Share of the tokens that are left out.
    pub share: f64,
    /// Covariances above this are candidates.
    pub lowest: f64,
    /// Covariances below this are candidates.
    pub highest: f64,
}

impl Default for CovarianceClipped {
    /// verl's: one token in five thousand, covariances from 1 to 5.
    fn default() -> Self {
        let surrogate = ClippedSurrogate::default();
        Self { surrogate, share: 2e-4, lowest: 1.0, highest: 5.0 }
    }
}

/// KL-Cov (arXiv 2505.22617; confidence HIGH, as in verl): the unclipped surrogate, with
/// `coefficient |logprob - behaviour|` added at the tokens of highest covariance.
///
/// `max(1, floor(share N))` tokens pay, of the covariances of [`CovarianceClipped`]. The
/// log-probabilities are those before the update, for the whole update at once.
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, CovarianceKl, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// let constants = BatchConstants::new(row([-1.0; 2]), row([1.0; 2]));
/// let constants = BatchConstants { plan: vec![row([0.0, 1.0])], ..constants };
/// let batch = PolicyBatch::new(row([-0.5; 2]), None, constants);
/// let loss: Vec<f32> = CovarianceKl::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// // -exp(1/2), and the second pays 1/2.
/// assert!((loss[0] + 0.5f32.exp()).abs() < 1e-6 && (loss[1] - loss[0] - 0.5).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CovarianceKl {
    /// Share of the tokens that pay.
    pub share: f64,
    /// What they pay for each nat of movement.
    pub coefficient: f64,
    /// Limit on the absolute log-ratio (verl 20).
    pub log_ratio_limit: Option<f64>,
}

impl Default for CovarianceKl {
    /// verl's: one token in five thousand, coefficient 1.
    fn default() -> Self {
        Self { share: 2e-4, coefficient: 1.0, log_ratio_limit: None }
    }
}

impl PolicyLoss for CovarianceClipped {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let out = batch.planned(0, "Clip-Cov").greater_scalar(0.5);
        let Surrogate { loss, stats } = self.surrogate.surrogate(batch);
        Surrogate { loss: loss.mask_fill(out, 0.0), stats }
    }

    fn needs(&self) -> Needs {
        Needs { current: true, ..Needs::default() }
    }

    /// 1 at the tokens left out.
    fn plan(&self, update: &UpdateView<'_>) -> Vec<TokenField> {
        let tokens = trained(update);
        let within =
            |token: &&Trained| token.covariance > self.lowest && token.covariance < self.highest;
        let open: Vec<&Trained> = tokens.iter().filter(within).filter(|t| !self.clips(t)).collect();
        let count = share_of(self.share, tokens.len()).min(open.len());
        let mut rng = ChaCha8Rng::seed_from_u64(update.seed);
        let drawn = sample(&mut rng, open.len(), count);
        vec![flags(update, drawn.iter().map(|index| open[index].place))]
    }
}

impl CovarianceClipped {
    fn clips(&self, token: &Trained) -> bool {
        let ClippedSurrogate { epsilon_low, epsilon_high, .. } = self.surrogate;
        (token.advantage > 0.0 && token.ratio > 1.0 + epsilon_high)
            || (token.advantage < 0.0 && token.ratio < 1.0 - epsilon_low)
    }
}

impl PolicyLoss for CovarianceKl {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let pays = batch.planned(0, "KL-Cov");
        // No clip: its bounds lie beyond every ratio.
        let open = f64::from(f32::MAX);
        let kind = SurrogateKind::Clipped { epsilon_low: 1.0, epsilon_high: open, dual_clip: None };
        let rule = SurrogateRule { kind, log_ratio_limit: self.log_ratio_limit };
        let Surrogate { loss, stats } = FusedSurrogate::from(rule).surrogate(batch);
        let moved: Tensor<2> = (batch.logprobs.clone() - batch.behaviour_logprobs.clone()).abs();
        Surrogate { loss: loss + moved * pays * self.coefficient, stats }
    }

    fn needs(&self) -> Needs {
        Needs { current: true, ..Needs::default() }
    }

    /// 1 at the tokens that pay.
    fn plan(&self, update: &UpdateView<'_>) -> Vec<TokenField> {
        let mut tokens = trained(update);
        let count = share_of(self.share, tokens.len()).min(tokens.len());
        // Stable: of equal covariances the earlier token pays.
        tokens.sort_by(|a, b| b.covariance.total_cmp(&a.covariance));
        vec![flags(update, tokens[..count].iter().map(|token| token.place))]
    }
}

/// A training token of an update.
struct Trained {
    /// Row and token.
    place: (usize, usize),
    advantage: f64,
    ratio: f64,
    covariance: f64,
}

/// All training tokens with the covariance of advantage and log-probability.
fn trained(update: &UpdateView<'_>) -> Vec<Trained> {
    let tokens = update.rows.iter().enumerate().flat_map(|(number, row)| {
        let selected = row.selected.iter().enumerate().filter(|(_, selected)| **selected);
        selected.map(move |(token, _)| ((number, token), row))
    });
    let tokens: Vec<((usize, usize), &UpdateRow<'_>)> = tokens.collect();
    let advantage = |(place, row): &((usize, usize), &UpdateRow<'_>)| {
        f64::from(row.credited.advantages[place.1])
    };
    let logprob =
        |(place, row): &((usize, usize), &UpdateRow<'_>)| f64::from(current(row)[place.1]);
    let count = tokens.len().max(1) as f64;
    let mean_advantage = tokens.iter().map(advantage).sum::<f64>() / count;
    let mean_logprob = tokens.iter().map(logprob).sum::<f64>() / count;
    let trained = |token: &((usize, usize), &UpdateRow<'_>)| Trained {
        place: token.0,
        advantage: advantage(token),
        ratio: (logprob(token) - f64::from(token.1.credited.tokens.logprobs[token.0.1])).exp(),
        covariance: (advantage(token) - mean_advantage) * (logprob(token) - mean_logprob),
    };
    tokens.iter().map(trained).collect()
}

fn current<'a>(row: &UpdateRow<'a>) -> &'a [f32] {
    row.current.expect("the trainer scores the update when a loss needs it")
}

/// `max(1, floor(share count))`.
fn share_of(share: f64, count: usize) -> usize {
    ((share * count as f64) as usize).max(1)
}

fn flags(update: &UpdateView<'_>, places: impl Iterator<Item = (usize, usize)>) -> TokenField {
    let mut flags = update.each_row(|_| 0.0);
    places.for_each(|(row, token)| flags[row][token] = 1.0);
    flags
}
