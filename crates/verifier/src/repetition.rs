//! How much of a text repeats itself.

use std::collections::HashSet;

/// Share of a text's runs of `length` words that occurred before: `1 - distinct / all`, from 0 to 1.
///
/// Words are separated by white space and compared without regard to case. A text with fewer words
/// than `length` repeats nothing. As a reward this is the repetition penalty of
/// arXiv 2502.03373, eq. 2, up to its weight.
///
/// ```
/// use fireproof_verifier::repetition;
/// assert_eq!(repetition("to be or not to be", 2), 0.2);
/// assert_eq!(repetition("to be", 3), 0.0);
/// ```
#[must_use]
pub fn repetition(text: &str, length: usize) -> f32 {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    if length == 0 || words.len() < length {
        return 0.0;
    }
    let runs = words.windows(length);
    let all = runs.len();
    let distinct: HashSet<&[&str]> = runs.collect();
    (all - distinct.len()) as f32 / all as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_occurred_before_counts() {
        assert_eq!(repetition("a b c d", 2), 0.0);
        assert_eq!(repetition("a a a a a", 1), 0.8);
        assert_eq!(repetition("A b a B", 2), 1.0 / 3.0);
        for text in ["", "a"] {
            assert_eq!(repetition(text, 2), 0.0);
        }
        assert_eq!(repetition("a a", 0), 0.0);
    }
}
