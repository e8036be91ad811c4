//! Real balls: a binary number and a bound on its error, kept sound through every operation.

use dashu_base::{BitTest, Signed, UnsignedAbs};
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::budget::Failure;

/// Largest binary exponent of a ball; beyond it the numbers are too large or small to work with.
const MAX_EXPONENT: i64 = 1 << 18;

/// The numbers `(middle ± radius) * 2^exponent`.
#[derive(Clone, Debug)]
pub(crate) struct Ball {
    pub(crate) middle: IBig,
    pub(crate) radius: UBig,
    pub(crate) exponent: i64,
}

impl Ball {
    pub(crate) fn integer(value: i64) -> Self {
        Self { middle: value.into(), radius: UBig::ZERO, exponent: 0 }
    }

    /// The rational number to about `precision` bits.
    pub(crate) fn rational(value: &RBig, precision: i64) -> Result<Self, Failure> {
        let above = Self { middle: value.numerator().clone(), radius: UBig::ZERO, exponent: 0 };
        if value.is_int() {
            return above.rounded(precision);
        }
        let below = IBig::from(value.denominator().clone());
        let below = Self { middle: below, radius: UBig::ZERO, exponent: 0 };
        above.over(&below, precision)
    }

    pub(crate) fn is_exact_zero(&self) -> bool {
        self.middle.is_zero() && self.radius.is_zero()
    }

    pub(crate) fn contains_zero(&self) -> bool {
        (&self.middle).unsigned_abs() <= self.radius
    }

    /// Its sign, if all its numbers share one: `Some(true)` for positive.
    pub(crate) fn sign(&self) -> Option<bool> {
        (!self.contains_zero()).then(|| self.middle.is_positive())
    }

    /// The binary logarithm of its middle, roughly.
    pub(crate) fn magnitude(&self) -> i64 {
        (&self.middle).unsigned_abs().bit_len() as i64 + self.exponent
    }

    /// The binary logarithm of its radius, rounded up; `None` if it is exact.
    pub(crate) fn error(&self) -> Option<i64> {
        (!self.radius.is_zero()).then(|| self.radius.bit_len() as i64 + self.exponent)
    }

    pub(crate) fn negated(&self) -> Self {
        Self { middle: -&self.middle, radius: self.radius.clone(), exponent: self.exponent }
    }

    pub(crate) fn magnitude_ball(&self) -> Option<Self> {
        Some(if self.sign()? { self.clone() } else { self.negated() })
    }

    /// With the error widened by `2^exponent`.
    pub(crate) fn widened(&self, exponent: i64) -> Self {
        let mut wide = self.clone();
        let shift = exponent - self.exponent;
        wide.radius += if shift > 0 { UBig::ONE << shift as usize } else { UBig::ONE };
        wide
    }

    /// The same numbers with the given exponent, the error grown by what is cut off.
    fn at_exponent(&self, exponent: i64) -> Self {
        let shift = self.exponent - exponent;
        if shift >= 0 {
            let shift = shift as usize;
            return Self { middle: &self.middle << shift, radius: &self.radius << shift, exponent };
        }
        let shift = (-shift) as usize;
        let radius = (&self.radius >> shift) + UBig::from(2u8);
        Self { middle: &self.middle >> shift, radius, exponent }
    }

    /// Cuts the middle to `precision` bits and useless bits of the error.
    pub(crate) fn rounded(self, precision: i64) -> Result<Self, Failure> {
        let bits = (&self.middle).unsigned_abs().bit_len() as i64;
        let error_bits = self.radius.bit_len() as i64;
        let shift = (bits - precision).max(error_bits - 32);
        let ball = if shift > 0 { self.at_exponent(self.exponent + shift) } else { self };
        if ball.exponent.abs() > MAX_EXPONENT {
            return Err(Failure::Unknown);
        }
        Ok(ball)
    }

    pub(crate) fn plus(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        if self.is_exact_zero() {
            return Ok(other.clone());
        }
        if other.is_exact_zero() {
            return Ok(self.clone());
        }
        let top = self.magnitude().max(other.magnitude());
        let exponent = self.exponent.min(other.exponent).max(top - precision - 64);
        let (a, b) = (self.at_exponent(exponent), other.at_exponent(exponent));
        let sum = Self { middle: a.middle + b.middle, radius: a.radius + b.radius, exponent };
        sum.rounded(precision)
    }

    pub(crate) fn minus(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        self.plus(&other.negated(), precision)
    }

    pub(crate) fn times(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        let (a, b) = ((&self.middle).unsigned_abs(), (&other.middle).unsigned_abs());
        let radius = a * &other.radius + b * &self.radius + &self.radius * &other.radius;
        let exponent = self.exponent + other.exponent;
        Self { middle: &self.middle * &other.middle, radius, exponent }.rounded(precision)
    }

