//! The in-process engine against a decoder without cache or batch, and against probability theory.

#![allow(clippy::print_stdout, reason = "a failed test shows its device")]

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::{SamplingRule, test_devices};
use fireproof_model::{CausalLm, TabularPolicy, Transformer, TransformerConfig};
use fireproof_rollout::{
    Categorical, Greedy, InProcessEngine, ReplayEngine, Restricted, RolloutEngine, RolloutError,
    RolloutRequest, Sampler, StopRules, TopK, UniformStream,
};
use fireproof_trajectory::{
    Completion, FinishReason, PolicyVersion, PromptGroup, PromptId, SamplingParams,
};

const SEED: u64 = 11;
const STEP: u64 = 3;

fn on_every_device(check: impl Fn(&Device)) {
    for resolved in test_devices() {
        println!("on {resolved}");
        check(&resolved.device);
    }
}

fn transformer(device: &Device) -> Transformer {
    TransformerConfig { vocabulary: 11, context: 32, initial_std: 0.3, ..TransformerConfig::tiny() }
        .init(2, device)
}

fn request(prompt: u64, tokens: &[u32], samples: usize) -> RolloutRequest {
    RolloutRequest {
        prompt: PromptId(prompt),
        prompt_tokens: tokens.to_vec(),
        prefix: vec![],
        samples,
        sampling: SamplingParams { temperature: 0.9, ..SamplingParams::default() },
        stop: StopRules { max_tokens: 9, stop_tokens: vec![0] },
        seed: SEED,
        step: STEP,
    }
}

/// Ragged prompts, one of a single token, and different numbers of samples.
fn requests() -> Vec<RolloutRequest> {
    vec![
        request(7, &[3, 1, 4, 1, 5], 5),
        request(8, &[9], 1),
        request(9, &[2, 6, 5], 8),
        request(10, &[5, 3, 5, 8, 9, 7, 9], 3),
    ]
}

fn generate<M: CausalLm>(
    model: &M,
    max_rows: usize,
    requests: &[RolloutRequest],
) -> Vec<PromptGroup> {
    let mut engine = InProcessEngine::new(max_rows);
    engine.publish(model, PolicyVersion(4));
    engine.generate(requests).expect("served")
}

/// One row of logits in f64, by the full forward pass on the row alone.
fn logits<M: CausalLm>(model: &M, row: &[u32], device: &Device) -> Vec<f64> {
    let ints = |values: Vec<i32>| {
        Tensor::<2, Int>::from_data(TensorData::new(values, [1, row.len()]), device)
    };
    let tokens = ints(row.iter().map(|t| *t as i32).collect());
    let hidden = model.hidden(tokens, ints((0..row.len() as i32).collect()));
    let [_, time, width] = hidden.dims();
    let logits = model.logits(hidden.narrow(1, time - 1, 1).reshape([1, width]));
    logits.into_data().try_to_vec_as().expect("float data")
}

/// Decodes one completion by hand: no cache, no batch, probabilities in f64.
fn by_hand<M: CausalLm>(
    model: &M,
    request: &RolloutRequest,
    sample: u64,
    device: &Device,
) -> (Vec<u32>, Vec<f64>, Vec<f64>) {
    let mut uniforms = UniformStream::new(SEED, STEP, request.prompt.0, sample, 0);
    let mut row = request.prompt_tokens.clone();
    let (mut tokens, mut logprobs, mut entropies) = (vec![], vec![], vec![]);
    while tokens.len() < request.stop.max_tokens && tokens.last() != Some(&0) {
        let temperature = f64::from(request.sampling.temperature);
        let weights: Vec<f64> =
            logits(model, &row, device).iter().map(|z| (z / temperature).exp()).collect();
        let whole: f64 = weights.iter().sum();
        let threshold = f64::from(uniforms.next_uniform()) * whole;
        let mut cumulated = 0.0;
        let token = weights.iter().position(|w| {
            cumulated += w;
            cumulated > threshold
        });
        let token = token.expect("the threshold is below the whole");
        let p = |w: &f64| w / whole;
        tokens.push(token as u32);
        row.push(token as u32);
        logprobs.push(p(&weights[token]).ln());
        entropies.push(-weights.iter().map(|w| p(w) * p(w).ln()).sum::<f64>());
    }
    (tokens, logprobs, entropies)
}

