//! bf16: weights and activations, with norms, softmax and log-probabilities in f32.

use burn::tensor::DType;
use fireproof_model::CausalLm;

use crate::golden::{on_every_device, padded, values};

#[test]
fn in_bf16_logits_err_no_more_than_those_of_transformers() {
    on_every_device(|case, device| {
        if !device.supports_dtype(DType::BF16) {
            return;
        }
        let model = case.load_as(DType::BF16, device);
        assert_eq!(model.dtype(), DType::BF16);
        let golden = case.golden();
        let mut largest: f32 = 0.0;
        for (row, expected) in golden.rows.iter().zip(&golden.logits) {
            let (tokens, positions) = padded(std::slice::from_ref(row), device);
            let logits = model.logits(model.hidden(tokens, positions).squeeze_dim(0));
            assert_eq!(logits.dtype(), DType::F32);
            for (a, b) in values(logits).iter().zip(expected.concat()) {
                largest = largest.max((a - b).abs());
            }
        }
        println!("{case}: {largest} against {}", golden.bf16_error);
        // Both are the largest of some hundred roundings, so one may be unlucky.
        assert!(largest <= 2.0 * golden.bf16_error, "{case}: {largest}");
    });
}
