//! The settings of a run, as they stand in run files.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Settings of the loop. Three sizes, never "batch size" alone: prompts a step, samples a prompt,
/// tokens a micro-batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainerConfig {
    /// Seed of everything random: selection, sampling.
    pub seed: u64,
    /// Steps of the run; a step is one rollout phase.
    pub steps: u64,
    /// Prompts generated for in each step.
    pub prompts_per_step: usize,
    /// Completions of each prompt, `G`.
    pub samples_per_prompt: usize,
    /// Prompts whose completions make one update; at most `prompts_per_step`. 0 means all of them.
    pub prompts_per_update: usize,
    /// Passes over a step's completions.
    pub epochs_per_step: usize,
    /// Padded tokens that go through the model at once; splits an update and changes nothing else.
    pub tokens_per_microbatch: usize,
    /// Limit on the tokens of a completion.
    pub max_new_tokens: usize,
    /// Sampling temperature; completions are scored at the same one.
    pub temperature: f32,
    /// Whether truncated completions are judged like others instead of counting as wrong.
    pub judge_truncated: bool,
    /// Steps between checkpoints; 0 means only at the end.
    pub checkpoint_every: u64,
    /// Newest checkpoints that are kept; 0 keeps all.
    pub keep_checkpoints: usize,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
}

impl Default for TrainerConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 100,
            prompts_per_step: 32,
            samples_per_prompt: 16,
            prompts_per_update: 0,
            epochs_per_step: 1,
            tokens_per_microbatch: 8192,
            max_new_tokens: 32,
            temperature: 1.0,
            judge_truncated: false,
            checkpoint_every: 50,
            keep_checkpoints: 3,
            optimizer: OptimizerConfig::default(),
        }
    }
}

/// AdamW with a linear warm-up and a clip of the gradient's global norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Learning rate after the warm-up.
    pub learning_rate: f64,
    /// Updates over which the learning rate rises linearly to its value.
    pub warmup_updates: u64,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment (PyTorch's 1e-8; burn's own default is 1e-5).
    pub epsilon: f32,
    /// Decoupled weight decay (burn's own default is 1e-4, PyTorch's 1e-2).
    pub weight_decay: f32,
    /// Gradients are scaled down to this norm over all parameters together; 0 means no clip.
    pub max_grad_norm: f32,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 3e-4,
            warmup_updates: 0,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
        }
    }
}

impl TrainerConfig {
    /// Prompts of one update, with 0 resolved.
    #[must_use]
    pub fn update_size(&self) -> usize {
        if self.prompts_per_update == 0 { self.prompts_per_step } else { self.prompts_per_update }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the setting and its rule.
    pub fn validate(&self) -> Result<(), TrainError> {
        let sizes = [
            ("prompts_per_step", self.prompts_per_step),
            ("samples_per_prompt", self.samples_per_prompt),
            ("epochs_per_step", self.epochs_per_step),
            ("tokens_per_microbatch", self.tokens_per_microbatch),
            ("max_new_tokens", self.max_new_tokens),
        ];
        if let Some((setting, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(TrainError::config(setting, "must be at least 1, not 0"));
        }
        if self.update_size() > self.prompts_per_step {
            let reason = format!(
                "{} is more than the {} prompts of a step",
                self.prompts_per_update, self.prompts_per_step
            );
            return Err(TrainError::config("prompts_per_update", reason));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            let reason = format!("must be above 0, not {}", self.temperature);
            return Err(TrainError::config("temperature", reason));
        }
        if self.seed > i64::MAX as u64 {
            // TOML knows no larger number, and the resolved settings are TOML.
            return Err(TrainError::config("seed", format!("must be at most {}", i64::MAX)));
        }
        self.optimizer.validate().map_err(|error| error.within("optimizer"))
    }
}

impl OptimizerConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the setting and its rule.
    pub fn validate(&self) -> Result<(), TrainError> {
        let unit = 0.0..1.0;
        for (setting, value, good, rule) in [
            ("learning_rate", self.learning_rate as f32, self.learning_rate > 0.0, "above 0"),
            ("beta_1", self.beta_1, unit.contains(&self.beta_1), "from 0 to below 1"),
            ("beta_2", self.beta_2, unit.contains(&self.beta_2), "from 0 to below 1"),
            ("epsilon", self.epsilon, self.epsilon > 0.0, "above 0"),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0.0, "0 or above"),
            ("max_grad_norm", self.max_grad_norm, self.max_grad_norm >= 0.0, "0 or above"),
        ] {
            if !(good && value.is_finite()) {
                return Err(TrainError::config(setting, format!("must be {rule}, not {value}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl Fn(&mut TrainerConfig)) -> String {
        let mut config = TrainerConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_possible() {
        TrainerConfig::default().validate().unwrap();
    }

    #[test]
    fn impossible_settings_are_named_with_their_value() {
        assert_eq!(
            refusal(|c| c.samples_per_prompt = 0),
            "samples_per_prompt: must be at least 1, not 0"
        );
        assert_eq!(
            refusal(|c| c.prompts_per_update = 33),
            "prompts_per_update: 33 is more than the 32 prompts of a step"
        );
        assert_eq!(refusal(|c| c.temperature = 0.0), "temperature: must be above 0, not 0");
        assert_eq!(
            refusal(|c| c.optimizer.learning_rate = f64::NAN),
            "optimizer.learning_rate: must be above 0, not NaN"
        );
        assert_eq!(
            refusal(|c| c.optimizer.beta_2 = 1.0),
            "optimizer.beta_2: must be from 0 to below 1, not 1"
        );
    }
}