#[test]
fn batched_decoding_equals_decoding_by_hand() {
    on_every_device(|device| {
        let model = transformer(device);
        let requests = requests();
        for (group, request) in generate(&model, 64, &requests).iter().zip(&requests) {
            assert_eq!((group.prompt, group.completions.len()), (request.prompt, request.samples));
            for (sample, completion) in group.completions.iter().enumerate() {
                let (tokens, logprobs, entropies) = by_hand(&model, request, sample as u64, device);
                assert_eq!(completion.tokens, tokens, "{request:?}");
                for (a, b) in completion.logprobs.iter().zip(&logprobs) {
                    assert!((f64::from(*a) - b).abs() < 2e-5, "{a} is not {b}");
                }
                for (a, b) in completion.entropies.iter().zip(&entropies) {
                    assert!((f64::from(*a) - b).abs() < 2e-5, "{a} is not {b}");
                }
                let stopped = tokens.last() == Some(&0);
                assert_eq!(completion.finish == FinishReason::Stop, stopped);
                assert_eq!(completion.version, PolicyVersion(4));
                assert_eq!(completion.sampling.temperature, 0.9);
            }
        }
    });
}

fn tokens(groups: &[PromptGroup]) -> Vec<Vec<u32>> {
    let completions = groups.iter().flat_map(|group| &group.completions);
    completions.map(|completion| completion.tokens.clone()).collect()
}

#[test]
fn a_completion_does_not_depend_on_what_else_is_in_the_batch() {
    on_every_device(|device| {
        let model = transformer(device);
        let all = generate(&model, 64, &requests());
        // From two rows at a time, with retiring and admitting, up to all at once.
        for max_rows in [1, 2, 3, 5, 8, 16] {
            assert_eq!(
                tokens(&generate(&model, max_rows, &requests())),
                tokens(&all),
                "{max_rows}"
            );
        }
        let mut reversed = requests();
        reversed.reverse();
        let mut backwards = generate(&model, 6, &reversed);
        backwards.reverse();
        assert_eq!(tokens(&backwards), tokens(&all));
        for (index, request) in requests().into_iter().enumerate() {
            let alone = generate(&model, 64, &[request]);
            assert_eq!(tokens(&alone), tokens(&all[index..=index]));
        }
    });
}

#[test]
fn continuing_from_a_prefix_continues_the_same_completion() {
    on_every_device(|device| {
        let model = transformer(device);
        let whole = generate(&model, 64, &[request(7, &[3, 1, 4], 1)]).remove(0);
        let tokens = &whole.completions[0].tokens;
        for cut in 1..tokens.len() {
            let mut continued = request(7, &[3, 1, 4], 1);
            continued.prefix = tokens[..cut].to_vec();
            continued.stop.max_tokens -= cut;
            let rest = generate(&model, 64, &[continued]).remove(0);
            assert_eq!(rest.completions[0].tokens, tokens[cut..]);
        }
    });
}

#[test]
fn greedy_and_random_requests_can_be_mixed() {
    on_every_device(|device| {
        let model = transformer(device);
        let mut greedy = request(8, &[9], 2);
        greedy.sampling.temperature = 0.0;
        let groups = generate(&model, 64, &[request(7, &[3, 1], 2), greedy.clone()]);
        let [first, second] = &groups[1].completions[..] else { panic!("two completions") };
        assert_eq!(first.tokens, second.tokens, "greedy decoding is the same every time");
        let mut row = greedy.prompt_tokens;
        for token in &first.tokens {
            let logits = logits(&model, &row, device);
            assert!(logits.iter().all(|z| *z <= logits[*token as usize]));
            row.push(*token);
        }
        let alone = generate(&model, 64, &[request(7, &[3, 1], 2)]);
        assert_eq!(groups[0].completions[0].tokens, alone[0].completions[0].tokens);
    });
}

