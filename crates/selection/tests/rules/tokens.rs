//! Which tokens train.

use fireproof_selection::{
    AllOf, AllTokens, HighEntropy, LikelyTokens, NotSpurious, NotTruncated, TokenSelector,
    UnlikelyTokens, checked_selection,
};
use fireproof_trajectory::{CreditedView, TokenView};
use proptest::prelude::*;
use serde_json::Value;

/// A completion that can be viewed.
#[derive(Clone, Debug)]
struct Row {
    logprobs: Vec<f32>,
    entropies: Vec<f32>,
    advantages: Vec<f32>,
    truncated: bool,
}

impl Row {
    fn new(logprobs: &[f32], entropies: &[f32], advantage: f32) -> Self {
        Self {
            logprobs: logprobs.to_vec(),
            entropies: entropies.to_vec(),
            advantages: vec![advantage; logprobs.len()],
            truncated: false,
        }
    }

    fn view(&self) -> CreditedView<'_> {
        let tokens = TokenView {
            group: 0,
            success_rate: 0.5,
            correct: true,
            truncated: self.truncated,
            logprobs: &self.logprobs,
            entropies: &self.entropies,
            costs: &[],
        };
        CreditedView { tokens, advantages: &self.advantages }
    }
}

fn select(selector: &dyn TokenSelector, rows: &[Row]) -> Vec<Vec<bool>> {
    let views: Vec<CreditedView<'_>> = rows.iter().map(Row::view).collect();
    checked_selection(selector, &views).expect("one flag for each token")
}

fn floats(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().expect("a list").iter();
    numbers.map(|number| number.as_f64().expect("a number") as f32).collect()
}

fn flags(value: &Value) -> Vec<Vec<bool>> {
    serde_json::from_value(value.clone()).expect("lists of flags")
}

#[test]
fn high_entropies_are_those_above_the_quantile_of_numpy() {
    let golden: Value = serde_json::from_str(include_str!("../golden/golden.json")).unwrap();
    for case in golden["entropies"].as_array().unwrap() {
        let entropies = case["entropies"].as_array().unwrap().iter().map(floats);
        let rows: Vec<Row> = entropies.map(|e| Row::new(&vec![-1.0; e.len()], &e, 1.0)).collect();
        let selector = HighEntropy::new(case["share"].as_f64().unwrap()).unwrap();
        assert_eq!(select(&selector, &rows), flags(&case["batch"]), "{case}");
        assert_eq!(select(&selector.per_completion(), &rows), flags(&case["completion"]), "{case}");
    }
}

#[test]
fn the_ends_of_the_share_keep_the_highest_and_everything() {
    let rows = [Row::new(&[-1.0; 3], &[0.1, 0.9, 0.5], 1.0), Row::new(&[-1.0], &[0.9], 1.0)];
    let none = HighEntropy::new(0.0).unwrap();
    assert_eq!(select(&none, &rows), [vec![false, true, false], vec![true]]);
    let all = HighEntropy::new(1.0).unwrap();
    assert_eq!(select(&all, &rows), [vec![true; 3], vec![true]]);
    let equal = [Row::new(&[-1.0; 3], &[0.0; 3], 1.0)];
    assert_eq!(select(&HighEntropy::default(), &equal), [[true; 3]], "all equal, as when greedy");
}

#[test]
fn a_token_at_the_threshold_is_likely() {
    let rows = [Row::new(&[0.0, -1e-3], &[1.0; 2], 1.0)];
    assert_eq!(select(&LikelyTokens::new(1.0).unwrap(), &rows), [[true, false]]);
    assert_eq!(select(&UnlikelyTokens::new(1.0).unwrap(), &rows), [[false, true]]);
}

#[test]
fn spurious_tokens_are_rewarded_unlikely_and_of_low_entropy() {
    let (rare, common) = (0.001f32.ln(), 0.01f32.ln());
    // One of the four has a high entropy, so the 0.8-quantile lies above the others.
    for (logprob, entropy, advantage, kept) in [
        (rare, 0.1, 1.0, false),
        (rare, 0.1, 0.0, true),
        (rare, 0.1, -1.0, true),
        (common, 0.1, 1.0, true),
        (rare, 9.0, 1.0, true),
    ] {
        let filler = Row::new(&[-1.0; 9], &[0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 9.0, 9.0], 1.0);
        let rows = [Row::new(&[logprob], &[entropy], advantage), filler];
        let found = select(&NotSpurious::default(), &rows);
        assert_eq!(found[0], [kept], "{logprob} {entropy} {advantage}");
        assert_eq!(found[1], [true; 9]);
    }
}

