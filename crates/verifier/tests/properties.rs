//! Properties of what reads a completion, on arbitrary text.

use fireproof_trajectory::{Constraint, Count};
use fireproof_verifier::{evaluate, extract_code, meets, repetition, tag_score};
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

    #[test]
    fn any_completion_has_a_program_or_none(text in "(```|~~~|python|\n|<think>|</think>|[ -~é]{0,9}){0,40}") {
        if let Some(code) = extract_code(&text) {
            prop_assert!(code.len() < text.len());
        }
        let fenced = format!("{}\n</think>\n```python\nx = 1\n```\n", text);
        prop_assert_eq!(extract_code(&fenced), Some("x = 1\n".to_owned()));
    }

    #[test]
    fn any_text_meets_a_constraint_or_not(text in "(\\PC|[.!?*\\[\\]<>\n,-]){0,200}") {
        prop_assert!((0.0..=1.0).contains(&repetition(&text, 2)));
        let any = Count::default();
        for constraint in [
            Constraint::Words { count: any },
            Constraint::Sentences { count: any },
            Constraint::Paragraphs { count: any },
            Constraint::Bullets { count: any },
            Constraint::Highlights { count: any },
            Constraint::Placeholders { count: any },
            Constraint::CapitalWords { count: any },
            Constraint::KeywordCount { word: text.chars().take(3).collect(), count: any },
        ] {
            prop_assert_eq!(meets(&text, &constraint), Ok(true));
        }
        for constraint in [Constraint::Json, Constraint::Quoted, Constraint::Title] {
            prop_assert!(meets(&text, &constraint).is_ok());
        }
        let script = Constraint::Script { script: "Latin".into() };
        prop_assert!(meets(&text, &script).is_ok());
        prop_assert_eq!(meets(&text, &Constraint::StartsWith { text: text.clone() }), Ok(true));
    }
}
