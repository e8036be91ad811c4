//! Sparse polynomials over the rationals in atoms, with rational exponents.

use std::cmp::Ordering;

use dashu_ratio::RBig;

use super::budget::{Budget, Failure, MAX_BITS};
use super::number;

/// Index of an atom in its [`Atoms`](super::atom::Atoms).
pub(crate) type AtomId = u32;

/// A rational exponent, in lowest terms with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Exponent {
    pub(crate) above: i64,
    pub(crate) below: i64,
}

impl Exponent {
    pub(crate) const ONE: Self = Self { above: 1, below: 1 };
    pub(crate) const ZERO: Self = Self { above: 0, below: 1 };

    pub(crate) fn new(above: i64, below: i64) -> Result<Self, Failure> {
        let divisor = gcd(above.unsigned_abs(), below.unsigned_abs()).max(1);
        let divisor = i64::try_from(divisor).map_err(|_| Failure::Budget)?;
        let sign = if below < 0 { -1 } else { 1 };
        let part = |value: i64| (value / divisor).checked_mul(sign).ok_or(Failure::Budget);
        Ok(Self { above: part(above)?, below: part(below)? })
    }

    pub(crate) fn of(value: &RBig) -> Result<Self, Failure> {
        let above = i64::try_from(value.numerator()).map_err(|_| Failure::Budget)?;
        let below = i64::try_from(value.denominator()).map_err(|_| Failure::Budget)?;
        Ok(Self { above, below })
    }

    pub(crate) fn plus(self, other: Self) -> Result<Self, Failure> {
        if self.below == 1 && other.below == 1 {
            let above = self.above.checked_add(other.above).ok_or(Failure::Budget)?;
            return Ok(Self { above, below: 1 });
        }
        let cross = |a: i64, b: i64| a.checked_mul(b).ok_or(Failure::Budget);
        let above = cross(self.above, other.below)?
            .checked_add(cross(other.above, self.below)?)
            .ok_or(Failure::Budget)?;
        Self::new(above, cross(self.below, other.below)?)
    }

    pub(crate) fn times(self, other: Self) -> Result<Self, Failure> {
        let above = self.above.checked_mul(other.above).ok_or(Failure::Budget)?;
        Self::new(above, self.below.checked_mul(other.below).ok_or(Failure::Budget)?)
    }

    /// The lower of two, where both are positive, and zero otherwise.
    fn lower(self, other: Self) -> Self {
        if self.above <= 0 || other.above <= 0 {
            return Self::ZERO;
        }
        let cross = |a: i64, b: i64| i128::from(a) * i128::from(b);
        if cross(self.above, other.below) <= cross(other.above, self.below) { self } else { other }
    }

    pub(crate) fn is_integer(self) -> bool {
        self.below == 1
    }

    /// The largest integer not above it.
    pub(crate) fn floor(self) -> i64 {
        self.above.div_euclid(self.below)
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A product of powers of atoms, sorted by atom, without zero exponents.
pub(crate) type Monomial = Vec<(AtomId, Exponent)>;

/// The product of two monomials, with exponents added.
pub(crate) fn multiply_monomials(a: &Monomial, b: &Monomial) -> Result<Monomial, Failure> {
    let mut product = Vec::with_capacity(a.len() + b.len());
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(&&x), Some(&&y)) => match x.0.cmp(&y.0) {
                Ordering::Less => left.next().copied(),
                Ordering::Greater => right.next().copied(),
                Ordering::Equal => {
                    left.next();
                    right.next();
                    Some((x.0, x.1.plus(y.1)?))
                }
            },
            (Some(_), None) => left.next().copied(),
            (None, _) => right.next().copied(),
        };
        match next {
            Some((_, Exponent::ZERO)) => {}
            Some(factor) => product.push(factor),
            None => return Ok(product),
        }
    }
}

/// Charges for an operation on two rationals, whose common divisor takes quadratic time, and refuses
/// one whose result may be too large.
fn work(a: &RBig, b: &RBig, budget: &mut Budget) -> Result<(), Failure> {
    let bits = number::bits(a) + number::bits(b);
    if bits > MAX_BITS {
        return Err(Failure::Budget);
    }
    let words = bits / 64;
    budget.charge(1 + words * words / 4)
}

/// Terms sorted by monomial, without zero coefficients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Polynomial {
    pub(crate) terms: Vec<(Monomial, RBig)>,
}

