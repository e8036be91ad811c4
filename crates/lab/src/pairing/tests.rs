//! The simulation against its own definitions, and the arms against what they say.

use super::*;
use crate::findings::Block;

fn tiny() -> Setting {
    Setting {
        updates: 40,
        every: 10,
        seeds: 2,
        draws: 2,
        tuning_seeds: 1,
        tuning_draws: 1,
        rates: 2,
        lowest_rate: 0.05,
        ..Setting::default()
    }
}

const PARTIAL: Sharing = SHARINGS[2];

#[test]
fn the_start_is_where_it_was_set() {
    for sharing in SHARINGS {
        let world = World::new(&Setting::default(), sharing, 3);
        let policy = LogLinear::uniform(30, sharing.features);
        let all: f64 = (0..328).map(|prompt| world.success(&policy, prompt)).sum();
        assert!((all / 328.0 - 0.35).abs() < 1e-9, "{}: {}", sharing.name, all / 328.0);
    }
}

#[test]
fn runs_repeat_and_learn() {
    let setting = tiny();
    let run = || train(&setting, PARTIAL, Arm::FreshRandom, 0.1, [5, 1]).unwrap();
    let trained = run();
    assert_eq!(trained, run());
    assert_ne!(trained, train(&setting, PARTIAL, Arm::FreshRandom, 0.1, [5, 2]).unwrap());
    assert_eq!((trained.pass.len(), trained.dead.len()), (5, 40));
    let [first, last] = [trained.pass[0], trained.pass[4]];
    assert!(last[0] > first[0] + 0.05, "{first:?} {last:?}");
    assert!(first[0] < first[1] && first[1] < first[2], "pass@k grows with k: {first:?}");
}

#[test]
fn the_gradient_is_that_of_the_advantage_weighted_log_likelihood() {
    let setting = tiny();
    let world = World::new(&setting, PARTIAL, 4);
    let policy = LogLinear::uniform(setting.actions, PARTIAL.features);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    // Prompts with both outcomes, so that there is something to learn.
    let mixed = (0..128).map(PromptId).filter(|prompt| {
        let success = world.success(&policy, prompt.0 as usize);
        (0.2..0.8).contains(&success)
    });
    let prompts: Vec<PromptId> = mixed.take(2).collect();
    let groups = world.groups(&policy, &prompts, 8, &mut rng);
    let found = gradient(&world, &policy, &groups, (0, 1));
    let objective = |policy: &LogLinear| -> f64 {
        let of = |group: &Group| -> f64 {
            let p = softmax(&world.logits(policy, group.prompt));
            let k = group.successes() as f64;
            let std = (k * (8.0 - k) / 8.0 / 7.0).sqrt() + 1e-6;
            let advantage = |right: bool| (f64::from(u8::from(right)) - k / 8.0) / std;
            let terms = group.actions.iter().zip(&group.correct);
            terms.map(|(action, right)| advantage(*right) * p[*action].ln()).sum()
        };
        groups.iter().map(of).sum::<f64>() / 16.0
    };
    for place in [0, 1, 7, 50] {
        let at = |shift: f64| {
            let mut moved = policy.clone();
            moved.weights[place] += shift;
            objective(&moved)
        };
        let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((slope - found[place]).abs() < 1e-6, "{slope} {}", found[place]);
    }
}

fn probe() -> Probe {
    let rates = [0, 1, 2, 8, 8, 9, 14, 15, 16];
    let right = rates.into_iter().enumerate().map(|(id, right)| (PromptId(id as u64), right));
    Probe { samples: 16, right: right.collect() }
}

