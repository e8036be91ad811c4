//! Every built-in recipe trains: none is a dead formula.

use std::sync::{Arc, Mutex};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use fireproof_losses::{Kl, KlGuard, KlPlace, MismatchCorrection, Penalty, SelfReward};
use fireproof_model::{CausalLm, Transformer, TransformerConfig};
use fireproof_rollout::{InProcessEngine, ReplayEngine};
use fireproof_selection::{InOrder, MixedOutcomes, Need, Observation, PromptSelector, SelectError};
use fireproof_trainer::{Recipe, RecipeName, Trainer, TrainerConfig};
use fireproof_trajectory::{PromptId, Support};
use fireproof_verifier::CheckVerifier;

use crate::common::*;

/// Several updates a step, so that ratios leave 1.
fn off_policy() -> TrainerConfig {
    let mut config =
        TrainerConfig { epochs_per_step: 2, prompts_per_update: 2, steps: 3, ..config(4, 16) };
    config.optimizer.learning_rate = 0.3;
    config
}

fn numbers(policy: &Transformer) -> Vec<f32> {
    struct All(Vec<f32>);
    impl ModuleVisitor for All {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(values(param.val()));
        }
    }
    let mut all = All(Vec::new());
    policy.visit(&mut all);
    all.0
}

#[test]
fn every_recipe_trains_a_transformer_for_three_steps_and_stays_finite() {
    let device = any_device();
    let model = TransformerConfig {
        vocabulary: VOCABULARY,
        width: 16,
        heads: 2,
        kv_heads: 1,
        mlp_width: 32,
        context: CONTEXT,
        ..TransformerConfig::tiny()
    };
    let start = model.init(3, &device.autodiff());
    let mut config = off_policy();
    config.optimizer.learning_rate = 3e-3;
    for name in RecipeName::ALL {
        let recipe = name.build(in_order(), 3);
        let environment = environment(Box::new(CheckVerifier));
        let engine = InProcessEngine::new(64);
        let trainer = Trainer::new(start.clone(), engine, recipe, environment, config.clone());
        let mut trainer = trainer.unwrap();
        let mut updates = 0;
        for _ in 0..3 {
            let metrics = trainer.step().unwrap_or_else(|e| panic!("{name}: {e}")).metrics;
            let finite = metrics.loss.is_finite() && metrics.grad_norm.is_finite();
            assert!(finite, "{name}: {metrics:?}");
            updates += metrics.updates;
        }
        let end = numbers(trainer.policy());
        assert!(updates > 0 && numbers(&start) != end, "{name} changes the policy");
        assert!(end.iter().all(|number| number.is_finite()), "{name}");
    }
}

#[test]
fn what_the_filter_drops_is_replaced_up_to_the_bound() {
    let device = any_device();
    let mixed = |letter| group(letter, &[&letter.to_string(), "dd"]);
    // Two prompts a step. The first batch has one mixed group, the second has two.
    let recorded = vec![mixed('a'), group('b', &["c", "d"]), mixed('c'), mixed('d')];
    let recipe = Recipe {
        filter: Box::new(MixedOutcomes),
        generation_batches: 3,
        ..Recipe::grpo(in_order())
    };
    let mut trainer = replay(recorded, recipe, config(2, 2), &device);
    let record = trainer.step().unwrap();
    assert_eq!((record.metrics.generation_batches, record.metrics.groups_trained), (2, 2));
    assert_eq!(record.groups.len(), 4, "all judged groups are in the record");
    let trained: Vec<bool> = record.advantages.iter().map(Option::is_some).collect();
    assert_eq!(
        trained,
        [true, false, true, false],
        "the second group of the last batch is surplus"
    );
}

#[test]
fn a_bound_that_is_reached_trains_on_what_there_is() {
    let device = any_device();
    let recorded = vec![group('a', &["a", "b"]), group('b', &["c", "d"])];
    let recipe = Recipe { filter: Box::new(MixedOutcomes), ..Recipe::grpo(in_order()) };
    let mut trainer = replay(recorded, recipe, config(2, 2), &device);
    let metrics = trainer.step().unwrap().metrics;
    assert_eq!((metrics.generation_batches, metrics.groups_trained, metrics.updates), (1, 1, 1));
    let idle = Recipe { generation_batches: 0, ..Recipe::grpo(in_order()) };
    let environment = environment(Box::new(CheckVerifier));
    let engine = ReplayEngine::new(Vec::new());
    let error = Trainer::new(uniform(&device), engine, idle, environment, config(1, 2));
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "recipe: `generation_batches` is 0, so nothing would be generated");
}

