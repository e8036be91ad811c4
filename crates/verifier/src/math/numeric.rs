//! Expressions evaluated within balls: refutes soundly, and supports confirmation by a precision far
//! beyond what the size of the expressions explains.

use dashu_base::UnsignedAbs;
use dashu_int::IBig;
use dashu_ratio::RBig;

use super::ball::Ball;
use super::budget::{Budget, Failure};
use super::complex::Complex;
use super::elementary::Elementary;
use super::expression::{Constant, Expression};
use super::number;
use super::token::{Function, Name};

/// Evaluates expressions at one precision and one choice of the variables.
pub(crate) struct Evaluator<'a> {
    pub(crate) functions: Elementary,
    pub(crate) values: &'a [(Name, RBig)],
    /// Roots and logarithms of negative numbers exist.
    pub(crate) complex: bool,
    /// Sum of the magnitudes, in bits, of all values met: how much precision size alone explains.
    pub(crate) weight: i64,
    pub(crate) budget: &'a mut Budget,
}

impl Evaluator<'_> {
    fn precision(&self) -> i64 {
        self.functions.precision
    }

    pub(crate) fn value(&mut self, expression: &Expression) -> Result<Complex, Failure> {
        let words = (self.precision() / 64) as usize;
        self.budget.charge(8 + words * words / 4)?;
        let value = self.compute(expression)?;
        // A literal can agree with anything to as many bits as it has.
        if let Expression::Number(literal) = expression {
            self.weight += number::bits(literal) as i64;
        }
        for part in [&value.re, &value.im] {
            if !part.contains_zero() {
                self.weight += part.magnitude().abs();
            }
        }
        Ok(value)
    }

    fn compute(&mut self, expression: &Expression) -> Result<Complex, Failure> {
        let precision = self.precision();
        match expression {
            Expression::Number(value) => Ball::rational(value, precision).map(Complex::real),
            Expression::Symbol(name) => {
                let value = self.values.iter().find(|(known, _)| known == name);
                let (_, value) = value.ok_or(Failure::Unsupported)?;
                Ball::rational(value, precision).map(Complex::real)
            }
            Expression::Constant(constant) => self.constant(*constant),
            Expression::Sum(terms) => {
                let mut sum = Complex::real(Ball::integer(0));
                for term in terms {
                    sum = sum.plus(&self.value(term)?, precision)?;
                }
                Ok(sum)
            }
            Expression::Product(factors) => {
                let mut product = Complex::real(Ball::integer(1));
                for factor in factors {
                    product = product.times(&self.value(factor)?, precision)?;
                }
                Ok(product)
            }
            Expression::Quotient(above, below) => {
                let above = self.value(above)?;
                above.over(&self.value(below)?, precision)
            }
            Expression::Power(base, exponent) => self.power(base, exponent),
            Expression::Root(radicand, index) => {
                let index = rational(index).as_ref().and_then(number::small);
                let index = index.and_then(|index| u32::try_from(index).ok()).filter(|n| *n >= 1);
                let index = index.filter(|n| *n <= 64).ok_or(Failure::Unsupported)?;
                let value = self.value(radicand)?;
                value.root(index, &self.functions, self.complex)
            }
            Expression::Apply(function, arguments) => self.apply(*function, arguments),
            Expression::Call(..) | Expression::Choice(..) => Err(Failure::Unsupported),
        }
    }

    fn constant(&self, constant: Constant) -> Result<Complex, Failure> {
        let precision = self.precision();
        Ok(match constant {
            Constant::Pi => Complex::real(self.functions.pi()?),
            Constant::E => Complex::real(self.functions.exp(&Ball::integer(1))?),
            Constant::I => Complex { re: Ball::integer(0), im: Ball::integer(1) },
            Constant::Infinity => return Err(Failure::Undefined),
            Constant::Degree => {
                let pi = self.functions.pi()?;
                Complex::real(pi.over(&Ball::integer(180), precision)?)
            }
            Constant::Percent => {
                Complex::real(Ball::integer(1).over(&Ball::integer(100), precision)?)
            }
        })
    }

    fn power(&mut self, base: &Expression, exponent: &Expression) -> Result<Complex, Failure> {
        let precision = self.precision();
        let value = self.value(base)?;
        if let Some(exponent) = rational(exponent) {
            let above = exponent.numerator().unsigned_abs();
            let above = u64::try_from(&above).ok().filter(|n| *n < 1 << 20);
            let below = u32::try_from(exponent.denominator()).ok().filter(|n| *n <= 64);
            if let (Some(above), Some(below)) = (above, below) {
                let root = match below {
                    1 => value,
                    _ => value.root(below, &self.functions, self.complex)?,
                };
                if above == 0 && root.contains_zero() {
                    return Err(Failure::Undefined);
                }
                let power = root.power(above, precision)?;
                if *exponent.numerator() >= IBig::ZERO {
                    return Ok(power);
                }
                return Complex::real(Ball::integer(1)).over(&power, precision);
            }
        }
        let exponent = self.value(exponent)?;
        self.budget.charge((precision * precision / 128) as usize)?;
        let log = value.ln(&self.functions, self.complex)?;
        log.times(&exponent, precision)?.exp(&self.functions)
    }

    fn apply(&mut self, function: Function, arguments: &[Expression]) -> Result<Complex, Failure> {
        let [argument] = arguments else { return self.exact(function, arguments) };
        if matches!(function, Function::Factorial | Function::DoubleFactorial) {
            return self.exact(function, arguments);
        }
        let x = self.value(argument)?;
        let precision = self.precision();
        // A series has terms in proportion to the precision, each as long as it.
        self.budget.charge((precision * precision / 256) as usize)?;
        let functions = &self.functions;
        let ratio = |a: Complex, b: &Complex| a.over(b, precision);
        let one = Complex::real(Ball::integer(1));
        match function {
            Function::Sin => Ok(x.sin_cos(functions)?.0),
            Function::Cos => Ok(x.sin_cos(functions)?.1),
            Function::Tan => {
                let (sin, cos) = x.sin_cos(functions)?;
                ratio(sin, &cos)
            }
            Function::Cot => {
                let (sin, cos) = x.sin_cos(functions)?;
                ratio(cos, &sin)
            }
            Function::Sec => ratio(one, &x.sin_cos(functions)?.1),
            Function::Csc => ratio(one, &x.sin_cos(functions)?.0),
            Function::Ln => x.ln(functions, self.complex),
            Function::Exp => x.exp(functions),
            Function::Abs => x.absolute(functions).map(Complex::real),
            Function::Sinh | Function::Cosh | Function::Tanh => hyperbolic(function, &x, functions),
            Function::Arcsin | Function::Arccos | Function::Arctan if x.is_real() => {
                inverse(function, &x.re, functions).map(Complex::real)
            }
            Function::Floor if x.is_real() => {
                let floor = x.re.floor().ok_or(Failure::Unknown)?;
                Ball::rational(&RBig::from(floor), precision).map(Complex::real)
            }
            Function::Ceil if x.is_real() => {
                let floor = x.re.floor().ok_or(Failure::Unknown)?;
                Ball::rational(&RBig::from(floor + IBig::ONE), precision).map(Complex::real)
            }
            _ => Err(Failure::Unsupported),
        }
    }

    /// Functions of integers, where the arguments are literal.
    fn exact(&mut self, function: Function, arguments: &[Expression]) -> Result<Complex, Failure> {
        let numbers: Option<Vec<RBig>> = arguments.iter().map(rational).collect();
        let numbers = numbers.ok_or(Failure::Unsupported)?;
        let value = match (function, numbers.as_slice()) {
            (Function::Factorial, [n]) => number::factorial(n, 1, self.budget)?,
            (Function::DoubleFactorial, [n]) => number::factorial(n, 2, self.budget)?,
            (Function::Binomial, [n, k]) => {
                let k = number::small(k).ok_or(Failure::Unsupported)?;
                number::binomial(n, k, self.budget)?
            }
            _ => return Err(Failure::Unsupported),
        };
        Ball::rational(&value, self.precision()).map(Complex::real)
    }
}

