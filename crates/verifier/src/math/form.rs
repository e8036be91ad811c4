//! Normal forms: quotients of polynomials in atoms.

use dashu_base::Abs;
use dashu_ratio::RBig;

use super::atom::{Atom, Atoms};
use super::budget::{Budget, Failure};
use super::number;
use super::polynomial::{Exponent, Monomial, Polynomial};

/// `above / below`, with `below` neither zero nor a single term other than 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) above: Polynomial,
    pub(crate) below: Polynomial,
}

/// The atoms and the steps of a comparison, which every operation needs.
#[derive(Debug)]
pub(crate) struct Algebra {
    pub(crate) atoms: Atoms,
    pub(crate) budget: Budget,
}

impl Algebra {
    pub(crate) fn new() -> Self {
        Self::with(Budget::new())
    }

    pub(crate) fn with(budget: Budget) -> Self {
        Self { atoms: Atoms::default(), budget }
    }
}

impl Form {
    pub(crate) fn constant(value: RBig) -> Self {
        Self::polynomial(Polynomial::constant(value))
    }

    pub(crate) fn polynomial(above: Polynomial) -> Self {
        Self { above, below: Polynomial::constant(RBig::ONE) }
    }

    pub(crate) fn atom(atom: Atom, algebra: &mut Algebra) -> Result<Self, Failure> {
        Self::atom_power(atom, Exponent::ONE, algebra)
    }

    pub(crate) fn atom_power(
        atom: Atom,
        exponent: Exponent,
        algebra: &mut Algebra,
    ) -> Result<Self, Failure> {
        if exponent == Exponent::ZERO {
            return Ok(Self::constant(RBig::ONE));
        }
        let id = algebra.atoms.id(atom, &mut algebra.budget)?;
        Self::monomial(vec![(id, exponent)], RBig::ONE, algebra)
    }

    /// A single reduced term.
    pub(crate) fn monomial(
        monomial: Monomial,
        coefficient: RBig,
        algebra: &mut Algebra,
    ) -> Result<Self, Failure> {
        let term = Polynomial::term(monomial, coefficient);
        Ok(Self::polynomial(algebra.atoms.reduced(term, &mut algebra.budget)?))
    }

    pub(crate) fn as_constant(&self) -> Option<RBig> {
        if self.below.is_one() { self.above.as_constant() } else { None }
    }

    /// Its only term, if it has no denominator.
    pub(crate) fn as_term(&self) -> Option<&(Monomial, RBig)> {
        match self.above.terms.as_slice() {
            [term] if self.below.is_one() => Some(term),
            _ => None,
        }
    }

    pub(crate) fn plus(&self, other: &Self, algebra: &mut Algebra) -> Result<Self, Failure> {
        if self.below == other.below {
            let above = self.above.plus(&other.above, &mut algebra.budget)?;
            return Self::quotient(above, self.below.clone(), algebra);
        }
        let left = product(&self.above, &other.below, algebra)?;
        let right = product(&other.above, &self.below, algebra)?;
        let above = left.plus(&right, &mut algebra.budget)?;
        let below = product(&self.below, &other.below, algebra)?;
        Self::quotient(above, below, algebra)
    }

    pub(crate) fn scaled(&self, factor: &RBig) -> Self {
        Self { above: self.above.scaled(factor), below: self.below.clone() }
    }

    pub(crate) fn minus(&self, other: &Self, algebra: &mut Algebra) -> Result<Self, Failure> {
        self.plus(&other.scaled(&-RBig::ONE), algebra)
    }

    pub(crate) fn times(&self, other: &Self, algebra: &mut Algebra) -> Result<Self, Failure> {
        // Equal parts cancel; they are not zero, or there would be no quotient.
        if !self.below.is_one() && self.below == other.above {
            return Self::quotient(self.above.clone(), other.below.clone(), algebra);
        }
        if !other.below.is_one() && other.below == self.above {
            return Self::quotient(other.above.clone(), self.below.clone(), algebra);
        }
        let above = product(&self.above, &other.above, algebra)?;
        let below = product(&self.below, &other.below, algebra)?;
        Self::quotient(above, below, algebra)
    }

    /// `1 / self`.
    pub(crate) fn inverted(&self, algebra: &mut Algebra) -> Result<Self, Failure> {
        Self::quotient(self.below.clone(), self.above.clone(), algebra)
    }

