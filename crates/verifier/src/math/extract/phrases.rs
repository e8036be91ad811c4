//! "The answer is 5." and its relatives.

use super::Found;

const PHRASES: [&str; 8] = [
    "final answer is",
    "the answer is",
    "answer is",
    "final answer:",
    "answer:",
    "final answer**",
    "answer**",
    "answer =",
];

/// Words that end an answer and begin a reason.
const REASONS: [&str; 11] = [
    " (since",
    " (because",
    " because",
    " since ",
    " which ",
    " where ",
    ", as ",
    ", so ",
    " so that",
    ", which",
    " when ",
];

/// What stands behind the last phrase, to the end of the sentence.
pub(super) fn find(text: &str) -> Found {
    // Only ASCII letters change, so places stay the same.
    let lower = text.to_ascii_lowercase();
    let last = PHRASES
        .iter()
        .filter_map(|phrase| lower.rfind(phrase).map(|at| (at + phrase.len(), phrase.len())))
        .max();
    let Some((mut start, _)) = last else { return Found::Nothing };
    let skipped = |c: char| c.is_whitespace() || matches!(c, ':' | '*' | '=');
    start += text[start..].len() - text[start..].trim_start_matches(skipped).len();
    let rest = &text[start..];
    if rest.is_empty() {
        return Found::CutOff;
    }
    for (open, close) in [("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")] {
        let Some(inner) = rest.strip_prefix(open) else { continue };
        if let Some(end) = inner.find(close)
            && whole_answer(&inner[end + close.len()..])
        {
            let inner = start + open.len();
            return Found::At(inner..inner + end);
        }
        break;
    }
    let end = sentence(rest);
    // "Final answer: the largest n is 34"
    if let Some(is) = [" is ", " are ", " equals "]
        .iter()
        .filter_map(|word| Some(rest[..end].rfind(word)? + word.len()))
        .max()
    {
        return Found::At(start + is..start + end);
    }
    if rest[..end].trim().is_empty() { Found::Nothing } else { Found::At(start..start + end) }
}

/// Nothing that belongs to the answer follows a formula.
fn whole_answer(after: &str) -> bool {
    let line = after.lines().next().unwrap_or_default().trim_start();
    line.is_empty() || line.starts_with(['.', ',', ';', '*', ')']) && !line.starts_with(", $")
}

/// Length of the sentence at the start of `text`.
fn sentence(text: &str) -> usize {
    let line = text.lines().next().unwrap_or_default();
    let stop = line.match_indices(['.', ';', '?', '!']).find(|(at, mark)| {
        let rest = &line[at + mark.len()..];
        let ends = rest.is_empty() || rest.starts_with([' ', '*', '\u{a0}']);
        ends && *mark != "!" && !(*mark == "." && is_abbreviation(&line[..*at]))
    });
    let mut end = stop.map_or(line.len(), |(at, _)| at);
    for reason in REASONS {
        end = line[..end].find(reason).unwrap_or(end);
    }
    // `**Answer: 5**`
    let emphasised = line[..end].matches("**").count() % 2 == 1;
    if emphasised { line[..end].trim_end().trim_end_matches('*').len() } else { end }
}

/// The text ends like `p.m`, so that a point behind it ends no sentence.
fn is_abbreviation(text: &str) -> bool {
    let mut last = text.chars().rev();
    last.next().is_some_and(char::is_alphabetic) && last.next() == Some('.')
}
