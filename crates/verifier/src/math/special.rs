//! Answers with a notation of their own: ratios and times, matrices, numerals in a base, choices.

use super::answer::{Clock, Value};
use super::budget::Failure;
use super::expression::Expression;
use super::number;
use super::parser;
use super::read::{matching, outside, parts};
use super::token::{Bracket, Kind, Token};

/// Most entries of a matrix.
const MAX_ENTRIES: usize = 400;

/// `a : b`, or a time of day.
pub(crate) fn ratio(tokens: &[Token]) -> Result<Option<Value>, Failure> {
    let (tokens, afternoon) = half_of_day(tokens);
    let cuts = outside(tokens, |kind| *kind == Kind::Colon);
    if cuts.is_empty() || cuts.len() > 6 {
        return Ok(None);
    }
    let pieces = parts(tokens, &cuts);
    let expressions: Result<Vec<Expression>, Failure> =
        pieces.iter().map(|piece| parser::expression(piece)).collect();
    let clock = clock(&pieces, afternoon);
    if afternoon.is_some() && clock.is_none() {
        return Err(Failure::Unknown);
    }
    Ok(Some(Value::Ratio { parts: expressions?, clock }))
}

/// Cuts `a.m.` or `p.m.` off.
fn half_of_day(tokens: &[Token]) -> (&[Token], Option<bool>) {
    let Some((last, rest)) = tokens.split_last() else { return (tokens, None) };
    let (Kind::Text(text) | Kind::Word(text)) = &last.kind else { return (tokens, None) };
    match text.to_lowercase().replace(['.', ' '], "").as_str() {
        "am" => (rest, Some(false)),
        "pm" => (rest, Some(true)),
        _ => (tokens, None),
    }
}

fn clock(pieces: &[&[Token]], afternoon: Option<bool>) -> Option<Clock> {
    let part = |index: usize, limit: u8| -> Option<u8> {
        let Some(piece) = pieces.get(index) else { return (index == 2).then_some(0) };
        let [Token { kind: Kind::Number { digits: Some(digits), .. }, .. }] = piece else {
            return None;
        };
        let two = digits.len() == 2 || index == 0 && digits.len() == 1;
        digits.parse().ok().filter(|value| two && *value <= limit)
    };
    if pieces.len() > 3 {
        return None;
    }
    Some(Clock { hour: part(0, 24)?, minute: part(1, 59)?, second: part(2, 59)?, afternoon })
}

/// `\begin{pmatrix} a & b \\ c & d \end{pmatrix}`, with a factor before it.
pub(crate) fn matrix(tokens: &[Token]) -> Result<Option<Value>, Failure> {
    let Some(start) = tokens.iter().position(|token| matches!(token.kind, Kind::Begin(_))) else {
        return Ok(None);
    };
    let Kind::Begin(name) = &tokens[start].kind else { return Ok(None) };
    let end = start + matching(&tokens[start..]).ok_or(Failure::Unknown)?;
    if &**name == "cases" || &**name == "aligned" {
        return system(&tokens[start + 1..end]).map(Some);
    }
    let known = ["pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix"];
    if !known.contains(&&**name) {
        return Err(Failure::Unknown);
    }
    // Brackets written around a bare matrix or array.
    let (before, after) = (&tokens[..start], &tokens[end + 1..]);
    let (before, after) = match (before, after) {
        (
            [front @ .., Token { kind: Kind::Open(Bracket::Round | Bracket::Square), .. }],
            [Token { kind: Kind::Close(_), .. }, back @ ..],
        ) => (front, back),
        other => other,
    };
    let transposed = match after {
        [] => false,
        [Token { kind: Kind::Caret, .. }, rest @ ..] if is_transpose(rest) => true,
        _ => return Err(Failure::Unknown),
    };
    let mut rows = rows(&tokens[start + 1..end])?;
    if transposed {
        rows = (0..rows[0].len())
            .map(|column| rows.iter().map(|row| row[column].clone()).collect())
            .collect();
    }
    Ok(Some(Value::Matrix(scaled(before, rows)?)))
}

fn is_transpose(tokens: &[Token]) -> bool {
    let symbols =
        tokens.iter().filter(|token| !matches!(token.kind, Kind::Open(_) | Kind::Close(_)));
    let mut names = symbols.map(|token| match &token.kind {
        Kind::Symbol(name) | Kind::Text(name) => matches!(&**name, "T" | "t" | "\\top"),
        _ => false,
    });
    names.next() == Some(true) && names.next().is_none()
}

fn scaled(before: &[Token], rows: Vec<Vec<Expression>>) -> Result<Vec<Vec<Expression>>, Failure> {
    let factor = match before {
        [] => return Ok(rows),
        [Token { kind: Kind::Minus, .. }] => Expression::integer(-1),
        [front @ .., Token { kind: Kind::Times, .. }] | front => parser::expression(front)?,
    };
    let scale = |entry| Expression::Product(vec![factor.clone(), entry]);
    Ok(rows.into_iter().map(|row| row.into_iter().map(scale).collect()).collect())
}

