//! Normal forms of functions: the few rules that make equal things look equal. What they miss is
//! left to ball arithmetic.

use dashu_base::{Abs, Gcd, Signed, UnsignedAbs};
use dashu_int::IBig;
use dashu_ratio::RBig;

use super::atom::{Atom, TowerBase};
use super::budget::Failure;
use super::expression::Expression;
use super::form::{Algebra, Form};
use super::normal::opaque;
use super::number;
use super::numeric;
use super::polynomial::Exponent;
use super::power::{power, signed_factors};
use super::token::Function;

/// Longest product that a shift of a factorial is expanded to.
const MAX_SHIFT: i64 = 20;

/// The natural logarithm: of rationals by their primes, of `c x` as `ln c + ln x` for `c > 0`.
pub(super) fn logarithm(x: &Form, algebra: &mut Algebra) -> Result<Form, Failure> {
    if x.above.is_zero() {
        return Err(Failure::Undefined);
    }
    let (content, rest) = match x.as_constant() {
        Some(value) if value.is_negative() => (value.abs(), Form::constant(-RBig::ONE)),
        Some(value) => (value, Form::constant(RBig::ONE)),
        None => x.content(),
    };
    let mut sum = Form::constant(RBig::ZERO);
    for (prime, count) in signed_factors(&content, algebra)? {
        let log = Form::atom(Atom::Log(prime), algebra)?;
        sum = sum.plus(&log.scaled(&RBig::from(count)), algebra)?;
    }
    let rest = match rest.as_constant() {
        Some(sign) if sign.is_one() => return Ok(sum),
        Some(_) => {
            let i = Form::atom(Atom::I, algebra)?;
            let pi = Form::atom(Atom::Pi, algebra)?;
            pi.times(&i, algebra)?
        }
        None => match constant_logarithm(&rest, algebra)? {
            Some(form) => form,
            None => opaque(Function::Ln, vec![rest], algebra)?,
        },
    };
    sum.plus(&rest, algebra)
}

/// The logarithm of a product of powers of positive constants, and of `e` to a real power.
fn constant_logarithm(x: &Form, algebra: &mut Algebra) -> Result<Option<Form>, Failure> {
    let Some((monomial, coefficient)) = x.as_term().cloned() else { return Ok(None) };
    if !coefficient.is_one() {
        return Ok(None);
    }
    let mut sum = Form::constant(RBig::ZERO);
    for (id, exponent) in monomial {
        let part = match algebra.atoms.get(id).clone() {
            Atom::E => Form::constant(RBig::ONE),
            Atom::Surd(base) => Form::atom(Atom::Log(base), algebra)?,
            Atom::Pi => {
                let pi = Form::atom(Atom::Pi, algebra)?;
                opaque(Function::Ln, vec![pi], algebra)?
            }
            Atom::Tower(TowerBase::Atom(base), power)
                if *algebra.atoms.get(base) == Atom::E
                    && power.iter().all(|(id, _)| *algebra.atoms.get(*id) != Atom::I) =>
            {
                Form::monomial(power, RBig::ONE, algebra)?
            }
            _ => return Ok(None),
        };
        let exponent = RBig::from_parts_signed(exponent.above.into(), exponent.below.into());
        sum = sum.plus(&part.scaled(&exponent), algebra)?;
    }
    Ok(Some(sum))
}

/// Absolute value, floor and ceiling: exact for rationals, decided by a ball for other constants.
pub(super) fn step(
    function: Function,
    x: &Form,
    argument: &Expression,
    algebra: &mut Algebra,
) -> Result<Form, Failure> {
    if let Some(value) = x.as_constant() {
        return Ok(Form::constant(match function {
            Function::Abs => value.abs(),
            Function::Floor => RBig::from(value.floor()),
            _ => RBig::from(value.ceil()),
        }));
    }
    if argument.variables().is_empty() {
        if function == Function::Abs {
            if let Some(positive) = numeric::sign(argument, &mut algebra.budget)? {
                return Ok(if positive { x.clone() } else { x.scaled(&-RBig::ONE) });
            }
        } else if let Some(floor) = numeric::floor(argument, &mut algebra.budget)? {
            // Not an integer itself, or the ball would not have fitted between two of them.
            let up = IBig::from(i8::from(function == Function::Ceil));
            return Ok(Form::constant(RBig::from(floor + up)));
        }
    }
    if function != Function::Abs {
        return opaque(function, vec![x.clone()], algebra);
    }
    let (content, mut rest) = x.content();
    if rest.is_negative() {
        rest = rest.scaled(&-RBig::ONE);
    }
    Ok(opaque(function, vec![rest], algebra)?.scaled(&content))
}

