//! Words, ratios, times of day and numerals in other bases.

use super::answer::{Clock, Quantity, Value};
use super::compare::{Context, both, strangers, values};
use super::expression::Expression;
use super::numeric;
use super::outcome::{Comparison, Reason, Tier};
use super::words;

/// Compares where at least one of the two is of these kinds.
pub(crate) fn compare(gold: &Value, prediction: &Value, context: &mut Context<'_>) -> Comparison {
    match (gold, prediction) {
        (Value::Text(a), Value::Text(b)) => texts(a, b),
        (Value::Text(word), other) | (other, Value::Text(word)) => match plain(word) {
            Some(value) if matches!(prediction, Value::Text(_)) => values(other, &value, context),
            Some(value) => values(&value, other, context),
            None => strangers(),
        },
        (Value::Ratio { parts: a, clock: gold }, Value::Ratio { parts: b, clock: prediction }) => {
            ratios((a, *gold), (b, *prediction), context)
        }
        (Value::Ratio { parts, clock }, Value::Scalar(number))
        | (Value::Scalar(number), Value::Ratio { parts, clock }) => match quotient(parts) {
            // What may be a time of day is a quotient only if it is written as one.
            Some(quotient) if clock.is_some() => decided(quotient == number.expression),
            Some(quotient) if is_fraction(&number.expression) => {
                context.expressions(&quotient, &number.expression)
            }
            _ => strangers(),
        },
        (
            Value::Based { digits: a, base: gold, .. },
            Value::Based { digits: b, base: prediction, .. },
        ) => decided(a == b && gold == prediction),
        // The gold answer's base is demanded; its digits may stand alone.
        (Value::Based { digits, .. }, Value::Scalar(number)) => {
            let alone = numeric::rational(&number.expression).is_some_and(|value| {
                value.is_int() && value.to_string() == *digits && number.unit.is_none()
            });
            decided(alone && context.policy.bare_base)
        }
        (Value::Scalar(number), Value::Based { value, .. }) => {
            context.expressions(&number.expression, &Expression::Number(value.clone()))
        }
        _ => strangers(),
    }
}

fn decided(equal: bool) -> Comparison {
    if equal {
        Comparison::same(Tier::Exact)
    } else {
        Comparison::not(Reason::Different, Tier::Exact)
    }
}

fn texts(gold: &str, prediction: &str) -> Comparison {
    if gold == prediction {
        return Comparison::same(Tier::Text);
    }
    const NOTHING: [&str; 8] = [
        "no solution",
        "no solutions",
        "no real solution",
        "no real solutions",
        "none",
        "empty set",
        "the empty set",
        "there is no solution",
    ];
    let nothing = |text: &str| NOTHING.contains(&text);
    decided(nothing(gold) && nothing(prediction))
}

/// The kinds of value that a word stands for.
fn plain(word: &str) -> Option<Value> {
    if let Some(number) = words::number(word) {
        return Some(Value::Scalar(Quantity::bare(Expression::integer(i64::from(number)))));
    }
    match word {
        "empty set" | "the empty set" | "no solution" | "no solutions" | "none" => {
            Some(Value::Empty)
        }
        "all real numbers" | "all reals" | "the real numbers" => Some(Value::Reals),
        _ => None,
    }
}

/// The quotient that a ratio of two numbers is.
fn quotient(parts: &[Expression]) -> Option<Expression> {
    match parts {
        [a, b] => Some(Expression::Quotient(Box::new(a.clone()), Box::new(b.clone()))),
        _ => None,
    }
}

/// A number is written as a ratio would be: as a quotient, not as an integer or decimal.
fn is_fraction(expression: &Expression) -> bool {
    matches!(expression, Expression::Quotient(..) | Expression::Product(_))
}

/// Times of day agree in every part; other ratios up to a common factor.
fn ratios(
    gold: (&[Expression], Option<Clock>),
    prediction: (&[Expression], Option<Clock>),
    context: &mut Context<'_>,
) -> Comparison {
    if let (Some(a), Some(b)) = (gold.1, prediction.1) {
        let clock_only = a.afternoon.is_some() || b.afternoon.is_some();
        if clock_only || gold.0.len() == prediction.0.len() {
            return decided(same_time(a, b));
        }
    }
    let (a, b) = (gold.0, prediction.0);
    if a.len() != b.len() || gold.1.is_some() || prediction.1.is_some() {
        return strangers();
    }
    let cross = |x: &Expression, y: &Expression| Expression::Product(vec![x.clone(), y.clone()]);
    let zero = Expression::integer(0);
    let mut result = Comparison::same(Tier::Exact);
    for index in 1..a.len() {
        result = both(result, || {
            context.expressions(&cross(&a[0], &b[index]), &cross(&a[index], &b[0]))
        });
    }
    // 0:0 is proportional to everything and equal to nothing.
    let degenerate =
        context.expressions(&a[0], &zero).equal || context.expressions(&b[0], &zero).equal;
    if degenerate { Comparison::not(Reason::Undefined, Tier::Exact) } else { result }
}

fn same_time(a: Clock, b: Clock) -> bool {
    let parts = |clock: Clock| (clock.hour, clock.minute, clock.second);
    match (a.afternoon, b.afternoon) {
        (x, y) if x == y => parts(a) == parts(b),
        // 1:30 p.m. is 13:30; without a half of the day the clock may be the usual one.
        (Some(_), None) | (None, Some(_)) => {
            let (half, full) = if a.afternoon.is_some() { (a, b) } else { (b, a) };
            let hour = half.hour % 12 + if half.afternoon == Some(true) { 12 } else { 0 };
            parts(half) == parts(full) || (hour, half.minute, half.second) == parts(full)
        }
        _ => false,
    }
}
