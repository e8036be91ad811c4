//! Elementary functions of balls.
//!
//! Each is computed in fixed point with `GUARD` more bits than asked for. A series of `n` terms loses
//! at most a few units per term and doubles them in at most `HALVINGS` steps, which stays below
//! `2^SLACK` units for every precision used here.

use std::cell::OnceCell;

use dashu_base::{BitTest, UnsignedAbs};
use dashu_int::IBig;

use super::ball::Ball;
use super::budget::Failure;

const GUARD: i64 = 48;
const SLACK: i64 = 34;
const HALVINGS: usize = 8;
/// Largest magnitude (a binary logarithm) of an argument of exp, sin and cos.
const MAX_ARGUMENT: i64 = 40;

/// The constants that reductions need, to a fixed number of places.
#[derive(Clone, Debug)]
pub(crate) struct Elementary {
    /// Bits of the results.
    pub(crate) precision: i64,
    places: i64,
    pi: OnceCell<IBig>,
    ln2: OnceCell<IBig>,
}

impl Elementary {
    pub(crate) fn new(precision: i64) -> Self {
        let places = precision + GUARD + MAX_ARGUMENT;
        Self { precision, places, pi: OnceCell::new(), ln2: OnceCell::new() }
    }

    fn fixed_pi(&self) -> &IBig {
        self.pi.get_or_init(|| pi(self.places))
    }

    fn fixed_ln2(&self) -> &IBig {
        self.ln2.get_or_init(|| ln2(self.places))
    }

    fn ball(&self, middle: IBig, places: i64) -> Result<Ball, Failure> {
        let exact = Ball { middle, radius: dashu_int::UBig::ZERO, exponent: -places };
        exact.widened(SLACK - places).rounded(self.precision + 8)
    }

    pub(crate) fn pi(&self) -> Result<Ball, Failure> {
        self.ball(self.fixed_pi().clone(), self.places)
    }

    pub(crate) fn exp(&self, x: &Ball) -> Result<Ball, Failure> {
        if x.is_exact_zero() {
            return Ok(Ball::integer(1));
        }
        if x.magnitude() > 17 || x.error().is_some_and(|error| error > -2) {
            return Err(Failure::Unknown);
        }
        let places = self.places;
        let fixed = x.fixed(places);
        let twos = &fixed / self.fixed_ln2();
        let rest = fixed - &twos * self.fixed_ln2();
        let twos = i64::try_from(&twos).map_err(|_| Failure::Unknown)?;
        let small = rest >> HALVINGS;
        let one = IBig::ONE << places as usize;
        let (mut sum, mut term) = (one.clone(), one);
        for n in 1..2_000u32 {
            term = ((term * &small) >> places as usize) / n;
            if term.is_zero() || term == -IBig::ONE {
                break;
            }
            sum += &term;
        }
        for _ in 0..HALVINGS {
            sum = (&sum * &sum) >> places as usize;
        }
        let mut value = self.ball(sum, places)?;
        value.exponent += twos;
        // |e^(x + r) - e^x| <= 2 r e^x for r <= 1/4; e^x < 2^(magnitude + 1).
        match x.error() {
            Some(error) => value.widened(error + value.magnitude() + 2).rounded(self.precision),
            None => value.rounded(self.precision),
        }
    }

    /// Natural logarithm of a positive ball.
    pub(crate) fn ln(&self, x: &Ball) -> Result<Ball, Failure> {
        match x.sign() {
            Some(true) => {}
            None if !x.is_exact_zero() => return Err(Failure::Unknown),
            _ => return Err(Failure::Undefined),
        }
        let places = self.places;
        // x = m 2^twos with 1/2 <= m < 1, and sqrt(1/2) nearer to 1.
        let twos = x.magnitude();
        let scaled = Ball { exponent: x.exponent - twos, ..x.clone() };
        let middle = scaled.fixed(places);
        let one = IBig::ONE << places as usize;
        let ratio = ((&middle - &one) << places as usize) / (&middle + &one);
        let log = atanh(&ratio, places) * IBig::from(2) + self.fixed_ln2() * IBig::from(twos);
        let value = self.ball(log, places)?;
        // |ln(x + r) - ln x| <= r / (x - r) <= 2 r / x where r <= x / 2.
        match x.error() {
            Some(error) if error > twos - 3 => Err(Failure::Unknown),
            Some(error) => value.widened(error - twos + 3).rounded(self.precision),
            None => value.rounded(self.precision),
        }
    }