#[test]
fn frequencies_are_those_of_the_softmax() {
    on_every_device(|device| {
        let vocabulary = 6;
        let row = [0.0f32, 1.0, -1.0, 2.0, 0.5, f32::NEG_INFINITY];
        let table = row.repeat(vocabulary * 4);
        let policy = TabularPolicy::from_logits(&table, vocabulary, device);
        let mut asked = request(1, &[2], 4000);
        asked.sampling.temperature = 2.0;
        asked.stop = StopRules { max_tokens: 1, stop_tokens: vec![] };
        let group = generate(&policy, 8192, &[asked]).remove(0);
        let weights = row.map(|z| (z / 2.0).exp());
        let whole: f32 = weights.iter().sum();
        let mut chi_squared = 0.0;
        for (token, weight) in weights.iter().enumerate() {
            let drawn = |c: &&Completion| c.tokens == [token as u32];
            let seen = group.completions.iter().filter(drawn).count() as f32;
            let expected = 4000.0 * weight / whole;
            if expected == 0.0 {
                assert_eq!(seen, 0.0, "a token of probability 0 was drawn");
            } else {
                chi_squared += (seen - expected).powi(2) / expected;
            }
        }
        // Four degrees of freedom: above 18.5 has probability 0.001; the seed is fixed.
        assert!(chi_squared < 18.5, "{chi_squared}");
    });
}

/// Logits whose softmax is 1/2, 1/4, 1/8, 1/8 in another order, and the ways of sampling from it.
const SHARES: [f64; 4] = [0.125, 0.5, 0.125, 0.25];

fn from_shares(sampling: SamplingParams, samples: usize, device: &Device) -> PromptGroup {
    let table = SHARES.map(|share| share.ln() as f32).repeat(4 * 2);
    let policy = TabularPolicy::from_logits(&table, 4, device);
    let stop = StopRules { max_tokens: 1, stop_tokens: vec![] };
    let asked = RolloutRequest { sampling, stop, ..request(1, &[2], samples) };
    generate(&policy, 8192, &[asked]).remove(0)
}

