//! Tokens to a typed value: lists, relations, sets, brackets, matrices; expressions at the leaves.

use super::answer::{Joint, Value};
use super::budget::{Failure, MAX_DEPTH};
use super::expression::Expression;
use super::token::{Bracket, Kind, Sign, Token};
use super::{parser, quantity, special};

/// Checks that brackets close in order, which bounds every recursion over them. Round and square
/// brackets may close each other, as half-open intervals do.
pub(crate) fn check_brackets(tokens: &[Token]) -> Result<(), Failure> {
    let mut open = Vec::new();
    for token in tokens {
        match &token.kind {
            Kind::Open(bracket) => open.push(Some(*bracket)),
            Kind::Begin(_) => open.push(None),
            Kind::Close(close) => match open.pop() {
                Some(Some(bracket)) if closes(bracket, *close) => {}
                _ => return Err(Failure::Unknown),
            },
            Kind::End(_) => match open.pop() {
                Some(None) => {}
                _ => return Err(Failure::Unknown),
            },
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            return Err(Failure::Budget);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(Failure::Unknown) }
}

fn closes(open: Bracket, close: Bracket) -> bool {
    let interval = |bracket| matches!(bracket, Bracket::Round | Bracket::Square);
    open == close || interval(open) && interval(close)
}

/// Reads tokens with balanced brackets.
pub(crate) fn value(tokens: &[Token]) -> Result<Value, Failure> {
    let tokens = unwrapped(tokens);
    if tokens.is_empty() {
        return Err(Failure::Unknown);
    }
    if let Some(list) = list(tokens)? {
        return Ok(list);
    }
    if let Some(relation) = relation(tokens)? {
        return Ok(relation);
    }
    if let Some(set) = set_operation(tokens)? {
        return Ok(set);
    }
    if let Some(ratio) = special::ratio(tokens)? {
        return Ok(ratio);
    }
    if let Some(matrix) = special::matrix(tokens)? {
        return Ok(matrix);
    }
    if let Some(bracketed) = bracketed(tokens)? {
        return Ok(bracketed);
    }
    match tokens {
        [Token { kind: Kind::Reals, .. }] => Ok(Value::Reals),
        [Token { kind: Kind::EmptySet, .. }] => Ok(Value::Empty),
        _ => quantity::quantity(tokens).map(Value::Scalar),
    }
}

/// Without the groups of LaTeX around everything.
fn unwrapped(mut tokens: &[Token]) -> &[Token] {
    while let [Token { kind: Kind::Open(Bracket::Group), .. }, inner @ .., _] = tokens
        && matching(tokens) == Some(tokens.len() - 1)
    {
        tokens = inner;
    }
    tokens
}

/// Index of the token that closes the bracket at the start.
pub(crate) fn matching(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open(_) | Kind::Begin(_) => depth += 1,
            Kind::Close(_) | Kind::End(_) => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Indices of the tokens outside of brackets that pass.
pub(crate) fn outside(tokens: &[Token], test: impl Fn(&Kind) -> bool) -> Vec<usize> {
    let mut depth = 0usize;
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open(_) | Kind::Begin(_) => depth += 1,
            Kind::Close(_) | Kind::End(_) => depth = depth.saturating_sub(1),
            _ if depth == 0 && test(&token.kind) => found.push(at),
            _ => {}
        }
    }
    found
}

/// The parts between the tokens at these indices.
pub(crate) fn parts<'a>(tokens: &'a [Token], cuts: &[usize]) -> Vec<&'a [Token]> {
    let mut parts = Vec::with_capacity(cuts.len() + 1);
    let mut start = 0;
    for &cut in cuts {
        parts.push(&tokens[start..cut]);
        start = cut + 1;
    }
    parts.push(&tokens[start..]);
    parts
}

fn list(tokens: &[Token]) -> Result<Option<Value>, Failure> {
    // Semicolons separate what has commas inside.
    let mut cuts = outside(tokens, |kind| *kind == Kind::Semicolon);
    if cuts.is_empty() {
        cuts = outside(tokens, |kind| matches!(kind, Kind::Comma | Kind::And | Kind::Or));
    }
    if cuts.is_empty() {
        return Ok(None);
    }
    let has = |kind: Kind| cuts.iter().any(|&cut| tokens[cut].kind == kind);
    let joint = match (has(Kind::Or), has(Kind::And)) {
        (true, false) => Joint::Or,
        (false, true) => Joint::And,
        (false, false) => Joint::Comma,
        (true, true) => return Err(Failure::Unknown),
    };
    // A comma before `and` leaves an empty part, and a comma may end the list.
    let filled: Vec<&[Token]> =
        parts(tokens, &cuts).into_iter().filter(|part| !part.is_empty()).collect();
    let mut items = Vec::with_capacity(filled.len());
    for part in filled {
        items.push(value(part)?);
    }
    match items.len() {
        0 => Err(Failure::Unknown),
        1 => Ok(items.pop()),
        _ => Ok(Some(Value::List { items, joint })),
    }
}