    /// Sine and cosine.
    pub(crate) fn sin_cos(&self, x: &Ball) -> Result<(Ball, Ball), Failure> {
        if x.is_exact_zero() {
            return Ok((Ball::integer(0), Ball::integer(1)));
        }
        if x.magnitude() > MAX_ARGUMENT || x.error().is_some_and(|error| error > 0) {
            return Err(Failure::Unknown);
        }
        let places = self.places;
        let fixed = x.fixed(places);
        // The nearest multiple of pi/2.
        let half = self.fixed_pi() >> 1;
        let quarter = self.fixed_pi() >> 2;
        let sign = if fixed < IBig::ZERO { -1 } else { 1 };
        let turns = (&fixed + &quarter * IBig::from(sign)) / &half;
        let rest = &fixed - &turns * self.fixed_pi() / IBig::from(2);
        let (sin, cos) = sin_cos_series(&rest, places);
        let turns = i64::try_from(&turns).map_err(|_| Failure::Unknown)?.rem_euclid(4);
        let (sin, cos) = match turns {
            0 => (sin, cos),
            1 => (cos, -sin),
            2 => (-sin, -cos),
            _ => (-cos, sin),
        };
        // The reduction multiplies the error of pi by at most 2^MAX_ARGUMENT.
        let places_left = places - MAX_ARGUMENT;
        let finish = |value: IBig| {
            let value = self.ball(value, places)?.widened(16 - places_left);
            match x.error() {
                Some(error) => value.widened(error).rounded(self.precision),
                None => value.rounded(self.precision),
            }
        };
        Ok((finish(sin)?, finish(cos)?))
    }

    pub(crate) fn atan(&self, x: &Ball) -> Result<Ball, Failure> {
        if x.is_exact_zero() {
            return Ok(x.clone());
        }
        let places = self.places;
        let one = Ball::integer(1);
        let precision = places;
        if x.magnitude() > 1 {
            // pi/2 - atan(1/x), mirrored for negative x.
            let Some(positive) = x.sign() else { return Err(Failure::Unknown) };
            let inverse = self.atan(&one.over(x, precision)?)?;
            let half = Ball { exponent: self.pi()?.exponent - 1, ..self.pi()? };
            let half = if positive { half } else { half.negated() };
            return half.minus(&inverse, self.precision);
        }
        // Three times: atan x = 2 atan(x / (1 + sqrt(1 + x^2))).
        let mut small = Ball { radius: dashu_int::UBig::ZERO, ..x.clone() };
        for _ in 0..3 {
            let square = small.times(&small, precision)?;
            let root = one.plus(&square, precision)?.root(2, precision)?;
            small = small.over(&one.plus(&root, precision)?, precision)?;
        }
        let fixed = small.fixed(places);
        let series = odd_series(&fixed, places, -1) * IBig::from(8);
        let value = self.ball(series, places)?;
        match x.error() {
            Some(error) => value.widened(error).rounded(self.precision),
            None => value.rounded(self.precision),
        }
    }
}

/// `x + s x^3/3 + x^5/5 + s x^7/7 ...` for the sign `s`: the inverse tangent for -1, the inverse
/// hyperbolic tangent for 1.
fn odd_series(x: &IBig, places: i64, sign: i8) -> IBig {
    let square = (x * x) >> places as usize;
    let (mut power, mut sum) = (x.clone(), x.clone());
    let mut odd = 3u32;
    while (&power).unsigned_abs().bit_len() > 1 {
        power = (&power * &square) >> places as usize;
        if sign < 0 {
            power = -power;
        }
        sum += &power / IBig::from(odd);
        odd += 2;
    }
    sum
}

