//! Complex balls. A number whose imaginary part is exactly zero is real, and functions treat it so.

use super::ball::{Ball, by_squaring};
use super::budget::Failure;
use super::elementary::Elementary;

/// A complex number within two balls.
#[derive(Clone, Debug)]
pub(crate) struct Complex {
    pub(crate) re: Ball,
    pub(crate) im: Ball,
}

impl Complex {
    pub(crate) fn real(re: Ball) -> Self {
        Self { re, im: Ball::integer(0) }
    }

    pub(crate) fn is_real(&self) -> bool {
        self.im.is_exact_zero()
    }

    pub(crate) fn contains_zero(&self) -> bool {
        self.re.contains_zero() && self.im.contains_zero()
    }

    pub(crate) fn negated(&self) -> Self {
        Self { re: self.re.negated(), im: self.im.negated() }
    }

    pub(crate) fn plus(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        Ok(Self {
            re: self.re.plus(&other.re, precision)?,
            im: self.im.plus(&other.im, precision)?,
        })
    }

    pub(crate) fn minus(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        self.plus(&other.negated(), precision)
    }

    pub(crate) fn times(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        if self.is_real() && other.is_real() {
            return Ok(Self::real(self.re.times(&other.re, precision)?));
        }
        let product = |a: &Ball, b: &Ball| a.times(b, precision);
        let re = product(&self.re, &other.re)?.minus(&product(&self.im, &other.im)?, precision)?;
        let im = product(&self.re, &other.im)?.plus(&product(&self.im, &other.re)?, precision)?;
        Ok(Self { re, im })
    }

    pub(crate) fn over(&self, other: &Self, precision: i64) -> Result<Self, Failure> {
        if other.is_real() {
            return Ok(Self {
                re: self.re.over(&other.re, precision)?,
                im: self.im.over(&other.re, precision)?,
            });
        }
        let norm = other.norm(precision)?;
        let conjugate = Self { re: other.re.clone(), im: other.im.negated() };
        let above = self.times(&conjugate, precision)?;
        Ok(Self { re: above.re.over(&norm, precision)?, im: above.im.over(&norm, precision)? })
    }

    /// `re^2 + im^2`.
    fn norm(&self, precision: i64) -> Result<Ball, Failure> {
        let square = |x: &Ball| x.times(x, precision);
        square(&self.re)?.plus(&square(&self.im)?, precision)
    }

    pub(crate) fn power(&self, times: u64, precision: i64) -> Result<Self, Failure> {
        if self.is_real() {
            return Ok(Self::real(self.re.power(times, precision)?));
        }
        let one = Self::real(Ball::integer(1));
        by_squaring(one, self, times, |a, b| a.times(b, precision))
    }

    pub(crate) fn absolute(&self, functions: &Elementary) -> Result<Ball, Failure> {
        if !self.is_real() {
            return self.norm(functions.precision)?.root(2, functions.precision);
        }
        if self.re.is_exact_zero() {
            return Ok(self.re.clone());
        }
        self.re.magnitude_ball().ok_or(Failure::Unknown)
    }

    pub(crate) fn exp(&self, functions: &Elementary) -> Result<Self, Failure> {
        let size = functions.exp(&self.re)?;
        if self.is_real() {
            return Ok(Self::real(size));
        }
        let (sin, cos) = functions.sin_cos(&self.im)?;
        let precision = functions.precision;
        Ok(Self { re: size.times(&cos, precision)?, im: size.times(&sin, precision)? })
    }

    /// The principal logarithm. On the real line it is real, and undefined for negative numbers
    /// unless `complex` numbers are wanted.
    pub(crate) fn ln(&self, functions: &Elementary, complex: bool) -> Result<Self, Failure> {
        if self.is_real() {
            return match self.re.sign() {
                Some(false) if complex => {
                    let re = functions.ln(&self.re.negated())?;
                    Ok(Self { re, im: functions.pi()? })
                }
                _ => functions.ln(&self.re).map(Self::real),
            };
        }
        let norm = functions.ln(&self.norm(functions.precision)?)?;
        let re = Ball { exponent: norm.exponent - 1, ..norm };
        Ok(Self { re, im: self.argument(functions)? })
    }

    /// The angle in (-pi, pi].
    fn argument(&self, functions: &Elementary) -> Result<Ball, Failure> {
        let precision = functions.precision;
        let half_pi = {
            let pi = functions.pi()?;
            Ball { exponent: pi.exponent - 1, ..pi }
        };
        match (self.re.sign(), self.im.sign()) {
            (Some(true), _) => functions.atan(&self.im.over(&self.re, precision)?),
            // Left or right of the imaginary axis: turn by a quarter.
            (_, Some(up)) => {
                let turned = functions.atan(&self.re.over(&self.im, precision)?)?;
                let half_pi = if up { half_pi } else { half_pi.negated() };
                half_pi.minus(&turned, precision)
            }
            // Across the cut, or around zero.
            _ => Err(Failure::Unknown),
        }
    }

    /// The principal root of a number that is not real and negative; odd roots of negative real
    /// numbers are real.
    pub(crate) fn root(
        &self,
        index: u32,
        functions: &Elementary,
        complex: bool,
    ) -> Result<Self, Failure> {
        let precision = functions.precision;
        if self.is_real() {
            let negative = self.re.sign() == Some(false);
            if !negative {
                return self.re.root(index as usize, precision).map(Self::real);
            }
            let root = self.re.negated().root(index as usize, precision)?;
            if index % 2 == 1 {
                return Ok(Self::real(root.negated()));
            }
            if !complex {
                return Err(Failure::Undefined);
            }
            if index == 2 {
                return Ok(Self { re: Ball::integer(0), im: root });
            }
        }
        let index = Self::real(Ball::integer(i64::from(index)));
        self.ln(functions, complex)?.over(&index, precision)?.exp(functions)
    }

    /// Sine and cosine, through the exponential for numbers that are not real.
    pub(crate) fn sin_cos(&self, functions: &Elementary) -> Result<(Self, Self), Failure> {
        if self.is_real() {
            let (sin, cos) = functions.sin_cos(&self.re)?;
            return Ok((Self::real(sin), Self::real(cos)));
        }
        let precision = functions.precision;
        let turned = Self { re: self.im.negated(), im: self.re.clone() };
        let (plus, minus) = (turned.exp(functions)?, turned.negated().exp(functions)?);
        let half = |value: Self| Self {
            re: Ball { exponent: value.re.exponent - 1, ..value.re },
            im: Ball { exponent: value.im.exponent - 1, ..value.im },
        };
        let cos = half(plus.plus(&minus, precision)?);
        let difference = half(plus.minus(&minus, precision)?);
        // sin z = (e^iz - e^-iz) / 2i
        let sin = Self { re: difference.im, im: difference.re.negated() };
        Ok((sin, cos))
    }
}
