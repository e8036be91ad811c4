//! The Beta posterior, its draws and its golden table.

use fireproof_selection::{PosteriorSampling, PosteriorSettings, PromptSelector, Wanted};
use fireproof_trajectory::PromptId;
use proptest::prelude::*;
use serde_json::Value;

use crate::common::{ids, pool, show, sorted};

const ONE: PromptId = PromptId(0);

fn sampling(discount: f64, wanted: Wanted) -> PosteriorSampling {
    let settings = PosteriorSettings { discount, wanted, candidates: None, ..Default::default() };
    PosteriorSampling::new(pool(4), settings).expect("settings in range")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn posteriors_follow_the_released_recursion() {
    let golden: Value = serde_json::from_str(include_str!("../golden/golden.json")).unwrap();
    for case in golden["posteriors"].as_array().unwrap() {
        let settings = PosteriorSettings {
            prior_alpha: number(&case["prior"][0]),
            prior_beta: number(&case["prior"][1]),
            discount: number(&case["discount"]),
            ..PosteriorSettings::default()
        };
        let mut selector = PosteriorSampling::new(pool(2), settings).unwrap();
        for row in case["rows"].as_array().unwrap() {
            let (right, completions) = (row[0].as_u64().unwrap(), row[1].as_u64().unwrap());
            show(&mut selector, &[(0, right as usize, completions as usize)], false);
            let (alpha, beta) = selector.posterior(ONE);
            for (found, expected) in [alpha, beta, selector.mean(ONE)].iter().zip([2, 3, 4]) {
                let expected = number(&row[expected]);
                assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{settings:?}: {row}");
            }
        }
        assert_eq!(
            selector.posterior(PromptId(1)),
            (settings.prior_alpha, settings.prior_beta),
            "only what is shown is updated"
        );
    }
}

#[test]
fn posteriors_by_hand() {
    let mut selector = sampling(0.5, Wanted::Nearest(0.5));
    assert_eq!(selector.posterior(ONE), (1.0, 1.0));
    for (right, expected) in [(8, (9.0, 1.0)), (0, (5.0, 9.0)), (4, (7.0, 9.0))] {
        show(&mut selector, &[(0, right, 8)], false);
        assert_eq!(selector.posterior(ONE), expected); // 9/2 + 1/2 + 0 = 5, 1/2 + 1/2 + 8 = 9, ...
    }
}

#[test]
fn earlier_outcomes_count_with_their_weight() {
    let selector = sampling(1.0, Wanted::Nearest(0.5)).with_earlier([(ONE, 2, 5)], 3.0).unwrap();
    assert_eq!(selector.posterior(ONE), (7.0, 16.0));
    let stranger = sampling(1.0, Wanted::Nearest(0.5)).with_earlier([(PromptId(9), 1, 1)], 3.0);
    assert!(stranger.unwrap_err().to_string().contains("0000000000000009"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_mean_converges_to_a_stationary_rate(right in 0usize..9) {
        let mut selector = sampling(1.0, Wanted::Nearest(0.5));
        let rate = right as f64 / 8.0;
        let mut error = (selector.mean(ONE) - rate).abs();
        for _ in 0..50 {
            show(&mut selector, &[(0, right, 8)], false);
            let next = (selector.mean(ONE) - rate).abs();
            prop_assert!(next <= error + 1e-15, "{next} after {error}");
            error = next;
        }
        prop_assert!(error < 1.0 / 400.0, "{error}"); // (1 + 8 n rho) / (2 + 8 n) with n = 50
    }

    #[test]
    fn what_is_discounted_is_forgotten(before in 0usize..9, after in 0usize..9, discount in 0.0..0.9) {
        let mut changed = sampling(discount, Wanted::Nearest(0.5));
        let mut always = sampling(discount, Wanted::Nearest(0.5));
        show(&mut changed, &[(0, before, 8); 5], false);
        for _ in 0..250 {
            show(&mut changed, &[(0, after, 8)], false);
            show(&mut always, &[(0, after, 8)], false);
        }
        prop_assert!((changed.mean(ONE) - always.mean(ONE)).abs() < 1e-9);
        // The fixed point: prior + k / (1 - discount).
        let alpha = 1.0 + after as f64 / (1.0 - discount);
        prop_assert!((changed.posterior(ONE).0 - alpha).abs() < 1e-6 * alpha);
    }
}

/// Prompts known to succeed at 0.1, 0.45, 0.55 and 0.9, thousands of times.
fn known(wanted: Wanted) -> PosteriorSampling {
    let mut selector = sampling(1.0, wanted);
    for (id, tenths) in [(0, 2), (1, 9), (2, 11), (3, 18)] {
        show(&mut selector, &[(id, tenths, 20); 1000], false);
    }
    selector
}

fn choices(selector: &mut PosteriorSampling, count: usize) -> Vec<Vec<u64>> {
    let choose = |seed| {
        selector.need(seed, 0);
        sorted(ids(&selector.select(count, seed).expect("the pool is large enough")))
    };
    let mut all: Vec<Vec<u64>> = (0..60).map(choose).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn well_known_prompts_near_the_target_are_selected() {
    assert_eq!(choices(&mut known(Wanted::Nearest(0.1)), 2), [[0, 1]]);
    assert_eq!(choices(&mut known(Wanted::Nearest(0.5)), 2), [[1, 2]]);
    assert_eq!(choices(&mut known(Wanted::Nearest(0.95)), 1), [[3]]);
}

#[test]
fn any_of_the_interval_is_selected_and_the_nearest_if_they_are_too_few() {
    let within = |low, high| known(Wanted::Within { low, high });
    assert_eq!(choices(&mut within(0.3, 0.7), 1), [[1], [2]]);
    assert_eq!(choices(&mut within(0.3, 0.8), 3), [[1, 2, 3]], "0.9 is nearer than 0.1");
    assert_eq!(choices(&mut within(0.0, 1.0), 1), [[0], [1], [2], [3]]);
}

#[test]
fn a_single_candidate_leaves_no_choice() {
    let settings = PosteriorSettings { candidates: Some(1), ..PosteriorSettings::default() };
    let mut selector = PosteriorSampling::new(pool(4), settings).unwrap();
    for (id, tenths) in [(0, 2), (1, 9), (2, 11), (3, 18)] {
        show(&mut selector, &[(id, tenths, 20); 1000], false);
    }
    assert_eq!(choices(&mut selector, 1), [[0], [1], [2], [3]]);
}

#[test]
fn draws_have_the_mean_and_the_spread_of_the_posterior() {
    // P(|draw - 1/2| < |other - 1/2|) for a uniform draw against one that is always 1/2 is 0, and
    // among two uniform ones it is 1/2: 400 trials, five standard deviations are 50.
    let settings = PosteriorSettings { candidates: None, ..PosteriorSettings::default() };
    let mut selector = PosteriorSampling::new(pool(2), settings).unwrap();
    let mut first = 0;
    for seed in 0..400 {
        selector.need(seed, 0);
        first += usize::from(selector.select(1, seed).unwrap() == [ONE]);
    }
    assert!((150..=250).contains(&first), "{first}");
    // Against Beta(1 + 3, 1 + 1), target 0: the draw of Beta(1, 1) is lower with probability
    // E[draw] = 4/6, so it comes 267 times of 400, standard deviation 9.4.
    let nearest = PosteriorSettings { wanted: Wanted::Nearest(0.0), ..settings };
    let mut selector = PosteriorSampling::new(pool(2), nearest).unwrap();
    show(&mut selector, &[(0, 3, 4)], false);
    let mut unknown = 0;
    for seed in 0..400 {
        selector.need(seed, 0);
        unknown += usize::from(selector.select(1, seed).unwrap() == [PromptId(1)]);
    }
    assert!((220..=314).contains(&unknown), "{unknown}");
}
