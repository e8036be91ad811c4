//! Quantities: numbers with percent signs, degrees, currencies and units.

use dashu_ratio::RBig;

use super::answer::{Mark, Quantity};
use super::compare::Context;
use super::expression::{Constant, Expression};
use super::numeric;
use super::outcome::{Comparison, Reason, Tier};
use super::token::Function;
use super::unit::Unit;

/// Compares two quantities without sign choices.
pub(crate) fn quantities(
    gold: &Quantity,
    prediction: &Quantity,
    context: &mut Context<'_>,
) -> Comparison {
    let (gold, prediction) = (&with_letter(gold, prediction), &with_letter(prediction, gold));
    let factor = match (&gold.unit, &prediction.unit) {
        (Some(a), Some(b)) => match a.factor_from(b) {
            Some(factor) => factor,
            None => return Comparison::not(Reason::Unit, Tier::Exact),
        },
        (None, None) => RBig::ONE,
        (Some(unit), None) | (None, Some(unit)) => {
            // Nobody leaves out a word that says which angle or share is meant.
            let other = if gold.unit.is_some() { prediction.mark } else { gold.mark };
            let marked = other.is_some() && !(other == Some(Mark::Degree) && unit.is_temperature());
            if !context.policy.missing_unit || marked {
                return Comparison::not(Reason::Unit, Tier::Exact);
            }
            if other.is_some() {
                return context.expressions(&gold.expression, &prediction.expression);
            }
            RBig::ONE
        }
    };
    if factor.is_one() {
        return marks(gold, prediction, context);
    }
    let scaled =
        Expression::Product(vec![prediction.expression.clone(), Expression::Number(factor)]);
    marks(gold, &Quantity { expression: scaled, ..prediction.clone() }, context)
}

/// `5 m` and `3 m/s` are read as products; they are five metres and a speed where the other side
/// has a unit.
fn with_letter(quantity: &Quantity, other: &Quantity) -> Quantity {
    let mut numbers = Vec::new();
    let mut letters = String::new();
    let silent = quantity.unit.is_some() || other.unit.is_none();
    if silent || split_letters(&quantity.expression, 1, &mut numbers, &mut letters).is_none() {
        return quantity.clone();
    }
    match Unit::read(&letters) {
        Some(unit @ Unit::Known { .. }) => {
            let expression = Expression::Product(numbers);
            Quantity { expression, unit: Some(unit), ..quantity.clone() }
        }
        _ => quantity.clone(),
    }
}

/// Splits a product into its numbers and its powers of single letters.
fn split_letters(
    expression: &Expression,
    power: i64,
    numbers: &mut Vec<Expression>,
    letters: &mut String,
) -> Option<()> {
    let mut add = |name: &str, power: i64| letters.push_str(&format!(" {name}^{power}"));
    match expression {
        constant if constant.variables().is_empty() => {
            let one = || Box::new(Expression::integer(1));
            numbers.push(match power {
                1 => constant.clone(),
                _ => Expression::Quotient(one(), Box::new(constant.clone())),
            });
        }
        Expression::Symbol(name) => add(name, power),
        Expression::Power(base, exponent) => match (&**base, numeric::rational(exponent)) {
            (Expression::Symbol(name), Some(exponent)) => {
                add(name, power * super::number::small(&exponent)?);
            }
            _ => return None,
        },
        Expression::Product(factors) => {
            for factor in factors {
                split_letters(factor, power, numbers, letters)?;
            }
        }
        Expression::Quotient(above, below) => {
            split_letters(above, power, numbers, letters)?;
            split_letters(below, -power, numbers, letters)?;
        }
        _ => return None,
    }
    Some(())
}

/// Percent and degree signs.
fn marks(gold: &Quantity, prediction: &Quantity, context: &mut Context<'_>) -> Comparison {
    let (a, b) = (&gold.expression, &prediction.expression);
    match (gold.mark, prediction.mark) {
        (a_mark, b_mark) if a_mark == b_mark => context.expressions(a, b),
        (Some(Mark::Percent), None) => {
            let exact = context.expressions(&hundredth(a), b);
            bare_percent(exact, a, b, context)
        }
        (None, Some(Mark::Percent)) => {
            let exact = context.expressions(a, &hundredth(b));
            bare_percent(exact, a, b, context)
        }
        // An angle without its sign is in degrees, unless it is a multiple of pi.
        (Some(Mark::Degree), None) if is_radians(b) => context.expressions(&degrees(a), b),
        (None, Some(Mark::Degree)) if is_radians(a) => context.expressions(a, &degrees(b)),
        (Some(Mark::Degree), None) | (None, Some(Mark::Degree)) => context.expressions(a, b),
        _ => Comparison::not(Reason::Unit, Tier::Exact),
    }
}

/// `15` for `15%`, where the policy allows it and the number is no share of a whole.
fn bare_percent(
    exact: Comparison,
    gold: &Expression,
    prediction: &Expression,
    context: &mut Context<'_>,
) -> Comparison {
    let above_one = numeric::rational(gold).is_some_and(|value| value > RBig::ONE);
    if exact.equal || !context.policy.bare_percent || !above_one {
        return exact;
    }
    context.expressions(gold, prediction)
}

fn hundredth(expression: &Expression) -> Expression {
    Expression::Product(vec![expression.clone(), Expression::Constant(Constant::Percent)])
}

fn degrees(expression: &Expression) -> Expression {
    Expression::Product(vec![expression.clone(), Expression::Constant(Constant::Degree)])
}

/// True for what is an angle in radians: a multiple of pi or an inverse circular function.
fn is_radians(expression: &Expression) -> bool {
    expression.any(&mut |part| match part {
        Expression::Constant(constant) => *constant == Constant::Pi,
        Expression::Apply(function, _) => {
            matches!(function, Function::Arcsin | Function::Arccos | Function::Arctan)
        }
        _ => false,
    })
}