#[test]
fn a_restricted_support_is_drawn_from_as_from_its_renormalised_softmax() {
    let whole = SamplingParams::default();
    let top_p = |share| SamplingParams { top_p: Some(share), ..whole };
    let min_p = |share| SamplingParams { min_p: Some(share), ..whole };
    for (sampling, support) in [
        // The tokens before the second add to 1/2, those before the tie to 3/4: the tie is in or
        // out as a whole.
        (top_p(0.4), vec![1]),
        (top_p(0.51), vec![1, 3]),
        (top_p(0.74), vec![1, 3]),
        (top_p(0.76), vec![0, 1, 2, 3]),
        (top_p(1.0), vec![0, 1, 2, 3]),
        (min_p(0.6), vec![1]),
        (min_p(0.3), vec![1, 3]),
        (SamplingParams { top_k: Some(3), ..top_p(0.74) }, vec![1, 3]),
        (SamplingParams { top_k: Some(1), ..top_p(0.74) }, vec![1]),
        (SamplingParams { top_k: Some(2), ..whole }, vec![1, 3]),
    ] {
        on_every_device(|device| {
            const COUNT: usize = 2000;
            let group = from_shares(sampling, COUNT, device);
            let mass: f64 = support.iter().map(|token| SHARES[*token]).sum();
            let mut chi_squared = 0.0;
            for (token, share) in SHARES.iter().enumerate() {
                let drawn = |c: &&Completion| c.tokens == [token as u32];
                let seen = group.completions.iter().filter(drawn).count() as f64;
                if support.contains(&token) {
                    let expected = COUNT as f64 * share / mass;
                    chi_squared += (seen - expected).powi(2) / expected;
                } else {
                    assert_eq!(seen, 0.0, "{sampling:?} drew token {token}");
                }
            }
            // At most three degrees of freedom: above 16.3 has probability 0.001; the seed is fixed.
            assert!(chi_squared < 16.3, "{sampling:?}: {chi_squared}");
            for completion in &group.completions {
                let share = SHARES[completion.tokens[0] as usize];
                assert!((f64::from(completion.logprobs[0]) - share.ln()).abs() < 1e-5);
                let among = completion.sampling_logprobs.as_ref().map(|among| f64::from(among[0]));
                let expected = (support.len() < 4 || sampling.top_p == Some(0.76))
                    .then_some((share / mass).ln());
                assert_eq!(among.is_some(), expected.is_some(), "{sampling:?}");
                assert!((among.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-5);
            }
        });
    }
}

#[test]
fn a_support_is_kept_where_its_size_alone_restricts_it() {
    let device = &test_devices()[0].device;
    let sampling = |top_k, top_p| SamplingParams { top_k, top_p, ..SamplingParams::default() };
    for (sampling, kept) in [
        (sampling(Some(2), None), true),
        (sampling(Some(2), Some(0.9)), false),
        (sampling(None, Some(0.9)), false),
        (sampling(None, None), false),
    ] {
        let group = from_shares(sampling, 2, device);
        group.validate().expect("lengths agree");
        for completion in &group.completions {
            assert_eq!(completion.support.as_ref().map(|s| s.at(0)), kept.then_some(&[1, 3][..]));
            let behaviour = completion.behaviour_logprobs();
            let among = completion.sampling_logprobs.as_deref();
            assert_eq!(Some(behaviour), if kept { among } else { Some(&completion.logprobs[..]) });
        }
    }
}

#[test]
fn a_restricted_completion_does_not_depend_on_its_batch_either() {
    on_every_device(|device| {
        let model = transformer(device);
        let asked = |restrict: fn(&mut SamplingParams)| -> Vec<RolloutRequest> {
            let mut all = requests();
            all.iter_mut().for_each(|request| restrict(&mut request.sampling));
            all
        };
        for asked in [
            asked(|sampling| sampling.top_p = Some(0.7)),
            asked(|sampling| sampling.min_p = Some(0.2)),
            asked(|sampling| sampling.top_k = Some(3)),
        ] {
            let all = tokens(&generate(&model, 64, &asked));
            assert_eq!(tokens(&generate(&model, 3, &asked)), all);
            for (index, request) in asked.into_iter().enumerate() {
                let before: usize = requests()[..index].iter().map(|r| r.samples).sum();
                let alone = tokens(&generate(&model, 64, &[request]));
                assert_eq!(alone, all[before..before + alone.len()]);
            }
        }
    });
}

#[test]
fn ties_at_the_edge_are_kept_by_a_rule_and_cut_by_a_support_of_fixed_size() {
    on_every_device(|device| {
        let row = [0.0f32, 2.0, 2.0, 2.0];
        let logits = Tensor::<2>::from_data([row; 64], device);
        let uniforms: Vec<f32> = (0..64).map(|i| (i as f32 + 0.5) / 64.0).collect();
        let drawn = |sampler: &dyn Sampler| {
            let uniforms = Tensor::<1>::from_data(TensorData::new(uniforms.clone(), [64]), device);
            let drawn = sampler.sample(logits.clone(), uniforms).tokens.into_data();
            let mut tokens: Vec<i32> = drawn.try_to_vec_as().expect("ints");
            tokens.sort_unstable();
            tokens.dedup();
            tokens
        };
        let whole = SamplingRule::at(1.0);
        let two = SamplingRule { top_k: Some(2), ..whole };
        assert_eq!(drawn(&Restricted { rule: two }), [1, 2, 3]);
        assert_eq!(drawn(&TopK { k: 2, temperature: 1.0 }).len(), 2);
        let half = SamplingRule { top_p: Some(0.5), ..whole };
        assert_eq!(drawn(&Restricted { rule: half }), [1, 2, 3]);
    });
}

#[test]
fn the_extremes_of_the_uniform_number_draw_the_ends_of_the_support() {
    on_every_device(|device| {
        let inf = f32::NEG_INFINITY;
        let logits = Tensor::<2>::from_data([[inf, 0.0, 1.0, inf], [inf, 0.0, 1.0, inf]], device);
        let largest = 1.0 - 2f32.powi(-24);
        let uniforms = Tensor::<1>::from_data([0.0, largest], device);
        let drawn = Categorical { temperature: 1.0 }.sample(logits.clone(), uniforms.clone());
        let tokens: Vec<i32> = drawn.tokens.into_data().try_to_vec_as().expect("ints");
        assert_eq!(tokens, [1, 2]);
        let drawn = Greedy.sample(logits, uniforms);
        let tokens: Vec<i32> = drawn.tokens.into_data().try_to_vec_as().expect("ints");
        assert_eq!(tokens, [2, 2]);
    });
}

#[test]
fn requests_that_cannot_be_served_are_named() {
    let device = &test_devices()[0].device;
    let model = transformer(device);
    let mut engine = InProcessEngine::new(8);
    assert_eq!(engine.generate(&requests()).unwrap_err(), RolloutError::NotPublished);
    engine.publish(&model, PolicyVersion(0));
    let change = |edit: &dyn Fn(&mut RolloutRequest)| {
        let mut asked = request(7, &[3, 1], 2);
        edit(&mut asked);
        asked
    };
    for (asked, message) in [
        (change(&|r| r.prompt_tokens.clear()), "the prompt has no tokens"),
        (change(&|r| r.samples = 0), "0 samples were asked for"),
        (change(&|r| r.stop.max_tokens = 0), "0 new tokens were asked for"),
        (change(&|r| r.sampling.temperature = -1.0), "must be 0 or positive, not -1"),
        (change(&|r| r.sampling.temperature = f32::NAN), "must be 0 or positive, not NaN"),
        (change(&|r| r.sampling.top_k = Some(0)), "top_k must be at least 1, not 0"),
        (change(&|r| r.sampling.top_p = Some(0.0)), "top_p must be above 0 and at most 1, not 0"),
        (change(&|r| r.sampling.min_p = Some(1.5)), "min_p must be above 0 and at most 1, not 1.5"),
        (change(&|r| r.prompt_tokens = vec![1, 11]), "token 11 at position 1 is not in the"),
        (change(&|r| r.prefix = vec![99]), "token 99 at position 2 is not in the"),
        (change(&|r| r.stop.max_tokens = 31), "2 tokens and up to 31 new ones exceed"),
    ] {
        let error = engine.generate(&[request(6, &[1], 1), asked]).unwrap_err().to_string();
        assert!(error.starts_with("prompt 0000000000000007: "), "{error}");
        assert!(error.contains(message), "{error}");
    }
    assert!(engine.generate(&[]).expect("nothing asked").is_empty());
}

#[test]
fn a_policy_that_has_diverged_is_an_error_and_not_a_completion() {
    let device = &test_devices()[0].device;
    let policy = TabularPolicy::from_logits(&[f32::NAN; 27], 3, device);
    let mut engine = InProcessEngine::new(8);
    engine.publish(&policy, PolicyVersion(0));
    let mut asked = request(7, &[1], 2);
    asked.stop.max_tokens = 2;
    let error = engine.generate(&[asked]).unwrap_err().to_string();
    assert!(error.contains("sample 0: the policy gave NaN"), "{error}");
}

#[test]
fn a_replay_returns_what_was_recorded_and_nothing_twice() {
    let device = &test_devices()[0].device;
    let recorded = generate(&transformer(device), 64, &requests());
    let mut engine = ReplayEngine::<Transformer>::new(recorded.clone());
    engine.publish(&transformer(device), PolicyVersion(9));
    let mut asked = requests();
    asked.reverse();
    let replayed = engine.generate(&asked).expect("recorded");
    assert_eq!(replayed[3], recorded[0]);
    assert_eq!(
        engine.generate(&asked[..1]).unwrap_err(),
        RolloutError::NotRecorded { prompt: PromptId(10), samples: 3 }
    );
}