fn hyperbolic(function: Function, x: &Complex, functions: &Elementary) -> Result<Complex, Failure> {
    let precision = functions.precision;
    let (plus, minus) = (x.exp(functions)?, x.negated().exp(functions)?);
    let two = Complex::real(Ball::integer(2));
    match function {
        Function::Sinh => plus.minus(&minus, precision)?.over(&two, precision),
        Function::Cosh => plus.plus(&minus, precision)?.over(&two, precision),
        _ => {
            let below = plus.plus(&minus, precision)?;
            plus.minus(&minus, precision)?.over(&below, precision)
        }
    }
}

/// Inverse sine, cosine and tangent of a real number.
fn inverse(function: Function, x: &Ball, functions: &Elementary) -> Result<Ball, Failure> {
    let precision = functions.precision;
    if function == Function::Arctan {
        return functions.atan(x);
    }
    let one = Ball::integer(1);
    let rest = one.minus(&x.times(x, precision)?, precision)?;
    let half = {
        let pi = functions.pi()?;
        Ball { exponent: pi.exponent - 1, ..pi }
    };
    let sine = if rest.is_exact_zero() {
        if x.sign() == Some(true) { half.clone() } else { half.negated() }
    } else {
        functions.atan(&x.over(&rest.root(2, precision)?, precision)?)?
    };
    if function == Function::Arcsin { Ok(sine) } else { half.minus(&sine, precision) }
}

