//! What every family promises, checked through the verifier that training uses.

use std::collections::HashSet;

use fireproof_tasks::{FAMILIES, Partition, family, generate};
use fireproof_trajectory::Outcome;
use fireproof_verifier::{CheckVerifier, Verifier};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_demonstration_verifies_and_stays_in_its_bounds(which in 0..FAMILIES.len(), seed: u64) {
        let family = FAMILIES[which];
        for level in family.levels() {
            let instance = family.generate(level, &mut rng(seed));
            let verdict = CheckVerifier.verify(&instance.task, &instance.demonstration).unwrap();
            prop_assert_eq!(verdict.outcome, Outcome::Correct, "{:?}", instance);
            prop_assert!(instance.demonstration.len() <= family.longest_answer(level));
            let text = format!("{}{}", instance.task.prompt, instance.demonstration);
            prop_assert!(text.chars().all(|c| family.alphabet().contains(c)), "{}", text);
            prop_assert_eq!(instance.task.metadata.level, Some(level));
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_task(which in 0..FAMILIES.len(), seed: u64) {
        let family = FAMILIES[which];
        let level = *family.levels().end();
        prop_assert_eq!(family.generate(level, &mut rng(seed)), family.generate(level, &mut rng(seed)));
    }
}

#[test]
fn enumerated_solutions_verify_are_distinct_and_as_many_as_stated() {
    for family in FAMILIES {
        for level in family.levels().take(4) {
            let task = family.generate(level, &mut rng(5)).task;
            let solutions = family.solutions(&task).expect("a task of the family");
            assert_eq!(Some(solutions.len() as u64), task.metadata.solutions, "{task:?}");
            assert_eq!(solutions.iter().collect::<HashSet<_>>().len(), solutions.len());
            for solution in solutions.iter().step_by(1 + solutions.len() / 200) {
                let verdict = CheckVerifier.verify(&task, solution).unwrap();
                assert!(verdict.correct(), "{}{solution}", task.prompt);
            }
        }
    }
}

#[test]
fn training_and_held_out_tasks_are_disjoint_and_about_four_to_one() {
    for family in FAMILIES {
        let ids = |partition| -> HashSet<_> {
            let set = generate(family, family.levels(), 15, partition, 3);
            set.iter().map(|instance| instance.task.id).collect()
        };
        assert!(ids(Partition::Train).is_disjoint(&ids(Partition::HeldOut)), "{family:?}");
    }
    let split = family("split").unwrap();
    let train = generate(split, 1..=2, 1_000, Partition::Train, 1).len();
    let held_out = generate(split, 1..=2, 1_000, Partition::HeldOut, 1).len();
    assert_eq!(train + held_out, 98, "the numbers from 2 to 99");
    assert!((10..30).contains(&held_out), "{held_out}");
}

#[test]
fn no_task_comes_twice_and_levels_are_mixed() {
    let split = family("split").unwrap();
    let set = generate(split, 1..=5, 40, Partition::Train, 9);
    let ids: HashSet<_> = set.iter().map(|instance| instance.task.id).collect();
    assert_eq!(ids.len(), set.len());
    let first: Vec<_> = set[..5].iter().map(|instance| instance.task.metadata.level).collect();
    assert_eq!(first, [Some(1), Some(2), Some(3), Some(4), Some(5)]);
}

#[test]
fn a_demonstration_of_split_is_any_of_the_answers() {
    let split = family("split").unwrap();
    let mut rng = rng(1);
    let mut answers = HashSet::new();
    for _ in 0..4000 {
        let instance = split.generate(1, &mut rng);
        if instance.task.prompt == "6:2>" {
            answers.insert(instance.demonstration);
        }
    }
    assert_eq!(answers.len(), 5, "{answers:?}");
}

#[test]
#[should_panic(expected = "split has levels 1..=6, not 7")]
fn an_unknown_level_is_refused() {
    let _ = family("split").unwrap().generate(7, &mut rng(0));
}
