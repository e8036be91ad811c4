//! Powers of normal forms.

use dashu_base::Signed;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::atom::{Atom, TowerBase};
use super::budget::Failure;
use super::form::{Algebra, Form};
use super::number;
use super::polynomial::{Exponent, Monomial, Polynomial};

/// `base^exponent`.
pub(super) fn power(base: &Form, exponent: &Form, algebra: &mut Algebra) -> Result<Form, Failure> {
    if let Some(exponent) = exponent.as_constant() {
        return match number::small(&exponent) {
            Some(integer) => base.power(integer, algebra),
            None if exponent.is_int() => match base.as_constant() {
                Some(value) if value.is_one() => Ok(Form::constant(value)),
                _ => Err(Failure::Budget),
            },
            None => rational(base, &exponent, algebra),
        };
    }
    match split(base, exponent, algebra)? {
        Some(form) => Ok(form),
        None => {
            let parts = (Box::new(base.clone()), Box::new(exponent.clone()));
            Form::atom(Atom::Power(parts.0, parts.1), algebra)
        }
    }
}

/// `base^(a + b m + ...)` as `base^a (base^m)^b ...`.
fn split(base: &Form, exponent: &Form, algebra: &mut Algebra) -> Result<Option<Form>, Failure> {
    if !exponent.below.is_one() {
        return Ok(None);
    }
    let Some(bases) = tower_bases(base, algebra)? else { return Ok(None) };
    let mut result = Form::constant(RBig::ONE);
    for (monomial, coefficient) in &exponent.above.terms {
        if monomial.is_empty() {
            let constant = Form::constant(coefficient.clone());
            let part = power(base, &constant, algebra)?;
            result = result.times(&part, algebra)?;
            continue;
        }
        for (tower, times) in &bases {
            let part = self::tower(tower.clone(), *times, monomial, coefficient, algebra)?;
            result = result.times(&part, algebra)?;
        }
    }
    Ok(Some(result))
}

fn tower(
    base: TowerBase,
    times: Exponent,
    monomial: &Monomial,
    coefficient: &RBig,
    algebra: &mut Algebra,
) -> Result<Form, Failure> {
    let exponent = Exponent::of(coefficient)?.times(times)?;
    Form::atom_power(Atom::Tower(base, monomial.clone()), exponent, algebra)
}