    pub(crate) fn over(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        if other.is_exact_zero() {
            return Err(Failure::Undefined);
        }
        if other.contains_zero() {
            return Err(Failure::Unknown);
        }
        if self.is_exact_zero() {
            return Ok(self.clone());
        }
        let (above, below) = ((&self.middle).unsigned_abs(), (&other.middle).unsigned_abs());
        let shift = precision + 2 + below.bit_len() as i64 - above.bit_len() as i64;
        let shift = shift.max(0) as usize;
        let middle = (&self.middle << shift) / &other.middle;
        // |a'/b' - a/b| <= (r_a + |a/b| r_b) / (|b| - r_b), and one more for the division.
        let quotient = (&middle).unsigned_abs() + UBig::ONE;
        let spread = (&self.radius << shift) + quotient * &other.radius;
        let radius = spread / (below - &other.radius) + UBig::from(2u8);
        let exponent = self.exponent - other.exponent - shift as i64;
        Self { middle, radius, exponent }.rounded(precision)
    }

    /// The real root of a ball of numbers that are not negative.
    pub(crate) fn root(&self, index: usize, precision: i64) -> Result<Self, Failure> {
        if self.is_exact_zero() {
            return Ok(self.clone());
        }
        match self.sign() {
            Some(true) => {}
            Some(false) => return Err(Failure::Undefined),
            None => return Err(Failure::Unknown),
        }
        let (_, middle) = self.middle.clone().into_parts();
        let wanted = (precision + 4) * index as i64;
        let mut shift = (wanted - middle.bit_len() as i64).max(0);
        shift += (self.exponent - shift).rem_euclid(index as i64);
        let exponent = (self.exponent - shift) / index as i64;
        let scaled = middle.clone() << shift as usize;
        let root = scaled.nth_root(index);
        // The derivative of the root is at most root / lower, with the upper end's root.
        let lower = middle - &self.radius;
        let upper_root = &root * UBig::from(2u8) + UBig::ONE;
        let radius = upper_root * &self.radius / lower + UBig::from(2u8);
        Self { middle: root.into(), radius, exponent }.rounded(precision)
    }

    /// `self^times`.
    pub(crate) fn power(&self, times: u64, precision: i64) -> Result<Self, Failure> {
        by_squaring(Self::integer(1), self, times, |a, b| a.times(b, precision))
    }

    /// `floor(middle * 2^places)`.
    pub(crate) fn fixed(&self, places: i64) -> IBig {
        let shift = self.exponent + places;
        if shift >= 0 { &self.middle << shift as usize } else { &self.middle >> (-shift) as usize }
    }

    /// The integer right below all its numbers, if they lie strictly between two integers.
    pub(crate) fn floor(&self) -> Option<IBig> {
        if self.magnitude() > 100_000 {
            return None;
        }
        let radius = IBig::from(self.radius.clone());
        let end = |middle: IBig| {
            let ball = Self { middle, radius: UBig::ZERO, exponent: self.exponent };
            ball.fixed(0)
        };
        let low = end(&self.middle - &radius);
        let high = end(&self.middle + &radius);
        let exact = self.radius.is_zero();
        (low == high && !exact).then_some(low)
    }
}

/// `base^times` by squaring.
pub(crate) fn by_squaring<T: Clone>(
    one: T,
    base: &T,
    times: u64,
    product: impl Fn(&T, &T) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut result = one;
    let mut square = base.clone();
    let mut left = times;
    while left > 0 {
        if left & 1 == 1 {
            result = product(&result, &square)?;
        }
        left >>= 1;
        // The last square would be used by nobody, and might be what exceeds the budget.
        if left > 0 {
            square = product(&square, &square)?;
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(a: i64, b: u64) -> RBig {
        RBig::from_parts(a.into(), b.into())
    }

    #[test]
    fn a_ball_holds_the_exact_result() {
        let third = Ball::rational(&ratio(1, 3), 64).unwrap();
        let one = third.times(&Ball::integer(3), 64).unwrap();
        assert!(one.minus(&Ball::integer(1), 64).unwrap().contains_zero());
        let root = Ball::integer(2).root(2, 200).unwrap();
        let two = root.times(&root, 200).unwrap();
        let difference = two.minus(&Ball::integer(2), 200).unwrap();
        assert!(difference.contains_zero() && difference.error().unwrap() < -190);
    }

    #[test]
    fn different_numbers_are_told_apart() {
        let a = Ball::rational(&ratio(1, 3), 64).unwrap();
        let b = Ball::rational(&ratio(333_333_333_333, 1_000_000_000_000), 64).unwrap();
        assert_eq!(a.minus(&b, 64).unwrap().sign(), Some(true));
    }

    #[test]
    fn a_tiny_term_widens_the_sum_and_is_not_lost() {
        let tiny = Ball { middle: IBig::ONE, radius: UBig::ZERO, exponent: -1000 };
        let sum = Ball::integer(1).plus(&tiny, 64).unwrap();
        assert!(sum.minus(&Ball::integer(1), 64).unwrap().contains_zero());
    }
}
