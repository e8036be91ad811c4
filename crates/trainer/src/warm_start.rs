//! A supervised warm start on demonstrations, so that some groups are not all wrong.

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use fireproof_losses::{Reduction, RowShape};
use fireproof_model::{CausalLm, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::config::OptimizerConfig;
use crate::error::TrainError;
use crate::optimizer::{Optimizer, global_norm};
use crate::score::{ScoredTokens, TokenBatch, microbatches};

/// A prompt with one right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demonstration {
    /// The prompt.
    pub prompt: String,
    /// The answer; the stop token is added.
    pub answer: String,
}

/// Settings of a warm start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmStartConfig {
    /// Updates; 0 skips the warm start.
    pub steps: u64,
    /// Demonstrations of each update.
    pub demonstrations_per_step: usize,
    /// Its own AdamW.
    pub optimizer: OptimizerConfig,
}

impl Default for WarmStartConfig {
    fn default() -> Self {
        let optimizer =
            OptimizerConfig { learning_rate: 3e-3, warmup_updates: 10, ..Default::default() };
        Self { steps: 100, demonstrations_per_step: 128, optimizer }
    }
}

impl WarmStartConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the setting and its rule.
    pub fn validate(&self) -> Result<(), TrainError> {
        if self.demonstrations_per_step == 0 {
            return Err(TrainError::config("demonstrations_per_step", "must be at least 1, not 0"));
        }
        self.optimizer.validate().map_err(|error| error.within("optimizer"))
    }
}

/// Trains on demonstrations by the mean negative log-likelihood of their answers' tokens.
///
/// `draw` gives the demonstrations of each step; `report` gets the step and its loss in nats a
/// token. The parameters that come back belong to a fresh run: the optimiser of the warm start is
/// not carried on.
///
/// # Errors
/// If a demonstration cannot be encoded or does not fit the model, or the loss is not finite.
pub fn warm_start<M: CausalLm>(
    mut policy: M,
    tokenizer: &Tokenizer,
    config: &WarmStartConfig,
    mut draw: impl FnMut(u64) -> Vec<Demonstration>,
    mut report: impl FnMut(u64, f32),
) -> Result<M, TrainError> {
    config.validate()?;
    let mut optimizer = Optimizer::new(config.optimizer.clone());
    for step in 0..config.steps {
        let rows = draw(step)
            .iter()
            .map(|demonstration| encode(&policy, tokenizer, demonstration))
            .collect::<Result<Vec<_>, TrainError>>()?;
        let (gradients, loss) = gradient(&policy, &rows)?;
        let norm = global_norm(&policy, &gradients)?;
        for (what, value) in [("the warm start's loss", loss), ("its gradient's norm", norm)] {
            if !value.is_finite() {
                return Err(TrainError::Diverged { step, what, value });
            }
        }
        policy = optimizer.step(policy, gradients, norm);
        report(step, loss);
    }
    Ok(policy)
}

/// Tokens of a demonstration: prompt and answer with the stop token.
fn encode<M: CausalLm>(
    policy: &M,
    tokenizer: &Tokenizer,
    demonstration: &Demonstration,
) -> Result<(Vec<u32>, Vec<u32>), TrainError> {
    let prompt = tokenizer.encode(&demonstration.prompt)?;
    if prompt.is_empty() {
        return Err(TrainError::config("warm_start", "a demonstration has an empty prompt"));
    }
    let mut answer = tokenizer.encode(&demonstration.answer)?;
    answer.push(tokenizer.stop());
    let fits = policy.limits().check(&[prompt.as_slice(), &answer].concat(), 0);
    fits.map_err(|error| TrainError::config("warm_start", error.to_string()))?;
    Ok((prompt, answer))
}

/// Tokens that go through the model at once.
const TOKENS_PER_MICROBATCH: usize = 8192;

fn gradient<M: CausalLm>(
    policy: &M,
    rows: &[(Vec<u32>, Vec<u32>)],
) -> Result<(GradientsParams, f32), TrainError> {
    let device = inner_device(policy);
    let shape = |(prompt, (_, answer)): (usize, &(Vec<u32>, Vec<u32>))| RowShape {
        prompt,
        tokens: answer.len(),
    };
    let shapes: Vec<RowShape> = rows.iter().enumerate().map(shape).collect();
    let weights = Reduction::TokenMean.weights(&shapes);
    let scored: Vec<ScoredTokens<'_>> =
        rows.iter().map(|(prompt, tokens)| ScoredTokens::plain(prompt, tokens)).collect();
    let mut accumulated = GradientsAccumulator::new();
    let mut loss = 0.0;
    for batch in microbatches(&scored, TOKENS_PER_MICROBATCH) {
        let some: Vec<ScoredTokens<'_>> = batch.iter().map(|row| scored[*row]).collect();
        let tokens = TokenBatch::new(&some, policy.limits().context, &device);
        let shares: Vec<Vec<f32>> =
            batch.iter().map(|row| vec![weights[*row]; scored[*row].tokens.len()]).collect();
        let shares = tokens.spread(shares.iter().map(Vec::as_slice), &device);
        let total: Tensor<1> = -(tokens.score(policy, 1.0).logprobs * shares).sum();
        let value = total.clone().try_into_scalar::<f32>();
        loss += value.map_err(|error| TrainError::Device(error.to_string()))?;
        accumulated.accumulate(policy, GradientsParams::from_grads(total.backward(), policy));
    }
    Ok((accumulated.grads(), loss))
}

/// The device of a module, without autodiff: constants are made there.
pub(crate) fn inner_device<M: Module>(module: &M) -> Device {
    let device = module.devices().into_iter().next();
    device.expect("a policy has parameters, so it has a device").without_autodiff()
}
