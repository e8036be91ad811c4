//! Gradients against finite differences, on both sides of every kink.

use fireproof_losses::{NegativeAware, PolicyLoss, PrefixMinimum};
use proptest::prelude::*;

use crate::batch::{Row, WIDTH, rows, run, weight};
use crate::with_a_value;

/// Half the distance of a central difference.
const STEP: f64 = 1e-6;

/// Where the derivative of some loss may jump, as a log-ratio.
fn kinks() -> Vec<f64> {
    let clips = [0.8f64, 0.9, 1.0, 1.2, 3.0].map(f64::ln);
    // GMPO's clip in log space, the limits on log-ratios, and the mask by a fall of 0.5.
    clips.into_iter().chain([0.4, -0.4, 2.0, -2.0, 10.0, -0.5]).collect()
}

fn alone(log_ratio: f64, advantage: f64, flag: f64) -> Row {
    Row {
        logprobs: vec![-12.0 + log_ratio],
        behaviour: vec![-12.0],
        advantages: vec![advantage],
        mask: vec![true],
        flags: vec![flag],
        success_rate: 0.25,
    }
}

/// The difference quotient of the weighted loss by one token's log-probability.
fn quotient(loss: &dyn PolicyLoss, rows: &[Row], row: usize, token: usize) -> f64 {
    let at = |step: f64| -> f64 {
        let mut rows = rows.to_vec();
        rows[row].logprobs[token] += step;
        let width = rows[0].logprobs.len();
        let tokens = run(loss, &rows, 0).loss.into_iter().enumerate();
        tokens
            .map(|(place, loss)| {
                let trains = rows[place / width].mask[place % width];
                if trains { loss * weight(place / width, place % width) } else { 0.0 }
            })
            .sum()
    };
    (at(STEP) - at(-STEP)) / (2.0 * STEP)
}

#[track_caller]
fn assert_slope(loss: &dyn PolicyLoss, row: &Row) {
    let rows = std::slice::from_ref(row);
    let (found, expected) = (run(loss, rows, 0).gradient[0], quotient(loss, rows, 0, 0));
    let tolerance = 1e-6 * expected.abs().max(1.0);
    assert!((found - expected).abs() < tolerance, "{loss:?} at {row:?}: {found} is not {expected}");
}

#[test]
fn the_gradient_is_the_slope_on_both_sides_of_every_kink() {
    let mut losses = with_a_value();
    // Of one token there is no earlier ratio.
    losses.push(Box::new(PrefixMinimum::default()));
    for kink in kinks() {
        for side in [-1e-3, 1e-3] {
            for advantage in [1.5, -0.7] {
                for flag in [0.0, 1.0] {
                    let row = alone(kink + side, advantage, flag);
                    losses.iter().for_each(|loss| assert_slope(&**loss, &row));
                }
            }
        }
    }
}

#[test]
fn nfts_gradient_is_the_slope_where_its_value_is_not_held() {
    let loss = NegativeAware::default();
    for kink in kinks() {
        for side in [-1e-3, 1e-3] {
            assert_slope(&loss, &alone(kink + side, 0.0, 1.0));
            // Wrong: the implicit ratio (1 - R / 4) / (3 / 4) is at least 1 where R is at most 1;
            // beyond, the value is held and the gradient is that of what it would be.
            let row = alone(kink + side, 0.0, 0.0);
            if kink + side < 0.0 {
                assert_slope(&loss, &row);
            } else {
                let slope = run(&loss, std::slice::from_ref(&row), 0).gradient[0];
                let ratio = (kink + side).min(10.0).exp();
                let held = if kink + side > 10.0 { 0.0 } else { 1.0 };
                let expected = held * 0.75 * ratio * 0.25 / 0.75 * weight(0, 0);
                assert!((slope - expected).abs() < 1e-9 * expected.max(1.0), "{slope} {expected}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_gradient_is_the_slope_in_rows_of_several_tokens(rows in rows()) {
        for loss in with_a_value() {
            let gradient = run(&*loss, &rows, 0).gradient;
            for (row, token) in (0..rows.len()).flat_map(|r| (0..WIDTH).map(move |t| (r, t))) {
                let expected = quotient(&*loss, &rows, row, token);
                let found = gradient[row * WIDTH + token];
                // A random batch lies within a step of a kink once in a million.
                prop_assert!(
                    (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
                    "{loss:?} at {row}, {token}: {found} is not {expected}"
                );
            }
        }
    }
}
