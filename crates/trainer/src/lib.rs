//! The training step: it owns the loop and holds no formula.
//!
//! Floor 3. A [`Trainer`] runs a [`Recipe`] (one strategy for each decision) against an
//! [`Environment`] (tasks, tokenizer, verifier) with a policy and a rollout engine:
//!
//! ```text
//! select -> (probe) -> generate -> verify -> score reference -> advantages -> pack -> updates -> observe
//! ```
//!
//! A *step* is one rollout phase; it makes `epochs_per_step` passes over its completions in
//! *updates* of `prompts_per_update` prompts; a *micro-batch* is what goes through the model at
//! once. The shares of the loss cover exactly one update, so micro-batches change nothing.
//!
//! Beside the loop: [`warm_start`] on demonstrations, [`evaluate`] with unbiased pass@k,
//! [`RunFolder`] with metrics and checkpoints that are written whole or not at all.
//!
//! ```
//! use burn::tensor::Device;
//! use fireproof_model::{TabularPolicy, Tokenizer};
//! use fireproof_rollout::InProcessEngine;
//! use fireproof_selection::InOrder;
//! use fireproof_trajectory::{CheckSpec, PromptId, Task, TaskMetadata};
//! use fireproof_trainer::{Environment, Recipe, Trainer, TrainerConfig};
//! use fireproof_verifier::{CheckVerifier, RewardScale};
//!
//! // One prompt, "a": the right completion is "b" and then the stop token.
//! let task = Task {
//!     id: PromptId(1),
//!     prompt: "a".into(),
//!     check: CheckSpec::Exact { answer: "b".into() },
//!     metadata: TaskMetadata::default(),
//! };
//! let tokenizer = Tokenizer::characters("ab");
//! let device: Device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
//! let policy = TabularPolicy::uniform(tokenizer.vocabulary(), 8, &device.autodiff());
//! let rewards = RewardScale::default();
//! let environment =
//!     Environment::new([task], tokenizer, Box::new(CheckVerifier), rewards).unwrap();
//! let mut config = TrainerConfig { prompts_per_step: 1, max_new_tokens: 3, ..Default::default() };
//! config.optimizer.learning_rate = 0.1;
//! let recipe = Recipe::grpo(Box::new(InOrder::new(vec![PromptId(1)])));
//! let engine = InProcessEngine::new(64);
//! let mut trainer = Trainer::new(policy, engine, recipe, environment, config).unwrap();
//! let first = trainer.step().unwrap().metrics;
//! let last = (0..40).map(|_| trainer.step().unwrap().metrics).last().unwrap();
//! assert!(last.pass_at_1 > first.pass_at_1 + 0.5, "{first} {last}");
//! ```

mod checkpoint;
mod config;
mod dialect;
mod environment;
mod error;
mod evaluate;
mod gradient_check;
mod memory;
mod metrics;
mod optimizer;
mod recipe;
mod report;
mod row;
mod run_folder;
mod score;
mod seeds;
mod sketch;
mod trainer;
mod transcript;
mod update;
mod warm_start;

pub use checkpoint::CheckpointError;
pub use config::OptimizerConfig;
pub use config::TrainerConfig;
pub use dialect::AdvantageRule;
pub use dialect::Dialect;
pub use dialect::DialectBatch;
pub use dialect::DialectCompletion;
pub use dialect::DialectName;
pub use dialect::ExplainedCompletion;
pub use dialect::ExplainedToken;
pub use dialect::Explanation;
pub use dialect::RatioAgainst;
pub use dialect::Rule;
pub use dialect::TokenLoss;
pub use dialect::UnknownDialect;
pub use environment::Environment;
pub use environment::Judged;
pub use error::TrainError;
pub use evaluate::AnswerCount;
pub use evaluate::Evaluation;
pub use evaluate::Interval;
pub use evaluate::Paired;
pub use evaluate::PromptResult;
pub use evaluate::evaluate;
pub use memory::Bytes;
pub use memory::MemoryEstimate;
pub use metrics::ClipShares;
pub use metrics::KlMeans;
pub use metrics::SignedTokens;
pub use metrics::Spread;
pub use metrics::StepMetrics;
pub use metrics::StepTimes;
pub use metrics::SuccessBin;
pub use optimizer::Optimizer;
pub use optimizer::global_norm;
pub use recipe::Recipe;
pub use recipe::RecipeName;
pub use recipe::SelectorName;
pub use recipe::UnknownRecipe;
pub use recipe::UnknownSelector;
pub use report::EVALUATION_AFTER;
pub use report::EVALUATION_BEFORE;
pub use report::Report;
pub use run_folder::RunFolder;
pub use run_folder::latest_checkpoint;
pub use run_folder::run_config;
pub use run_folder::run_has_begun;
pub use run_folder::run_metrics;
pub use run_folder::run_result;
pub use run_folder::run_transcripts;
pub use trainer::Restored;
pub use trainer::StepRecord;
pub use trainer::Trainer;
pub use transcript::Transcript;
pub use transcript::TranscriptCompletion;
pub use warm_start::Demonstration;
pub use warm_start::WarmStartConfig;
pub use warm_start::warm_start;
