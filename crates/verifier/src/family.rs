//! Instances of procedural families judged by their rules, in time linear in the answer.

use fireproof_trajectory::{CheckSpec, FamilyCheck, Outcome, Task, Verdict};

use crate::verifier::{Verifier, VerifyError};

/// The whole text, up to white space around it, satisfies a [`FamilyCheck`].
///
/// An empty text is no answer, even where nothing would be left to write.
#[derive(Clone, Copy, Debug)]
pub struct FamilyInstance;

impl Verifier for FamilyInstance {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Family(check) = &task.check else {
            return Err(VerifyError::unsupported("FamilyInstance", task));
        };
        let answer = response.trim();
        if answer.is_empty() {
            return Ok(Verdict::new(Outcome::NoAnswer));
        }
        let correct = match check {
            FamilyCheck::Path { edges, start, end } => is_path(edges, *start, *end, answer),
            FamilyCheck::Brackets { prefix, length, kinds } => {
                is_balanced(prefix.chars().chain(answer.chars()), *length, kinds)
            }
            FamilyCheck::Queens { size, placed } => is_placement(*size, placed, answer),
            FamilyCheck::Word { letters, length, counted, count, forbidden } => {
                is_word(answer, letters, *length)
                    && answer.chars().filter(|letter| letter == counted).count() == *count
                    && (forbidden.is_empty() || !answer.contains(forbidden.as_str()))
            }
            FamilyCheck::OneOf { answers } => answers.iter().any(|right| right.trim() == answer),
            _ => return Err(VerifyError::unsupported("FamilyInstance", task)),
        };
        Ok(Verdict::over(answer, correct))
    }
}

fn is_path(edges: &[(char, char)], start: char, end: char, answer: &str) -> bool {
    // A path over n edges has n + 1 nodes: a longer text need not be looked at.
    let nodes: Vec<char> = answer.chars().take(edges.len() + 2).collect();
    let joined = |a, b| edges.iter().any(|edge| *edge == (a, b) || *edge == (b, a));
    nodes.len() < edges.len() + 2
        && nodes.first() == Some(&start)
        && nodes.last() == Some(&end)
        && nodes.windows(2).all(|pair| joined(pair[0], pair[1]))
        && nodes.iter().enumerate().all(|(place, node)| !nodes[..place].contains(node))
}

fn is_balanced(text: impl Iterator<Item = char>, length: usize, kinds: &str) -> bool {
    let kinds: Vec<char> = kinds.chars().collect();
    let mut waiting = Vec::new();
    let mut seen = 0;
    for bracket in text {
        seen += 1;
        let Some(kind) = kinds.iter().position(|other| *other == bracket) else { return false };
        if kind % 2 == 0 {
            waiting.push(kind);
        } else if waiting.pop() != Some(kind - 1) {
            return false;
        }
        if seen > length {
            return false;
        }
    }
    seen == length && waiting.is_empty()
}

fn is_placement(size: u8, placed: &[u8], answer: &str) -> bool {
    let mut columns: Vec<u32> = placed.iter().copied().map(u32::from).collect();
    for digit in answer.chars() {
        match digit.to_digit(10) {
            Some(column) if columns.len() < usize::from(size) => columns.push(column),
            _ => return false,
        }
    }
    let apart = |(row, column): (usize, &u32)| {
        columns[..row].iter().enumerate().all(|(other_row, other)| {
            other != column && other.abs_diff(*column) as usize != row - other_row
        })
    };
    columns.len() == usize::from(size)
        && columns.iter().all(|column| (1..=u32::from(size)).contains(column))
        && columns.iter().enumerate().all(apart)
}

fn is_word(answer: &str, letters: &str, length: usize) -> bool {
    answer.chars().take(length.saturating_add(1)).count() == length
        && answer.chars().all(|letter| letters.contains(letter))
}

#[cfg(test)]
mod tests {
    use fireproof_trajectory::{PromptId, TaskMetadata};

    use super::*;

