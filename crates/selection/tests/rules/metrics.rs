//! Counterfactual choices, histograms, effective numbers and calibration.

use fireproof_selection::{
    EffectiveNumber, Forecast, Observation, Overlap, Pairing, PairingSettings, PosteriorSampling,
    PosteriorSettings, PromptSelector, SelectError, SelectionRecord, calibration,
    success_histogram, would_have_chosen,
};
use fireproof_trajectory::PromptId;
use proptest::prelude::*;

use crate::common::{Group, pool};

fn posterior() -> PosteriorSampling {
    PosteriorSampling::new(pool(30), PosteriorSettings::default()).expect("settings in range")
}

#[test]
fn a_rule_would_have_chosen_what_it_chose() {
    let mut selector = posterior();
    let mut steps: Vec<(Vec<PromptId>, Vec<Group>)> = Vec::new();
    for step in 0..6 {
        selector.need(step, 50 + step);
        let chosen = selector.select(4, 50 + step).unwrap();
        let groups: Vec<Group> =
            chosen.iter().map(|p| Group::new(p.0, p.0 as usize % 9, 8)).collect();
        let seen: Vec<_> = groups.iter().map(|group| group.observation(false, step)).collect();
        selector.observe(&seen);
        steps.push((chosen, groups));
    }
    let seen: Vec<Vec<Observation<'_>>> = (0..)
        .zip(&steps)
        .map(|(step, (_, groups))| groups.iter().map(|g| g.observation(false, step)).collect())
        .collect();
    let records: Vec<SelectionRecord<'_>> = (0..)
        .zip(steps.iter().zip(&seen))
        .map(|(step, ((chosen, _), seen))| SelectionRecord { step, chosen, seen, seed: 50 + step })
        .collect();
    let chosen: Vec<_> = steps.iter().map(|(chosen, _)| chosen.clone()).collect();
    assert_eq!(would_have_chosen(&mut posterior(), &records).unwrap(), chosen);
    // A rule that learned nothing of it agrees in the first step only.
    let blind: Vec<_> =
        records.iter().map(|record| SelectionRecord { seen: &[], ..*record }).collect();
    let blind = would_have_chosen(&mut posterior(), &blind).unwrap();
    assert_eq!(Overlap::of(&chosen[0], &blind[0]).jaccard(), 1.0);
    assert_ne!(chosen, blind);
}

#[test]
fn a_rule_that_needs_probes_finds_those_that_were_recorded() {
    let groups = [Group::new(4, 1, 8), Group::new(7, 7, 8)];
    let probes: Vec<_> = groups.iter().map(|group| group.observation(true, 0)).collect();
    let chosen = [PromptId(1), PromptId(2)];
    let pairing = || Pairing::new(pool(9), PairingSettings::default()).unwrap();
    let record = SelectionRecord { step: 0, chosen: &chosen, seen: &probes, seed: 3 };
    let found = would_have_chosen(&mut pairing(), &[record]).unwrap();
    assert_eq!(found, [[PromptId(4), PromptId(7)]]);
    let blind = SelectionRecord { seen: &[], ..record };
    let error = would_have_chosen(&mut pairing(), &[blind]).unwrap_err();
    assert!(matches!(error, SelectError::NotObserved { .. }), "{error}");
}

#[test]
fn overlaps_by_hand() {
    let overlap = |a: &[u64], b: &[u64]| {
        let prompts = |ids: &[u64]| ids.iter().copied().map(PromptId).collect::<Vec<_>>();
        Overlap::of(&prompts(a), &prompts(b)).jaccard()
    };
    assert_eq!(overlap(&[1, 2, 3, 4], &[3, 4, 5, 6]), 2.0 / 6.0);
    assert_eq!(overlap(&[1, 1, 2], &[2, 1]), 1.0, "as sets");
    assert_eq!(overlap(&[1], &[2]), 0.0);
    assert_eq!(overlap(&[], &[]), 1.0);
}

#[test]
fn a_single_weight_counts_once_and_none_not_at_all() {
    let number = |weights: &[f64]| EffectiveNumber::of(weights).unwrap();
    assert_eq!(number(&[0.0, 5.0]), EffectiveNumber { inverse_square: 1.0, perplexity: 1.0 });
    assert_eq!(number(&[0.0, 0.0]), EffectiveNumber { inverse_square: 0.0, perplexity: 0.0 });
    assert_eq!(number(&[]).perplexity, 0.0);
}

proptest! {
    #[test]
    fn effective_numbers_lie_between_one_and_all(
        weights in prop::collection::vec(0.01..10.0f64, 1..20), scale in 0.1..100.0f64,
    ) {
        let found = EffectiveNumber::of(&weights).unwrap();
        let slack = 1.0 + 1e-9;
        // The order of Renyi entropies: of order 2, of order 1, of order 0.
        prop_assert!(found.inverse_square * slack >= 1.0);
        prop_assert!(found.inverse_square <= found.perplexity * slack);
        prop_assert!(found.perplexity <= weights.len() as f64 * slack);
        let scaled: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let other = EffectiveNumber::of(&scaled).unwrap();
        prop_assert!((other.perplexity - found.perplexity).abs() < 1e-9 * found.perplexity);
        let equal = EffectiveNumber::of(&vec![scale; weights.len()]).unwrap();
        prop_assert!((equal.inverse_square - weights.len() as f64).abs() < 1e-9);
    }

    #[test]
    fn a_histogram_counts_every_rate(rates in prop::collection::vec(0.0..=1.0f64, 0..50), bins in 1usize..12) {
        let counts = success_histogram(&rates, bins).unwrap();
        prop_assert_eq!((counts.len(), counts.iter().sum::<usize>()), (bins, rates.len()));
    }

    #[test]
    fn forecasts_of_what_happened_are_calibrated(rights in prop::collection::vec(0usize..9, 1..30)) {
        let exact = |right: &usize| Forecast { predicted: *right as f64 / 8.0, right: *right, completions: 8 };
        let forecasts: Vec<Forecast> = rights.iter().map(exact).collect();
        let found = calibration(&forecasts, 10).unwrap();
        prop_assert!(found.expected_error < 1e-12);
        let variance = |f: &Forecast| f.predicted * (1.0 - f.predicted);
        let least = forecasts.iter().map(variance).sum::<f64>() / forecasts.len() as f64;
        prop_assert!((found.brier - least).abs() < 1e-12, "the Brier score is the variance left");
    }
}

#[test]
fn calibration_by_hand() {
    let forecast = |predicted, right, completions| Forecast { predicted, right, completions };
    let found = calibration(
        &[forecast(0.1, 1, 2), forecast(0.3, 0, 6), forecast(1.0, 2, 2), forecast(0.9, 0, 0)],
        2,
    )
    .unwrap();
    // Brier: 0.81 + 0.01, 6 * 0.09, 0, of 10 completions.
    assert!((found.brier - 0.136).abs() < 1e-15, "{found:?}");
    // First bin: 8 completions, mean prediction (0.2 + 1.8) / 8 = 0.25, observed 1/8.
    let [first, second] = found.bins[..] else { panic!("{found:?}") };
    assert_eq!((first.completions, first.observed), (8, 0.125));
    assert!((first.predicted - 0.25).abs() < 1e-15);
    assert_eq!((second.completions, second.predicted, second.observed), (2, 1.0, 1.0));
    assert!((found.expected_error - 0.1).abs() < 1e-15, "8 * 0.125 / 10");
    let empty = calibration(&[forecast(0.1, 1, 1)], 2).unwrap().bins[1];
    assert_eq!((empty.completions, empty.predicted, empty.observed), (0, 0.0, 0.0));
}
