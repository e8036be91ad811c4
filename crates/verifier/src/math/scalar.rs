//! Equality of two expressions, tier by tier.

use dashu_int::IBig;
use dashu_ratio::RBig;

use super::atom::Atom;
use super::budget::{Budget, Failure};
use super::complex::Complex;
use super::elementary::Elementary;
use super::expression::{Constant, Expression};
use super::form::{Algebra, Form};
use super::normal::normal;
use super::number;
use super::numeric::{self, Evaluator};
use super::outcome::Tier;
use super::sample;
use super::token::{Function, Name};

/// What came of comparing two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Equal(Tier),
    Different(Tier),
    /// One of them has no value.
    Undefined,
    /// Neither tier could tell.
    Undecided,
    /// The budget ran out.
    Exhausted,
}

/// Precision, in bits, beyond what the size of the numbers explains, that confirms an equality.
const SURPLUS: i64 = 96;
/// The highest precision tried.
const MAX_PRECISION: i64 = 6_000;
/// Points at which functions of variables must agree, and how many are tried for that.
const POINTS: usize = 8;
const TRIALS: u64 = 48;

/// Are the two the same number, or the same function of their variables?
pub(crate) fn compare(a: &Expression, b: &Expression, budget: &mut Budget) -> Judgement {
    match (a.infinity(), b.infinity()) {
        (Some(a), Some(b)) if a == b => return Judgement::Equal(Tier::Exact),
        (None, None) => {}
        _ => return Judgement::Different(Tier::Exact),
    }
    // The tiers have a budget each, or a hopeless expansion would leave nothing to the other.
    let mut algebra = Algebra::with(budget.half());
    let exact = exact(a, b, &mut algebra);
    let spent = algebra.budget.is_spent();
    budget.give_back(algebra.budget);
    match exact {
        Ok(Some(true)) => Judgement::Equal(Tier::Exact),
        Ok(Some(false)) => Judgement::Different(Tier::Exact),
        Err(Failure::Undefined) => Judgement::Undefined,
        Ok(None) | Err(Failure::Unknown | Failure::Unsupported | Failure::Budget) => {
            let too_large = spent || exact == Err(Failure::Budget);
            match numerically(a, b, budget) {
                Judgement::Undecided if too_large || budget.is_spent() => Judgement::Exhausted,
                judgement => judgement,
            }
        }
    }
}

/// By normal forms: `None` if they differ but may still be equal.
fn exact(a: &Expression, b: &Expression, algebra: &mut Algebra) -> Result<Option<bool>, Failure> {
    if let (Some(a), Some(b)) = (numeric::rational(a), numeric::rational(b)) {
        return Ok(Some(a == b));
    }
    let (left, right) = (normal(a, algebra)?, normal(b, algebra)?);
    let difference = left.difference(&right, algebra)?;
    if difference.is_zero() {
        return Ok(Some(true));
    }
    Ok(algebra.atoms.independent(&difference).then_some(false))
}

/// By balls, at many points if there are variables.
fn numerically(a: &Expression, b: &Expression, budget: &mut Budget) -> Judgement {
    let mut variables = a.variables();
    for name in b.variables() {
        if !variables.contains(&name) {
            variables.push(name);
        }
    }
    if variables.is_empty() {
        return match agree(a, b, &[], true, &mut 64, budget) {
            Agreement::Confirmed => Judgement::Equal(Tier::Numeric),
            Agreement::Refuted => Judgement::Different(Tier::Numeric),
            Agreement::Undefined => Judgement::Undefined,
            Agreement::Unknown | Agreement::Hopeless => Judgement::Undecided,
        };
    }
    let is_i = |part: &Expression| *part == Expression::Constant(Constant::I);
    let complex = a.any(&mut { is_i }) || b.any(&mut { is_i });
    let (mut agreed, mut precision) = (0, 64);
    for index in 0..TRIALS {
        let values = sample::point(&variables, index);
        match agree(a, b, &values, complex, &mut precision, budget) {
            Agreement::Confirmed => agreed += 1,
            Agreement::Refuted => return Judgement::Different(Tier::Numeric),
            Agreement::Undefined | Agreement::Unknown => {}
            Agreement::Hopeless => return Judgement::Undecided,
        }
        if budget.is_spent() {
            return Judgement::Undecided;
        }
        if agreed >= POINTS {
            let analytic = is_analytic(a) && is_analytic(b);
            return if analytic { Judgement::Equal(Tier::Numeric) } else { Judgement::Undecided };
        }
    }
    Judgement::Undecided
}

enum Agreement {
    Confirmed,
    Refuted,
    /// Neither has a value there.
    Undefined,
    Unknown,
    /// No precision and no other point will help.
    Hopeless,
}

