//! Rare successes come again.

use fireproof_selection::{
    AccuracyGreedy, Estimation, InOrder, PromptSelector, RareSuccessReplay, ReplaySettings,
    UniformWithoutReplacement,
};

use crate::common::{ids, pool, show, sorted};

fn settings(share: f64) -> ReplaySettings {
    ReplaySettings { share, threshold: 0.25, discount: 0.5 }
}

fn around_order(share: f64) -> RareSuccessReplay {
    RareSuccessReplay::new(Box::new(InOrder::new(pool(20))), settings(share)).expect("in range")
}

#[test]
fn only_rates_above_zero_and_up_to_the_threshold_are_replayed() {
    let mut selector = around_order(1.0);
    show(&mut selector, &[(10, 0, 8), (11, 1, 8), (12, 2, 8), (13, 3, 8), (14, 8, 8)], false);
    show(&mut selector, &[(15, 1, 8)], true);
    let chosen = ids(&selector.select(4, 0).unwrap());
    assert_eq!(chosen[..2], [0, 1], "the inner choice comes first");
    assert_eq!(sorted(chosen[2..].to_vec()), [11, 12]);
}

#[test]
fn the_share_bounds_what_is_replayed() {
    for (share, expected) in [(0.0, 0), (0.1, 0), (0.25, 1), (0.5, 2), (1.0, 4)] {
        let mut selector = around_order(share);
        let rare: Vec<_> = (10..20).map(|id| (id, 1, 8)).collect();
        show(&mut selector, &rare, false);
        let replayed = ids(&selector.select(4, 0).unwrap()).iter().filter(|id| **id >= 10).count();
        assert_eq!(replayed, expected, "share {share}");
    }
}

#[test]
fn a_prompt_that_is_learned_is_no_longer_replayed() {
    let mut selector = around_order(0.5);
    show(&mut selector, &[(15, 1, 8)], false);
    assert!(ids(&selector.select(2, 0).unwrap()).contains(&15));
    show(&mut selector, &[(15, 8, 8)], false); // 8.5 of 12
    selector.need(1, 0);
    assert_eq!(ids(&selector.select(2, 0).unwrap()), [1, 2]);
}

#[test]
fn what_the_inner_selector_chooses_itself_does_not_come_twice() {
    let mut selector = around_order(0.5);
    show(&mut selector, &[(0, 1, 8), (1, 1, 8), (2, 1, 8)], false);
    assert_eq!(ids(&selector.select(4, 0).unwrap()), [0, 1, 2, 3]);
    // Within the step replayed prompts are not given again, and the inner selector goes on.
    assert_eq!(ids(&selector.select(2, 0).unwrap()), [4, 5]);
    selector.need(1, 0);
    let chosen = ids(&selector.select(4, 0).unwrap());
    assert_eq!(chosen[..2], [6, 7]);
    assert!(chosen[2..].iter().all(|id| *id < 3), "{chosen:?}");
}

#[test]
fn a_refill_avoids_what_was_replayed_before_the_inner_selector_came_to_it() {
    let mut selector = around_order(0.25);
    show(&mut selector, &[(5, 1, 8)], false);
    assert_eq!(ids(&selector.select(4, 0).unwrap()), [0, 1, 2, 5]);
    assert_eq!(ids(&selector.select(4, 1).unwrap()), [3, 4, 6, 7]);
}

#[test]
fn what_is_missing_is_not_made_up_of_what_was_replayed() {
    let mut selector = around_order(0.5);
    show(&mut selector, &[(5, 1, 8), (6, 1, 8)], false);
    assert_eq!(sorted(ids(&selector.select(4, 0).unwrap())), [0, 1, 5, 6]);
    // The inner selector comes to 2, 3, 4 and 5, then to 6, then to 7.
    assert_eq!(ids(&selector.select(4, 1).unwrap()), [2, 3, 4, 7]);
}

#[test]
fn the_inner_selector_learns_too() {
    let inner = AccuracyGreedy::new(pool(3), 0.5, Estimation::default()).unwrap();
    let mut selector = RareSuccessReplay::new(Box::new(inner), settings(0.0)).unwrap();
    show(&mut selector, &[(0, 8, 8), (1, 4, 8), (2, 0, 8)], false);
    assert_eq!(ids(&selector.select(1, 0).unwrap()), [1]);
}

#[test]
fn an_exhausted_pool_repeats_without_doubles() {
    let inner = UniformWithoutReplacement::new(pool(4));
    let mut selector = RareSuccessReplay::new(Box::new(inner), settings(0.5)).unwrap();
    show(&mut selector, &[(0, 1, 8), (1, 1, 8)], false);
    for seed in 0..30 {
        let chosen = ids(&selector.select(3, seed).unwrap());
        let different = sorted(chosen.clone()).windows(2).all(|pair| pair[0] != pair[1]);
        assert!(chosen.len() == 3 && different, "{chosen:?}");
    }
}