#[test]
fn a_sampler_that_is_not_the_trainer_is_weighed_by_hand() {
    let device = any_device();
    let recorded = || {
        let mut recorded = group('a', &["a", "b"]);
        // The sampler claims that it gave the first token of the right completion half of what the
        // uniform policy gives it: the ratio of trainer to sampler is 2.
        recorded.completions[0].logprobs[0] -= 2f32.ln();
        recorded
    };
    let norm = |mismatch| {
        let recipe = Recipe { mismatch, ..centered() };
        let mut trainer = replay(vec![recorded()], recipe, config(1, 2), &device);
        let metrics = trainer.step().unwrap().metrics;
        (metrics.grad_norm, metrics.ratio)
    };
    let plain = norm(None);
    assert_close(plain.1, 1.25);
    let masked = norm(Some(MismatchCorrection::TokenMasked { low: 0.5, high: 1.5 }));
    let truncated = norm(Some(MismatchCorrection::TokenTruncated { least: 0.0, cap: 1.5 }));
    let trusted = norm(Some(MismatchCorrection::TokenTruncated { least: 0.0, cap: 1.0 }));
    assert_close(masked.1, 1.0);
    // The more the right completion's first token counts, the longer the gradient.
    assert!(
        masked.0 < trusted.0 && trusted.0 < truncated.0,
        "{masked:?} {trusted:?} {truncated:?}"
    );
}

type Seen = Vec<(PromptId, Vec<f32>)>;

/// Asks for gradients once, remembers them, then selects in order.
#[derive(Debug)]
struct Curious {
    inner: InOrder,
    seen: Arc<Mutex<Seen>>,
}

impl PromptSelector for Curious {
    fn need(&mut self, step: u64, _seed: u64) -> Need {
        let prompts = prompts();
        match step {
            0 => Need::Gradients {
                prompts: prompts[..2].to_vec(),
                validation: prompts[..1].to_vec(),
                samples: 3,
                sketch: 64,
            },
            _ => Need::None,
        }
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        let sketches = seen.iter().filter_map(|o| Some((o.group.prompt, o.gradient?.to_vec())));
        self.seen.lock().expect("one thread").extend(sketches);
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.inner.select(count, seed)
    }

    fn state(&self) -> serde_json::Value {
        self.inner.state()
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        self.inner.restore(state)
    }
}

#[test]
fn a_selector_gets_the_gradient_of_each_prompt_it_asks_for() {
    let device = any_device();
    let seen = Arc::<Mutex<Seen>>::default();
    let selector = Curious { inner: InOrder::new(prompts()), seen: Arc::clone(&seen) };
    let recipe = Recipe { selector: Box::new(selector), ..centered() };
    let recorded = vec![
        group('a', &["a", "b", "b"]),
        group('b', &["a", "a", "a"]),
        group('a', &["a", "c", "c"]),
        // And one to train on.
        group('a', &["a", "b", "b"]),
    ];
    let mut trainer = replay(recorded, recipe, config(1, 3), &device);
    trainer.step().unwrap();
    let seen = seen.lock().unwrap();
    let asked: Vec<PromptId> = seen.iter().map(|(prompt, _)| *prompt).collect();
    assert_eq!(asked, [prompts()[0], prompts()[1], prompts()[0]]);
    let [first, wrong, second] = [0, 1, 2].map(|index: usize| &seen[index].1);
    assert!(wrong.iter().all(|x| *x == 0.0), "an all-wrong group has no centred gradient");
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    // Both push "a" up, one pushes "b" down and the other "c": the angle is acute.
    let cosine = dot(first, second) / (dot(first, first) * dot(second, second)).sqrt();
    assert!(cosine > 0.2 && cosine < 0.99, "{cosine}");
}

