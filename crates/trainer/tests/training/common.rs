//! A tiny world: prompts of one letter, a table of logits as policy, completions of any shape.

use burn::tensor::{Device, Tensor};
use fireproof_advantage::Centered;
use fireproof_kernels::test_devices;
use fireproof_model::{TabularPolicy, Tokenizer};
use fireproof_rollout::{InProcessEngine, ReplayEngine};
use fireproof_selection::{InOrder, PromptSelector};
use fireproof_trainer::{Environment, Recipe, StepMetrics, StepTimes, Trainer, TrainerConfig};
use fireproof_trajectory::{
    CheckSpec, Completion, FinishReason, PolicyVersion, PromptGroup, PromptId, SamplingParams,
    Task, TaskMetadata,
};
use fireproof_verifier::{CheckVerifier, RewardScale, Verifier};

/// Tokens: 0 stops, then a to d.
pub(crate) const LETTERS: &str = "abcd";
pub(crate) const VOCABULARY: usize = 5;
/// A prompt of one token and three more.
pub(crate) const CONTEXT: usize = 4;

pub(crate) type Replay = Trainer<TabularPolicy, ReplayEngine<TabularPolicy>>;
pub(crate) type Sampling = Trainer<TabularPolicy, InProcessEngine<TabularPolicy>>;

pub(crate) fn on_every_device(check: impl Fn(&Device)) {
    for resolved in test_devices() {
        println!("on {resolved}");
        check(&resolved.device);
    }
}

/// For what does not depend on the device: the plainest one there is.
pub(crate) fn any_device() -> Device {
    test_devices().pop().expect("there is a device").device
}

/// "a" wants "a", "b" wants "b" and so on.
pub(crate) fn tasks() -> Vec<Task> {
    let task = |letter: char| Task {
        id: PromptId::of(&letter.to_string()),
        prompt: letter.into(),
        check: CheckSpec::Exact { answer: letter.into() },
        metadata: TaskMetadata::default(),
    };
    LETTERS.chars().map(task).collect()
}

pub(crate) fn prompts() -> Vec<PromptId> {
    tasks().iter().map(|task| task.id).collect()
}

pub(crate) fn in_order() -> Box<dyn PromptSelector> {
    Box::new(InOrder::new(prompts()))
}

/// GRPO with advantages that can be computed in the head.
pub(crate) fn centered() -> Recipe {
    Recipe { estimator: Box::new(Centered), ..Recipe::grpo(in_order()) }
}

pub(crate) fn environment(verifier: Box<dyn Verifier>) -> Environment {
    let tokenizer = Tokenizer::characters(LETTERS);
    Environment::new(tasks(), tokenizer, verifier, RewardScale::default()).expect("encodable")
}

/// A policy that gives every token the same probability.
pub(crate) fn uniform(device: &Device) -> TabularPolicy {
    TabularPolicy::uniform(VOCABULARY, CONTEXT, &device.clone().autodiff())
}

pub(crate) fn config(prompts_per_step: usize, samples_per_prompt: usize) -> TrainerConfig {
    let mut config = TrainerConfig {
        prompts_per_step,
        samples_per_prompt,
        max_new_tokens: 3,
        ..TrainerConfig::default()
    };
    config.optimizer.learning_rate = 0.1;
    config
}

/// A trainer that replays recorded groups.
pub(crate) fn replay(
    recorded: Vec<PromptGroup>,
    recipe: Recipe,
    config: TrainerConfig,
    device: &Device,
) -> Replay {
    let environment = environment(Box::new(CheckVerifier));
    Trainer::new(uniform(device), ReplayEngine::new(recorded), recipe, environment, config)
        .expect("possible settings")
}

/// A trainer that samples.
pub(crate) fn sampling(recipe: Recipe, config: TrainerConfig, device: &Device) -> Sampling {
    let environment = environment(Box::new(CheckVerifier));
    Trainer::new(uniform(device), InProcessEngine::new(64), recipe, environment, config)
        .expect("possible settings")
}

/// The completions `texts` of a prompt as the uniform policy would have produced them: each ends
/// with the stop token unless it fills all three places.
pub(crate) fn group(prompt: char, texts: &[&str]) -> PromptGroup {
    let tokenizer = Tokenizer::characters(LETTERS);
    let completion = |text: &&str| {
        let mut tokens = tokenizer.encode(text).expect("letters");
        let finish = if tokens.len() < 3 {
            tokens.push(tokenizer.stop());
            FinishReason::Stop
        } else {
            FinishReason::Length
        };
        let spread = (VOCABULARY as f32).ln();
        Completion {
            logprobs: vec![-spread; tokens.len()],
            sampling_logprobs: None,
            support: None,
            entropies: vec![spread; tokens.len()],
            tokens,
            finish,
            sampling: SamplingParams::default(),
            version: PolicyVersion(0),
        }
    };
    let prompt = prompt.to_string();
    PromptGroup {
        prompt: PromptId::of(&prompt),
        prompt_tokens: tokenizer.encode(&prompt).expect("a letter"),
        completions: texts.iter().map(completion).collect(),
    }
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec_as().expect("floats")
}

/// Metrics without the clock.
pub(crate) fn timeless(metrics: &StepMetrics) -> StepMetrics {
    StepMetrics { time: StepTimes::default(), ..metrics.clone() }
}

#[track_caller]
pub(crate) fn assert_close(found: f32, expected: f32) {
    assert!((found - expected).abs() < 2e-6 * expected.abs().max(1.0), "{found} is not {expected}");
}
