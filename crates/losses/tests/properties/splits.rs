//! Masks, permutations and micro-batches.

use proptest::prelude::*;

use crate::all;
use crate::batch::{Found, Row, WIDTH, rows, run, weight};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_comes_from_a_masked_place_and_nothing_goes_to_it(rows in rows()) {
        // Whatever stands there.
        let poisoned: Vec<Row> = rows.iter().map(|row| {
            let mut row = row.clone();
            for token in (0..WIDTH).filter(|token| !row.mask[*token]).collect::<Vec<_>>() {
                row.logprobs[token] = f64::NAN;
                row.behaviour[token] = f64::INFINITY;
                row.advantages[token] = f64::NAN;
                row.flags[token] = f64::NAN;
            }
            row
        }).collect();
        for loss in all() {
            let (plain, found) = (run(&*loss, &rows, 0), run(&*loss, &poisoned, 0));
            let masked = rows.iter().flat_map(|row| row.mask.clone()).enumerate();
            for (place, _) in masked.filter(|(_, trains)| !trains) {
                prop_assert_eq!(found.gradient[place], 0.0, "{:?}", loss);
                prop_assert_eq!(found.loss[place], 0.0, "{:?}", loss);
            }
            prop_assert_eq!(plain, found, "{:?}", loss);
        }
    }

    #[test]
    fn a_row_has_bit_for_bit_the_gradient_it_has_alone(rows in rows()) {
        for loss in all() {
            let together = run(&*loss, &rows, 0);
            let alone = (0..rows.len()).map(|row| run(&*loss, &rows[row..=row], row));
            let (mut tokens, mut gradient) = (Vec::new(), Vec::new());
            for Found { loss, gradient: own } in alone {
                tokens.extend(loss);
                gradient.extend(own);
            }
            prop_assert_eq!(together, Found { loss: tokens, gradient }, "{:?}", loss);
        }
    }

    #[test]
    fn permuting_rows_permutes_losses_and_gradients(rows in rows(), turn in 0usize..6) {
        let count = rows.len();
        let order: Vec<usize> = (0..count).map(|row| (row + turn) % count).rev().collect();
        let permuted: Vec<Row> = order.iter().map(|row| rows[*row].clone()).collect();
        for loss in all() {
            let (plain, found) = (run(&*loss, &rows, 0), run(&*loss, &permuted, 0));
            for (to, from) in order.iter().enumerate() {
                for token in 0..WIDTH {
                    let (to_place, from_place) = (to * WIDTH + token, from * WIDTH + token);
                    prop_assert_eq!(found.loss[to_place], plain.loss[from_place], "{:?}", loss);
                }
            }
            // A gradient carries the weight of the place it is in.
            for (to, from) in order.iter().enumerate() {
                let there = run(&*loss, &rows[*from..=*from], to).gradient;
                let range = to * WIDTH..(to + 1) * WIDTH;
                prop_assert_eq!(&found.gradient[range], &there[..], "{:?}", loss);
            }
        }
    }
}

#[test]
fn every_token_that_trains_pulls_somewhere() {
    // A batch on policy: nothing is clipped, so a zero gradient would be a mistake.
    let row = Row {
        logprobs: vec![-1.0; WIDTH],
        behaviour: vec![-1.0; WIDTH],
        advantages: vec![1.0; WIDTH],
        mask: vec![true; WIDTH],
        flags: vec![0.0; WIDTH],
        success_rate: 0.5,
    };
    for loss in all() {
        let found = run(&*loss, std::slice::from_ref(&row), 0);
        for (token, gradient) in found.gradient.iter().enumerate() {
            assert!(gradient.abs() > 0.1 * weight(0, token), "{loss:?}: {found:?}");
        }
    }
}
