//! The last number of a text.

use super::Found;

/// The last number that stands by itself, with its sign, thousands, decimals, denominator and percent
/// sign. One that is part of a formula or word (`\sqrt{2}`, `x2`) is not taken, nor is one before it:
/// the answer was more than a number.
pub(super) fn find(text: &str) -> Found {
    let bytes = text.as_bytes();
    let Some(last) = bytes.iter().rposition(u8::is_ascii_digit) else { return Found::Nothing };
    let mut end = last + 1;
    let mut start = run_start(bytes, last);
    if let Some(before) = numerator(bytes, start) {
        start = before;
    }
    if attached(bytes, start, end) {
        return Found::Nothing;
    }
    if bytes[end..].starts_with(b"%") || bytes[end..].starts_with(b"\\%") {
        end += if bytes[end] == b'%' { 1 } else { 2 };
    }
    Found::At(signed(bytes, start)..end)
}

/// Where the digits, points and thousands that end at `last` begin.
fn run_start(bytes: &[u8], last: usize) -> usize {
    let mut start = last;
    while start > 0 {
        let digit_before = |at: usize| at > 0 && bytes[at - 1].is_ascii_digit();
        match bytes[start - 1] {
            b'0'..=b'9' => start -= 1,
            b'.' if digit_before(start - 1)
                || start < 2
                || bytes[start - 2].is_ascii_whitespace() =>
            {
                start -= 1;
            }
            // A comma of thousands has three digits behind it.
            b',' if digit_before(start - 1) && thousands(&bytes[start..]) => start -= 1,
            _ => break,
        }
    }
    start
}

fn thousands(after: &[u8]) -> bool {
    let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits == 3
}

/// The start of `a` in `a/b`, where `b` begins at `start`.
fn numerator(bytes: &[u8], start: usize) -> Option<usize> {
    let slash = start.checked_sub(1).filter(|at| bytes[*at] == b'/')?;
    let last = slash.checked_sub(1).filter(|at| bytes[*at].is_ascii_digit())?;
    Some(run_start(bytes, last))
}

/// Part of a formula, a word, a time or another number. Two asterisks are emphasis.
fn attached(bytes: &[u8], start: usize, end: usize) -> bool {
    let at = |index: Option<usize>| index.and_then(|index| bytes.get(index)).copied();
    let (before, second) = (at(start.checked_sub(1)), at(start.checked_sub(2)));
    let (after, next) = (at(Some(end)), at(Some(end + 1)));
    let joined_before = before.is_some_and(|byte| match byte {
        b':' => second.is_some_and(|byte| byte.is_ascii_digit()),
        b'*' => second != Some(b'*'),
        byte => byte.is_ascii_alphabetic() || !byte.is_ascii() || b"{}\\^_/+|".contains(&byte),
    });
    let joined_after = after.is_some_and(|byte| match byte {
        b'}' | b'!' => true,
        b'*' => next != Some(b'*'),
        b'{' | b'^' | b'_' | b'/' | b':' | b'+' => {
            next.is_some_and(|next| !next.is_ascii_whitespace())
        }
        byte => byte.is_ascii_alphabetic() && next.is_none_or(|next| !next.is_ascii_alphabetic()),
    });
    joined_before || joined_after
}

/// The start with a minus sign and a currency sign before it.
fn signed(bytes: &[u8], start: usize) -> usize {
    let mut from = start;
    if from > 0 && bytes[from - 1] == b'$' {
        from -= 1;
        if from > 0 && bytes[from - 1] == b'\\' {
            from -= 1;
        }
    }
    let minus = from > 0 && bytes[from - 1] == b'-';
    // `10-3` is a difference and `3-5` a range, not a negative number.
    let negative = minus && (from < 2 || b" \n\t=($:".contains(&bytes[from - 2]));
    if negative { from - 1 } else { from }
}