/// Rows of entries; all rows are equally long.
fn rows(tokens: &[Token]) -> Result<Vec<Vec<Expression>>, Failure> {
    let mut found: Vec<Vec<Expression>> = Vec::new();
    let mut entries = 0;
    for row in parts(tokens, &outside(tokens, |kind| *kind == Kind::NewRow)) {
        if row.is_empty() {
            continue;
        }
        let mut cells = Vec::new();
        for cell in parts(row, &outside(row, |kind| *kind == Kind::Ampersand)) {
            entries += 1;
            if entries > MAX_ENTRIES {
                return Err(Failure::Budget);
            }
            cells.push(parser::expression(cell)?);
        }
        if found.first().is_some_and(|first| first.len() != cells.len()) {
            return Err(Failure::Unknown);
        }
        found.push(cells);
    }
    if found.is_empty() { Err(Failure::Unknown) } else { Ok(found) }
}

/// The lines of a system of equations.
fn system(tokens: &[Token]) -> Result<Value, Failure> {
    let kept: Vec<Token> =
        tokens.iter().filter(|token| token.kind != Kind::Ampersand).cloned().collect();
    let lines = parts(&kept, &outside(&kept, |kind| *kind == Kind::NewRow));
    let lines: Result<Vec<Value>, Failure> = lines
        .into_iter()
        .map(|line| {
            let mark = |token: &Token| matches!(token.kind, Kind::Comma | Kind::Semicolon);
            let kept = line.len() - usize::from(line.last().is_some_and(mark));
            &line[..kept]
        })
        .filter(|line| !line.is_empty())
        .map(super::read::value)
        .collect();
    Ok(Value::List { items: lines?, joint: super::answer::Joint::And })
}

/// A numeral in another base: `1010_2`, `(7f)_{16}`, `12_{\text{eight}}`.
pub(crate) fn based(text: &str) -> Option<Value> {
    let (digits, base) = text.rsplit_once('_')?;
    let digits = digits.trim().trim_start_matches(['(', '{']).trim_end_matches([')', '}']);
    let digits: String = digits
        .replace("\\text", "")
        .replace("\\mathrm", "")
        .chars()
        .filter(|c| !matches!(c, ' ' | '{' | '}' | ','))
        .collect();
    let base = base.replace("\\text", "").replace("\\mathrm", "");
    let base = base.trim().trim_matches(['{', '}', '(', ')']).trim();
    let base: u32 = match super::words::number(base) {
        Some(value) => u32::from(value),
        None => base.parse().ok()?,
    };
    let negative = digits.starts_with('-');
    let digits = digits.trim_start_matches('-').to_lowercase();
    // A letter before the mark is a variable with a subscript.
    if !digits.starts_with(|c: char| c.is_ascii_digit()) && digits.len() < 2 {
        return None;
    }
    let value = number::in_base(&digits, base)?;
    let value = if negative { -value } else { value };
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let digits = format!("{}{digits}", if negative { "-" } else { "" });
    Some(Value::Based { digits, base, value })
}

/// The letter of a choice and what follows it: `B`, `(B)`, `\textbf{(B)}\ 12`, `B. 12`.
pub(crate) fn choice(text: &str) -> Option<(char, &str)> {
    const STYLES: [&str; 6] = ["\\textbf", "\\text", "\\mathrm", "\\mathbf", "\\textrm", "\\rm"];
    let bare =
        |text: &str| -> String { text.chars().filter(|c| !matches!(c, '{' | '}' | '*')).collect() };
    let mut head = text.trim().trim_start_matches(['{', '*']);
    for style in STYLES {
        head = head.strip_prefix(style).unwrap_or(head).trim_start().trim_start_matches(['{', '*']);
    }
    let parenthesised = head.starts_with('(');
    let inner = head.trim_start_matches('(').trim_start();
    let letter = inner.chars().next().filter(char::is_ascii_uppercase)?;
    let rest = inner[1..].trim_start_matches(['}', '*']);
    let closed = rest.starts_with(')');
    let rest = rest.strip_prefix([')', '.', ':']).map_or(rest, |rest| rest);
    let rest = rest.trim_start_matches(['}', '*', '.', ':']);
    if bare(rest).trim().is_empty() {
        return (parenthesised == closed || closed).then_some((letter, ""));
    }
    // `(B) 12` names a choice; `B 12`, `B(12)` and `(AB)` do not.
    let spaced = rest.starts_with([' ', '~', '\\', '$']);
    if names_another(rest) {
        return None;
    }
    (closed && spaced && letter <= 'J')
        .then(|| (letter, rest.trim_start_matches("\\quad").trim_start_matches(['\\', ' ', '~'])))
}

/// Another choice follows: `(A) or (B)`.
fn names_another(rest: &str) -> bool {
    let letters: Vec<char> = rest.chars().filter(|c| !matches!(c, '{' | '}' | ' ')).collect();
    let again = letters
        .windows(3)
        .any(|three| three[0] == '(' && three[1].is_ascii_uppercase() && three[2] == ')');
    let word = rest.trim_start_matches(|c: char| !c.is_alphabetic());
    let word = word.strip_prefix("text").unwrap_or(word).trim_start_matches(['{', ' ']);
    let joins = ["or ", "and ", "or\\", "and\\", "or}", "and}"];
    again || joins.iter().any(|join| word.starts_with(join))
}

/// Tokens as words.
pub(crate) fn spelled(tokens: &[Token]) -> String {
    let mut words = String::new();
    for token in tokens {
        let (Kind::Text(word) | Kind::Word(word) | Kind::Symbol(word)) = &token.kind else {
            continue;
        };
        if token.spaced && !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}
