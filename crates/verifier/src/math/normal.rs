//! Expressions to normal forms.

use dashu_ratio::RBig;

use super::atom::Atom;
use super::budget::Failure;
use super::expression::{Constant, Expression};
use super::form::{Algebra, Form};
use super::numeric;
use super::power;
use super::token::Function;
use super::transcendental;

/// The normal form of an expression without sign choices.
pub(crate) fn normal(expression: &Expression, algebra: &mut Algebra) -> Result<Form, Failure> {
    algebra.budget.charge(2)?;
    match expression {
        Expression::Number(value) => Ok(Form::constant(value.clone())),
        Expression::Symbol(name) => Form::atom(Atom::Symbol(name.clone()), algebra),
        Expression::Constant(constant) => self::constant(*constant, algebra),
        Expression::Sum(terms) => {
            let mut sum = Form::constant(RBig::ZERO);
            for term in terms {
                let term = normal(term, algebra)?;
                sum = sum.plus(&term, algebra)?;
            }
            Ok(sum)
        }
        Expression::Product(factors) => {
            let mut product = Form::constant(RBig::ONE);
            for factor in factors {
                let factor = normal(factor, algebra)?;
                product = product.times(&factor, algebra)?;
            }
            Ok(product)
        }
        Expression::Quotient(above, below) => {
            let above = normal(above, algebra)?;
            let divisor = normal(below, algebra)?;
            surely_nonzero(below, &divisor, algebra)?;
            above.times(&divisor.inverted(algebra)?, algebra)
        }
        Expression::Power(base, exponent) => {
            let base_form = normal(base, algebra)?;
            let exponent = normal(exponent, algebra)?;
            if exponent.is_negative() {
                surely_nonzero(base, &base_form, algebra)?;
            }
            power::power(&base_form, &exponent, algebra)
        }
        Expression::Root(radicand, index) => {
            let radicand = normal(radicand, algebra)?;
            let index = normal(index, algebra)?;
            power::power(&radicand, &index.inverted(algebra)?, algebra)
        }
        Expression::Apply(function, arguments) => apply(*function, arguments, algebra),
        Expression::Call(name, arguments) => {
            let arguments: Result<Vec<Form>, Failure> =
                arguments.iter().map(|argument| normal(argument, algebra)).collect();
            Form::atom(Atom::Call(name.clone(), arguments?), algebra)
        }
        Expression::Choice(..) => Err(Failure::Unknown),
    }
}

fn constant(constant: Constant, algebra: &mut Algebra) -> Result<Form, Failure> {
    match constant {
        Constant::Pi => Form::atom(Atom::Pi, algebra),
        Constant::E => Form::atom(Atom::E, algebra),
        Constant::I => Form::atom(Atom::I, algebra),
        Constant::Infinity => Err(Failure::Undefined),
        Constant::Degree => {
            let pi = Form::atom(Atom::Pi, algebra)?;
            Ok(pi.scaled(&RBig::from_parts(1.into(), 180u8.into())))
        }
        Constant::Percent => Ok(Form::constant(RBig::from_parts(1.into(), 100u8.into()))),
    }
}

/// A divisor whose normal form is not zero may still be zero where atoms obey hidden relations
/// (`sin^2 1 + cos^2 1 - 1` under other names); a ball that excludes zero rules that out.
fn surely_nonzero(
    expression: &Expression,
    form: &Form,
    algebra: &mut Algebra,
) -> Result<(), Failure> {
    let (common, rest) = form.above.split_common()?;
    if algebra.atoms.never_zero(&common) && algebra.atoms.independent(&rest) {
        return Ok(());
    }
    if numeric::is_nonzero(expression, &mut algebra.budget)? {
        Ok(())
    } else {
        Err(Failure::Unknown)
    }
}

fn apply(
    function: Function,
    arguments: &[Expression],
    algebra: &mut Algebra,
) -> Result<Form, Failure> {
    let forms: Result<Vec<Form>, Failure> =
        arguments.iter().map(|argument| normal(argument, algebra)).collect();
    let forms = forms?;
    match (function, forms.as_slice(), arguments) {
        (Function::Exp, [x], _) => {
            let e = Form::atom(Atom::E, algebra)?;
            power::power(&e, x, algebra)
        }
        (Function::Ln, [x], _) => transcendental::logarithm(x, algebra),
        (Function::Abs | Function::Floor | Function::Ceil, [x], [argument]) => {
            transcendental::step(function, x, argument, algebra)
        }
        (Function::Factorial, [x], _) => transcendental::factorial(x, algebra),
        (Function::DoubleFactorial, [x], _) => match x.as_constant() {
            Some(n) => super::number::factorial(&n, 2, &mut algebra.budget).map(Form::constant),
            None => opaque(function, forms, algebra),
        },
        (Function::Binomial, [n, k], _) => transcendental::binomial(n, k, algebra),
        (Function::Max | Function::Min | Function::Gcd | Function::Lcm | Function::Mod, _, _) => {
            transcendental::arithmetic(function, forms, algebra)
        }
        (_, [x], _) => transcendental::circular(function, x, algebra),
        _ => Err(Failure::Unknown),
    }
}

/// The function applied to forms as an atom.
pub(super) fn opaque(
    function: Function,
    arguments: Vec<Form>,
    algebra: &mut Algebra,
) -> Result<Form, Failure> {
    Form::atom(Atom::Apply(function, arguments), algebra)
}
