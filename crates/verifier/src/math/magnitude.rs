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

/// `5 m` is read as a product; it is five metres where the other side has a unit.
fn with_letter(quantity: &Quantity, other: &Quantity) -> Quantity {
    if quantity.unit.is_some() || other.unit.is_none() {
        return quantity.clone();
    }
    let Expression::Product(factors) = &quantity.expression else { return quantity.clone() };
    let (Some(Expression::Symbol(name)), number) = (factors.last(), &factors[..factors.len() - 1])
    else {
        return quantity.clone();
    };
    let unit = if number.iter().all(|factor| factor.variables().is_empty()) {
        Unit::letter(name)
    } else {
        None
    };
    match unit {
        Some(unit) => {
            let expression = Expression::Product(number.to_vec());
            Quantity { expression, unit: Some(unit), ..quantity.clone() }
        }
        None => quantity.clone(),
    }
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
