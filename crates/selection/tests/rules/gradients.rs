//! Gradients compared with those of validation.

use fireproof_selection::{
    Alignment, AlignmentSettings, GradientAligned, Need, PromptSelector, SelectError,
};
use fireproof_trajectory::PromptId;
use serde_json::Value;

use crate::common::{Group, ids, pool, sorted, through_text};

fn settings(score: Alignment, sketch: usize) -> AlignmentSettings {
    AlignmentSettings { score, candidates: None, keep_one_in: 3, every: 4, samples: 8, sketch }
}

fn aligned(size: u64, settings: AlignmentSettings) -> GradientAligned {
    GradientAligned::new(pool(size), vec![PromptId(100), PromptId(101)], settings)
        .expect("settings in range")
}

fn show(selector: &mut GradientAligned, id: u64, right: usize, gradient: &[f32]) {
    let group = Group::new(id, right, 8).with_gradient(gradient.to_vec());
    selector.observe(&[group.observation(true, 0)]);
}

fn vector(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().expect("a list").iter();
    numbers.map(|number| number.as_f64().expect("a number") as f32).collect()
}

#[test]
fn the_best_third_by_each_score_is_kept() {
    let golden: Value = serde_json::from_str(include_str!("../golden/golden.json")).unwrap();
    let case = &golden["alignment"];
    let list = |key: &str| case[key].as_array().unwrap().clone();
    for (score, key) in [
        (Alignment::Cosine, "cosine"),
        (Alignment::DotProduct, "dot"),
        (Alignment::CosineTimesVariance, "simacc"),
    ] {
        let validation = vec![PromptId(100), PromptId(101), PromptId(102)];
        let mut selector = GradientAligned::new(pool(12), validation, settings(score, 6)).unwrap();
        selector.need(0, 0);
        for (id, (gradient, right)) in (0..).zip(list("gradients").iter().zip(list("right"))) {
            show(&mut selector, id, right.as_u64().unwrap() as usize, &vector(gradient));
        }
        for (id, gradient) in (100..).zip(list("validation")) {
            show(&mut selector, id, 8, &vector(&gradient));
        }
        let chosen = sorted(ids(&selector.select(4, 3).unwrap()));
        let best = list(key).iter().take(4).map(|id| id.as_u64().unwrap()).collect();
        assert_eq!(chosen, sorted(best), "{score:?}");
        assert_eq!(ids(selector.kept()), chosen);
    }
}

#[test]
fn a_round_asks_for_gradients_and_then_draws_without_replacement() {
    let mut selector = aligned(9, settings(Alignment::Cosine, 2));
    for round in 0..3 {
        let Need::Gradients { prompts, validation, samples, sketch } = selector.need(4 * round, 5)
        else {
            panic!("no gradients are asked for in round {round}");
        };
        assert_eq!(sorted(ids(&prompts)), (0..9).collect::<Vec<_>>());
        assert_eq!((ids(&validation), samples, sketch), (vec![100, 101], 8, 2));
        for id in 0..9 {
            // The three that point to the right move on with the rounds.
            let x = if (3 * round..3 * round + 3).contains(&id) { 1.0 } else { -1.0 };
            show(&mut selector, id, 4, &[x, 0.5]);
        }
        show(&mut selector, 100, 4, &[1.0, 0.0]);
        let best: Vec<u64> = (3 * round..3 * round + 3).collect();
        let mut drawn = Vec::new();
        for step in 0..3 {
            drawn.extend(ids(&selector.select(1, step).unwrap()));
            assert_eq!(selector.need(4 * round + step + 1, 0), Need::None);
        }
        assert_eq!(sorted(drawn), best, "each once an epoch");
        let error = selector.select(4, 0).unwrap_err();
        assert_eq!(error, SelectError::PoolTooSmall { asked: 4, available: 3 });
    }
}

#[test]
fn kept_prompts_are_rounded_up_and_compared_only_once_a_round() {
    let mut selector = aligned(4, settings(Alignment::Cosine, 2));
    selector.need(0, 0);
    for (id, x) in [(0, 3.0), (1, 2.0), (2, -1.0), (3, -2.0), (100, 1.0)] {
        show(&mut selector, id, 4, &[x, 1.0]);
    }
    selector.select(1, 0).unwrap();
    assert_eq!(ids(selector.kept()), [0, 1], "a third of four is two");
    // Nothing of the round is kept in the state, and later gradients do not get into it.
    let state = selector.state();
    assert_eq!(state["learned"]["shown"]["prompts"], serde_json::json!({}));
    show(&mut selector, 2, 4, &[9.0, 0.0]);
    assert_eq!(selector.state(), state);
}