fn relation(tokens: &[Token]) -> Result<Option<Value>, Failure> {
    let cuts = outside(tokens, |kind| matches!(kind, Kind::Sign(_)));
    if cuts.is_empty() {
        return Ok(None);
    }
    let mut signs: Vec<Sign> = cuts
        .iter()
        .filter_map(|&cut| match tokens[cut].kind {
            Kind::Sign(sign) => Some(sign),
            _ => None,
        })
        .collect();
    let mut sides = Vec::new();
    for (index, part) in parts(tokens, &cuts).into_iter().enumerate() {
        if index == 0 && part.is_empty() && matches!(signs[0], Sign::Equal | Sign::Approx) {
            // `= 5`
            signs.remove(0);
            continue;
        }
        sides.push(side(part)?);
    }
    match sides.len() {
        1 => Ok(sides.pop()),
        _ => Ok(Some(Value::Relation { sides, signs })),
    }
}

/// A side of a relation: a value, or words that name a quantity.
fn side(tokens: &[Token]) -> Result<Value, Failure> {
    let named =
        |token: &Token| matches!(token.kind, Kind::Text(_) | Kind::Word(_) | Kind::Symbol(_));
    match value(tokens) {
        Err(Failure::Unknown) if !tokens.is_empty() && tokens.iter().all(named) => {
            Ok(Value::Text(special::spelled(tokens)))
        }
        other => other,
    }
}

fn set_operation(tokens: &[Token]) -> Result<Option<Value>, Failure> {
    type Build = fn(Vec<Value>) -> Value;
    let operations: [(Kind, Build); 2] =
        [(Kind::Cup, Value::Union), (Kind::Cap, Value::Intersection)];
    for (kind, build) in operations {
        let cuts = outside(tokens, |found| *found == kind);
        if !cuts.is_empty() {
            let all: Result<Vec<Value>, Failure> =
                parts(tokens, &cuts).into_iter().map(value).collect();
            return all.map(|all| Some(build(all)));
        }
    }
    if let [.., cut] = outside(tokens, |found| *found == Kind::Minuses)[..] {
        let (from, taken) = (value(&tokens[..cut])?, value(&tokens[cut + 1..])?);
        return Ok(Some(Value::Without(Box::new(from), Box::new(taken))));
    }
    // `R - {0}`
    if let [Token { kind: Kind::Reals, .. }, Token { kind: Kind::Minus, .. }, rest @ ..] = tokens {
        return Ok(Some(Value::Without(Box::new(Value::Reals), Box::new(value(rest)?))));
    }
    Ok(None)
}

/// A tuple, set or interval, or a value in parentheses.
fn bracketed(tokens: &[Token]) -> Result<Option<Value>, Failure> {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return Ok(None) };
    let (Kind::Open(open), Kind::Close(close)) = (&first.kind, &last.kind) else { return Ok(None) };
    if matching(tokens) != Some(tokens.len() - 1) {
        return Ok(None);
    }
    let (open, close, inner) = (*open, *close, &tokens[1..tokens.len() - 1]);
    if matches!(open, Bracket::Floor | Bracket::Ceil | Bracket::Group) {
        return Ok(None);
    }
    if inner.is_empty() {
        return if open == Bracket::Curly { Ok(Some(Value::Empty)) } else { Err(Failure::Unknown) };
    }
    if open == Bracket::Curly
        && let Some(builder) = set_builder(inner)?
    {
        return Ok(Some(builder));
    }
    let cuts = outside(inner, |kind| matches!(kind, Kind::Comma | Kind::Semicolon));
    if cuts.is_empty() {
        return single(open, close, tokens, inner);
    }
    let items: Result<Vec<Value>, Failure> = parts(inner, &cuts).into_iter().map(value).collect();
    let items = items?;
    Ok(Some(match open {
        Bracket::Curly => Value::Set(items),
        _ => Value::Tuple { open, close, items },
    }))
}

/// Brackets around one thing: a set of one, or mere parentheses.
fn single(
    open: Bracket,
    close: Bracket,
    tokens: &[Token],
    inner: &[Token],
) -> Result<Option<Value>, Failure> {
    if open == Bracket::Curly {
        return Ok(Some(Value::Set(vec![value(inner)?])));
    }
    if open != close {
        return Err(Failure::Unknown);
    }
    match value(inner)? {
        // `(x + 1)` is read as a whole, so that a unit or sign inside stays where it is.
        Value::Scalar(_) => quantity::quantity(tokens).map(|whole| Some(Value::Scalar(whole))),
        other if open == Bracket::Round => Ok(Some(other)),
        other => Ok(Some(Value::Tuple { open, close, items: vec![other] })),
    }
}

/// `{x | x > 3}`: the condition alone says the same about the reals.
fn set_builder(inner: &[Token]) -> Result<Option<Value>, Failure> {
    let cuts = outside(inner, |kind| matches!(kind, Kind::Bar | Kind::Mid | Kind::Colon));
    let [cut] = cuts[..] else { return Ok(None) };
    let head = parser::expression(&inner[..cut.min(1)]);
    let is_variable = matches!(head, Ok(Expression::Symbol(_)));
    let over_reals = matches!(
        inner[..cut],
        [_] | [_, Token { kind: Kind::Sign(Sign::In), .. }, Token { kind: Kind::Reals, .. }]
    );
    if !is_variable || !over_reals {
        return Err(Failure::Unknown);
    }
    value(&inner[cut + 1..]).map(Some)
}