/// The bases that towers are kept for, with their exponents, if `base` is a product of them: a
/// rational number, or a single e, pi or variable.
fn tower_bases(
    base: &Form,
    algebra: &mut Algebra,
) -> Result<Option<Vec<(TowerBase, Exponent)>>, Failure> {
    let Some((monomial, coefficient)) = base.as_term().cloned() else { return Ok(None) };
    let mut bases = match monomial.as_slice() {
        [] => Vec::new(),
        [(id, exponent)] => match algebra.atoms.get(*id) {
            Atom::E | Atom::Pi => vec![(TowerBase::Atom(*id), *exponent)],
            Atom::Symbol(_) if *exponent == Exponent::ONE && coefficient.is_one() => {
                vec![(TowerBase::Atom(*id), *exponent)]
            }
            Atom::Surd(prime) => vec![(TowerBase::Prime(prime.clone()), *exponent)],
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    if !monomial.is_empty() && coefficient.is_negative() {
        return Ok(None);
    }
    if coefficient.is_negative() {
        bases.push((TowerBase::MinusOne, Exponent::ONE));
    }
    for (prime, exponent) in signed_factors(&coefficient, algebra)? {
        bases.push((TowerBase::Prime(prime), Exponent { above: exponent, below: 1 }));
    }
    Ok(Some(bases))
}

/// Prime factors of the magnitude, negative exponents for the denominator.
pub(super) fn signed_factors(
    value: &RBig,
    algebra: &mut Algebra,
) -> Result<Vec<(UBig, i64)>, Failure> {
    let (_, above, below) = number::split_sign(value);
    let mut found = Vec::new();
    for (part, sign) in [(above, 1), (below, -1)] {
        if !part.is_one() {
            let factors = number::factors(&part, &mut algebra.budget)?;
            found
                .extend(factors.into_iter().map(|(prime, count)| (prime, sign * i64::from(count))));
        }
    }
    Ok(found)
}

/// `base^(a/b)` with `b > 1`. Odd roots of negative numbers are real.
fn rational(base: &Form, exponent: &RBig, algebra: &mut Algebra) -> Result<Form, Failure> {
    let exponent = Exponent::of(exponent)?;
    if base.above.is_zero() {
        return if exponent.above > 0 { Ok(base.clone()) } else { Err(Failure::Undefined) };
    }
    if let Some(value) = base.as_constant() {
        return surd(&value, exponent, algebra);
    }
    if !base.below.is_one() {
        let exponent = RBig::from_parts_signed(exponent.above.into(), exponent.below.into());
        let parts = (Box::new(base.clone()), Box::new(Form::constant(exponent)));
        return Form::atom(Atom::Power(parts.0, parts.1), algebra);
    }
    let (content, mut rest) = base.content();
    let mut outside = surd(&content, exponent, algebra)?;
    let odd = exponent.below % 2 == 1;
    // Roots of numbers that are not real are principal ones.
    let is_i = |(id, _): &(u32, Exponent)| *algebra.atoms.get(*id) == Atom::I;
    let real = !rest.above.terms.iter().any(|(monomial, _)| monomial.iter().any(is_i));
    if odd && real && rest.is_negative() {
        rest = rest.scaled(&-RBig::ONE);
        if exponent.above % 2 != 0 {
            outside = outside.scaled(&-RBig::ONE);
        }
    }
    let inside = match rest.as_term().cloned() {
        Some((monomial, sign)) if sign.is_one() => term_power(&monomial, exponent, algebra)?,
        _ => None,
    };
    let inside = match inside {
        Some(form) => form,
        None => radical(rest.above, exponent, algebra)?,
    };
    outside.times(&inside, algebra)
}

/// `inside^exponent` as an atom, with the whole part of a negative exponent below.
fn radical(inside: Polynomial, exponent: Exponent, algebra: &mut Algebra) -> Result<Form, Failure> {
    let whole = exponent.floor();
    let part = exponent.plus(Exponent { above: -whole, below: 1 })?;
    let root = Form::atom_power(Atom::Radical(inside.clone()), part, algebra)?;
    let outside = Form::polynomial(inside).power(whole, algebra)?;
    outside.times(&root, algebra)
}

/// The power of a product of atoms taken atom by atom, where that is right for all real values: for
/// positive constants, and for one variable to an odd power or under an odd root.
fn term_power(
    monomial: &Monomial,
    exponent: Exponent,
    algebra: &mut Algebra,
) -> Result<Option<Form>, Failure> {
    let variables = monomial
        .iter()
        .filter(|(id, _)| !matches!(algebra.atoms.get(*id), Atom::Pi | Atom::E | Atom::Surd(_)));
    let variables: Vec<_> = variables.collect();
    let fits = match variables.as_slice() {
        [] => true,
        [(id, power)] => {
            let symbol = matches!(algebra.atoms.get(*id), Atom::Symbol(_));
            let integer = power.is_integer();
            symbol && integer && (power.above % 2 != 0 || exponent.below % 2 != 0)
        }
        _ => false,
    };
    if !fits {
        return Ok(None);
    }
    let raised: Result<Monomial, Failure> =
        monomial.iter().map(|(id, power)| Ok((*id, power.times(exponent)?))).collect();
    Form::monomial(raised?, RBig::ONE, algebra).map(Some)
}

/// A rational number to a fractional power.
fn surd(value: &RBig, exponent: Exponent, algebra: &mut Algebra) -> Result<Form, Failure> {
    if value.is_one() {
        return Ok(Form::constant(RBig::ONE));
    }
    let mut result = Form::constant(RBig::ONE);
    if value.is_negative() {
        result = sign_power(exponent, algebra)?;
    }
    for (prime, count) in signed_factors(value, algebra)? {
        let exponent = exponent.times(Exponent { above: count, below: 1 })?;
        // The whole part is taken out first, so that a large one meets the bound on bits.
        let whole = exponent.floor();
        let factor = RBig::from(IBig::from(prime.clone()));
        let outside = number::power(&factor, whole, &mut algebra.budget)?;
        let part = exponent.plus(Exponent { above: -whole, below: 1 })?;
        let root = Form::atom_power(Atom::Surd(prime), part, algebra)?;
        result = result.times(&root.scaled(&outside), algebra)?;
    }
    Ok(result)
}

/// `(-1)^(a/b)`: real for odd `b`, a power of i for `b = 2`.
fn sign_power(exponent: Exponent, algebra: &mut Algebra) -> Result<Form, Failure> {
    if exponent.below % 2 != 0 {
        let sign = if exponent.above % 2 == 0 { RBig::ONE } else { -RBig::ONE };
        return Ok(Form::constant(sign));
    }
    if exponent.below == 2 {
        let i = Form::atom(Atom::I, algebra)?;
        return i.power(exponent.above, algebra);
    }
    let minus = Form::constant(-RBig::ONE);
    let exponent = RBig::from_parts_signed(exponent.above.into(), exponent.below.into());
    let exponent = Form::constant(exponent);
    Form::atom(Atom::Power(Box::new(minus), Box::new(exponent)), algebra)
}
