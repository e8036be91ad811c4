//! Atoms: what a normal form does not look into, and the rules that their powers obey.

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::budget::{Budget, Failure};
use super::form::Form;
use super::number;
use super::polynomial::{AtomId, Exponent, Monomial, Polynomial};
use super::token::{Function, Name};

/// A quantity that normal forms are polynomials in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Atom {
    Symbol(Name),
    Pi,
    E,
    /// The imaginary unit; its exponent is 1.
    I,
    /// A prime (or a number whose factors are not known); its exponents lie between 0 and 1.
    Surd(UBig),
    /// Natural logarithm of a prime.
    Log(UBig),
    /// `base^exponent` for an exponent with variables or irrational numbers.
    Tower(TowerBase, Monomial),
    /// A polynomial under a root; its exponents lie between 0 and 1.
    Radical(Polynomial),
    /// Any other power.
    Power(Box<Form>, Box<Form>),
    Apply(Function, Vec<Form>),
    Call(Name, Vec<Form>),
}

/// What stands under an exponent that is not a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TowerBase {
    Prime(UBig),
    MinusOne,
    Atom(AtomId),
}

/// The atoms of a comparison, each once.
#[derive(Debug, Default)]
pub(crate) struct Atoms {
    atoms: Vec<Atom>,
}

/// Most atoms of a comparison.
const MAX_ATOMS: usize = 256;

impl Atoms {
    pub(crate) fn id(&mut self, atom: Atom, budget: &mut Budget) -> Result<AtomId, Failure> {
        budget.charge(self.atoms.len())?;
        if let Some(at) = self.atoms.iter().position(|known| *known == atom) {
            return Ok(at as AtomId);
        }
        if self.atoms.len() >= MAX_ATOMS {
            return Err(Failure::Budget);
        }
        self.atoms.push(atom);
        Ok(self.atoms.len() as AtomId - 1)
    }

    pub(crate) fn get(&self, id: AtomId) -> &Atom {
        &self.atoms[id as usize]
    }

    /// Brings the powers of atoms with rules of their own into their ranges: `i^2 = -1`,
    /// `sqrt(p)^2 = p`, `sin^2 = 1 - cos^2`.
    pub(crate) fn reduced(
        &mut self,
        polynomial: Polynomial,
        budget: &mut Budget,
    ) -> Result<Polynomial, Failure> {
        let mut current = polynomial;
        loop {
            if !current.terms.iter().any(|(monomial, _)| self.reducible(monomial)) {
                return Ok(current);
            }
            let mut terms = Vec::new();
            for (monomial, coefficient) in current.terms {
                budget.charge(4)?;
                self.reduce_term(monomial, coefficient, &mut terms, budget)?;
            }
            current = Polynomial::collected(terms, budget)?;
        }
    }

    fn reducible(&self, monomial: &Monomial) -> bool {
        monomial.iter().any(|(id, exponent)| match self.get(*id) {
            Atom::I => *exponent != Exponent::ONE,
            Atom::Surd(_) => exponent.floor() != 0,
            Atom::Radical(_) => exponent.floor() >= 1,
            Atom::Apply(Function::Sin, _) => exponent.is_integer() && exponent.above >= 2,
            _ => false,
        })
    }

    fn reduce_term(
        &mut self,
        monomial: Monomial,
        mut coefficient: RBig,
        out: &mut Vec<(Monomial, RBig)>,
        budget: &mut Budget,
    ) -> Result<(), Failure> {
        let mut kept = Monomial::new();
        let mut factors: Vec<(Polynomial, i64)> = Vec::new();
        for (id, exponent) in monomial {
            let left = match self.get(id).clone() {
                Atom::I if exponent.is_integer() => {
                    let power = exponent.above.rem_euclid(4);
                    if power >= 2 {
                        coefficient = -coefficient;
                    }
                    Exponent { above: power % 2, below: 1 }
                }
                Atom::Surd(base) => {
                    let whole = exponent.floor();
                    let base = RBig::from(IBig::from(base));
                    coefficient *= number::power(&base, whole, budget)?;
                    exponent.plus(Exponent { above: -whole, below: 1 })?
                }
                Atom::Radical(inside) if exponent.floor() >= 1 => {
                    let whole = exponent.floor();
                    factors.push((inside, whole));
                    exponent.plus(Exponent { above: -whole, below: 1 })?
                }
                Atom::Apply(Function::Sin, inside)
                    if exponent.is_integer() && exponent.above >= 2 =>
                {
                    let cos = self.id(Atom::Apply(Function::Cos, inside), budget)?;
                    let square = vec![(cos, Exponent { above: 2, below: 1 })];
                    let one = (Monomial::new(), RBig::ONE);
                    let terms = vec![one, (square, -RBig::ONE)];
                    factors.push((Polynomial { terms }, exponent.above / 2));
                    Exponent { above: exponent.above % 2, below: 1 }
                }
                _ => exponent,
            };
            if left != Exponent::ZERO {
                kept.push((id, left));
            }
        }
        let mut product = Polynomial::term(kept, coefficient);
        for (factor, times) in factors {
            if times > 64 {
                return Err(Failure::Budget);
            }
            for _ in 0..times {
                product = product.raw_product(&factor, budget)?;
            }
        }
        out.extend(product.terms);
        Ok(())
    }

    /// True if no factor of the monomial is zero as an expression.
    pub(crate) fn never_zero(&self, monomial: &Monomial) -> bool {
        monomial.iter().all(|(id, _)| match self.get(*id) {
            Atom::Symbol(_)
            | Atom::Pi
            | Atom::E
            | Atom::I
            | Atom::Surd(_)
            | Atom::Log(_)
            | Atom::Tower(..)
            | Atom::Call(..)
            | Atom::Apply(Function::Factorial, _) => true,
            Atom::Radical(_) | Atom::Power(..) | Atom::Apply(..) => false,
        })
    }

    /// True if distinct reduced polynomials in the atoms of these have distinct values: variables,
    /// roots of primes, the imaginary unit and at most one transcendental number. Whatever else
    /// there is may obey relations that the normal form does not know.
    pub(crate) fn independent(&self, polynomial: &Polynomial) -> bool {
        let (mut pi, mut e, mut logs) = (false, false, false);
        for (monomial, _) in &polynomial.terms {
            let mut logarithms = 0;
            for (id, exponent) in monomial {
                match self.get(*id) {
                    Atom::Symbol(_) | Atom::I => {}
                    Atom::Surd(base) if is_small_prime(base) => {}
                    Atom::Pi => pi = true,
                    Atom::E => e = true,
                    // Baker: logarithms of primes and 1 are linearly independent.
                    Atom::Log(base) if is_small_prime(base) && *exponent == Exponent::ONE => {
                        logarithms += 1;
                        logs = true;
                    }
                    _ => return false,
                }
            }
            if logarithms > 1 {
                return false;
            }
        }
        u8::from(pi) + u8::from(e) + u8::from(logs) <= 1
    }
}

/// Below the square of the bound of trial division nothing composite is left over.
fn is_small_prime(base: &UBig) -> bool {
    *base < UBig::from(4_000_000u32)
}
