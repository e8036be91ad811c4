//! Positive-negative pairs.

use fireproof_selection::{Need, Pairing, PairingSettings, PromptSelector, SelectError};
use proptest::prelude::*;

use crate::common::{ids, pool, show};

fn pairing(size: u64, c: usize, samples: usize, refresh: Option<u64>) -> Pairing {
    let settings = PairingSettings { c, samples, refresh };
    Pairing::new(pool(size), settings).expect("settings in range")
}

/// Prompt `k` has `k` right of `samples` completions.
fn ladder(samples: usize) -> Vec<(u64, usize, usize)> {
    (0..=samples).map(|right| (right as u64, right, samples)).collect()
}

proptest! {
    #[test]
    fn pairs_alternate_within_their_bounds(half in 2usize..12, c in 1usize..12, seed: u64) {
        let samples = 2 * half + 1;
        let c = c.min(half);
        let mut selector = pairing(samples as u64 + 1, c, samples, None);
        selector.need(0, 0);
        show(&mut selector, &ladder(samples), true);
        let chosen = ids(&selector.select(2 * c, seed).unwrap());
        for (place, right) in chosen.iter().map(|id| *id as usize).enumerate() {
            let allowed = if place % 2 == 0 { 1..=c } else { samples - c..=samples - 1 };
            prop_assert!(allowed.contains(&right), "{chosen:?}");
        }
        let more = SelectError::TooFewPairs {
            probed: samples + 1,
            c,
            positive: c,
            negative: c,
            asked_positive: c + 1,
            asked_negative: c,
        };
        let error = selector.select(2 * c + 1, seed);
        prop_assert_eq!(error.unwrap_err(), more);
    }
}

#[test]
fn too_few_candidates_are_an_error_with_the_numbers_found() {
    let mut selector = pairing(4, 2, 8, None);
    selector.need(0, 0);
    show(&mut selector, &[(0, 0, 8), (1, 2, 8), (2, 8, 8), (3, 4, 8)], true);
    let error = selector.select(2, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "of 4 probed prompts 1 are rarely right (1 to 2 of their completions) and 0 are rarely \
         wrong, but 1 and 1 were asked for"
    );
    assert_eq!(ids(&selector.select(1, 0).unwrap()), [1], "an odd count ends with a q+");
}

#[test]
fn without_a_probe_there_are_no_pairs() {
    let mut selector = pairing(4, 1, 8, None);
    for step in 0..2 {
        let need = Need::Rollouts { prompts: pool(4), samples: 8 };
        assert_eq!(selector.need(step, 0), need, "it goes on asking");
        show(&mut selector, &[(0, 1, 8), (1, 7, 8)], false);
    }
    let error = selector.select(2, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Pairing selects only after it was shown a probe of its pool, which `need` asks for"
    );
}

#[test]
fn the_pool_is_probed_once_and_training_teaches_nothing() {
    let mut selector = pairing(9, 1, 8, None);
    assert_eq!(selector.need(0, 0), Need::Rollouts { prompts: pool(9), samples: 8 });
    show(&mut selector, &ladder(8), true);
    for step in 1..20 {
        assert_eq!(ids(&selector.select(2, step).unwrap()), [1, 7]);
        show(&mut selector, &[(1, 8, 8), (7, 0, 8), (3, 1, 8)], false);
        assert_eq!(selector.need(step, 0), Need::None);
    }
}

#[test]
fn a_refresh_forgets_the_old_pairs() {
    let mut selector = pairing(9, 1, 8, Some(5));
    selector.need(3, 0);
    show(&mut selector, &ladder(8), true);
    assert_eq!(selector.need(7, 0), Need::None);
    assert_eq!(selector.need(8, 0), Need::Rollouts { prompts: pool(9), samples: 8 });
    show(&mut selector, &[(4, 1, 8), (5, 7, 8)], true);
    assert_eq!(ids(&selector.select(2, 0).unwrap()), [4, 5]);
}

#[test]
fn a_probe_that_lost_completions_is_on_one_side_only() {
    let mut selector = pairing(3, 2, 8, None);
    selector.need(0, 0);
    show(&mut selector, &[(0, 1, 2), (1, 7, 8)], true);
    for seed in 0..10 {
        selector.need(1, 0);
        assert_eq!(ids(&selector.select(2, seed).unwrap()), [0, 1]);
    }
}
