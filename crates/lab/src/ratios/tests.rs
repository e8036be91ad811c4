//! The simulation against its own definitions, and its weights against a table made by hand.

use super::*;
use crate::findings::Block;

fn tiny() -> Setting {
    Setting {
        prompts: 24,
        prompts_per_step: 8,
        epochs: 4,
        minibatches: 2,
        steps: 8,
        every: 2,
        target: 0.12,
        seeds: 3,
        tuning_seeds: 2,
        lowest_rate: 0.02,
        rates: 2,
        drift: [0.0, 1.0],
        ..Setting::default()
    }
}

/// The table of the released code (ASPO) and of the clipped surrogate, by hand.
#[test]
fn weights_are_those_of_the_hand_table() {
    let aspo = Arm::Aspo.rule();
    let close = |found: [f64; 4], expected: [f64; 4]| {
        found.iter().zip(expected).for_each(|(f, e)| assert!((f - e).abs() < 1e-6, "{f} {e}"));
    };
    close([0.2, 0.5, 1.1, 1.9].map(|r| aspo.weight(r, 1.0)), [3.0, 2.0, 0.909091, 0.0]);
    close([4.0, 1.5, 0.9, 0.5].map(|r| aspo.weight(r, -1.0)), [3.0, 1.5, 0.9, 0.0]);
    let grpo = Arm::Grpo.rule();
    close([0.2, 0.5, 1.1, 1.9].map(|r| grpo.weight(r, 2.0)), [0.2, 0.5, 1.1, 0.0]);
    close([4.0, 1.5, 0.9, 0.5].map(|r| grpo.weight(r, -2.0)), [4.0, 1.5, 0.9, 0.0]);
    close(
        [1.25, 1.27, 1.28, 1.3].map(|r| Arm::Dapo.rule().weight(r, 1.0)),
        [1.25, 1.27, 1.28, 0.0],
    );
    let none = Arm::Unweighted.rule();
    close([0.2, 1.1, 1.21, 1.9].map(|r| none.weight(r, 1.0)), [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(none.weight(0.5, -1.0), 0.0);
    assert!(Arm::ALL.iter().all(|arm| arm.rule().weight(1.0, 0.0) == 0.0));
}

#[test]
fn the_start_is_where_it_was_set() {
    for seed in 0..3 {
        let world = World::new(&Setting::default(), seed);
        let point = world.point(&world.start, 0, 0);
        assert!((point.pass[0] - 0.1).abs() < 1e-6, "{point:?}");
        assert!(point.pass[0] < point.pass[1] && point.pass[1] < point.pass[2]);
        assert!(point.entropy > 0.5 && point.entropy < 8f64.ln(), "{point:?}");
    }
}

#[test]
fn all_rules_agree_on_policy() {
    let setting = Setting { epochs: 1, minibatches: 1, ..tiny() };
    let base = train(&setting, Arm::Grpo, 0.03, 5);
    assert!(base.drift < 1e-12);
    for arm in Arm::ALL {
        let found = train(&setting, arm, 0.03, 5);
        let (a, b) = (base.last(), found.last());
        assert!((a - b).abs() < 1e-9, "{}: {a} {b}", arm.name());
    }
}

#[test]
fn one_epoch_makes_as_many_updates_and_never_drifts() {
    let setting = tiny();
    let [several, one] = [Arm::Grpo, Arm::OneEpoch].map(|arm| train(&setting, arm, 0.03, 2));
    let last = |run: &Trained| run.points.last().map(|point| (point.updates, point.completions));
    assert_eq!(last(&several), Some((8 * 4 * 2, 8 * 8 * 8)));
    assert_eq!(last(&one), Some((8 * 4 * 2, 8 * 8 * 8 * 4)));
    // Both are evaluated after the same numbers of completions.
    assert!(several.points.iter().zip(&one.points).all(|(a, b)| a.completions == b.completions));
    assert!(one.drift < 1e-12 && several.drift > 1e-3, "{} {}", one.drift, several.drift);
    assert!((one.positive.ratio - 1.0).abs() < 1e-12);
}

#[test]
fn positive_tokens_gain_and_negative_tokens_lose() {
    let run = train(&Setting { steps: 20, ..tiny() }, Arm::Grpo, 0.03, 1);
    assert!(run.positive.ratio > 1.0 && run.negative.ratio < 1.0, "{run:?}");
    assert!(run.positive.tokens > 0.0 && run.negative.tokens > run.positive.tokens);
    assert_eq!(run, train(&Setting { steps: 20, ..tiny() }, Arm::Grpo, 0.03, 1));
}

/// The update against the objective it is the gradient of: on policy, `mean A log pi`.
#[test]
fn an_update_follows_the_gradient() {
    let setting = tiny();
    let world = World::new(&setting, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let groups: Vec<Group> =
        (0..8).map(|p| world.sample(&world.start, p, &setting, &mut rng)).collect();
    let advantages = advantages(&groups, 0, 1);
    let objective = |policy: &Policy| -> f64 {
        let mut sum = 0.0;
        for (group, advantages) in groups.iter().zip(&advantages) {
            for (place, matrix) in policy.matrices.iter().enumerate() {
                let p = matrix.probabilities(&world.prompts[group.prompt].features);
                let tokens = group.symbols.iter().zip(advantages);
                sum += tokens.map(|(s, a)| f64::from(*a) * p[s[place]].ln()).sum::<f64>();
            }
        }
        sum / (8 * 8 * 3) as f64
    };
    let mut moved = world.start.clone();
    let mut sums = Sums::new(Arm::Aspo.rule());
    let mut ascents = vec![Ascent::sgd(1.0); 3];
    update(&world, &mut moved, &mut ascents, (&groups, &advantages), &mut sums);
    for (place, weight) in [(0, 3), (1, 40), (2, 100)] {
        let at = |shift: f64| {
            let mut policy = world.start.clone();
            policy.matrices[place].weights[weight] += shift;
            objective(&policy)
        };
        let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        let step =
            moved.matrices[place].weights[weight] - world.start.matrices[place].weights[weight];
        assert!((slope - step).abs() < 1e-8, "{slope} {step}");
    }
}

#[test]
fn findings_hold_what_was_promised() {
    let setting = tiny();
    let arms = Arm::ALL.map(|arm| (arm, study(&setting, arm))).to_vec();
    let scans = [("4 epochs x 2".to_owned(), arms[0].1.tried.clone())];
    let comparison = Comparison { name: "simulated".into(), arms, target: setting.target };
    let mut blocks = findings(&comparison, "simulated", 3, 1e-9);
    blocks.extend(mismatch_findings(&scans, &comparison, 2));
    blocks.extend(exact_findings());
    let criteria: Vec<_> = blocks
        .iter()
        .flat_map(|block| match block {
            Block::Criteria(criteria) => criteria.clone(),
            _ => Vec::new(),
        })
        .collect();
    assert_eq!(criteria.len(), 6 + 1 + 1);
    let met =
        |number: &str| criteria.iter().find(|c| c.rule.starts_with(number)).is_some_and(|c| c.met);
    assert!(met("1.") && met("4."), "weights and the control are certain: {criteria:?}");
    for block in &blocks {
        match block {
            Block::Figure { name, figure, .. } => {
                assert!(figure.svg(name).unwrap().contains("grpo"), "{name}");
            }
            Block::Table(table) => assert!(table.rows.len() >= 4, "{}", table.caption),
            _ => {}
        }
    }
}

#[test]
fn the_rate_is_the_best_within_the_drift_or_the_nearest_to_it() {
    let run = |drift: f64, pass: f64| {
        let point = Point { pass: [pass; 3], ..Point::default() };
        let (positive, negative) = (Side::default(), Side::default());
        Trained { points: vec![point], drift, positive, negative, bins: Vec::new() }
    };
    let tried = vec![
        (0.1, vec![run(0.02, 0.9)]),
        (0.2, vec![run(0.04, 0.5), run(0.06, 0.7)]),
        (0.3, vec![run(0.08, 0.5)]),
        (0.4, vec![run(0.2, 0.95)]),
    ];
    let rate = |arm, drift| ArmResult::tuned(arm, tried.clone(), drift).rate;
    assert_eq!(rate(Arm::Grpo, [0.03, 0.1]), 0.2);
    assert_eq!(rate(Arm::OneEpoch, [0.03, 0.1]), 0.4);
    assert_eq!(rate(Arm::Aspo, [0.3, 0.5]), 0.4);
}