/// `(m + k)!` as `m! (m + 1) ... (m + k)` where `k` is the constant part of the argument.
pub(super) fn factorial(x: &Form, algebra: &mut Algebra) -> Result<Form, Failure> {
    if let Some(n) = x.as_constant() {
        return number::factorial(&n, 1, &mut algebra.budget).map(Form::constant);
    }
    let constant = x.above.terms.iter().find(|(monomial, _)| monomial.is_empty());
    let shift = constant.and_then(|(_, value)| number::small(value)).unwrap_or(0);
    if shift.abs() > MAX_SHIFT || !x.below.is_one() {
        return opaque(Function::Factorial, vec![x.clone()], algebra);
    }
    let base = x.minus(&Form::constant(RBig::from(shift)), algebra)?;
    let mut product = opaque(Function::Factorial, vec![base.clone()], algebra)?;
    let steps = if shift > 0 { 1..=shift } else { shift + 1..=0 };
    for step in steps {
        let factor = base.plus(&Form::constant(RBig::from(step)), algebra)?;
        let factor = if shift > 0 { factor } else { factor.inverted(algebra)? };
        product = product.times(&factor, algebra)?;
    }
    Ok(product)
}

/// `n! / (k! (n - k)!)`, a polynomial in `n` for a small integer `k`.
pub(super) fn binomial(n: &Form, k: &Form, algebra: &mut Algebra) -> Result<Form, Failure> {
    match (n.as_constant(), k.as_constant().as_ref().and_then(number::small)) {
        (Some(n), Some(k)) => number::binomial(&n, k, &mut algebra.budget).map(Form::constant),
        (None, Some(k)) if (0..=MAX_SHIFT).contains(&k) => {
            let mut product = Form::constant(RBig::ONE);
            for step in 0..k {
                let factor = n.minus(&Form::constant(RBig::from(step)), algebra)?;
                let part = RBig::from_parts(IBig::ONE, (step as u64 + 1).into());
                product = product.times(&factor.scaled(&part), algebra)?;
            }
            Ok(product)
        }
        _ => {
            let rest = n.minus(k, algebra)?;
            let above = factorial(n, algebra)?;
            let below = factorial(k, algebra)?.times(&factorial(&rest, algebra)?, algebra)?;
            above.times(&below.inverted(algebra)?, algebra)
        }
    }
}

/// Maximum, minimum, greatest common divisor and the like of rationals; an atom otherwise.
pub(super) fn arithmetic(
    function: Function,
    forms: Vec<Form>,
    algebra: &mut Algebra,
) -> Result<Form, Failure> {
    let values: Option<Vec<RBig>> = forms.iter().map(Form::as_constant).collect();
    let Some(values) = values else { return opaque(function, forms, algebra) };
    let fold = |f: fn(RBig, RBig) -> Option<RBig>| {
        let mut values = values.into_iter();
        let first = values.next().ok_or(Failure::Unknown)?;
        values.try_fold(first, f).map(Form::constant).ok_or(Failure::Unknown)
    };
    match function {
        Function::Max => fold(|a, b| Some(a.max(b))),
        Function::Min => fold(|a, b| Some(a.min(b))),
        Function::Gcd => fold(|a, b| common(&a, &b).map(|(gcd, _)| gcd)),
        Function::Lcm => fold(|a, b| common(&a, &b).map(|(_, lcm)| lcm)),
        _ => fold(|a, b| {
            (!b.is_zero()).then(|| {
                let q = (&a / &b).floor();
                a - b * RBig::from(q)
            })
        }),
    }
}

