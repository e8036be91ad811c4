//! Properties of the expression evaluator on arbitrary text.

use fireproof_verifier::{evaluate, tag_score};
use proptest::prelude::*;

/// A random expression as text, with its value computed while it is built.
fn expression() -> impl Strategy<Value = (String, i128)> {
    let number = (0i64..1000).prop_map(|n| (n.to_string(), i128::from(n)));
    number.prop_recursive(5, 40, 2, |inner| {
        (inner.clone(), inner, 0..3u8).prop_map(|((a, x), (b, y), operator)| match operator {
            0 => (format!("({a}+{b})"), x + y),
            1 => (format!("({a}-{b})"), x - y),
            _ => (format!("({a}*{b})"), x.saturating_mul(y)),
        })
    })
}

proptest! {
    #[test]
    fn any_text_gets_an_answer(text in "\\PC{0,200}") {
        let _ = evaluate(&text);
        prop_assert!((0.0..=1.0).contains(&tag_score(&text)));
    }

    #[test]
    fn any_text_of_the_alphabet_gets_an_answer(text in "[0-9+*/() -]{0,300}") {
        let _ = evaluate(&text);
    }

    #[test]
    fn a_value_is_exact_or_refused((text, value) in expression()) {
        match evaluate(&text) {
            Ok(evaluation) => prop_assert_eq!(i128::from(evaluation.value), value),
            Err(_) => prop_assert!(text.len() > 1024 || i64::try_from(value).is_err() || text.contains('*')),
        }
    }
}
