//! Every recipe through the real trainer on a table of logits: sixteen prompts of one letter, each of
//! which wants its own letter back.

use std::error::Error;

use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::trainer::RecipeName;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::ranking::Finish;

const LETTERS: &str = "abcdefghijklmnop";
/// A prompt of one letter, its answer and the stop token.
const CONTEXT: usize = 3;
/// Logit of the stop token after the answer: nearly certain.
const STOP: f32 = 8.0;

/// Settings of the exact part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LettersRun {
    /// Completions that a run may train with.
    pub budget: u64,
    /// Largest logit of a letter at the start; each is drawn evenly from `[-spread, spread]`.
    pub spread: f32,
    /// Prompts a step.
    pub prompts_per_step: usize,
    /// Prompts an update.
    pub prompts_per_update: usize,
    /// Completions of a prompt in training.
    pub samples: usize,
    /// Completions of a prompt in the evaluation.
    pub evaluated: usize,
}

impl Default for LettersRun {
    fn default() -> Self {
        Self {
            budget: 1280,
            spread: 1.5,
            prompts_per_step: 16,
            prompts_per_update: 8,
            samples: 8,
            evaluated: 64,
        }
    }
}

impl LettersRun {
    /// A recipe at a learning rate with one seed; the start itself without one.
    ///
    /// # Errors
    /// If a setting is impossible or training fails.
    pub fn of(
        &self,
        recipe: Option<(RecipeName, f64)>,
        seed: u64,
        device: &ResolvedDevice,
    ) -> Result<Finish, Box<dyn Error>> {
        let tokenizer = Tokenizer::characters(LETTERS);
        let vocabulary = tokenizer.vocabulary();
        let logits = self.logits(vocabulary, tokenizer.stop() as usize, seed);
        let policy =
            TabularPolicy::from_logits(&logits, vocabulary, &device.device.clone().autodiff());
        let tasks = tasks();
        let prompts: Vec<PromptId> = tasks.iter().map(|task| task.id).collect();
        let mut config = TrainerConfig {
            seed,
            prompts_per_step: self.prompts_per_step,
            prompts_per_update: self.prompts_per_update,
            samples_per_prompt: self.samples,
            max_new_tokens: CONTEXT - 1,
            ..TrainerConfig::default()
        };
        let (name, rate) = recipe.unwrap_or((RecipeName::Grpo, 1.0));
        config.optimizer.learning_rate = rate;
        let selector = Box::new(UniformWithoutReplacement::new(prompts.clone()));
        let built = name.build(selector, config.max_new_tokens);
        let environment =
            Environment::new(tasks, tokenizer, Box::new(CheckVerifier), RewardScale::default())?;
        let rows = self.prompts_per_step * self.samples;
        let engine = InProcessEngine::new(rows);
        let mut trainer = Trainer::new(policy, engine, built, environment, config)?;
        let mut spent = 0;
        while recipe.is_some() && spent < self.budget {
            let record = trainer.step()?;
            spent += record.groups.iter().map(|group| group.rewards.len() as u64).sum::<u64>();
        }
        let evaluation = trainer.evaluate(&prompts, self.evaluated)?;
        Ok(Finish::new(&evaluation, spent, trainer.steps_done()))
    }

    /// Random letters, then the stop token.
    fn logits(&self, vocabulary: usize, stop: usize, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut row = |position: usize| -> Vec<f32> {
            let mut letter = || self.spread * (2.0 * rng.random::<f32>() - 1.0);
            let mut row: Vec<f32> = (0..vocabulary).map(|_| letter()).collect();
            row[stop] = if position == 0 { -STOP } else { STOP };
            row
        };
        (0..vocabulary * CONTEXT).flat_map(|index| row(index % CONTEXT)).collect()
    }
}

fn tasks() -> Vec<Task> {
    let task = |letter: char| Task {
        id: PromptId::of(&letter.to_string()),
        prompt: letter.into(),
        check: CheckSpec::Exact { answer: letter.into() },
        metadata: TaskMetadata::default(),
    };
    LETTERS.chars().map(task).collect()
}
