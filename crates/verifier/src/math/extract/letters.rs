//! The letter of a multiple choice.

use std::ops::Range;

use super::{Found, boxes, phrases};

/// The letter in the last box, behind the last phrase, in the last parentheses, or alone on the last
/// line. An "A" that begins a sentence is none of these.
pub(super) fn find(text: &str) -> Found {
    match boxes::find(text, 1) {
        Found::Nothing => {}
        Found::At(span) => return within(text, span).map_or(Found::Nothing, Found::At),
        other => return other,
    }
    if let Found::At(span) = phrases::find(text)
        && let Some(letter) = within(text, span)
    {
        return Found::At(letter);
    }
    parenthesised(text).or_else(|| alone(text)).map_or(Found::Nothing, Found::At)
}

/// The letter that a short text begins with: `B`, `(B)`, `\text{B}`, `**B**`, `(B) 12`, `option B`.
fn within(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let inner = &text[span.clone()];
    let mut rest = inner.trim_start();
    let styles =
        ["\\textbf", "\\text", "\\mathrm", "\\mathbf", "option", "Option", "choice", "Choice", "$"];
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches(['{', '(', '*', ' ', '$', '[', '\\']);
        for style in styles {
            let bare = style.trim_start_matches('\\');
            rest = rest.strip_prefix(bare).unwrap_or(rest);
        }
        if rest.len() == before {
            break;
        }
    }
    let letter = rest.chars().next().filter(char::is_ascii_uppercase)?;
    let after = rest[letter.len_utf8()..].chars().next();
    let ends =
        after.is_none_or(|c| matches!(c, ')' | '.' | ',' | ':' | '}' | '*' | '$' | ']' | '\n'));
    let start = span.start + inner.len() - rest.len();
    // A letter and then words is no choice (`A cat`), unless a bracket closed behind it.
    ends.then(|| start..start + 1)
}

/// The last `(B)`.
fn parenthesised(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let found = bytes.windows(3).rposition(|window| {
        let brackets = (window[0], window[2]);
        let pair = brackets == (b'(', b')') || brackets == (b'*', b'*');
        pair && window[1].is_ascii_uppercase()
    })?;
    Some(found + 1..found + 2)
}

/// A letter alone on the last line that holds anything.
fn alone(text: &str) -> Option<Range<usize>> {
    let end = text.trim_end().len();
    let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..end].trim();
    let letter = line.trim_matches(['.', ')', '(', '*']);
    let single = letter.len() == 1 && letter.chars().all(|c| c.is_ascii_uppercase());
    let at = start + text[start..end].find(letter)?;
    single.then(|| at..at + 1)
}