    #[track_caller]
    fn judge(check: FamilyCheck, right: &[&str], wrong: &[&str]) {
        let task = Task {
            id: PromptId(1),
            prompt: "?".into(),
            check: CheckSpec::Family(check),
            metadata: TaskMetadata::default(),
        };
        let outcome = |answer: &str| FamilyInstance.verify(&task, answer).unwrap().outcome;
        for answer in right {
            assert_eq!(outcome(answer), Outcome::Correct, "{answer:?}");
            assert_eq!(outcome(&format!(" {answer}\n")), Outcome::Correct, "{answer:?}");
        }
        for answer in wrong {
            assert_eq!(outcome(answer), Outcome::Wrong, "{answer:?}");
        }
        assert_eq!(outcome(" "), Outcome::NoAnswer);
    }

    #[test]
    fn a_path_follows_edges_either_way_and_meets_no_node_twice() {
        let edges = vec![('a', 'b'), ('c', 'b'), ('c', 'd'), ('a', 'd')];
        let check = FamilyCheck::Path { edges, start: 'a', end: 'c' };
        judge(
            check,
            &["abc", "adc"],
            &["ac", "a", "c", "ab", "bc", "abadc", "abcdc", "abcc", "aabc", "a b c", "abC", "xyz"],
        );
    }

    #[test]
    fn a_path_may_end_where_it_starts_only_by_standing_still() {
        let edges = vec![('a', 'b'), ('b', 'c'), ('c', 'a')];
        let check = FamilyCheck::Path { edges, start: 'a', end: 'a' };
        judge(check, &["a"], &["abca", "aa", "b"]);
    }

    #[test]
    fn brackets_close_in_the_order_they_opened() {
        let check = |prefix: &str, length, kinds: &str| FamilyCheck::Brackets {
            prefix: prefix.into(),
            length,
            kinds: kinds.into(),
        };
        judge(check("(", 4, "()"), &["())", ")()"], &[")", "(((", "()", "))(", "()))", "[])"]);
        judge(check("([", 6, "()[]"), &["])()", "])[]", "()])", "[]])"], &[")]()", "])", "]()["]);
        // Nothing is open, nothing may follow.
        judge(check("()", 2, "()"), &[], &["()", ")"]);
    }

    #[test]
    fn queens_attack_along_rows_columns_and_diagonals() {
        let check = |placed: &[u8]| FamilyCheck::Queens { size: 4, placed: placed.to_vec() };
        judge(check(&[]), &["2413", "3142"], &["1234", "2143", "2411", "241", "24133", "0000"]);
        judge(check(&[2, 4]), &["13"], &["31", "2413", "1", "1x", "59"]);
        judge(check(&[1, 2]), &[], &["34", "43"]);
    }

    #[test]
    fn a_word_keeps_all_of_its_rules() {
        let check = FamilyCheck::Word {
            letters: "ab".into(),
            length: 4,
            counted: 'a',
            count: 2,
            forbidden: "bb".into(),
        };
        judge(check, &["abab", "baba", "baab"], &["abba", "aaab", "bab", "ababa", "acab", "ABAB"]);
    }

    #[test]
    fn one_of_several_texts_is_enough() {
        let check = FamilyCheck::OneOf { answers: vec!["17".into(), "04".into()] };
        judge(check, &["17", "04"], &["4", "1704", "1 7", "18"]);
    }

    #[test]
    fn hostile_sizes_end_at_once() {
        let long = "ab".repeat(500_000);
        let path = FamilyCheck::Path { edges: vec![('a', 'b')], start: 'a', end: 'b' };
        judge(path, &["ab"], &[&long]);
        let brackets =
            FamilyCheck::Brackets { prefix: String::new(), length: 2, kinds: "()".into() };
        judge(brackets, &["()"], &[&"(".repeat(1_000_000)]);
        judge(FamilyCheck::Queens { size: 255, placed: vec![0; 999] }, &[], &["1", &long]);
        let (letters, forbidden) = ("ab".into(), String::new());
        let length = usize::MAX;
        judge(
            FamilyCheck::Word { letters, length, counted: 'a', count: 1, forbidden },
            &[],
            &["ab", &long],
        );
    }
}