#[test]
fn an_intersection_keeps_what_all_keep() {
    let mut rows = vec![Row::new(&[-0.1, -3.0, -3.0], &[0.1, 0.2, 3.0], 1.0); 2];
    rows[1].truncated = true;
    let both = AllOf(vec![Box::new(UnlikelyTokens::default()), Box::new(NotTruncated)]);
    assert_eq!(select(&both, &rows), [[false, true, true], [false; 3]]);
    let three = AllOf(vec![Box::new(both), Box::new(HighEntropy::default())]);
    assert_eq!(select(&three, &rows), [[false, false, true], [false; 3]]);
    assert_eq!(select(&AllOf(Vec::new()), &rows), [[true; 3]; 2]);
}

#[test]
fn fingerprints_show_every_setting() {
    for (selector, expected) in [
        (
            Box::new(AllOf(vec![
                Box::new(HighEntropy::default().per_completion()),
                Box::new(NotSpurious::default()),
            ])) as Box<dyn TokenSelector>,
            "AllOf([HighEntropy { share: 0.2, scope: Completion }, \
             NotSpurious { probability: 0.002, entropy_quantile: 0.8 }])",
        ),
        (Box::new(LikelyTokens::new(0.25).unwrap()), "LikelyTokens { threshold: 0.25 }"),
        (Box::new(UnlikelyTokens::default()), "UnlikelyTokens { threshold: 0.5 }"),
    ] {
        assert_eq!(format!("{selector:?}"), expected);
    }
}

/// Returns the same flags whatever it is shown.
#[derive(Debug)]
struct Fixed(Vec<Vec<bool>>);

impl TokenSelector for Fixed {
    fn select(&self, _rows: &[CreditedView<'_>]) -> Vec<Vec<bool>> {
        self.0.clone()
    }
}

#[test]
fn wrong_shapes_are_refused_with_their_numbers_also_within_an_intersection() {
    let rows = [Row::new(&[-1.0; 2], &[1.0; 2], 1.0), Row::new(&[-1.0; 3], &[1.0; 3], 1.0)];
    let views: Vec<CreditedView<'_>> = rows.iter().map(Row::view).collect();
    for (flags, expected) in [
        (vec![vec![true; 2]], "returned flags for 1 completions, the step has 2"),
        (vec![vec![true; 2]; 2], "returned 2 flags for the 3 tokens of completion 1"),
        (vec![vec![true; 9], vec![true; 3]], "returned 9 flags for the 2 tokens of completion 0"),
    ] {
        let error = checked_selection(&Fixed(flags.clone()), &views).unwrap_err().to_string();
        assert!(error.starts_with("Fixed(") && error.ends_with(expected), "{error}");
        let several = AllOf(vec![Box::new(Fixed(flags)), Box::new(AllTokens)]);
        let error = checked_selection(&several, &views).unwrap_err().to_string();
        assert!(error.starts_with("AllOf([Fixed(") && error.ends_with(expected), "{error}");
    }
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let token = (-9.0f32..0.0, 0.0f32..5.0, -1.0f32..1.0);
    let row =
        (prop::collection::vec(token, 0..12), any::<bool>()).prop_map(|(tokens, truncated)| Row {
            logprobs: tokens.iter().map(|(logprob, ..)| *logprob).collect(),
            entropies: tokens.iter().map(|(_, entropy, _)| *entropy).collect(),
            advantages: tokens.iter().map(|(.., advantage)| *advantage).collect(),
            truncated,
        });
    prop::collection::vec(row, 0..6)
}

proptest! {
    #[test]
    fn the_two_passes_of_lopti_share_all_tokens_out(rows in rows(), threshold in 0.0..=1.0f64) {
        let first = select(&UnlikelyTokens::new(threshold).unwrap(), &rows);
        let second = select(&LikelyTokens::new(threshold).unwrap(), &rows);
        for (a, b) in first.iter().flatten().zip(second.iter().flatten()) {
            prop_assert!(a != b);
        }
    }

    #[test]
    fn the_order_of_the_completions_does_not_matter(rows in rows(), share in 0.0..=1.0f64) {
        let selectors: Vec<Box<dyn TokenSelector>> = vec![
            Box::new(AllTokens),
            Box::new(NotTruncated),
            Box::new(HighEntropy::new(share).unwrap()),
            Box::new(HighEntropy::new(share).unwrap().per_completion()),
            Box::new(NotSpurious::new(share, 0.8).unwrap()),
            Box::new(LikelyTokens::new(share).unwrap()),
        ];
        let turned: Vec<Row> = rows.iter().rev().cloned().collect();
        for selector in selectors {
            let mut other = select(selector.as_ref(), &turned);
            other.reverse();
            prop_assert_eq!(select(selector.as_ref(), &rows), other, "{:?}", selector);
        }
    }

    #[test]
    fn at_least_the_share_of_the_tokens_is_kept(rows in rows(), share in 0.0..=1.0f64) {
        let found = select(&HighEntropy::new(share).unwrap(), &rows);
        let total = found.iter().flatten().count();
        let kept = found.iter().flatten().filter(|kept| **kept).count();
        prop_assert!(total == 0 || kept as f64 >= share * (total - 1) as f64 - 1e-9);
        prop_assert!(total == 0 || kept > 0);
    }
}