/// Greatest common divisor and least common multiple of two nonzero integers.
fn common(a: &RBig, b: &RBig) -> Option<(RBig, RBig)> {
    if !a.is_int() || !b.is_int() || a.is_zero() || b.is_zero() {
        return None;
    }
    let (a, b) = (a.numerator().unsigned_abs(), b.numerator().unsigned_abs());
    let gcd = (&a).gcd(&b);
    let lcm = a * b / &gcd;
    Some((RBig::from(IBig::from(gcd)), RBig::from(IBig::from(lcm))))
}

/// Circular and hyperbolic functions and their inverses: all in sine and cosine, with the sign of
/// the argument taken out.
pub(super) fn circular(
    function: Function,
    x: &Form,
    algebra: &mut Algebra,
) -> Result<Form, Failure> {
    let ratio = |above: Function, below: Function, algebra: &mut Algebra| {
        let above = circular(above, x, algebra)?;
        let below = circular(below, x, algebra)?;
        above.times(&below.inverted(algebra)?, algebra)
    };
    match function {
        Function::Tan => return ratio(Function::Sin, Function::Cos, algebra),
        Function::Cot => return ratio(Function::Cos, Function::Sin, algebra),
        Function::Sec => return circular(Function::Cos, x, algebra)?.inverted(algebra),
        Function::Csc => return circular(Function::Sin, x, algebra)?.inverted(algebra),
        Function::Tanh => return ratio(Function::Sinh, Function::Cosh, algebra),
        Function::Sinh | Function::Cosh => return hyperbolic(function, x, algebra),
        _ => {}
    }
    if x.above.is_zero() {
        let one = function == Function::Cos;
        if function != Function::Arccos {
            return Ok(Form::constant(if one { RBig::ONE } else { RBig::ZERO }));
        }
    }
    if let Some(quarters) = quarter_turns(x, algebra) {
        let value = match (function, quarters) {
            (Function::Sin, 0 | 2) | (Function::Cos, 1 | 3) => Some(0),
            (Function::Sin, 1) | (Function::Cos, 0) => Some(1),
            (Function::Sin, 3) | (Function::Cos, 2) => Some(-1),
            _ => None,
        };
        if let Some(value) = value {
            return Ok(Form::constant(RBig::from(value)));
        }
    }
    let even = function == Function::Cos;
    let odd = matches!(function, Function::Sin | Function::Arcsin | Function::Arctan);
    if x.is_negative() && (even || odd) {
        let value = opaque(function, vec![x.scaled(&-RBig::ONE)], algebra)?;
        return Ok(if even { value } else { value.scaled(&-RBig::ONE) });
    }
    opaque(function, vec![x.clone()], algebra)
}

/// `(e^x - e^-x) / 2` and `(e^x + e^-x) / 2`.
fn hyperbolic(function: Function, x: &Form, algebra: &mut Algebra) -> Result<Form, Failure> {
    let e = Form::atom(Atom::E, algebra)?;
    let plus = power(&e, x, algebra)?;
    let minus = power(&e, &x.scaled(&-RBig::ONE), algebra)?;
    let sign = if function == Function::Sinh { -RBig::ONE } else { RBig::ONE };
    let sum = plus.plus(&minus.scaled(&sign), algebra)?;
    Ok(sum.scaled(&RBig::from_parts(IBig::ONE, 2u8.into())))
}

/// `k mod 4` for `x = k pi/2`: where sine and cosine are exactly 0, 1 or -1, so that a division by
/// zero is seen.
fn quarter_turns(x: &Form, algebra: &Algebra) -> Option<i64> {
    let (monomial, coefficient) = x.as_term()?;
    let [(id, Exponent::ONE)] = monomial.as_slice() else { return None };
    if *algebra.atoms.get(*id) != Atom::Pi {
        return None;
    }
    let turns = coefficient * RBig::from(2);
    turns.is_int().then(|| number::small(&turns)).flatten().map(|turns| turns.rem_euclid(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_of_rationals_fall_apart_into_primes() {
        let mut algebra = Algebra::new();
        let eight = logarithm(&Form::constant(RBig::from(8)), &mut algebra).unwrap();
        let two = logarithm(&Form::constant(RBig::from(2)), &mut algebra).unwrap();
        assert_eq!(eight, two.scaled(&RBig::from(3)));
        assert!(!eight.above.is_zero());
    }
}
