//! What the trait of prompt selectors promises, for every selector.

use std::collections::HashSet;

use fireproof_selection::{InOrder, PromptSelector, SelectError, UniformWithoutReplacement};
use fireproof_trajectory::PromptId;
use proptest::prelude::*;

use crate::common::{Call, World, calls, pool, run, selectors, show, through_text};

/// Even counts, so that pairs come whole.
fn counts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..5, 1..5).prop_map(|halves| halves.iter().map(|h| 2 * h).collect())
}

fn name(selector: &dyn PromptSelector) -> String {
    let text = format!("{selector:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_prompt_comes_twice_in_a_step(counts in counts(), seed: u64) {
        // No rule here runs out of sixteen prompts.
        let mut counts = counts;
        while counts.iter().sum::<usize>() > 16 {
            counts.pop();
        }
        for mut selector in selectors(&pool(45)) {
            let mut world = World::new();
            for call in calls(6, &counts, seed) {
                let selected = world.call(selector.as_mut(), &call);
                if let Call::Select(count, _) = call {
                    prop_assert_eq!(selected.len(), count);
                }
                let different: HashSet<_> = world.step.iter().collect();
                prop_assert_eq!(different.len(), world.step.len(), "{:?}", selector);
                prop_assert!(selected.iter().all(|prompt| prompt.0 < 45), "{selector:?}");
            }
        }
    }

    #[test]
    fn an_exhausted_step_repeats_but_not_within_a_selection(seed: u64) {
        for mut selector in selectors(&pool(45)) {
            for selected in run(selector.as_mut(), &calls(3, &[16; 5], seed)) {
                prop_assert_eq!(selected.len(), 16);
                prop_assert_eq!(selected.iter().collect::<HashSet<_>>().len(), 16, "{:?}", selector);
            }
        }
    }

    #[test]
    fn a_restored_selector_continues_exactly(
        counts in counts(), seed: u64, share in 0.0..1.0f64,
    ) {
        let calls = calls(6, &counts, seed);
        let (before, after) = calls.split_at((share * calls.len() as f64) as usize);
        for (mut original, mut restored) in
            selectors(&pool(45)).into_iter().zip(selectors(&pool(45)))
        {
            let mut world = World::new();
            before.iter().for_each(|call| { world.call(original.as_mut(), call); });
            restored.restore(through_text(original.as_ref())).unwrap();
            let mut other = world.clone();
            for call in after {
                let expected = world.call(original.as_mut(), call);
                prop_assert_eq!(other.call(restored.as_mut(), call), expected, "{:?}", original);
                prop_assert_eq!(original.state(), restored.state());
            }
        }
    }

    #[test]
    fn the_same_calls_select_the_same_prompts_whatever_the_order_of_the_pool(seed: u64) {
        let calls = calls(5, &[6, 4], seed);
        let mut other = pool(45);
        other.rotate_left((seed % 45) as usize);
        other.reverse();
        other.extend(pool(3));
        for (mut one, mut two) in selectors(&pool(45)).into_iter().zip(selectors(&other)) {
            if name(one.as_ref()) == "InOrder" {
                two = Box::new(InOrder::new(pool(45)));
            }
            prop_assert_eq!(run(one.as_mut(), &calls), run(two.as_mut(), &calls), "{:?}", one);
        }
    }

    #[test]
    fn epochs_are_balanced(
        size in 1u64..40, counts in prop::collection::vec(1usize..40, 1..20), seed: u64,
    ) {
        let both: [Box<dyn PromptSelector>; 2] = [
            Box::new(UniformWithoutReplacement::new(pool(size))),
            Box::new(InOrder::new(pool(size))),
        ];
        for mut selector in both {
            let mut times = vec![0u64; size as usize];
            for (step, count) in (0..).zip(&counts) {
                selector.need(step, 0);
                let count = (*count).min(size as usize);
                let selected = selector.select(count, seed ^ step).unwrap();
                prop_assert_eq!(selected.iter().collect::<HashSet<_>>().len(), count);
                selected.iter().for_each(|prompt| times[prompt.0 as usize] += 1);
            }
            let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{selector:?}: {times:?}");
        }
    }
}

