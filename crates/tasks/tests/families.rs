//! What every family promises, checked through the verifier that training uses.

use std::collections::{HashMap, HashSet};

use fireproof_tasks::{FAMILIES, Instance, Partition, TaskFamily, family, generate};
use fireproof_trajectory::{CheckSpec, ExpressionCheck, Operands, Outcome, PromptId, Task};
use fireproof_verifier::{CheckVerifier, Verifier};
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

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

/// Instances of a family, spread over its levels.
fn many(family: &dyn TaskFamily, count: usize) -> impl Iterator<Item = Instance> {
    let mut rng = rng(2026);
    let levels: Vec<u32> = family.levels().collect();
    (0..count).map(move |index| family.generate(levels[index % levels.len()], &mut rng))
}

#[test]
fn every_gold_answer_verifies_itself_and_is_among_the_solutions() {
    let mut seen = 0;
    for family in FAMILIES {
        for instance in many(family, 500) {
            let Instance { task, demonstration } = instance;
            let verdict = CheckVerifier.verify(&task, &demonstration).unwrap();
            assert!(verdict.correct(), "{}{demonstration}", task.prompt);
            let count = task.metadata.solutions.expect("every family counts its solutions");
            // The largest sets take too long to list 500 times.
            if count <= 300 {
                let solutions = family.solutions(&task).expect("a task of the family");
                assert!(solutions.contains(&demonstration), "{}{demonstration}", task.prompt);
                assert_eq!(solutions.len() as u64, count, "{}", task.prompt);
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 11_000);
}

/// Texts that differ from `answer` in one place, or that restate the prompt.
fn near_misses(prompt: &str, answer: &str, alphabet: &str, rng: &mut ChaCha8Rng) -> Vec<String> {
    let place = rng.random_range(0..answer.len());
    let letter = alphabet.as_bytes()[rng.random_range(0..alphabet.len())] as char;
    let (before, after) = answer.split_at(place);
    let rest = &after[1..];
    let swapped = if rest.is_empty() {
        format!("{after}{before}")
    } else {
        format!("{before}{}{}{}", &rest[..1], &after[..1], &rest[1..])
    };
    let prompt = prompt.trim_end_matches('>');
    vec![
        format!("{before}{letter}{rest}"),
        format!("{before}{letter}{after}"),
        format!("{before}{rest}"),
        format!("{answer}{letter}"),
        format!("{letter}{answer}"),
        format!("{answer}{answer}"),
        swapped,
        prompt.to_owned(),
        format!("{prompt}>{answer}"),
        format!("{answer}>"),
        String::new(),
    ]
}

/// An answer in the spelling of the solutions: terms in ascending order where order is free.
fn plain(check: &CheckSpec, answer: &str) -> String {
    match check {
        CheckSpec::Expression(ExpressionCheck {
            operands: Operands::Subset { .. } | Operands::Repeated { .. },
            ..
        }) => {
            let number = |term: &str| term.parse().expect("a sum of numbers");
            let mut terms: Vec<i64> = answer.split('+').map(number).collect();
            terms.sort_unstable();
            terms.iter().map(i64::to_string).collect::<Vec<_>>().join("+")
        }
        _ => answer.to_owned(),
    }
}

#[test]
fn near_misses_are_paid_only_where_they_are_solutions_themselves() {
    let mut rng = rng(7);
    let mut refused = 0;
    for family in FAMILIES {
        for Instance { task, demonstration } in many(family, 100) {
            if task.metadata.solutions > Some(300) {
                continue;
            }
            let solutions = family.solutions(&task).expect("a task of the family");
            for text in near_misses(&task.prompt, &demonstration, family.alphabet(), &mut rng) {
                if CheckVerifier.verify(&task, &text).unwrap().correct() {
                    let listed = solutions.contains(&plain(&task.check, &text));
                    assert!(listed, "{}{text}", task.prompt);
                } else {
                    refused += 1;
                    assert!(!solutions.contains(&text), "{}{text}", task.prompt);
                }
            }
        }
    }
    assert!(refused > 20_000, "{refused}");
}

#[test]
fn a_prompt_alone_decides_what_is_right() {
    let mut checks: HashMap<PromptId, Task> = HashMap::new();
    for family in FAMILIES.into_iter().filter(|family| family.name() != "countdown") {
        for Instance { task, .. } in many(family, 200) {
            let other = checks.entry(task.id).or_insert_with(|| task.clone());
            assert_eq!((&other.prompt, &other.check), (&task.prompt, &task.check), "{family:?}");
        }
    }
}

#[test]
fn a_task_survives_json() {
    for family in FAMILIES {
        let task = family.generate(1, &mut rng(4)).task;
        let json = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), task, "{json}");
    }
}

