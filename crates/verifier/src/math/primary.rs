//! The parts of an expression that stand by themselves: numbers, names, fractions, roots, functions.

use dashu_ratio::RBig;

use super::budget::Failure;
use super::expression::{Constant, Expression};
use super::parser::{Parser, times};
use super::token::{Bracket, Function, Kind, Token};

/// An integer from its digits.
pub(super) fn integer(digits: &str) -> Result<Expression, Failure> {
    super::number::decimal(digits, "", "", 0).map(Expression::Number)
}

/// A letter or named symbol; `e`, `i` and pi are constants.
pub(super) fn symbol(name: &str) -> Expression {
    match name {
        "e" => Expression::Constant(Constant::E),
        "i" | "\\imath" => Expression::Constant(Constant::I),
        "\\pi" => Expression::Constant(Constant::Pi),
        _ => Expression::Symbol(name.into()),
    }
}

/// Letters that are read as functions when a parenthesis follows.
fn is_function_letter(name: &str) -> bool {
    matches!(name, "f" | "g" | "h" | "F" | "G" | "H" | "\\phi" | "\\Gamma")
}

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Expression, Failure> {
        if let Some(number) = self.waiting() {
            return number;
        }
        let kind = self.peek().ok_or(Failure::Unknown)?;
        match kind {
            Kind::Number { value, digits } => Ok(self.number(value, digits.as_deref())),
            Kind::Symbol(name) => self.named(name),
            Kind::Word(word) => {
                self.advance();
                Self::letters(word)
            }
            Kind::Text(text) if text.chars().count() == 1 => {
                self.advance();
                Ok(symbol(text))
            }
            Kind::Decoration(mark) => self.decorated(mark),
            Kind::Infinity => {
                self.advance();
                Ok(Expression::Constant(Constant::Infinity))
            }
            Kind::Open(bracket) => self.bracketed(*bracket),
            Kind::Bar => {
                self.advance();
                Ok(Expression::Apply(Function::Abs, vec![self.in_bars()?]))
            }
            Kind::Frac => {
                self.advance();
                let above = self.argument()?;
                let below = self.argument()?;
                Ok(Expression::Quotient(Box::new(above), Box::new(below)))
            }
            Kind::Binom => {
                self.advance();
                let (above, below) = (self.argument()?, self.argument()?);
                Ok(Expression::Apply(Function::Binomial, vec![above, below]))
            }
            Kind::Sqrt => self.root(),
            Kind::Log => self.logarithm(),
            Kind::Function(function) => self.function(*function),
            _ => Err(Failure::Unknown),
        }
    }

    /// A number, or the mixed number that begins with it.
    fn number(&mut self, value: &RBig, digits: Option<&str>) -> Expression {
        self.advance();
        let fraction = digits.and_then(|_| proper_fraction(self.ahead()));
        if let Some((fraction, length)) = fraction
            && !value.is_zero()
        {
            self.skip(length);
            return Expression::Number(value + fraction);
        }
        Expression::Number(value.clone())
    }

    /// A symbol with its subscript and primes, or a function of that name and its arguments.
    fn named(&mut self, name: &str) -> Result<Expression, Failure> {
        self.advance();
        let mut full = self.suffixed(name.to_owned())?;
        if is_function_letter(&full) && self.inverse_mark() {
            full.push_str("^{-1}");
        }
        let calls = is_function_letter(full.split(['_', '\'', '^']).next().unwrap_or(&full));
        let opens = matches!(self.ahead().first(), Some(token)
            if token.kind == Kind::Open(Bracket::Round) && !token.spaced);
        if calls && opens {
            return Ok(Expression::Call(full.into(), self.arguments()?));
        }
        Ok(symbol(&full))
    }

    /// `^{-1}` between the name of a function and its argument.
    fn inverse_mark(&mut self) -> bool {
        let kinds: Vec<&Kind> = self.ahead().iter().take(6).map(|token| &token.kind).collect();
        let [Kind::Caret, open, Kind::Minus, Kind::Number { value, .. }, close, argument] =
            kinds[..]
        else {
            return false;
        };
        let group = *open == Kind::Open(Bracket::Group) && *close == Kind::Close(Bracket::Group);
        let found = group && value.is_one() && *argument == Kind::Open(Bracket::Round);
        self.skip(if found { 5 } else { 0 });
        found
    }

    /// Appends a subscript and primes to a name.
    fn suffixed(&mut self, mut name: String) -> Result<String, Failure> {
        if self.accept(&Kind::Underscore) {
            name.push('_');
            let grouped = self.accept(&Kind::Open(Bracket::Group));
            let mut first = true;
            while let Some(kind) = self.peek() {
                if grouped && *kind == Kind::Close(Bracket::Group) || !grouped && !first {
                    break;
                }
                name.push_str(&spelling(kind).ok_or(Failure::Unknown)?);
                self.advance();
                first = false;
            }
            if grouped {
                self.expect(&Kind::Close(Bracket::Group))?;
            }
        }
        while self.accept(&Kind::Prime) {
            name.push('\'');
        }
        Ok(name)
    }

    /// `\overline{AB}`, `\vec{v}`, `\angle ABC`: one name.
    fn decorated(&mut self, mark: &str) -> Result<Expression, Failure> {
        self.advance();
        let mut name = format!("\\{mark} ");
        if self.accept(&Kind::Open(Bracket::Group)) {
            while let Some(kind) = self.peek().filter(|kind| **kind != Kind::Close(Bracket::Group))
            {
                name.push_str(&spelling(kind).ok_or(Failure::Unknown)?);
                self.advance();
            }
            self.expect(&Kind::Close(Bracket::Group))?;
        } else {
            let kind = self.peek().ok_or(Failure::Unknown)?;
            name.push_str(&spelling(kind).ok_or(Failure::Unknown)?);
            self.advance();
        }
        Ok(Expression::Symbol(self.suffixed(name)?.into()))
    }

    fn bracketed(&mut self, bracket: Bracket) -> Result<Expression, Failure> {
        self.advance();
        let value = self.without_bars(Self::sum)?;
        let value = match bracket {
            Bracket::Group if self.accept(&Kind::Choose) => {
                let below = self.without_bars(Self::sum)?;
                Expression::Apply(Function::Binomial, vec![value, below])
            }
            Bracket::Floor => Expression::Apply(Function::Floor, vec![value]),
            Bracket::Ceil => Expression::Apply(Function::Ceil, vec![value]),
            Bracket::Round | Bracket::Square | Bracket::Group => value,
            Bracket::Curly | Bracket::Angle => return Err(Failure::Unknown),
        };
        self.expect(&Kind::Close(bracket))?;
        Ok(value)
    }

    fn root(&mut self) -> Result<Expression, Failure> {
        self.advance();
        let mut index = Expression::integer(2);
        if self.accept(&Kind::Open(Bracket::Square)) {
            index = self.without_bars(Self::sum)?;
            self.expect(&Kind::Close(Bracket::Square))?;
        }
        // `\sqrt12` is written by models for the root of 12.
        let radicand = match self.peek() {
            Some(Kind::Number { value, .. }) => {
                self.advance();
                Expression::Number(value.clone())
            }
            _ => self.argument()?,
        };
        Ok(Expression::Root(Box::new(radicand), Box::new(index)))
    }

    fn logarithm(&mut self) -> Result<Expression, Failure> {
        self.advance();
        let base = if self.accept(&Kind::Underscore) {
            // `\log_28` is base 2 of 8, `\log_10 8` and `log_10(8)` base 10.
            match (self.peek(), self.ahead().get(1).map(|token| &token.kind)) {
                (Some(Kind::Number { value, .. }), Some(next)) if begins_argument(next) => {
                    self.advance();
                    Expression::Number(value.clone())
                }
                _ => self.argument()?,
            }
        } else {
            Expression::integer(10)
        };
        let power = self.exponent()?;
        let argument = self.operand()?;
        let ln = |x| Expression::Apply(Function::Ln, vec![x]);
        let value = Expression::Quotient(Box::new(ln(argument)), Box::new(ln(base)));
        Ok(raise(value, power))
    }

    fn function(&mut self, function: Function) -> Result<Expression, Failure> {
        self.advance();
        if matches!(
            function,
            Function::Max | Function::Min | Function::Gcd | Function::Lcm | Function::Binomial
        ) {
            return Ok(Expression::Apply(function, self.arguments()?));
        }
        let power = self.exponent()?;
        let argument = self.operand()?;
        let inverse = match function {
            Function::Sin => Some(Function::Arcsin),
            Function::Cos => Some(Function::Arccos),
            Function::Tan => Some(Function::Arctan),
            _ => None,
        };
        match (power, inverse) {
            (Some(Expression::Number(value)), Some(inverse)) if value == -RBig::ONE => {
                Ok(Expression::Apply(inverse, vec![argument]))
            }
            (power, _) => Ok(raise(Expression::Apply(function, vec![argument]), power)),
        }
    }

    /// The power between a function and its argument: `\sin^2 x`.
    fn exponent(&mut self) -> Result<Option<Expression>, Failure> {
        if !self.accept(&Kind::Caret) {
            return Ok(None);
        }
        let minus = self.accept(&Kind::Minus);
        let power = self.argument()?;
        Ok(Some(if minus { power.negated() } else { power }))
    }

    /// What a function applies to: one bracket, or the factors up to the next sign or function.
    fn operand(&mut self) -> Result<Expression, Failure> {
        let bracket = matches!(self.peek(), Some(Kind::Open(Bracket::Round | Bracket::Group)));
        if bracket {
            return self.primary();
        }
        let mut value = self.unary()?;
        while self.begins_factor()
            && !matches!(self.peek(), Some(Kind::Function(_) | Kind::Log | Kind::Open(_)))
        {
            value = times(value, self.power()?);
        }
        Ok(value)
    }

    /// `(a, b, ...)`
    fn arguments(&mut self) -> Result<Vec<Expression>, Failure> {
        self.expect(&Kind::Open(Bracket::Round))?;
        let mut found = vec![self.without_bars(Self::sum)?];
        while self.accept(&Kind::Comma) {
            found.push(self.without_bars(Self::sum)?);
        }
        self.expect(&Kind::Close(Bracket::Round))?;
        Ok(found)
    }
}

