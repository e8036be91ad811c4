//! NFT: supervised likelihood of right completions and of the implicit negative policy of wrong
//! ones.

use burn::tensor::Tensor;

use crate::batch::PolicyBatch;
use crate::policy_loss::{PolicyLoss, Surrogate, SurrogateStats};
use crate::update::{TokenField, UpdateView};

/// How much a prompt counts, from its success rate `rho`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptWeight {
    /// 1.
    Even,
    /// `1 - rho`: on policy the gradient is that of mean-centred rewards (Dr.GRPO).
    Failures,
    /// `sqrt((1 - rho) / rho)`: on policy the gradient is that of z-scores with the population
    /// standard deviation (GRPO).
    Odds,
}

/// NFT (arXiv 2505.18116; confidence HIGH, from its released code).
///
/// ```text
/// right:  loss = -w ln R
/// wrong:  loss = -w negative_weight ln max_st((1 - rho R) / (1 - rho), 1)
/// ```
///
/// `max_st` takes the larger value but lets the gradient through; `rho` is the prompt's success rate
/// held within `[0.02, 0.98]`, and log-ratios are at most 10. `w` is a [`PromptWeight`].
/// The paper sums over tokens and divides by a constant
/// ([`Reduction::Constant`](crate::Reduction) with 1000). Advantages are not looked at: use a group
/// filter to leave out groups of one outcome, as the paper does.
///
/// `negative_weight` 1 is NFT, 0 is rejection fine-tuning (RFT).
///
/// ```
/// # use burn::tensor::Tensor;
/// # use fireproof_losses::{BatchConstants, NegativeAware, PolicyBatch, PolicyLoss};
/// # let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
/// # let row = |values: [f32; 2]| Tensor::<2>::from_data([values], &device);
/// // Right with ratio 2, wrong with ratio 1/2; one of four was right.
/// let constants = BatchConstants::new(row([0.0; 2]), row([0.0; 2]));
/// let constants = BatchConstants { plan: vec![row([1.0, 0.0]), row([0.25; 2])], ..constants };
/// let batch = PolicyBatch::new(row([2f32.ln(), 0.5f32.ln()]), None, constants);
/// let loss: Vec<f32> = NegativeAware::default().surrogate(&batch).loss.into_data().try_to_vec().unwrap();
/// // w = 3/4; the implicit negative policy's ratio is (1 - 1/8) / (3/4) = 7/6.
/// assert!((loss[0] + 0.75 * 2f32.ln()).abs() < 1e-6);
/// assert!((loss[1] + 0.75 * (7f32 / 6.0).ln()).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NegativeAware {
    /// How much a prompt counts.
    pub prompt_weight: PromptWeight,
    /// How much wrong completions count.
    pub negative_weight: f64,
}

impl Default for NegativeAware {
    /// The released scripts': `1 - rho`, wrong completions in full.
    fn default() -> Self {
        Self { prompt_weight: PromptWeight::Failures, negative_weight: 1.0 }
    }
}

impl NegativeAware {
    fn prompt_weight(&self, rho: &Tensor<2>) -> Tensor<2> {
        let failures = rho.ones_like() - rho.clone();
        match self.prompt_weight {
            PromptWeight::Even => rho.ones_like(),
            PromptWeight::Failures => failures,
            PromptWeight::Odds => (failures / rho.clone()).sqrt(),
        }
    }
}

impl PolicyLoss for NegativeAware {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        let correct = batch.planned(0, "NFT").greater_scalar(0.5);
        let rho = batch.planned(1, "NFT").clamp(0.02, 0.98);
        let log_ratio = batch.logprobs.clone() - batch.behaviour_logprobs.clone();
        let log_ratio = log_ratio.clamp_max(10.0);
        let ratio = log_ratio.clone().exp();

        let failures = rho.ones_like() - rho.clone();
        let implicit = (rho.ones_like() - rho.clone() * ratio.clone()) / failures;
        // The value is at least 1; the gradient is that of the unlimited one.
        let missing = (-(implicit.clone().detach()) + 1.0).clamp_min(0.0);
        let wrong = (implicit + missing).log() * self.negative_weight;
        let loss = -(wrong.mask_where(correct, log_ratio) * self.prompt_weight(&rho));
        let loss = loss.mask_fill(batch.mask.clone().lower_equal_scalar(0.0), 0.0);
        Surrogate { loss, stats: SurrogateStats::unclipped(ratio.detach()) }
    }

    /// Correctness and success rate of each token's completion.
    fn plan(&self, update: &UpdateView<'_>) -> Vec<TokenField> {
        let correct = update.each_row(|row| f32::from(row.credited.tokens.correct));
        vec![correct, update.each_row(|row| row.credited.tokens.success_rate)]
    }
}