fn atanh(x: &IBig, places: i64) -> IBig {
    odd_series(x, places, 1)
}

fn sin_cos_series(x: &IBig, places: i64) -> (IBig, IBig) {
    let one = IBig::ONE << places as usize;
    let (mut sin, mut cos) = (x.clone(), one);
    let square = (x * x) >> places as usize;
    let (mut sin_term, mut cos_term) = (sin.clone(), cos.clone());
    let mut n = 1u32;
    while (&sin_term).unsigned_abs().bit_len() > 1 || (&cos_term).unsigned_abs().bit_len() > 1 {
        cos_term = -(((&cos_term * &square) >> places as usize) / IBig::from(n * (n + 1)));
        sin_term = -(((&sin_term * &square) >> places as usize) / IBig::from((n + 1) * (n + 2)));
        cos += &cos_term;
        sin += &sin_term;
        n += 2;
    }
    (sin, cos)
}

/// Machin: `pi = 16 atan(1/5) - 4 atan(1/239)`.
fn pi(places: i64) -> IBig {
    inverse_series(5, places, -1) * IBig::from(16) - inverse_series(239, places, -1) * IBig::from(4)
}

/// `ln 2 = 2 atanh(1/3)`.
fn ln2(places: i64) -> IBig {
    inverse_series(3, places, 1) * IBig::from(2)
}

/// The odd series at `1/n`, by divisions of small numbers only.
fn inverse_series(n: u32, places: i64, sign: i8) -> IBig {
    let mut power = (IBig::ONE << places as usize) / IBig::from(n);
    let mut sum = power.clone();
    let mut odd = 3u32;
    while !power.is_zero() {
        power /= IBig::from(n * n);
        if sign < 0 {
            power = -power;
        }
        sum += &power / IBig::from(odd);
        odd += 2;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ball: &Ball, digits: &str) {
        let value = super::super::number::decimal("0", digits, "", 0).unwrap();
        let value = Ball::rational(&value, 400).unwrap();
        let error = ball.minus(&value, 400).unwrap();
        assert!(error.magnitude() < -160, "{digits}: off by 2^{}", error.magnitude());
    }

    /// Values of a published table, 50 places.
    #[test]
    fn functions_agree_with_published_digits() {
        let functions = Elementary::new(200);
        let ratio = |a: i64, b: i64| Ball::integer(a).over(&Ball::integer(b), 300).unwrap();
        let quarter = ratio(1, 4).times(&functions.pi().unwrap(), 200).unwrap();
        close(&quarter, "78539816339744830961566084581987572104929234984378");
        close(
            &functions.ln(&Ball::integer(2)).unwrap(),
            "69314718055994530941723212145817656807550013436026",
        );
        close(
            &functions.exp(&Ball::integer(-1)).unwrap(),
            "36787944117144232159552377016146086744581113103177",
        );
        let (sin, cos) = functions.sin_cos(&Ball::integer(1)).unwrap();
        close(&sin, "84147098480789650665250232163029899962256306079837");
        close(&cos, "54030230586813971740093660744297660373231042061792");
        close(
            &functions.atan(&ratio(1, 2)).unwrap(),
            "46364760900080611621425623146121440202853705428612",
        );
    }

    #[test]
    fn inverse_functions_cancel_within_the_error() {
        let functions = Elementary::new(128);
        for (a, b) in [(1, 3), (-7, 2), (22, 7), (1, 1000), (-40, 1)] {
            let x = Ball::integer(a).over(&Ball::integer(b), 200).unwrap();
            let back = functions.ln(&functions.exp(&x).unwrap()).unwrap();
            assert!(back.minus(&x, 128).unwrap().contains_zero(), "ln exp {a}/{b}");
            let (sin, cos) = functions.sin_cos(&x).unwrap();
            let one =
                sin.times(&sin, 128).unwrap().plus(&cos.times(&cos, 128).unwrap(), 128).unwrap();
            let gap = one.minus(&Ball::integer(1), 128).unwrap();
            assert!(gap.contains_zero() && gap.error().unwrap() < -110, "{a}/{b}: {gap:?}");
        }
    }
}