#[test]
fn arms_choose_what_they_say() {
    let ids = |arm: Arm, seed: u64| -> Vec<u64> {
        let mut selector = selector(arm, &probe(), 2, seed).unwrap();
        selector.need(0, 9);
        selector.select(2, 9).unwrap().into_iter().map(|prompt| prompt.0).collect()
    };
    for seed in 0..20 {
        let (pair, hard) = (ids(Arm::Pair, seed), ids(Arm::TwoHard, seed));
        assert!([1, 2].contains(&pair[0]) && [6, 7].contains(&pair[1]), "{pair:?}");
        assert!(hard == [pair[0], 3 - pair[0]], "{pair:?} {hard:?}");
        let mut highest = ids(Arm::HighestVariance, seed);
        highest.sort_unstable();
        assert_eq!(highest, [3, 4]);
        let random = ids(Arm::TwoRandom, seed);
        assert_ne!(random[0], random[1]);
    }
}

#[test]
fn fixed_arms_keep_their_prompts_and_fresh_ones_change_them() {
    for arm in Arm::ALL {
        let mut selector = selector(arm, &probe(), 2, 3).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for step in 0..30 {
            assert_eq!(selector.need(step, step), fireproof_selection::Need::None);
            let mut two = selector.select(2, step).unwrap();
            two.sort_unstable();
            seen.insert(two);
        }
        assert_eq!(seen.len() == 1, arm.is_fixed(), "{}: {seen:?}", arm.name());
    }
}

#[test]
fn a_pool_without_pairs_is_an_error() {
    let dull = Probe { samples: 16, right: (0..9).map(|id| (PromptId(id), 8)).collect() };
    let error = selector(Arm::Pair, &dull, 2, 1).unwrap_err().to_string();
    assert!(error.contains("0 are rarely right"), "{error}");
    assert!(selector(Arm::HighestVariance, &dull, 2, 1).is_ok());
}

#[test]
fn dead_prompts_stop_a_fixed_run() {
    // A rate so high that both prompts are learned at once.
    let setting = Setting { updates: 60, ..tiny() };
    let trained = train(&setting, SHARINGS[3], Arm::TwoHard, 2.0, [1, 0]).unwrap();
    assert_eq!(trained.dead_at_end(), 1.0);
    let [before, after] = [trained.pass[5], trained.pass[6]];
    assert_eq!(before, after);
}

#[test]
fn findings_hold_what_was_promised() {
    let setting = tiny();
    let comparison = |sharing: Sharing| {
        let arms = Arm::ALL.map(|arm| (arm, study(&setting, sharing, arm).unwrap())).to_vec();
        let completions = setting.every * 2 * setting.samples;
        Comparison { name: sharing.name.to_owned(), arms, completions, target: setting.target }
    };
    let comparisons = [comparison(SHARINGS[0]), comparison(PARTIAL)];
    let blocks = findings(&comparisons, "simulated", 2);
    let criteria: usize = blocks
        .iter()
        .map(|block| match block {
            Block::Criteria(criteria) => criteria.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(criteria, 2 + 4);
    for block in &blocks {
        if let Block::Figure { name, figure, .. } = block {
            assert!(figure.svg(name).unwrap().contains("pair"), "{name}");
        }
    }
    let Block::Table(table) = &blocks[0] else { panic!("the first block is a table") };
    assert_eq!(table.rows.len(), Arm::ALL.len());
}

#[test]
fn exact_numbers_are_those_of_the_paper() {
    let blocks = exact_findings();
    let Some(Block::Criteria(criteria)) = blocks.last() else { panic!("criteria come last") };
    assert!(criteria.iter().all(|criterion| criterion.met), "{criteria:?}");
    // Success rates 1/8 and 1/2: a mixed group is rarer, and pulls less when it comes.
    assert!((mixed_group(0.5, 8) - 0.9921875).abs() < 1e-9);
    assert!(expected_pull(0.125, 8) < 0.6 * expected_pull(0.5, 8));
    // By hand for groups of 3: k = 1 and k = 2 pull with sqrt(2)/3.
    let by_hand = (1.0 - 0.2f64.powi(3) - 0.8f64.powi(3)) * 2f64.sqrt() / 3.0;
    assert!((expected_pull(0.2, 3) - by_hand).abs() < 1e-12);
}