/// Compares at one point, at a precision that grows until the balls part or are far smaller than the
/// sizes of all intermediate values explain. The precision that sufficed is left for the next point.
fn agree(
    a: &Expression,
    b: &Expression,
    values: &[(Name, RBig)],
    complex: bool,
    start: &mut i64,
    budget: &mut Budget,
) -> Agreement {
    let mut precision = *start;
    while precision <= MAX_PRECISION {
        let functions = Elementary::new(precision);
        let mut evaluator = Evaluator { functions, values, complex, weight: 0, budget };
        let pair = (evaluator.value(a), evaluator.value(b));
        let weight = evaluator.weight;
        match pair {
            (Ok(a), Ok(b)) => {
                let Ok(difference) = a.minus(&b, precision) else { return Agreement::Unknown };
                if !difference.contains_zero() {
                    return Agreement::Refuted;
                }
                if error(&difference) <= -(SURPLUS + weight) {
                    *start = precision;
                    return Agreement::Confirmed;
                }
            }
            (Err(Failure::Undefined), Err(Failure::Undefined)) => return Agreement::Undefined,
            // One has a value and the other has none.
            (Err(Failure::Undefined), Ok(_)) | (Ok(_), Err(Failure::Undefined)) => {
                return Agreement::Refuted;
            }
            (Err(Failure::Budget), _) | (_, Err(Failure::Budget)) => return Agreement::Unknown,
            (Err(Failure::Unsupported), _) | (_, Err(Failure::Unsupported)) => {
                return Agreement::Hopeless;
            }
            _ => {}
        }
        // The first look is cheap; the second should suffice.
        precision = if precision == 64 { (weight + 160).max(128) } else { 2 * precision };
    }
    Agreement::Unknown
}

/// The binary logarithm of the larger error.
fn error(value: &Complex) -> i64 {
    let part = |error: Option<i64>| error.unwrap_or(i64::MIN / 2);
    part(value.re.error()).max(part(value.im.error()))
}

/// True if agreement at many points means equality: no steps, absolute values, integer functions of
/// variables, nor even roots of squares.
fn is_analytic(expression: &Expression) -> bool {
    !expression.any(&mut |part| match part {
        Expression::Apply(function, arguments) => {
            let steps = matches!(
                function,
                Function::Abs
                    | Function::Floor
                    | Function::Ceil
                    | Function::Factorial
                    | Function::DoubleFactorial
                    | Function::Binomial
                    | Function::Max
                    | Function::Min
                    | Function::Gcd
                    | Function::Lcm
                    | Function::Mod
            );
            steps && arguments.iter().any(|argument| !argument.variables().is_empty())
        }
        Expression::Root(radicand, _) => is_square(radicand),
        Expression::Power(base, exponent) => {
            let integer = numeric::rational(exponent).is_some_and(|value| value.is_int());
            !integer && is_square(base)
        }
        Expression::Call(..) | Expression::Choice(..) => true,
        _ => false,
    })
}

/// True if a polynomial in variables may be the square of another one: then its root is an absolute
/// value in disguise. One point at which the value is no square proves that it is not.
fn is_square(expression: &Expression) -> bool {
    if expression.variables().is_empty() {
        return false;
    }
    let mut algebra = Algebra::new();
    let Ok(form) = normal(expression, &mut algebra) else { return true };
    let (_, form) = form.content();
    (0..4).all(|point| match value_at(&form, point, &mut algebra) {
        Some(value) => {
            let (negative, above, below) = number::split_sign(&value);
            let square = |part| number::exact_root(part, 2).is_some();
            !negative && square(&above) && square(&below)
        }
        None => false,
    })
}

/// The value of a form in variables only, where they are distinct integers.
fn value_at(form: &Form, point: i64, algebra: &mut Algebra) -> Option<RBig> {
    let mut parts = [RBig::ZERO, RBig::ZERO];
    for (part, polynomial) in parts.iter_mut().zip([&form.above, &form.below]) {
        for (monomial, coefficient) in &polynomial.terms {
            let mut term = coefficient.clone();
            for (id, exponent) in monomial {
                let symbol = matches!(algebra.atoms.get(*id), Atom::Symbol(_));
                if !symbol || !exponent.is_integer() {
                    return None;
                }
                let value = RBig::from(IBig::from(point * 37 + i64::from(*id) * 11 + 2));
                term *= number::power(&value, exponent.above, &mut algebra.budget).ok()?;
            }
            *part += term;
        }
    }
    let [above, below] = parts;
    (!below.is_zero()).then(|| above / below)
}
