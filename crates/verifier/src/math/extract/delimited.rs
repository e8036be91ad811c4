//! Formulas between dollar signs and their relatives.

use std::ops::Range;

use super::Found;

/// The last formula.
pub(super) fn find(text: &str) -> Found {
    let mut last: Option<Range<usize>> = None;
    let mut at = 0;
    while let Some(start) = text[at..].find(['$', '\\']).map(|found| at + found) {
        match formula(text, start) {
            Opening::Formula(inner, end) => {
                if !text[inner.clone()].trim().is_empty() {
                    last = Some(inner);
                }
                at = end;
            }
            Opening::Other(length) => at = (start + length).min(text.len()),
            Opening::Unclosed => break,
        }
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    // A number behind it is said later, so the formula is not the answer.
    let later = |span: &Range<usize>| text[span.end..].contains(|c: char| c.is_ascii_digit());
    last.filter(|span| !later(span)).map_or(Found::Nothing, Found::At)
}

enum Opening {
    /// The inside, and where the closing sign ends.
    Formula(Range<usize>, usize),
    /// Something else of this length.
    Other(usize),
    Unclosed,
}

fn formula(text: &str, start: usize) -> Opening {
    const PAIRS: [(&str, &str); 4] = [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")];
    let rest = &text[start..];
    let Some((open, close)) = PAIRS.iter().find(|(open, _)| rest.starts_with(open)) else {
        // An escaped character or a command.
        return Opening::Other(2);
    };
    let inner = start + open.len();
    let Some(length) = unescaped(&text[inner..], close) else {
        return if *open == "$" { Opening::Other(1) } else { Opening::Unclosed };
    };
    let end = inner + length;
    let after = text[end + close.len()..].chars().next();
    // "costs $5 and $6": two prices, no formula.
    let price = *open == "$"
        && text[inner..].starts_with(|c: char| c.is_ascii_digit())
        && after.is_some_and(|c| c.is_ascii_digit());
    if price || text[inner..end].contains("\n\n") {
        return Opening::Other(1);
    }
    Opening::Formula(inner..end, end + close.len())
}

/// Where the closing sign stands, if no backslash stands before it.
fn unescaped(text: &str, close: &str) -> Option<usize> {
    if close != "$" {
        return text.find(close);
    }
    let mut from = 0;
    while let Some(at) = text[from..].find('$').map(|at| from + at) {
        if !text[..at].ends_with('\\') {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
