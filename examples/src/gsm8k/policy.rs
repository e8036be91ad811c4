//! A checkpoint as the policy of a run: loaded, planned for, and handed back.

use std::error::Error;
use std::path::Path;

use burn::tensor::DType;
use fireproof::kernels::ResolvedDevice;
use fireproof::model::{Export, ModelFolder};
use fireproof::prelude::*;
use fireproof::trainer::{Bytes, MemoryEstimate};

use super::settings::{Gsm8kFile, Precision};
use crate::machine;

/// A checkpoint whose headers were read.
#[derive(Debug)]
pub struct Checkpoint {
    folder: ModelFolder,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
}

/// A run that cannot fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this run needs about {needed}, and only {available} of memory are free: {advice}, or set \
     `check_memory=false` if you know better"
)]
pub struct TooLarge {
    needed: Bytes,
    available: Bytes,
    advice: &'static str,
}

impl Checkpoint {
    /// Reads the configuration, the headers of the weights and the tokenizer.
    ///
    /// # Errors
    /// Names the file that is missing or wrong.
    pub fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        let folder = ModelFolder::open(path)?;
        let vocabulary = folder.config.transformer.vocabulary;
        let tokenizer = Tokenizer::from_folder(path)?.for_model(vocabulary)?;
        Ok(Self { folder, tokenizer })
    }

    /// Family, sizes and what trains, for people.
    #[must_use]
    pub fn describe(&self, file: &Gsm8kFile) -> String {
        let (family, model) = (self.folder.config.family.name(), &self.folder.config.transformer);
        let trained = match file.model.full {
            true => "all of them train".to_owned(),
            false => {
                let (lora, count) = (&file.model.lora, self.trainable(file));
                format!("frozen; {count} in adapters of rank {} train", lora.rank)
            }
        };
        format!(
            "{family}, {} layers of width {}, {} parameters in {}, {trained}",
            model.layers,
            model.width,
            model.parameters(),
            if file.model.precision == Precision::Bf16 { "bf16" } else { "f32" },
        )
    }

    /// Lowers the context to what the run needs; tables for more would only take memory.
    ///
    /// # Errors
    /// If the model's context is shorter than that.
    pub fn limit_context(&mut self, needed: usize) -> Result<(), String> {
        let context = &mut self.folder.config.transformer.context;
        if needed > *context {
            return Err(format!(
                "data.longest_prompt and trainer.max_new_tokens make {needed} tokens, and the \
                 model's context is {context}"
            ));
        }
        *context = needed;
        Ok(())
    }

    fn trainable(&self, file: &Gsm8kFile) -> usize {
        let model = &self.folder.config.transformer;
        if file.model.full { model.parameters() } else { file.model.lora.parameters(model) }
    }

    /// How much memory the run will take.
    #[must_use]
    pub fn memory(&self, file: &Gsm8kFile, recipe: &Recipe, longest: usize) -> MemoryEstimate {
        let (model, trainer) = (&self.folder.config.transformer, &file.trainer);
        let rows = trainer.prompts_per_step * trainer.samples_per_prompt;
        let estimate = MemoryEstimate::new(model, recipe, trainer, rows, longest);
        match (file.model.full, file.model.precision) {
            (true, Precision::F32) => estimate,
            (true, Precision::Bf16) => estimate.in_half_precision(),
            (false, precision) => {
                let number = if precision == Precision::Bf16 { 2 } else { 4 };
                estimate.with_adapters(number * model.parameters() as u64, self.trainable(file))
            }
        }
    }

    /// Refuses a run that cannot fit into the memory that this process may still take.
    ///
    /// # Errors
    /// [`TooLarge`] says what to change about what takes most.
    pub fn check_memory(
        file: &Gsm8kFile,
        estimate: &MemoryEstimate,
        resolved: &ResolvedDevice,
    ) -> Result<(), TooLarge> {
        let Some(available) = machine::available(resolved).filter(|_| file.check_memory) else {
            return Ok(());
        };
        if estimate.total() <= available {
            return Ok(());
        }
        let states = estimate.parameters + estimate.gradients + estimate.optimizer;
        let advice = if states < estimate.training.max(estimate.rollout) {
            estimate.advice()
        } else if file.model.full {
            "train adapters (drop --full), which need no gradients of the other parameters"
        } else if file.model.precision == Precision::F32 {
            "hold the frozen weights in half the memory with `--set model.precision=bf16`, or take \
             a smaller model"
        } else {
            "take a smaller model"
        };
        Err(TooLarge { needed: Bytes(estimate.total()), available: Bytes(available), advice })
    }

    /// The policy at the start of a run.
    ///
    /// # Errors
    /// If the weights are damaged or the adapters impossible.
    pub fn load(
        &self,
        file: &Gsm8kFile,
        resolved: &ResolvedDevice,
    ) -> Result<Transformer, Box<dyn Error>> {
        let dtype = match file.model.precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        };
        let policy = self.folder.load(dtype, &resolved.device.clone().autodiff())?;
        match file.model.full {
            true => Ok(policy),
            false => Ok(policy.with_lora(&file.model.lora, file.trainer.seed)?),
        }
    }

    /// Writes the adapters in PEFT's files, for use beside the checkpoint.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save_adapters(&self, policy: &Transformer, to: &Path) -> Result<(), Box<dyn Error>> {
        let base = std::path::absolute(self.folder.path())?;
        Ok(policy.save_lora(to, &base.to_string_lossy())?)
    }

    /// Writes the whole model as a Hugging Face checkpoint, adapters merged, in the precision in
    /// which it was published.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn export(&self, policy: Transformer, to: &Path) -> Result<(), Box<dyn Error>> {
        let policy = if policy.has_lora() { policy.merged() } else { policy };
        let companions = Some(self.folder.path());
        let export = Export { companions, ..Export::new(&self.folder.config) };
        Ok(export.write(&policy, to)?)
    }
}