#[test]
fn a_kl_by_token_needs_credit_that_counts_it() {
    let device = any_device();
    let kl = Penalty::ReferenceKl {
        estimator: Kl::K1,
        guard: KlGuard::default(),
        coefficient: 0.1,
        place: KlPlace::TokenReward,
    };
    let recipe = Recipe { penalties: vec![kl], ..centered() };
    let environment = environment(Box::new(CheckVerifier));
    let engine = ReplayEngine::new(Vec::new());
    let error = Trainer::new(uniform(&device), engine, recipe, environment, config(1, 2));
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("does not look at what a token costs"), "{error}");
}

#[test]
fn tokens_of_a_support_are_sampled_and_scored_among_it_alone() {
    let device = any_device();
    let mut trainer = sampling(Recipe::rlpt(in_order(), 2), off_policy(), &device);
    for _ in 0..3 {
        let record = trainer.step().unwrap();
        // The first update scores what the sampler saw: the same numbers but for rounding.
        assert!(record.metrics.max_logprob_delta < 1e-5, "{:?}", record.metrics);
        for completion in record.groups.iter().flat_map(|group| &group.group.completions) {
            let support = completion.support.as_ref().unwrap();
            let among = completion.sampling_logprobs.as_ref().unwrap();
            for (place, token) in completion.tokens.iter().enumerate() {
                assert!(support.at(place).len() == 2 && support.at(place).contains(token));
                assert!(among[place] > completion.logprobs[place]);
            }
        }
    }
    let mut recorded = group('a', &["a", "b"]);
    recorded.completions[0].support = Some(Support { width: 1, tokens: vec![2, 0] });
    recorded.completions[0].sampling_logprobs = Some(vec![0.0; 2]);
    let mut trainer = replay(vec![recorded], Recipe::rlpt(in_order(), 1), config(1, 2), &device);
    let error = trainer.step().unwrap_err().to_string();
    assert!(error.ends_with("completion 0: token 1 at 0 is not in its support"), "{error}");
}

#[test]
fn a_policy_learns_to_judge_itself_by_a_reserved_token() {
    let device = any_device();
    // What comes after the stop token is never sampled, so the stop token itself can be reserved.
    let rule = SelfReward {
        reference: -3.0,
        beta: 0.5,
        coefficient: 50.0,
        warmup: 0,
        share: 0.0,
        ..SelfReward::new(0)
    };
    let recipe = Recipe { self_reward: Some(rule), ..centered() };
    let mut trainer = sampling(recipe, TrainerConfig { steps: 60, ..config(4, 32) }, &device);
    let mut last = Vec::new();
    for _ in 0..60 {
        last = trainer.step().unwrap().groups;
    }
    // Log-probability of the token after each completion that ended, right against wrong.
    let policy = trainer.policy().valid();
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for group in &last {
        for (completion, correct) in group.group.completions.iter().zip(group.view().correct) {
            let text = [group.group.prompt_tokens.as_slice(), &completion.tokens].concat();
            if completion.truncated() || text.len() > CONTEXT {
                continue;
            }
            let row: Vec<i32> = text.iter().map(|token| *token as i32).collect();
            let width = row.len();
            let ints = |row: Vec<i32>| {
                Tensor::<2, Int>::from_data(TensorData::new(row, [1, width]), &device)
            };
            let hidden = policy.hidden(ints(row), ints((0..width as i32).collect()));
            let logits: Tensor<2> = policy.logits(hidden.narrow(1, width - 1, 1).squeeze_dim(0));
            let logprob = values(log_softmax(logits, 1))[0];
            if *correct { right.push(logprob) } else { wrong.push(logprob) }
        }
    }
    let mean = |all: &[f32]| all.iter().sum::<f32>() / all.len().max(1) as f32;
    assert!(!right.is_empty() && !wrong.is_empty(), "{} {}", right.len(), wrong.len());
    // The targets are a self-reward of 1 and 0: -1 and -3.
    assert!(mean(&right) > mean(&wrong) + 0.5, "{} {}", mean(&right), mean(&wrong));
    let both = Recipe { top_k: Some(2), ..Recipe::laser(in_order(), 0) };
    let environment = environment(Box::new(CheckVerifier));
    let engine = ReplayEngine::new(Vec::new());
    let error = Trainer::new(uniform(&device), engine, both, environment, config(1, 2));
    let error = error.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("use one of the two"), "{error}");
}
