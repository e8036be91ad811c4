//! The run file of `train_gsm8k`.

use std::path::{Path, PathBuf};

use fireproof::model::LoraConfig;
use fireproof::trainer::{RecipeName, SelectorName, TrainerConfig};
use serde::{Deserialize, Serialize};

use crate::layers;
use crate::run_file::{EvaluationConfig, ReportConfig, RunFileError};

/// Every setting of a run. What a file leaves out keeps its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gsm8kFile {
    /// The algorithm.
    pub recipe: RecipeName,
    /// Which prompts a step is made of.
    pub selector: SelectorName,
    /// Whether to refuse a run that cannot fit into memory.
    pub check_memory: bool,
    /// What is trained.
    pub model: CheckpointConfig,
    /// What is asked.
    pub data: DataConfig,
    /// The loop and the optimiser.
    pub trainer: TrainerConfig,
    /// The comparison with the policy before; needs a test file.
    pub evaluation: EvaluationConfig,
    /// What is kept for the report.
    pub report: ReportConfig,
}

/// A Hugging Face checkpoint and what of it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Its folder.
    pub folder: PathBuf,
    /// Precision of weights and activations; adapters and what the optimiser keeps are always in `f32`.
    pub precision: Precision,
    /// Train all parameters and not adapters.
    pub full: bool,
    /// The adapters.
    pub lora: LoraConfig,
}

/// Precision of weights and activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the exponent of `f32`.
    Bf16,
}

/// Prompts in the format of GSM8K: a line `{"question", "answer"}` with `#### ` before the number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Prompts to train on.
    pub train: PathBuf,
    /// Prompts to evaluate on.
    pub test: Option<PathBuf>,
    /// The system's message; empty for none.
    pub system: String,
    /// What follows each question in the user's message.
    pub instruction: String,
    /// A chat template to use in place of the checkpoint's.
    pub template: Option<PathBuf>,
    /// The day that a template is told, `2026-03-07`. It is a setting and not today, so that a run
    /// that is resumed asks the same. Without it most templates name a day of their own.
    pub date: Option<String>,
    /// Prompts of more tokens are left out.
    pub longest_prompt: usize,
}

impl Default for Gsm8kFile {
    fn default() -> Self {
        let mut trainer = TrainerConfig {
            steps: 200,
            prompts_per_step: 8,
            samples_per_prompt: 8,
            tokens_per_microbatch: 1024,
            max_new_tokens: 512,
            checkpoint_every: 20,
            ..Default::default()
        };
        trainer.optimizer.learning_rate = 2e-5;
        Self {
            recipe: RecipeName::Grpo,
            selector: SelectorName::Uniform,
            check_memory: true,
            model: CheckpointConfig::default(),
            data: DataConfig::default(),
            trainer,
            evaluation: EvaluationConfig { prompts: 128, samples: 1 },
            report: ReportConfig::default(),
        }
    }
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            precision: Precision::default(),
            full: false,
            lora: LoraConfig::default(),
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            train: PathBuf::new(),
            test: None,
            system: String::new(),
            instruction:
                "\nPlease reason step by step, and put your final answer within \\boxed{}."
                    .to_owned(),
            template: None,
            date: None,
            longest_prompt: 512,
        }
    }
}

impl Gsm8kFile {
    /// The defaults for training everything: adapters bear twenty times the learning rate.
    #[must_use]
    pub fn full() -> Self {
        let mut file = Self::default();
        file.model.full = true;
        file.trainer.optimizer.learning_rate = 1e-6;
        file
    }

    /// These settings with a file and then `key=value` settings over them.
    ///
    /// # Errors
    /// [`RunFileError`] names the file with line and column, or the setting.
    pub fn layered(&self, file: Option<&Path>, settings: &[String]) -> Result<Self, RunFileError> {
        layers::layered(self, file, settings)
    }

    /// The settings in the text of a file.
    ///
    /// # Errors
    /// [`RunFileError::Parse`] names the file with line and column.
    pub fn parse(path: &Path, text: &str) -> Result<Self, RunFileError> {
        layers::parsed(path, text)
    }

    /// The settings as TOML.
    ///
    /// # Panics
    /// Never: every field has a TOML form.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field has a TOML form")
    }

    /// Checks what can be checked without the checkpoint.
    ///
    /// # Errors
    /// The error names the setting.
    pub fn validate(&self) -> Result<(), Box<dyn std::error::Error>> {
        self.trainer.validate().map_err(|error| error.within("trainer"))?;
        let value = |key, reason: &str| RunFileError::Value { key, reason: reason.to_owned() };
        if self.model.folder.as_os_str().is_empty() {
            return Err(value("model.folder", "is not set: give `--model DIR`").into());
        }
        if self.data.train.as_os_str().is_empty() {
            return Err(value("data.train", "is not set: give `--data FILE`").into());
        }
        if self.evaluation.samples == 0 || self.evaluation.prompts == 0 {
            return Err(value("evaluation", "needs at least one prompt and one sample").into());
        }
        if !self.model.full {
            self.model.lora.validate().map_err(|error| format!("model.{error}"))?;
        }
        Ok(())
    }
}