    /// Brings the denominator into its form: a single term is divided out, a sum begins with 1.
    pub(crate) fn quotient(
        above: Polynomial,
        below: Polynomial,
        algebra: &mut Algebra,
    ) -> Result<Self, Failure> {
        let Some((lead, coefficient)) = below.terms.first() else { return Err(Failure::Undefined) };
        if below.is_one() || above.is_zero() {
            return Ok(Self::polynomial(above));
        }
        if below.terms.len() > 1 {
            let factor = RBig::ONE / coefficient;
            return Ok(Self { above: above.scaled(&factor), below: below.scaled(&factor) });
        }
        let mut inverse = Monomial::new();
        let mut radicals = Vec::new();
        for (id, exponent) in lead {
            match algebra.atoms.get(*id) {
                // 1 / r^q = r^(1-q) / r
                Atom::Radical(inside) => {
                    radicals.push(inside.clone());
                    let rest = Exponent { above: -exponent.above, below: exponent.below };
                    inverse.push((*id, rest.plus(Exponent::ONE)?));
                }
                _ => {
                    let negative = Exponent { above: -exponent.above, below: exponent.below };
                    inverse.push((*id, negative));
                }
            }
        }
        let inverse = Polynomial::term(inverse, RBig::ONE / coefficient);
        let inverse = algebra.atoms.reduced(inverse, &mut algebra.budget)?;
        let above = product(&above, &inverse, algebra)?;
        let mut below = Polynomial::constant(RBig::ONE);
        for inside in radicals {
            below = product(&below, &inside, algebra)?;
        }
        if below.is_one() {
            return Ok(Self::polynomial(above));
        }
        Self::quotient(above, below, algebra)
    }

    /// `self^exponent`.
    pub(crate) fn power(&self, exponent: i64, algebra: &mut Algebra) -> Result<Self, Failure> {
        if self.above.is_zero() {
            return if exponent > 0 { Ok(self.clone()) } else { Err(Failure::Undefined) };
        }
        if let Some((monomial, coefficient)) = self.as_term() {
            let times = Exponent { above: exponent, below: 1 };
            let coefficient = number::power(coefficient, exponent, &mut algebra.budget)?;
            let raised: Result<Monomial, Failure> =
                monomial.iter().map(|(id, e)| Ok((*id, e.times(times)?))).collect();
            let raised: Monomial =
                raised?.into_iter().filter(|(_, e)| *e != Exponent::ZERO).collect();
            let has_radical =
                monomial.iter().any(|(id, _)| matches!(algebra.atoms.get(*id), Atom::Radical(_)));
            if exponent > 0 || !has_radical {
                return Self::monomial(raised, coefficient, algebra);
            }
        }
        if exponent < 0 {
            return self
                .inverted(algebra)?
                .power(exponent.checked_neg().ok_or(Failure::Budget)?, algebra);
        }
        // Sums grow with every factor, so the budget ends this early.
        let mut result = Self::constant(RBig::ONE);
        for _ in 0..exponent {
            result = result.times(self, algebra)?;
        }
        Ok(result)
    }

    /// Difference of the cross products: zero exactly if the forms are equal.
    pub(crate) fn difference(
        &self,
        other: &Self,
        algebra: &mut Algebra,
    ) -> Result<Polynomial, Failure> {
        let left = product(&self.above, &other.below, algebra)?;
        let right = product(&other.above, &self.below, algebra)?;
        left.plus(&right.scaled(&-RBig::ONE), &mut algebra.budget)
    }

    /// Takes out the positive rational content, so that `2x + 4` and `x + 2` share an atom; what is
    /// left begins with 1 or -1.
    pub(crate) fn content(&self) -> (RBig, Self) {
        match self.above.terms.first() {
            Some((_, lead)) if !lead.is_one() => {
                let content = lead.clone().abs();
                let rest = self.scaled(&(RBig::ONE / &content));
                (content, rest)
            }
            _ => (RBig::ONE, self.clone()),
        }
    }

    /// True if it begins with a negative coefficient.
    pub(crate) fn is_negative(&self) -> bool {
        self.above.terms.first().is_some_and(|(_, lead)| *lead < RBig::ZERO)
    }
}

/// The reduced product.
pub(crate) fn product(
    a: &Polynomial,
    b: &Polynomial,
    algebra: &mut Algebra,
) -> Result<Polynomial, Failure> {
    if a.is_one() {
        return Ok(b.clone());
    }
    if b.is_one() {
        return Ok(a.clone());
    }
    let raw = a.raw_product(b, &mut algebra.budget)?;
    algebra.atoms.reduced(raw, &mut algebra.budget)
}
