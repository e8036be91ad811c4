//! From a run file to a policy and a trainer.

use std::error::Error;
use std::time::Duration;

use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::selection::SelectError;
use fireproof::trainer::MemoryEstimate;
use fireproof::verifier::Waiting;

use crate::data::TaskSet;
use crate::machine;
use crate::run_file::RunFile;

/// The transformer trained in this process by completions sampled in this process.
pub type QuickTrainer = Trainer<Transformer, InProcessEngine<Transformer>>;

/// Completions of an evaluation that are decoded together, if a step has fewer.
const EVALUATED_TOGETHER: usize = 256;

/// A run file with what follows from it, checked.
#[derive(Debug)]
pub struct Setup {
    /// The settings.
    pub file: RunFile,
    /// Prompts to train and to evaluate on.
    pub tasks: TaskSet,
    /// Sizes of the policy.
    pub model: TransformerConfig,
}

impl Setup {
    /// Checks a run file and draws its tasks.
    ///
    /// # Errors
    /// If a setting is impossible; the message names it.
    pub fn new(file: RunFile) -> Result<Self, Box<dyn Error>> {
        file.trainer.validate().map_err(|error| error.within("trainer"))?;
        file.warm_start.validate().map_err(|error| error.within("warm_start"))?;
        let tasks = TaskSet::new(&file)?;
        selector(&file, &tasks)?;
        let model = TransformerConfig {
            vocabulary: Tokenizer::characters(file.family()?.alphabet()).vocabulary(),
            width: file.model.width,
            layers: file.model.layers,
            heads: file.model.heads,
            kv_heads: file.model.kv_heads,
            mlp_width: file.model.mlp_width,
            context: tasks.longest_prompt() + file.trainer.max_new_tokens,
            ..TransformerConfig::tiny()
        };
        model.validate()?;
        Ok(Self { file, tasks, model })
    }

    /// One token a character.
    ///
    /// # Errors
    /// If the file names no family.
    pub fn tokenizer(&self) -> Result<Tokenizer, Box<dyn Error>> {
        Ok(Tokenizer::characters(self.file.family()?.alphabet()))
    }

    /// The recipe and the selector that the file names, over the training prompts.
    ///
    /// # Panics
    /// If the pool is too small for the selector, which [`Setup::new`] has refused.
    #[must_use]
    pub fn recipe(&self) -> Recipe {
        let selector = selector(&self.file, &self.tasks).expect("checked when the setup was made");
        self.file.recipe.build(selector, self.file.trainer.max_new_tokens)
    }

    /// A policy with random parameters.
    #[must_use]
    pub fn new_policy(&self, resolved: &ResolvedDevice) -> Transformer {
        self.model.init(self.file.trainer.seed, &resolved.device.clone().autodiff())
    }

    /// A trainer at step 0, by the recipe that the file names.
    ///
    /// # Errors
    /// If a setting is impossible.
    pub fn trainer(&self, policy: Transformer) -> Result<QuickTrainer, Box<dyn Error>> {
        self.trainer_with(policy, self.recipe())
    }

    /// A trainer at step 0, by a recipe of one's own over the setup's prompts.
    ///
    /// # Errors
    /// If a setting is impossible.
    pub fn trainer_with(
        &self,
        policy: Transformer,
        recipe: Recipe,
    ) -> Result<QuickTrainer, Box<dyn Error>> {
        let all = self.tasks.train.iter().chain(&self.tasks.held_out).cloned();
        let (verifier, rewards) = (Box::new(CheckVerifier), RewardScale::default());
        let environment = Environment::new(all, self.tokenizer()?, verifier, rewards)?
            .watched(Duration::from_secs(10), report_waiting);
        let engine = InProcessEngine::new(self.rows());
        let config = self.file.trainer.clone();
        Ok(Trainer::new(policy, engine, recipe, environment, config)?)
    }

    /// Completions that are decoded together at most: those of a step, and no fewer than makes the
    /// evaluation of a run with small steps quick.
    fn rows(&self) -> usize {
        let trainer = &self.file.trainer;
        (trainer.prompts_per_step * trainer.samples_per_prompt).max(EVALUATED_TOGETHER)
    }

    /// How much memory the run will take.
    #[must_use]
    pub fn memory(&self) -> MemoryEstimate {
        let longest = self.tasks.longest_prompt();
        MemoryEstimate::new(&self.model, &self.recipe(), &self.file.trainer, self.rows(), longest)
    }

    /// Refuses a run that cannot fit into the machine's memory.
    ///
    /// # Errors
    /// The message says what takes most and what to change.
    pub fn check_memory(&self, resolved: &ResolvedDevice) -> Result<(), machine::TooLarge> {
        machine::check(&self.memory(), resolved)
    }
}

/// The selector that a file names.
fn selector(file: &RunFile, tasks: &TaskSet) -> Result<Box<dyn PromptSelector>, SelectError> {
    let level = |task: &Task| (task.id, task.metadata.level.unwrap_or(0));
    let pool: Vec<(PromptId, u32)> = tasks.train.iter().map(level).collect();
    file.selector.build(&pool)
}

/// Names what the verifier is busy with.
fn report_waiting(waiting: &[Waiting]) {
    for judgement in waiting {
        eprintln!("warning: still judging {judgement}");
    }
}
