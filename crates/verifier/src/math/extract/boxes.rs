//! `\boxed{...}` and `\fbox{...}`.

use std::ops::Range;

use super::Found;

const COMMANDS: [&str; 2] = ["\\boxed", "\\fbox"];
/// Most bytes between two boxes that belong together.
const MAX_BETWEEN: usize = 60;

/// The inside of the last box; or of the last `items` boxes, if they stand together.
pub(super) fn find(text: &str, items: usize) -> Found {
    let Boxes { boxes, cut_off } = boxes(text);
    if cut_off {
        return Found::CutOff;
    }
    let Some(last) = boxes.last() else { return Found::Nothing };
    if text[last.inner.clone()].trim().is_empty() {
        return Found::CutOff;
    }
    let together = |pair: &[Box]| {
        let between = &text[pair[0].whole.end..pair[1].whole.start];
        between.len() <= MAX_BETWEEN && !between.contains("\n\n")
    };
    let length = 1 + boxes.windows(2).rev().take_while(|pair| together(pair)).count();
    if items < 2 || length != items {
        return Found::At(last.inner.clone());
    }
    let row = &boxes[boxes.len() - items..];
    let answers: Vec<&str> = row.iter().map(|one| text[one.inner.clone()].trim()).collect();
    Found::Joined(answers.join(", "), row[0].inner.start..last.inner.end)
}

struct Box {
    /// With the command.
    whole: Range<usize>,
    inner: Range<usize>,
}

struct Boxes {
    /// Closed and not inside of one another, in order.
    boxes: Vec<Box>,
    /// The last one does not close.
    cut_off: bool,
}

fn boxes(text: &str) -> Boxes {
    let mut found = Boxes { boxes: Vec::new(), cut_off: false };
    let closing = closing_braces(text);
    let mut at = 0;
    while let Some((start, after)) = next_command(text, at) {
        let rest = &text[after..];
        let open = after + (rest.len() - rest.trim_start().len());
        at = after;
        let end = if text[open..].starts_with('{') {
            match closing.binary_search_by_key(&open, |(open, _)| *open) {
                Ok(index) => Some((open + 1, closing[index].1, closing[index].1 + 1)),
                Err(_) => None,
            }
        } else {
            // `\boxed 5`: up to white space or the end of the formula.
            let length = text[open..].find(|c: char| c.is_whitespace() || c == '$');
            let end = length.map_or(text.len(), |length| open + length);
            (end > open).then_some((open, end, end))
        };
        match end {
            Some((inner, inner_end, end)) => {
                found.boxes.push(Box { whole: start..end, inner: inner..inner_end });
                found.cut_off = false;
                at = end;
            }
            None => found.cut_off = true,
        }
    }
    found
}

fn next_command(text: &str, from: usize) -> Option<(usize, usize)> {
    text[from..].match_indices('\\').find_map(|(at, _)| {
        let rest = &text[from + at..];
        let command = COMMANDS.iter().find(|command| rest.starts_with(**command))?;
        Some((from + at, from + at + command.len()))
    })
}

/// Every opening brace that closes, with its closing one, by position. `\{` and `\}` do not count.
fn closing_braces(text: &str) -> Vec<(usize, usize)> {
    let (mut open, mut pairs) = (Vec::new(), Vec::new());
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            b'{' if !escaped => open.push(at),
            b'}' if !escaped => pairs.extend(open.pop().map(|open| (open, at))),
            _ => {}
        }
        escaped = false;
    }
    pairs.sort_unstable();
    pairs
}
