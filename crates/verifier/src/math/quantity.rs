//! A number or expression with its currency, unit, percent or degree sign.

use dashu_ratio::RBig;

use super::answer::{Mark, Quantity};
use super::budget::Failure;
use super::expression::{Constant, Expression};
use super::parser;
use super::token::{Bracket, Kind, Token};
use super::unit::{self, Unit};

/// Reads an expression with what may stand around it.
pub(crate) fn quantity(tokens: &[Token]) -> Result<Quantity, Failure> {
    let (sign, currency, tokens) = leading_currency(tokens);
    let (tokens, trailing) = trailing_currency(tokens);
    let cut = unit_start(tokens);
    let (number, suffix) = tokens.split_at(cut.unwrap_or(tokens.len()));
    let text = suffix_text(suffix);
    let mut expression = parser::expression(number)?;
    if sign {
        expression = expression.negated();
    }
    let mut rest = text.as_str();
    // `5 million`, `5^{th}`
    while let Some((factor, after)) = unit::scale(rest) {
        expression = Expression::Product(vec![expression, Expression::Number(factor)]);
        rest = after;
    }
    let ordinal = matches!(rest.trim(), "th" | "st" | "nd" | "rd" | "^th" | "^st" | "^nd" | "^rd");
    let (expression, mark) = marked(expression);
    let mut read = None;
    if !rest.trim().is_empty() && !ordinal {
        read = Some(Unit::read(rest).ok_or(Failure::Unknown)?);
    }
    let money = currency.or(trailing).and_then(unit::currency);
    // `$5 per hour` is money by time, which no table needs to know: the sign alone is the unit.
    let unit = match (money, read) {
        (Some(money), None | Some(Unit::Words(_))) => Some(money),
        (Some(money), Some(known)) if money.factor_from(&known).is_some() => Some(money),
        (Some(_), Some(_)) => return Err(Failure::Unknown),
        (None, read) => read,
    };
    Ok(Quantity { expression, mark, unit })
}

/// A currency sign at the start, perhaps after a minus sign.
fn leading_currency(tokens: &[Token]) -> (bool, Option<&'static str>, &[Token]) {
    match tokens {
        [Token { kind: Kind::Currency(sign), .. }, rest @ ..] => (false, Some(sign), rest),
        [Token { kind: Kind::Minus, .. }, Token { kind: Kind::Currency(sign), .. }, rest @ ..] => {
            (true, Some(sign), rest)
        }
        _ => (false, None, tokens),
    }
}

fn trailing_currency(tokens: &[Token]) -> (&[Token], Option<&'static str>) {
    match tokens {
        [rest @ .., Token { kind: Kind::Currency(sign), .. }] => (rest, Some(sign)),
        _ => (tokens, None),
    }
}

/// Where the unit begins: at the first word that is none of mathematics and has something before it.
fn unit_start(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map(|token| &token.kind);
        match &token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(_) => depth = depth.saturating_sub(1),
            _ if depth > 0 || at == 0 => {}
            Kind::Text(_) => return Some(at),
            Kind::Word(word) if has_number(&tokens[..at]) => {
                let counted = word.len() > 2 && super::words::product(word).is_none();
                if unit::is_unit_name(word) || counted || unit::scale(word).is_some() {
                    return Some(at);
                }
                if matches!(&**word, "th" | "st" | "nd" | "rd") && !token.spaced {
                    return Some(at);
                }
            }
            // `^\circ\text{C}` and `^{\text{th}}`
            Kind::Caret if is_temperature(&tokens[at + 1..]) => return Some(at),
            Kind::Caret if matches!(next, Some(Kind::Text(_))) => return Some(at),
            Kind::Caret if matches!(next, Some(Kind::Open(Bracket::Group))) => {
                let inside = tokens.get(at + 2).map(|token| &token.kind);
                if let Some(Kind::Text(word) | Kind::Word(word)) = inside
                    && matches!(word.trim(), "th" | "st" | "nd" | "rd")
                {
                    return Some(at);
                }
            }
            Kind::Degree if is_temperature(&tokens[at..]) => return Some(at),
            _ => {}
        }
    }
    None
}

/// Plain words are counted after a number only.
fn has_number(tokens: &[Token]) -> bool {
    let pi = |name: &str| name == "\\pi";
    tokens.iter().any(|token| match &token.kind {
        Kind::Number { .. } | Kind::Sqrt | Kind::Frac => true,
        Kind::Symbol(name) => pi(name),
        _ => false,
    })
}

/// A degree sign and then C or F.
fn is_temperature(tokens: &[Token]) -> bool {
    let mut kinds = tokens
        .iter()
        .map(|token| &token.kind)
        .filter(|kind| !matches!(kind, Kind::Open(Bracket::Group) | Kind::Close(Bracket::Group)));
    let degree = kinds.next() == Some(&Kind::Degree);
    let scale = kinds.next().is_some_and(|kind| match kind {
        Kind::Text(name) | Kind::Symbol(name) | Kind::Word(name) => {
            matches!(&*name.to_lowercase(), "c" | "f" | "celsius" | "fahrenheit")
        }
        _ => false,
    });
    degree && scale && kinds.next().is_none()
}

/// The tokens of a unit as text.
fn suffix_text(tokens: &[Token]) -> String {
    if is_temperature(tokens.get(1..).unwrap_or_default()) || is_temperature(tokens) {
        let fahrenheit = tokens.iter().any(|token| match &token.kind {
            Kind::Text(name) | Kind::Symbol(name) | Kind::Word(name) => {
                name.to_lowercase().starts_with('f')
            }
            _ => false,
        });
        return if fahrenheit { "°f".to_owned() } else { "°c".to_owned() };
    }
    let mut text = String::new();
    for token in tokens {
        if token.spaced {
            text.push(' ');
        }
        match &token.kind {
            Kind::Text(word) => {
                text.push_str(word);
            }
            Kind::Word(word) | Kind::Symbol(word) => text.push_str(word),
            Kind::Number { digits: Some(digits), .. } => text.push_str(digits),
            Kind::Caret => text.push('^'),
            Kind::Over => text.push('/'),
            Kind::Times => text.push('*'),
            Kind::Minus => text.push('-'),
            Kind::Open(Bracket::Group) | Kind::Close(Bracket::Group) => {}
            // Anything else is no unit; a word with a digit is refused as one.
            _ => text.push_str(" 0 "),
        }
    }
    text
}

/// Takes a percent or degree sign off the end of an expression.
fn marked(expression: Expression) -> (Expression, Option<Mark>) {
    let Expression::Product(mut factors) = expression else { return (expression, None) };
    let mark = match factors.last() {
        Some(Expression::Constant(Constant::Percent)) => Some(Mark::Percent),
        Some(Expression::Constant(Constant::Degree)) => Some(Mark::Degree),
        _ => return (Expression::Product(factors), None),
    };
    factors.pop();
    let inner = match factors.len() {
        1 => factors.pop().unwrap_or_else(|| Expression::Number(RBig::ONE)),
        _ => Expression::Product(factors),
    };
    (inner, mark)
}
