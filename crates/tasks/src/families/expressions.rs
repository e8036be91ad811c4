//! Every integer expression over given numbers, in a canonical spelling.

use std::collections::BTreeSet;

/// A sub-expression: its value, its spelling and the operator at its root (`' '` for a number).
#[derive(Clone)]
struct Part {
    value: i64,
    text: String,
    root: char,
}

impl Part {
    fn number(value: i64) -> Self {
        Self { value, text: value.to_string(), root: ' ' }
    }

    /// `None` if the operation does not stay within the integers.
    fn combine(&self, operator: char, right: &Self) -> Option<Self> {
        let value = apply(operator, self.value, right.value)?;
        let left_text = parenthesise(self, precedence(self.root) < precedence(operator));
        // The right side of `-` and `/` binds first; so does a quotient under `*`, because
        // `a*b/c` would divide the product.
        let same = precedence(right.root) == precedence(operator);
        let grouped = same && (matches!(operator, '-' | '/') || right.root == '/');
        let right_text =
            parenthesise(right, grouped || precedence(right.root) < precedence(operator));
        Some(Self { value, text: format!("{left_text}{operator}{right_text}"), root: operator })
    }
}

pub(super) fn apply(operator: char, a: i64, b: i64) -> Option<i64> {
    match operator {
        '+' => a.checked_add(b),
        '-' => a.checked_sub(b),
        '*' => a.checked_mul(b),
        _ => (b != 0 && a % b == 0).then(|| a / b),
    }
}

fn precedence(root: char) -> u8 {
    match root {
        '+' | '-' => 1,
        '*' | '/' => 2,
        _ => 3,
    }
}

fn parenthesise(part: &Part, needed: bool) -> String {
    if needed { format!("({})", part.text) } else { part.text.clone() }
}

/// Every canonical expression over all numbers with the value `target`, sorted.
pub(super) fn expressions(numbers: &[i64], operators: &str, target: i64) -> Vec<String> {
    let mut found = BTreeSet::new();
    search(numbers.iter().copied().map(Part::number).collect(), operators, target, &mut found);
    found.into_iter().collect()
}

fn search(parts: Vec<Part>, operators: &str, target: i64, found: &mut BTreeSet<String>) {
    if let [part] = parts.as_slice() {
        if part.value == target {
            found.insert(part.text.clone());
        }
        return;
    }
    for left in 0..parts.len() {
        for right in (0..parts.len()).filter(|right| *right != left) {
            let rest: Vec<Part> = (0..parts.len())
                .filter(|i| *i != left && *i != right)
                .map(|i| parts[i].clone())
                .collect();
            for operator in operators.chars() {
                // The last operation must hit the target; most do not, and need no spelling.
                let last = rest.is_empty();
                if last && apply(operator, parts[left].value, parts[right].value) != Some(target) {
                    continue;
                }
                if let Some(part) = parts[left].combine(operator, &parts[right]) {
                    let mut next = rest.clone();
                    next.push(part);
                    search(next, operators, target, found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_counted_by_hand() {
        assert_eq!(expressions(&[3, 5], "+-*", 8), ["3+5", "5+3"]);
        assert_eq!(expressions(&[3, 5], "+-*", 2), ["5-3"]);
        assert_eq!(expressions(&[2, 2], "+-*", 4), ["2*2", "2+2"]);
    }

    #[test]
    fn sums_of_three_are_its_permutations() {
        let answers = expressions(&[1, 2, 4], "+", 7);
        assert_eq!(answers, ["1+2+4", "1+4+2", "2+1+4", "2+4+1", "4+1+2", "4+2+1"]);
    }

    #[test]
    fn parentheses_stand_only_where_they_matter() {
        let answers = expressions(&[1, 2, 9], "-", 6);
        assert_eq!(answers, ["9-1-2", "9-2-1"]);
        assert!(expressions(&[1, 2, 9], "-", 8).contains(&"9-(2-1)".to_owned()));
        assert!(expressions(&[2, 3, 4], "+*", 20).contains(&"(2+3)*4".to_owned()));
    }
}