impl Polynomial {
    pub(crate) fn zero() -> Self {
        Self { terms: Vec::new() }
    }

    pub(crate) fn constant(value: RBig) -> Self {
        Self::term(Vec::new(), value)
    }

    pub(crate) fn term(monomial: Monomial, coefficient: RBig) -> Self {
        if coefficient.is_zero() {
            return Self::zero();
        }
        Self { terms: vec![(monomial, coefficient)] }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    pub(crate) fn is_one(&self) -> bool {
        self.as_constant().is_some_and(|value| value.is_one())
    }

    /// Its value, if it holds no atom.
    pub(crate) fn as_constant(&self) -> Option<RBig> {
        match self.terms.as_slice() {
            [] => Some(RBig::ZERO),
            [(monomial, value)] if monomial.is_empty() => Some(value.clone()),
            _ => None,
        }
    }

    pub(crate) fn plus(&self, other: &Self, budget: &mut Budget) -> Result<Self, Failure> {
        budget.charge(4 * (self.terms.len() + other.terms.len()))?;
        let mut terms = Vec::with_capacity(self.terms.len() + other.terms.len());
        terms.extend(self.terms.iter().cloned());
        terms.extend(other.terms.iter().cloned());
        Self::collected(terms, budget)
    }

    /// Merges equal monomials.
    pub(crate) fn collected(
        mut terms: Vec<(Monomial, RBig)>,
        budget: &mut Budget,
    ) -> Result<Self, Failure> {
        terms.sort_by(|a, b| a.0.cmp(&b.0));
        let mut merged: Vec<(Monomial, RBig)> = Vec::with_capacity(terms.len());
        for (monomial, coefficient) in terms {
            match merged.last_mut() {
                Some(last) if last.0 == monomial => {
                    work(&last.1, &coefficient, budget)?;
                    last.1 += coefficient;
                }
                _ => merged.push((monomial, coefficient)),
            }
        }
        merged.retain(|(_, coefficient)| !coefficient.is_zero());
        Ok(Self { terms: merged })
    }

    /// The product with exponents merely added; atoms with rules of their own still have to be
    /// reduced.
    pub(crate) fn raw_product(&self, other: &Self, budget: &mut Budget) -> Result<Self, Failure> {
        let mut terms = Vec::new();
        for (left, a) in &self.terms {
            for (right, b) in &other.terms {
                budget.charge(6 + left.len() + right.len())?;
                work(a, b, budget)?;
                terms.push((multiply_monomials(left, right)?, a * b));
            }
        }
        Self::collected(terms, budget)
    }

    pub(crate) fn scaled(&self, factor: &RBig) -> Self {
        if factor.is_zero() {
            return Self::zero();
        }
        let terms = self.terms.iter().map(|(monomial, value)| (monomial.clone(), value * factor));
        Self { terms: terms.collect() }
    }

    /// The monomial that divides every term, and what is left.
    pub(crate) fn split_common(&self) -> Result<(Monomial, Self), Failure> {
        let mut common = self.terms.first().map_or_else(Vec::new, |(first, _)| first.clone());
        for (monomial, _) in self.terms.iter().skip(1) {
            for (id, exponent) in &mut common {
                let here = monomial.iter().find(|(other, _)| other == id);
                *exponent = here.map_or(Exponent::ZERO, |(_, here)| exponent.lower(*here));
            }
            common.retain(|(_, exponent)| exponent.above > 0);
        }
        let inverse: Monomial = common
            .iter()
            .map(|(id, exponent)| (*id, Exponent { above: -exponent.above, ..*exponent }))
            .collect();
        let mut terms = Vec::with_capacity(self.terms.len());
        for (monomial, value) in &self.terms {
            terms.push((multiply_monomials(monomial, &inverse)?, value.clone()));
        }
        Ok((common, Self { terms }))
    }

    /// The nonzero constant `c` with `self = c * other`, if there is one.
    pub(crate) fn ratio(&self, other: &Self) -> Option<RBig> {
        let (first, second) = (self.terms.first()?, other.terms.first()?);
        if self.terms.len() != other.terms.len() || first.0 != second.0 {
            return None;
        }
        let ratio = &first.1 / &second.1;
        let same =
            |(a, b): (&(Monomial, RBig), &(Monomial, RBig))| a.0 == b.0 && a.1 == &b.1 * &ratio;
        self.terms.iter().zip(&other.terms).all(same).then_some(ratio)
    }
}
