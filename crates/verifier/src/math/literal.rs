//! Literal numbers: digits with separators, decimals, repeating decimals, exponents.

use dashu_ratio::RBig;

use super::budget::Failure;
use super::number;

/// A number as it is written.
#[derive(Debug)]
pub(crate) struct Literal {
    pub(crate) value: RBig,
    /// The digits, if nothing else is written.
    pub(crate) digits: Option<String>,
    /// Bytes that it takes.
    pub(crate) length: usize,
}

/// The number at the start of `text`, which begins with a digit or a point. With `grouped`, a comma
/// before exactly three digits separates thousands; without, it separates elements.
pub(crate) fn scan(text: &str, grouped: bool) -> Result<Literal, Failure> {
    let (mut whole, mut at) = whole_part(text, grouped);
    let (mut fixed, mut repeating, mut exponent) = (String::new(), String::new(), 0);
    let mut plain = at == whole.len();
    if text[at..].starts_with('.') && !text[at..].starts_with("..") {
        let after = &text[at + 1..];
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        fixed.push_str(&after[..digits]);
        let (repeat, length) = repetend(&after[digits..]);
        repeating = repeat;
        plain = false;
        at += 1 + digits + length;
    }
    if whole.is_empty() {
        whole.push('0');
    }
    if let Some((value, length)) = exponent_part(&text[at..])? {
        (exponent, plain) = (value, false);
        at += length;
    }
    let value = number::decimal(&whole, &fixed, &repeating, exponent)?;
    Ok(Literal { value, digits: plain.then_some(whole), length: at })
}

/// Digits before the point, with the separators taken out.
fn whole_part(text: &str, grouped: bool) -> (String, usize) {
    let run = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let first = run(0);
    let mut digits = text[..first].to_owned();
    let mut at = first;
    if !(1..=3).contains(&first) || text.starts_with('0') {
        return (digits, at);
    }
    // One kind of separator throughout: 1,234,567 or 1 234 567.
    let mut kind = None;
    while let Some((separator, length)) = separator(&text[at..], grouped)
        && kind.is_none_or(|kind| kind == separator)
        && run(at + length) == 3
    {
        let end = at + length + 3;
        // `1 234/567` is a mixed number.
        let rest = text[end..].trim_start();
        if separator == ' ' && (rest.starts_with(['/', '^', '_']) || rest.starts_with("\\frac")) {
            break;
        }
        digits.push_str(&text[at + length..end]);
        kind = Some(separator);
        at = end;
    }
    (digits, at)
}

/// A separator of thousands and its length.
fn separator(text: &str, grouped: bool) -> Option<(char, usize)> {
    const ALWAYS: [(&str, char); 8] = [
        ("{,}\\!", ','),
        ("{,}", ','),
        ("\\,", ' '),
        ("{\\,}", ' '),
        ("\\ ", ' '),
        ("\\!,\\!", ','),
        ("~", ' '),
        ("\\;", ' '),
    ];
    const TOP: [(&str, char); 4] = [(",\\! ", ','), (",\\!", ','), (",", ','), (" ", ' ')];
    let top = if grouped { &TOP[..] } else { &TOP[..2] };
    let mut all = ALWAYS.iter().chain(top);
    all.find(|(spelling, _)| text.starts_with(spelling)).map(|(spelling, c)| (*c, spelling.len()))
}

/// The repeating digits after a point and the bytes they take. Between two dots
/// (`\dot{1}42\dot{3}`) everything repeats.
fn repetend(text: &str) -> (String, usize) {
    let mut repeating = String::new();
    let mut at = 0;
    while let Some((digits, length)) = marked(&text[at..], &["\\overline", "\\bar"]) {
        repeating.push_str(digits);
        at += length;
    }
    if at > 0 {
        return (repeating, at);
    }
    if let Some((first, length)) = marked(text, &["\\dot"]) {
        let between = text[length..].bytes().take_while(u8::is_ascii_digit).count();
        if let Some((last, more)) = marked(&text[length + between..], &["\\dot"]) {
            let inner = &text[length..length + between];
            return ([first, inner, last].concat(), length + between + more);
        }
        return (first.to_owned(), length);
    }
    if let Some(rest) = text.strip_prefix('(')
        && let Some(end) = rest.find(')')
        && end > 0
        && rest[..end].bytes().all(|b| b.is_ascii_digit())
        && text.len() == end + 2
    {
        return (rest[..end].to_owned(), end + 2);
    }
    (repeating, 0)
}

/// The digits under a mark: `\bar{3}` or `\bar3`.
fn marked<'a>(text: &'a str, marks: &[&str]) -> Option<(&'a str, usize)> {
    let mark = marks.iter().find(|mark| text.starts_with(**mark))?;
    let rest = &text[mark.len()..];
    let (digits, length) = match rest.strip_prefix('{') {
        Some(inner) => {
            let end = inner.find('}')?;
            (&inner[..end], end + 2)
        }
        None => {
            let inner = rest.trim_start();
            (inner.get(..1)?, rest.len() - inner.len() + 1)
        }
    };
    let good = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    good.then_some((digits, mark.len() + length))
}

/// `e-12` directly after the digits.
fn exponent_part(text: &str) -> Result<Option<(i64, usize)>, Failure> {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return Ok(None) };
    let sign = usize::from(rest.starts_with(['+', '-']));
    let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
    let after = rest[sign + digits..].chars().next();
    if digits == 0 || after.is_some_and(|c| c.is_alphabetic() || c == '.' || c == '^') {
        return Ok(None);
    }
    let value =
        rest[..sign + digits].trim_start_matches('+').parse().map_err(|_| Failure::Budget)?;
    Ok(Some((value, 1 + sign + digits)))
}