/// The value of a literal rational number: signs, sums, products and quotients of numbers.
pub(crate) fn rational(expression: &Expression) -> Option<RBig> {
    match expression {
        Expression::Number(value) => Some(value.clone()),
        Expression::Sum(terms) => {
            terms.iter().map(rational).try_fold(RBig::ZERO, |a, b| Some(a + b?))
        }
        Expression::Product(factors) => {
            factors.iter().map(rational).try_fold(RBig::ONE, |a, b| Some(a * b?))
        }
        Expression::Quotient(above, below) => {
            let below = rational(below).filter(|value| !value.is_zero())?;
            Some(rational(above)? / below)
        }
        _ => None,
    }
}

/// Precisions, in bits, that signs are looked for at.
const PRECISIONS: [i64; 3] = [64, 256, 1024];

/// Applies `test` to a constant at growing precision until it answers.
fn search<T>(
    expression: &Expression,
    values: &[(Name, RBig)],
    budget: &mut Budget,
    test: impl Fn(&Complex) -> Option<T>,
) -> Result<Option<T>, Failure> {
    for precision in PRECISIONS {
        let functions = Elementary::new(precision);
        let mut evaluator = Evaluator { functions, values, complex: true, weight: 0, budget };
        match evaluator.value(expression) {
            Ok(value) => {
                if let Some(found) = test(&value) {
                    return Ok(Some(found));
                }
            }
            Err(Failure::Unknown) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// The sign of a real constant: `Some(true)` for positive, `None` if it may be zero.
pub(crate) fn sign(expression: &Expression, budget: &mut Budget) -> Result<Option<bool>, Failure> {
    search(expression, &[], budget, |value| if value.is_real() { value.re.sign() } else { None })
}

/// The floor of a real constant that is surely no integer.
pub(crate) fn floor(expression: &Expression, budget: &mut Budget) -> Result<Option<IBig>, Failure> {
    search(expression, &[], budget, |value| if value.is_real() { value.re.floor() } else { None })
}

/// True if the expression is surely not zero (for some values of its variables).
pub(crate) fn is_nonzero(expression: &Expression, budget: &mut Budget) -> Result<bool, Failure> {
    for point in 0..3 {
        let values = super::sample::point(&expression.variables(), point);
        let found =
            search(expression, &values, budget, |value| (!value.contains_zero()).then_some(()));
        match found {
            Ok(Some(())) => return Ok(true),
            Ok(None) | Err(Failure::Undefined) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(false)
}
