//! What every rule of this crate promises.

use std::collections::HashSet;

use fireproof_selection::{
    AllTokens, GroupFilter, HighEntropy, InOrder, KeepAll, MixedOutcomes, Need, PromptSelector,
    TokenSelector, UniformWithoutReplacement,
};
use fireproof_trajectory::{GroupView, PromptId, TokenView};
use proptest::prelude::*;

fn pool(size: u64) -> Vec<PromptId> {
    (0..size).map(PromptId).collect()
}

fn selectors(size: u64) -> Vec<Box<dyn PromptSelector>> {
    vec![Box::new(UniformWithoutReplacement::new(pool(size))), Box::new(InOrder::new(pool(size)))]
}

proptest! {
    #[test]
    fn a_selection_holds_no_prompt_twice_and_epochs_are_balanced(
        size in 1u64..40, counts in prop::collection::vec(1usize..40, 1..20), seed: u64,
    ) {
        for mut selector in selectors(size) {
            let mut times = vec![0u64; size as usize];
            for (step, count) in counts.iter().enumerate() {
                let count = (*count).min(size as usize);
                let selected = selector.select(count, seed ^ step as u64).unwrap();
                prop_assert_eq!(selected.iter().collect::<HashSet<_>>().len(), count);
                selected.iter().for_each(|prompt| times[prompt.0 as usize] += 1);
            }
            let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{selector:?}: {times:?}");
        }
    }

    #[test]
    fn a_restored_selector_continues_exactly(
        size in 2u64..30, before in 0usize..12, seed: u64,
    ) {
        for (mut original, mut restored) in selectors(size).into_iter().zip(selectors(size)) {
            for step in 0..before {
                original.select(2, seed ^ step as u64).unwrap();
            }
            // Through text, as a checkpoint would.
            let text = original.state().to_string();
            restored.restore(serde_json::from_str(&text).unwrap()).unwrap();
            for step in 0..10u64 {
                prop_assert_eq!(original.select(2, step).unwrap(), restored.select(2, step).unwrap());
            }
        }
    }
}

#[test]
fn the_same_seeds_select_the_same_prompts_and_others_do_not() {
    let select = |seed| UniformWithoutReplacement::new(pool(50)).select(20, seed).unwrap();
    assert_eq!(select(7), select(7));
    assert_ne!(select(7), select(8));
}

#[test]
fn too_small_a_pool_is_an_error_with_both_numbers() {
    for mut selector in selectors(3) {
        let error = selector.select(4, 0).unwrap_err().to_string();
        assert_eq!(error, "4 prompts a step were asked for, but there are only 3");
        assert_eq!(selector.need(0, 0), Need::None);
    }
}

#[test]
fn a_state_of_another_pool_is_refused_and_changes_nothing() {
    let mut other = UniformWithoutReplacement::new(pool(100));
    other.select(1, 0).unwrap();
    let mut selector = UniformWithoutReplacement::new(pool(3));
    let error = selector.restore(other.state()).unwrap_err().to_string();
    assert!(error.contains("is not in the pool"), "{error}");
    assert_eq!(selector.epochs(), 0);
    for mut selector in selectors(3) {
        let error = selector.restore(serde_json::json!({"cursor": 1})).unwrap_err().to_string();
        assert!(error.contains("does not belong to"), "{error}");
    }
}

#[test]
fn dynamic_sampling_keeps_mixed_groups_only() {
    let view = |correct: &'static [bool]| GroupView {
        prompt: PromptId(0),
        rewards: &[0.0; 4][..correct.len()],
        correct,
        lengths: &[1; 4][..correct.len()],
        truncated: &[false; 4][..correct.len()],
    };
    for (correct, mixed) in [
        (&[true, false, false][..], true),
        (&[true, true], false),
        (&[false, false], false),
        (&[true], false),
        (&[], false),
    ] {
        assert_eq!(MixedOutcomes.keep(view(correct)), mixed, "{correct:?}");
        assert!(KeepAll.keep(view(correct)));
    }
}

#[test]
fn the_tokens_of_highest_entropy_are_kept() {
    let entropies = [0.1, 0.9, 0.5, 0.9, 0.2];
    let tokens = TokenView { logprobs: &[-1.0; 5], entropies: &entropies };
    let kept = HighEntropy { share: 0.4 }.select(tokens);
    assert_eq!(kept, [false, true, false, true, false]);
    let one = HighEntropy { share: 0.0 }.select(tokens);
    assert_eq!(one, [false, true, false, false, false], "at least one, the earlier of equals");
    assert_eq!(AllTokens.select(tokens), [true; 5]);
    let empty = TokenView { logprobs: &[], entropies: &[] };
    assert!(HighEntropy { share: 0.2 }.select(empty).is_empty());
}
