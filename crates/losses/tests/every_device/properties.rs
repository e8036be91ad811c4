//! Properties of reductions, on the host and on the device.

use burn::tensor::Tensor;
use fireproof_losses::{Reduction, RowShape};
use proptest::prelude::*;

use crate::{assert_close, matrix, on_every_device, values};

const MEANS: [Reduction; 3] =
    [Reduction::TokenMean, Reduction::SequenceMean, Reduction::PromptMean];

proptest! {
    #[test]
    fn the_weights_of_a_mean_sum_to_one_over_an_update(
        lengths in prop::collection::vec(0usize..50, 1..40), group in 1usize..8,
    ) {
        let rows: Vec<RowShape> = lengths
            .iter()
            .enumerate()
            .map(|(row, tokens)| RowShape { prompt: row / group, tokens: *tokens })
            .collect();
        let expected = f32::from(lengths.iter().any(|n| *n > 0));
        for reduction in MEANS {
            let weights = reduction.weights(&rows);
            let sum: f32 = weights.iter().zip(&lengths).map(|(w, n)| w * *n as f32).sum();
            prop_assert!((sum - expected).abs() < 1e-5, "{reduction:?}: {sum}");
            prop_assert!(weights.iter().all(|w| w.is_finite()));
        }
    }

    #[test]
    fn what_is_not_a_mean_has_the_weight_of_its_definition(
        lengths in prop::collection::vec(1usize..50, 1..20), length in 1usize..100,
    ) {
        let rows: Vec<RowShape> = lengths
            .iter()
            .enumerate()
            .map(|(prompt, tokens)| RowShape { prompt, tokens: *tokens })
            .collect();
        let count = rows.len() as f32;
        for (reduction, expected) in [
            (Reduction::SequenceSum, 1.0 / count),
            (Reduction::Constant { length, per_sequence: true }, 1.0 / (count * length as f32)),
            (Reduction::Constant { length, per_sequence: false }, 1.0 / length as f32),
        ] {
            for weight in reduction.weights(&rows) {
                prop_assert!((weight / expected - 1.0).abs() < 1e-6, "{reduction:?}");
            }
        }
    }
}

#[test]
fn an_update_without_tokens_has_no_weights() {
    let rows = [RowShape { prompt: 0, tokens: 0 }; 3];
    on_every_device(|device| {
        for reduction in MEANS {
            assert_eq!(reduction.weights(&rows), [0.0; 3]);
            let mask = Tensor::<2>::zeros([3, 4], device);
            assert_eq!(values(reduction.device_weights(mask, 3)), [0.0; 12]);
        }
    });
    assert!(Reduction::TokenMean.weights(&[]).is_empty());
}

#[test]
fn prompt_mean_weighs_prompts_alike_however_many_tokens_they_have() {
    let rows = [
        RowShape { prompt: 0, tokens: 1 },
        RowShape { prompt: 0, tokens: 3 },
        RowShape { prompt: 1, tokens: 2 },
        RowShape { prompt: 1, tokens: 0 },
    ];
    let expected = [0.125, 0.125, 0.25, 0.0];
    assert_eq!(Reduction::PromptMean.weights(&rows), expected);
    on_every_device(|device| {
        let mask = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let weights = values(Reduction::PromptMean.device_weights(matrix(&mask, 3, device), 2));
        let by_hand: Vec<f32> = mask.iter().enumerate().map(|(i, m)| m * expected[i / 3]).collect();
        assert_close(&weights, &by_hand, 1e-6);
    });
}