#[test]
fn gradients_of_training_are_not_compared() {
    let mut selector = aligned(3, settings(Alignment::Cosine, 2));
    selector.need(0, 0);
    let state = selector.state();
    let group = Group::new(1, 4, 8).with_gradient(vec![1.0, 0.0]);
    selector.observe(&[group.observation(false, 0)]);
    assert_eq!(selector.state(), state);
}

#[test]
fn a_state_of_another_validation_set_is_refused() {
    let mut other =
        GradientAligned::new(pool(3), vec![PromptId(100)], settings(Alignment::Cosine, 2)).unwrap();
    other.need(0, 0);
    let error = aligned(3, settings(Alignment::Cosine, 2)).restore(other.state()).unwrap_err();
    assert!(error.to_string().ends_with("it was made with other validation prompts"), "{error}");
}

#[test]
fn only_some_candidates_are_compared() {
    let settings = AlignmentSettings { candidates: Some(4), ..settings(Alignment::Cosine, 2) };
    let candidates = |seed| {
        let mut selector = aligned(9, settings);
        match selector.need(0, seed) {
            Need::Gradients { prompts, .. } => sorted(ids(&prompts)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(candidates(1).len(), 4);
    assert_eq!(candidates(1), candidates(1));
    assert!((2..20).any(|seed| candidates(seed) != candidates(1)));
}

#[test]
fn gradients_that_cannot_be_compared_are_errors() {
    for (gradient, expected) in [
        (&[1.0, f32::NAN][..], "the gradient of prompt 0000000000000001 has NaN at place 1"),
        (&[f32::INFINITY, 0.0], "the gradient of prompt 0000000000000001 has inf at place 0"),
        (&[1.0], "the gradient of prompt 0000000000000001 has 1 numbers, not 2"),
    ] {
        let mut selector = aligned(3, settings(Alignment::Cosine, 2));
        selector.need(0, 0);
        show(&mut selector, 0, 4, &[1.0, 0.0]);
        show(&mut selector, 100, 4, &[1.0, 0.0]);
        show(&mut selector, 1, 4, gradient);
        assert_eq!(selector.select(1, 0).unwrap_err().to_string(), expected);
        // A checkpoint does not lose the reason.
        let mut restored = aligned(3, settings(Alignment::Cosine, 2));
        restored.restore(through_text(&selector)).unwrap();
        assert_eq!(restored.select(1, 0).unwrap_err().to_string(), expected);
        // It asks again in the next step.
        assert_ne!(selector.need(1, 0), Need::None);
        show(&mut selector, 0, 4, &[1.0, 0.0]);
        show(&mut selector, 100, 4, &[1.0, 0.0]);
        assert_eq!(ids(&selector.select(1, 0).unwrap()), [0]);
    }
}

#[test]
fn missing_gradients_are_errors() {
    let mut selector = aligned(3, settings(Alignment::Cosine, 2));
    let error = |selector: &mut GradientAligned| selector.select(1, 0).unwrap_err().to_string();
    assert!(error(&mut selector).contains("shown gradients of its prompts"));
    selector.need(0, 0);
    show(&mut selector, 0, 4, &[1.0, 0.0]);
    assert!(error(&mut selector).contains("shown gradients of its validation prompts"));
    // Groups without gradients and strangers teach it nothing.
    selector.observe(&[Group::new(100, 4, 8).observation(true, 0)]);
    show(&mut selector, 50, 4, &[f32::NAN, 0.0]);
    assert!(error(&mut selector).contains("shown gradients of its validation prompts"));
}

#[test]
fn a_prompt_without_a_gradient_scores_zero() {
    for score in [Alignment::Cosine, Alignment::DotProduct, Alignment::CosineTimesVariance] {
        let mut selector = aligned(3, settings(score, 2));
        selector.need(0, 0);
        for (id, gradient) in
            [(0, [-1.0, 0.0]), (1, [0.0, 0.0]), (2, [-2.0, 1.0]), (100, [1.0, 0.0])]
        {
            show(&mut selector, id, 4, &gradient);
        }
        assert_eq!(ids(&selector.select(1, 0).unwrap()), [1], "{score:?}: above the negative ones");
    }
}
