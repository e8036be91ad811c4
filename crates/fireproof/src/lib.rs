//! Fireproof: reinforcement learning with verifiable rewards (RLVR) on burn.
//!
//! This crate holds no logic. It gives every crate of the workspace a short name, and a
//! [`prelude`] with what most experiments use.
//!
//! ```text
//! floor 3   trainer       the step: select, generate, verify, weigh, update, observe
//! floor 2   rollout       prompts + policy -> groups of completions      |  lab: arms, seeds, statistics
//! floor 1   model losses  |  verifier advantage selection tasks
//! floor 0   kernels       |  trajectory
//!           with burn     |  without
//! ```
//!
//! A policy that learns which of three letters a prompt wants:
//!
//! ```
//! use fireproof::prelude::*;
//!
//! let tasks: Vec<Task> = ["a", "b", "c"]
//!     .map(|letter| Task {
//!         id: PromptId::of(letter),
//!         prompt: letter.into(),
//!         check: CheckSpec::Exact { answer: letter.into() },
//!         metadata: TaskMetadata::default(),
//!     })
//!     .into();
//! let prompts: Vec<PromptId> = tasks.iter().map(|task| task.id).collect();
//! let tokenizer = Tokenizer::characters("abc");
//! let device = resolve_device(Some("flex")).unwrap().device;
//! let policy = TabularPolicy::uniform(tokenizer.vocabulary(), 4, &device.autodiff());
//! let environment =
//!     Environment::new(tasks, tokenizer, Box::new(CheckVerifier), RewardScale::default()).unwrap();
//! let mut config = TrainerConfig { prompts_per_step: 3, max_new_tokens: 2, ..Default::default() };
//! config.optimizer.learning_rate = 0.1;
//! let recipe = Recipe::linear_r(Box::new(UniformWithoutReplacement::new(prompts)));
//! let mut trainer =
//!     Trainer::new(policy, InProcessEngine::new(64), recipe, environment, config).unwrap();
//! let rewards: Vec<f32> = (0..40).map(|_| trainer.step().unwrap().metrics.reward.mean).collect();
//! assert!(rewards[39] > 0.9, "{rewards:?}");
//! ```

pub use fireproof_advantage as advantage;
pub use fireproof_kernels as kernels;
pub use fireproof_lab as lab;
pub use fireproof_losses as losses;
pub use fireproof_model as model;
pub use fireproof_rollout as rollout;
pub use fireproof_selection as selection;
pub use fireproof_tasks as tasks;
pub use fireproof_trainer as trainer;
pub use fireproof_trajectory as trajectory;
pub use fireproof_verifier as verifier;

/// What most experiments use.
pub mod prelude {
    pub use fireproof_advantage::AdvantageEstimator;
    pub use fireproof_advantage::Centered;
    pub use fireproof_advantage::Focal;
    pub use fireproof_advantage::LeaveOneOut;
    pub use fireproof_advantage::LinearR;
    pub use fireproof_advantage::PerGroup;
    pub use fireproof_advantage::PromptWeighted;
    pub use fireproof_advantage::PromptWeighting;
    pub use fireproof_advantage::SqrtR;
    pub use fireproof_advantage::ZScore;
    pub use fireproof_kernels::resolve_device;
    pub use fireproof_losses::AspoSurrogate;
    pub use fireproof_losses::ClippedSurrogate;
    pub use fireproof_losses::Kl;
    pub use fireproof_losses::KlPlace;
    pub use fireproof_losses::Penalty;
    pub use fireproof_losses::PolicyBatch;
    pub use fireproof_losses::PolicyLoss;
    pub use fireproof_losses::Reduction;
    pub use fireproof_losses::Surrogate;
    pub use fireproof_losses::SurrogateStats;
    pub use fireproof_model::CausalLm;
    pub use fireproof_model::TabularPolicy;
    pub use fireproof_model::Tokenizer;
    pub use fireproof_model::Transformer;
    pub use fireproof_model::TransformerConfig;
    pub use fireproof_rollout::InProcessEngine;
    pub use fireproof_rollout::RolloutEngine;
    pub use fireproof_selection::GroupFilter;
    pub use fireproof_selection::KeepAll;
    pub use fireproof_selection::MixedOutcomes;
    pub use fireproof_selection::PromptSelector;
    pub use fireproof_selection::UniformWithoutReplacement;
    pub use fireproof_tasks::Partition;
    pub use fireproof_tasks::TaskFamily;
    pub use fireproof_tasks::generate;
    pub use fireproof_trainer::Demonstration;
    pub use fireproof_trainer::Environment;
    pub use fireproof_trainer::Recipe;
    pub use fireproof_trainer::RunFolder;
    pub use fireproof_trainer::StepMetrics;
    pub use fireproof_trainer::TrainError;
    pub use fireproof_trainer::Trainer;
    pub use fireproof_trainer::TrainerConfig;
    pub use fireproof_trainer::WarmStartConfig;
    pub use fireproof_trainer::evaluate;
    pub use fireproof_trainer::warm_start;
    pub use fireproof_trajectory::CheckSpec;
    pub use fireproof_trajectory::GroupView;
    pub use fireproof_trajectory::Outcome;
    pub use fireproof_trajectory::PromptId;
    pub use fireproof_trajectory::StepView;
    pub use fireproof_trajectory::Task;
    pub use fireproof_trajectory::TaskMetadata;
    pub use fireproof_trajectory::Verdict;
    pub use fireproof_verifier::CheckVerifier;
    pub use fireproof_verifier::RewardScale;
    pub use fireproof_verifier::Verifier;
    pub use fireproof_verifier::VerifyError;
}

/// The Rust in the README and in the book compiles and runs.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../README.md")]
    struct Readme;

    #[doc = include_str!("../../../book/src/one-step.md")]
    struct OneStep;

    #[doc = include_str!("../../../book/src/verifiers-tasks.md")]
    struct Tasks;

    #[doc = include_str!("../../../book/src/verifiers-math.md")]
    struct Mathematics;

    #[doc = include_str!("../../../book/src/verifiers-code.md")]
    struct Programs;
}
