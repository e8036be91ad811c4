//! Curricula, variance, accuracy and difficulty: what they choose, by hand.

use fireproof_selection::{
    AccuracyGreedy, Among, Curriculum, DifficultyPools, DifficultyShares, Estimation,
    HighestVariance, Need, Pace, Probe, PromptSelector, SuccessRates,
};
use fireproof_trajectory::PromptId;

use crate::common::{Group, ids, pool, show, sorted};

/// Success rates 0, 1/4, 1/2, 3/4 and 1 of prompts 0 to 4.
const FIFTHS: [(u64, usize, usize); 5] = [(0, 0, 4), (1, 1, 4), (2, 2, 4), (3, 3, 4), (4, 4, 4)];

/// The sets that 40 seeds choose, without repetition.
fn choices(selector: &mut dyn PromptSelector, count: usize) -> Vec<Vec<u64>> {
    let choose = |seed| {
        selector.need(1, 0);
        sorted(ids(&selector.select(count, seed).expect("the pool is large enough")))
    };
    let mut all: Vec<Vec<u64>> = (0..40).map(choose).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn the_most_variable_prompts_are_drawn_from_at_random() {
    let mut selector = HighestVariance::new(pool(5), Among::Top(3), Estimation::default()).unwrap();
    show(&mut selector, &FIFTHS, false);
    assert_eq!(choices(&mut selector, 1), [[1], [2], [3]]);
    assert_eq!(choices(&mut selector, 3), [[1, 2, 3]]);
    // Beyond the three the next in order of variance follow, here either of two.
    assert_eq!(choices(&mut selector, 4), [[0, 1, 2, 3], [1, 2, 3, 4]]);
}

#[test]
fn a_share_of_the_pool_is_rounded_up() {
    let mut selector =
        HighestVariance::new(pool(5), Among::Share(0.1), Estimation::default()).unwrap();
    show(&mut selector, &FIFTHS, false);
    assert_eq!(choices(&mut selector, 1), [[2]], "0.1 of 5 is one prompt");
    assert_eq!(choices(&mut selector, 2), [[1, 2], [2, 3]]);
    let mut selector =
        HighestVariance::new(pool(5), Among::Share(0.3), Estimation::default()).unwrap();
    show(&mut selector, &FIFTHS, false);
    assert_eq!(choices(&mut selector, 1), [[1], [2], [3]], "1.5 is two, of equals either");
}

#[test]
fn a_refill_draws_from_the_same_candidates_first() {
    let mut selector = HighestVariance::new(pool(5), Among::Top(3), Estimation::default()).unwrap();
    show(&mut selector, &FIFTHS, false);
    for seed in 0..20 {
        selector.need(seed, 0);
        let first = selector.select(2, seed).unwrap();
        let second = selector.select(1, seed + 1).unwrap();
        assert_eq!(sorted(ids(&[first, second].concat())), [1, 2, 3]);
    }
}

#[test]
fn prompts_never_seen_come_first() {
    let estimation = Estimation::default();
    let mut variance = HighestVariance::new(pool(7), Among::Top(2), estimation).unwrap();
    let mut accuracy = AccuracyGreedy::new(pool(7), 0.5, estimation).unwrap();
    let fifths: Vec<_> = FIFTHS.into_iter().filter(|(id, ..)| *id != 2).collect();
    show(&mut variance, &fifths, false);
    show(&mut accuracy, &fifths, false);
    for (selector, count) in [(&mut variance as &mut dyn PromptSelector, 2), (&mut accuracy, 3)] {
        for chosen in choices(selector, count) {
            assert!(chosen.iter().all(|id| [2, 5, 6].contains(id)), "{selector:?}: {chosen:?}");
        }
    }
}

#[test]
fn accuracies_nearest_the_target_come_first() {
    for (target, expected) in
        [(0.5, [2, 1, 3]), (0.6, [2, 3, 1]), (0.0, [0, 1, 2]), (1.0, [4, 3, 2])]
    {
        let mut selector = AccuracyGreedy::new(pool(5), target, Estimation::default()).unwrap();
        show(&mut selector, &FIFTHS, false);
        // Prompts 1 and 3 are equally near to 1/2.
        let mut chosen = ids(&selector.select(3, 5).unwrap());
        if target == 0.5 {
            chosen[1..].sort_unstable();
        }
        assert_eq!(chosen, expected, "target {target}");
    }
}

#[test]
fn the_whole_pool_is_probed_when_it_is_due() {
    let asked = |every| {
        let probe = Some(Probe { samples: 3, every });
        let estimation = Estimation { probe, ..Estimation::default() };
        let mut selector = AccuracyGreedy::new(pool(4), 0.5, estimation).unwrap();
        let mut is_asked = |step| match selector.need(step, 9) {
            Need::Rollouts { prompts, samples } => {
                assert_eq!((prompts, samples), (pool(4), 3));
                true
            }
            other => {
                assert_eq!(other, Need::None);
                false
            }
        };
        (0..7).map(&mut is_asked).collect::<Vec<bool>>()
    };
    assert_eq!(asked(None), [true, false, false, false, false, false, false]);
    assert_eq!(asked(Some(3)), [true, false, false, true, false, false, true]);
}

#[test]
fn difficulty_pools_give_their_shares_and_fill_up_from_the_middle() {
    let shares = DifficultyShares { easy: 0.25, medium: 0.25, hard: 0.5, ..Default::default() };
    let mut selector = DifficultyPools::new(pool(12), shares, Estimation::default()).unwrap();
    // Ids 0 to 3 are hard, 4 and 5 easy, the rest medium: two never seen, four at 1/2.
    let rates = [0, 0, 1, 1, 3, 4, 2, 2, 2, 2];
    let groups: Vec<_> = (0..).zip(rates).map(|(id, right)| (id, right, 4)).collect();
    show(&mut selector, &groups, false);
    let kinds = |chosen: &[u64]| {
        let hard = chosen.iter().filter(|id| **id < 4).count();
        let easy = chosen.iter().filter(|id| [4, 5].contains(*id)).count();
        [hard, chosen.len() - hard - easy, easy]
    };
    for chosen in choices(&mut selector, 4) {
        assert_eq!(kinds(&chosen), [2, 1, 1]);
    }
    // 12 * (1/2, 1/4, 1/4) = 6, 3, 3: two hard and one easy are missing.
    for chosen in choices(&mut selector, 12) {
        assert_eq!(kinds(&chosen), [4, 6, 2]);
    }
    for chosen in choices(&mut selector, 8) {
        assert_eq!(kinds(&chosen), [4, 2, 2]);
    }
}

fn curriculum(pace: Pace) -> Curriculum {
    // Three prompts each of the levels 1, 5 and 9.
    let levels = pool(9).into_iter().map(|prompt| (prompt, [1, 5, 9][prompt.0 as usize / 3]));
    Curriculum::new(levels, pace, 0.5).expect("settings in range")
}

/// How many prompts of each level a choice holds.
fn levels(chosen: &[PromptId]) -> [usize; 3] {
    [0, 1, 2].map(|level| chosen.iter().filter(|prompt| prompt.0 / 3 == level).count())
}

#[test]
fn levels_open_with_the_steps() {
    let mut selector = curriculum(Pace::Steps(10));
    // Below the highest level there are two to take the other half from.
    for (step, newest, found) in [
        (0, 1, [2, 0]),
        (9, 1, [2, 0]),
        (10, 5, [1, 1]),
        (19, 5, [1, 1]),
        (20, 9, [1, 1]),
        (1000, 9, [1, 1]),
    ] {
        selector.need(step, 0);
        let [first, second, third] = levels(&selector.select(2, step).unwrap());
        assert_eq!(selector.newest_level(), newest, "step {step}");
        let found_now = if newest == 9 { [first + second, third] } else { [first, second + third] };
        assert_eq!(found_now, found, "step {step}");
    }
}

#[test]
fn a_level_opens_when_the_one_below_is_mastered() {
    let mut selector = curriculum(Pace::Success { threshold: 0.5, groups: 2 });
    for (groups, newest) in [
        (&[(0, 1, 4), (1, 2, 4)][..], 1), // mean 3/8 of the first two groups
        (&[(0, 4, 4)], 1),                // the next window is half full
        (&[(8, 4, 4)], 1),                // another level does not count
        (&[(2, 0, 4)], 5),                // mean 1/2
        (&[(0, 4, 4), (1, 4, 4)], 5),     // the level below does not count any more
        (&[(3, 4, 4), (4, 4, 4)], 9),
        (&[(6, 4, 4), (7, 4, 4)], 9), // there is none above
    ] {
        show(&mut selector, groups, true);
        show(&mut selector, groups, false);
        assert_eq!(selector.newest_level(), newest, "{groups:?}");
    }
}

#[test]
fn missing_prompts_come_from_the_newest_level_and_those_below_before_those_above() {
    let mut selector = curriculum(Pace::Steps(1));
    selector.need(0, 0);
    assert_eq!(levels(&selector.select(4, 1).unwrap()), [3, 1, 0]);
    selector.need(1, 0);
    assert_eq!(levels(&selector.select(6, 1).unwrap()), [3, 3, 0]);
    assert_eq!(levels(&selector.select(2, 2).unwrap()), [0, 0, 2], "the others were given");
}

#[test]
fn older_outcomes_fade_with_the_discount() {
    let rate = |discount, groups: &[usize]| {
        let mut rates = SuccessRates::new(discount).unwrap();
        for right in groups {
            rates.learn(Group::new(3, *right, 4).observation(false, 0).group);
        }
        rates.rate(PromptId(3)).unwrap()
    };
    assert_eq!(rate(1.0, &[4, 0]), 0.5);
    assert_eq!(rate(0.5, &[4, 0]), 2.0 / 6.0);
    assert_eq!(rate(0.0, &[4, 1]), 0.25);
    assert_eq!(rate(0.5, &[4, 4, 0]), 3.0 / 7.0); // 4/4 + 4/2 of 1 + 2 + 4
    let mut rates = SuccessRates::new(0.5).unwrap();
    rates.learn(Group::new(3, 0, 0).observation(false, 0).group);
    assert_eq!(rates.rate(PromptId(3)), None, "an empty group says nothing");
}
