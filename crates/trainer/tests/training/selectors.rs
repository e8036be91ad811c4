//! Every built-in selector drives a run.

use burn::tensor::Device;
use fireproof_model::{TabularPolicy, Tokenizer};
use fireproof_rollout::InProcessEngine;
use fireproof_selection::UniformWithoutReplacement;
use fireproof_trainer::{Environment, Recipe, SelectorName, Trainer, TrainerConfig};
use fireproof_trajectory::{CheckSpec, PromptId, Task, TaskMetadata};
use fireproof_verifier::{CheckVerifier, RewardScale};

use crate::common::*;

/// 160 prompts, all one of four letters.
fn pool() -> Vec<Task> {
    let task = |number: u64| {
        let letter = LETTERS.chars().nth(number as usize % 4).expect("four letters").to_string();
        Task {
            id: PromptId(number),
            prompt: letter.clone(),
            check: CheckSpec::Exact { answer: letter },
            metadata: TaskMetadata { level: Some(number as u32 % 4), ..TaskMetadata::default() },
        }
    };
    (0..160).map(task).collect()
}

fn trainer(policy: TabularPolicy, recipe: Recipe) -> Sampling {
    let tokenizer = Tokenizer::characters(LETTERS);
    let verifier = Box::new(CheckVerifier);
    let environment = Environment::new(pool(), tokenizer, verifier, RewardScale::default());
    let config = TrainerConfig { prompts_per_update: 4, ..config(8, 8) };
    let engine = InProcessEngine::new(64);
    Trainer::new(policy, engine, recipe, environment.expect("letters"), config).expect("possible")
}

/// A policy that knows two of the letters well and has seen a little of a third.
fn half_trained(device: &Device) -> TabularPolicy {
    let of_letter = |wanted: u64| (0..160).map(PromptId).filter(move |p| p.0 % 4 == wanted);
    let mut policy = uniform(device);
    for (letters, steps) in [(0..2, 14), (2..3, 3)] {
        let known = letters.flat_map(of_letter).collect();
        let recipe = Recipe::grpo(Box::new(UniformWithoutReplacement::new(known)));
        let mut trainer = trainer(policy, recipe);
        (0..steps).for_each(|_| drop(trainer.step().expect("trains")));
        policy = trainer.policy().clone();
    }
    policy
}

#[test]
fn every_selector_chooses_prompts_that_train() {
    let device = any_device();
    let start = half_trained(&device);
    let levels: Vec<(PromptId, u32)> = (0..160).map(|id| (PromptId(id), id as u32 % 4)).collect();
    for name in SelectorName::ALL {
        let selector = name.build(&levels).unwrap();
        let mut trainer = trainer(start.clone(), Recipe::grpo(selector));
        for _ in 0..12 {
            let record = trainer.step().unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut prompts: Vec<PromptId> = record.groups.iter().map(|g| g.group.prompt).collect();
            prompts.sort();
            prompts.dedup();
            assert_eq!(prompts.len(), 8, "{name}: no prompt twice a step");
        }
        let after = values(trainer.policy().table());
        assert!(after != values(start.table()), "{name}");
    }
}