#[test]
fn other_seeds_select_other_prompts() {
    for (mut one, mut two) in selectors(&pool(45)).into_iter().zip(selectors(&pool(45))) {
        let (one_run, two_run) =
            (run(one.as_mut(), &calls(5, &[6], 1)), run(two.as_mut(), &calls(5, &[6], 2)));
        assert_eq!(one_run == two_run, name(one.as_ref()) == "InOrder", "{one:?}");
    }
}

#[test]
fn too_small_a_pool_is_an_error_with_both_numbers() {
    for mut selector in selectors(&pool(45)) {
        let mut world = World::new();
        calls(1, &[], 0).iter().for_each(|call| {
            world.call(selector.as_mut(), call);
        });
        // Half of forty candidates are kept by alignment.
        let available = if name(selector.as_ref()) == "GradientAligned" { 20 } else { 45 };
        let error = selector.select(46, 0).unwrap_err();
        assert_eq!(error, SelectError::PoolTooSmall { asked: 46, available }, "{selector:?}");
        let text = format!("46 prompts a step were asked for, but there are only {available}");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_list_in_another_order_is_another_list() {
    let mut turned = pool(5);
    turned.reverse();
    let error = InOrder::new(pool(5)).restore(InOrder::new(turned).state()).unwrap_err();
    assert!(error.to_string().ends_with("the same prompts stand in another order"), "{error}");
}

#[test]
fn groups_of_other_pools_teach_nothing() {
    for mut selector in selectors(&pool(45)) {
        run(selector.as_mut(), &calls(2, &[4], 3));
        let before = selector.state();
        // A wrapper knows no pool: what it is shown as trained on was chosen by its inner selector.
        let is_wrapper = name(selector.as_ref()) == "RareSuccessReplay";
        show(selector.as_mut(), &[(500, 1, 8), (501, 4, 8)], true);
        show(selector.as_mut(), if is_wrapper { &[] } else { &[(500, 1, 8)] }, false);
        assert_eq!(selector.state(), before, "{selector:?}");
    }
}

#[test]
fn nothing_asked_for_is_nothing_selected() {
    for mut selector in selectors(&pool(45)) {
        run(selector.as_mut(), &calls(1, &[2], 0));
        assert_eq!(selector.select(0, 9).unwrap(), []);
    }
}

#[test]
fn foreign_states_are_refused_and_change_nothing() {
    let mut trained = selectors(&pool(45));
    trained.iter_mut().for_each(|selector| {
        run(selector.as_mut(), &calls(2, &[4], 3));
    });
    let states: Vec<_> = trained.iter().map(|selector| selector.state()).collect();
    let mut elsewhere = selectors(&pool(46));
    elsewhere.iter_mut().for_each(|selector| {
        run(selector.as_mut(), &calls(2, &[4], 3));
    });
    for (own, (selector, elsewhere)) in trained.iter_mut().zip(&elsewhere).enumerate() {
        let garbage = [serde_json::json!({"cursor": 1}), serde_json::json!(null)];
        let others = states.iter().enumerate().filter(|(other, _)| *other != own);
        let others = others.map(|(_, state)| state.clone());
        for foreign in others.chain(garbage).chain([elsewhere.state()]) {
            let error = selector.restore(foreign).unwrap_err();
            assert!(error.to_string().contains("does not belong to"), "{selector:?}: {error}");
            assert_eq!(selector.state(), states[own], "{selector:?} has changed");
        }
        selector.restore(states[own].clone()).unwrap();
    }
}

#[test]
fn the_fingerprint_shows_neither_the_pool_nor_what_was_learned() {
    let small = selectors(&pool(45));
    for (mut selector, same) in selectors(&pool(90)).into_iter().zip(small) {
        run(selector.as_mut(), &calls(3, &[4], 3));
        assert_eq!(format!("{selector:?}"), format!("{same:?}"));
        assert!(!format!("{selector:?}").contains(&PromptId(1).to_string()));
    }
}