#[test]
fn a_task_of_another_family_has_no_solutions_here() {
    for family in FAMILIES {
        for other in FAMILIES.into_iter().filter(|other| other.name() != family.name()) {
            let task = other.generate(1, &mut rng(4)).task;
            assert_eq!(family.solutions(&task), None, "{} of {}", other.name(), family.name());
        }
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
            let set = generate(family, family.levels(), 6, partition, 3);
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

/// Every text of up to `length` letters.
fn texts(letters: &[char], length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut start = 0;
    for _ in 0..length {
        let end = all.len();
        let longer: Vec<String> = all[start..end]
            .iter()
            .flat_map(|text| letters.iter().map(move |letter| format!("{text}{letter}")))
            .collect();
        all.extend(longer);
        start = end;
    }
    all
}

#[test]
fn the_solutions_are_all_texts_that_verify_and_no_others() {
    let pairs = |operator: char, largest: u32| -> Vec<String> {
        let second = move |a| (0..=largest).map(move |b| format!("{a}{operator}{b}"));
        (0..=largest).flat_map(second).collect()
    };
    let letters = |letters: &str, length| texts(&letters.chars().collect::<Vec<_>>(), length);
    let cases = [
        ("split", 1, pairs('+', 20)),
        ("factors", 1, pairs('*', 81)),
        ("path", 1, letters("abcd", 4)),
        ("path", 3, letters("abcde", 5)),
        ("brackets", 3, letters("()", 8)),
        ("brackets", 4, letters("()[]", 6)),
        ("queens", 1, letters("012345", 4)),
        ("queens", 2, letters("12345", 5)),
        ("word", 1, letters("abc", 5)),
        ("word", 3, letters("abc", 6)),
        ("rare-modes", 7, letters("0123456789", 3)),
        ("parity", 5, letters("01", 3)),
        ("base", 1, letters("01", 5)),
    ];
    for (name, level, candidates) in cases {
        let family = family(name).unwrap();
        for seed in 0..4 {
            let task = family.generate(level, &mut rng(seed)).task;
            let right = |text: &&String| CheckVerifier.verify(&task, text).unwrap().correct();
            let found: HashSet<&String> = candidates.iter().filter(right).collect();
            let solutions = family.solutions(&task).expect("a task of the family");
            assert_eq!(found, solutions.iter().collect(), "{}", task.prompt);
            assert_eq!(Some(found.len() as u64), task.metadata.solutions, "{}", task.prompt);
        }
    }
}

#[test]
fn impossible_tasks_have_no_solutions_and_do_not_panic() {
    let impossible = [
        (
            "brackets",
            r#"{"kind":"family","family":"brackets","prefix":"((é","length":2,"kinds":"()"}"#,
        ),
        (
            "brackets",
            r#"{"kind":"family","family":"brackets","prefix":")","length":2,"kinds":")"}"#,
        ),
        ("queens", r#"{"kind":"family","family":"queens","size":3,"placed":[1,2,3,4]}"#),
        (
            "word",
            r#"{"kind":"family","family":"word","letters":"é","length":3,"counted":"a","count":9,"forbidden":""}"#,
        ),
        ("path", r#"{"kind":"family","family":"path","edges":[],"start":"a","end":"b"}"#),
        (
            "split",
            r#"{"kind":"expression","target":-7,"operators":"+","operands":{"rule":"free","count":0,"minimum":1,"maximum":0}}"#,
        ),
        (
            "factors",
            r#"{"kind":"expression","target":-6,"operators":"*","operands":{"rule":"free","count":2,"minimum":2,"maximum":9}}"#,
        ),
        (
            "coins",
            r#"{"kind":"expression","target":5,"operators":"+","operands":{"rule":"repeated","numbers":[0],"most":3}}"#,
        ),
        (
            "subset-sum",
            r#"{"kind":"expression","target":-5,"operators":"+","operands":{"rule":"subset","numbers":[]}}"#,
        ),
        (
            "make-24",
            r#"{"kind":"expression","target":24,"operators":"+","operands":{"rule":"exactly","numbers":[]}}"#,
        ),
    ];
    for (source, check) in impossible {
        let json = format!(
            r#"{{"id":"0000000000000001","prompt":"?","check":{check},"metadata":{{"source":"{source}"}}}}"#
        );
        let task: Task = serde_json::from_str(&json).unwrap();
        let solutions = family(source).unwrap().solutions(&task);
        assert!(solutions.is_none_or(|all| all.is_empty()), "{json}");
        assert!(!CheckVerifier.verify(&task, "1+1").unwrap().correct(), "{json}");
    }
}

#[test]
fn every_level_has_something_to_train_on() {
    for family in FAMILIES {
        for level in family.levels() {
            let set = generate(family, level..=level, 1, Partition::Train, 8);
            assert_eq!(set.len(), 1, "{family:?} at level {level}");
        }
    }
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