fn raise(value: Expression, power: Option<Expression>) -> Expression {
    match power {
        Some(power) => Expression::Power(Box::new(value), Box::new(power)),
        None => value,
    }
}

fn begins_argument(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Number { .. }
            | Kind::Symbol(_)
            | Kind::Open(_)
            | Kind::Frac
            | Kind::Sqrt
            | Kind::Function(_)
            | Kind::Word(_)
            | Kind::Bar
            | Kind::Caret
    )
}

/// The proper fraction of integers at the start of `tokens`, and how many tokens it takes:
/// `\frac{1}{2}`, `\frac12`, or ` 1/2` after a space.
fn proper_fraction(tokens: &[Token]) -> Option<(RBig, usize)> {
    let digits = |at: usize| match &tokens.get(at)?.kind {
        Kind::Number { digits: Some(digits), .. } => Some(&**digits),
        _ => None,
    };
    let is = |at: usize, kind: Kind| tokens.get(at).is_some_and(|token| token.kind == kind);
    let (open, close) = (Kind::Open(Bracket::Group), Kind::Close(Bracket::Group));
    let (above, below, length) = if is(0, Kind::Frac) {
        if is(1, open.clone()) && is(3, close.clone()) && is(4, open) && is(6, close) {
            (digits(2)?, digits(5)?, 7)
        } else {
            let both = digits(1).filter(|digits| digits.len() == 2)?;
            (&both[..1], &both[1..], 2)
        }
    } else if is(1, Kind::Over) && tokens[0].spaced {
        (digits(0)?, digits(2)?, 3)
    } else {
        return None;
    };
    // `1 1/2^3` and `1 1/2!` are something else.
    if is(length, Kind::Caret) || is(length, Kind::Bang) {
        return None;
    }
    let value = |digits: &str| super::number::decimal(digits, "", "", 0).ok();
    let (above, below) = (value(above)?, value(below)?);
    (RBig::ZERO < above && above < below).then(|| (above / below, length))
}

/// How a token is written inside a name.
fn spelling(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Number { digits: Some(digits), .. } => digits.to_string(),
        Kind::Symbol(name) | Kind::Word(name) => name.to_string(),
        Kind::Text(text) => text.to_string(),
        Kind::Function(function) => format!("{function:?}").to_lowercase(),
        Kind::Infinity => "\\infty".to_owned(),
        Kind::Comma => ",".to_owned(),
        Kind::Plus => "+".to_owned(),
        Kind::Minus => "-".to_owned(),
        Kind::Prime => "'".to_owned(),
        Kind::Open(Bracket::Round) => "(".to_owned(),
        Kind::Close(Bracket::Round) => ")".to_owned(),
        _ => return None,
    })
}
