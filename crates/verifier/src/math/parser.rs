//! Tokens to an expression, by precedence.
//!
//! ```text
//! sum     = ['+' | '-' | '±'] product (('+' | '-' | '±') product)*
//! product = unary (('*' | '/' | nothing) unary)*
//! unary   = '-' unary | power
//! power   = postfix ['^' argument]
//! postfix = primary ('!' | '%' | '°')*
//! ```

use dashu_ratio::RBig;

use super::budget::{Failure, MAX_DEPTH, MAX_EXPRESSION};
use super::expression::{Constant, Expression};
use super::token::{Bracket, Kind, Token};
use super::words;

/// Reads all of `tokens` as one expression.
pub(crate) fn expression(tokens: &[Token]) -> Result<Expression, Failure> {
    let mut parser = Parser { tokens, at: 0, depth: 0, bars: 0, choices: 0, rest: None };
    let mut value = parser.sum()?;
    // `n \choose k` without the group around it.
    if parser.accept(&Kind::Choose) {
        let below = parser.sum()?;
        value = Expression::Apply(super::token::Function::Binomial, vec![value, below]);
    }
    if parser.at < tokens.len() || parser.rest.is_some() {
        return Err(Failure::Unknown);
    }
    Ok(value)
}

pub(super) struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    /// Open absolute values.
    bars: usize,
    choices: u8,
    /// What is left of a number or word that an argument without braces took the first sign of.
    rest: Option<Box<str>>,
}

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> Option<&'a Kind> {
        if self.rest.is_some() {
            return None;
        }
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    fn kind(&self, at: usize) -> Option<&'a Kind> {
        self.tokens.get(at).map(|token| &token.kind)
    }

    /// The tokens from here on.
    pub(super) fn ahead(&self) -> &'a [Token] {
        &self.tokens[self.at.min(self.tokens.len())..]
    }

    pub(super) fn advance(&mut self) {
        self.skip(1);
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.at += count;
    }

    pub(super) fn accept(&mut self, kind: &Kind) -> bool {
        let found = self.peek() == Some(kind);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, kind: &Kind) -> Result<(), Failure> {
        if self.accept(kind) { Ok(()) } else { Err(Failure::Unknown) }
    }

    /// Runs `inner` one level deeper.
    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.depth >= MAX_EXPRESSION {
            return Err(Failure::Budget);
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    pub(super) fn sum(&mut self) -> Result<Expression, Failure> {
        self.deeper(Self::terms)
    }

    fn terms(&mut self) -> Result<Expression, Failure> {
        let mut terms = Vec::new();
        loop {
            let sign = match self.peek() {
                Some(Kind::Plus) => Some(Expression::integer(1)),
                Some(Kind::Minus) => Some(Expression::integer(-1)),
                Some(Kind::PlusMinus) => Some(self.choice(false)?),
                Some(Kind::MinusPlus) => Some(self.choice(true)?),
                _ if terms.is_empty() => None,
                _ => break,
            };
            let Some(sign) = sign else {
                terms.push(self.product()?);
                continue;
            };
            self.advance();
            let term = self.product()?;
            terms.push(match sign {
                Expression::Choice(..) => Expression::Product(vec![sign, term]),
                Expression::Number(value) if value == -RBig::ONE => term.negated(),
                _ => term,
            });
        }
        match terms.len() {
            1 => terms.pop().ok_or(Failure::Unknown),
            _ => Ok(Expression::Sum(terms)),
        }
    }

    fn choice(&mut self, minus_first: bool) -> Result<Expression, Failure> {
        if self.choices >= 4 {
            return Err(Failure::Budget);
        }
        self.choices += 1;
        Ok(Expression::Choice(self.choices - 1, minus_first))
    }

    fn product(&mut self) -> Result<Expression, Failure> {
        let mut value = self.unary()?;
        loop {
            if let Some(number) = self.waiting() {
                value = times(value, number?);
                continue;
            }
            match self.peek() {
                Some(Kind::Times) => {
                    self.advance();
                    value = times(value, self.unary()?);
                }
                Some(Kind::Over) => {
                    self.advance();
                    let below = self.unary()?;
                    value = Expression::Quotient(Box::new(value), Box::new(below));
                }
                Some(Kind::Mod) => {
                    self.advance();
                    let below = self.unary()?;
                    let function = super::token::Function::Mod;
                    value = Expression::Apply(function, vec![value, below]);
                }
                _ if self.begins_factor() => {
                    // Two bare numbers in a row are no product.
                    let bare = |at: usize| matches!(self.kind(at), Some(Kind::Number { .. }));
                    if bare(self.at) && bare(self.at.wrapping_sub(1)) {
                        return Err(Failure::Unknown);
                    }
                    value = times(value, self.power()?);
                }
                _ => return Ok(value),
            }
        }
    }

    /// A factor may follow without a sign.
    pub(super) fn begins_factor(&self) -> bool {
        match self.peek() {
            Some(
                Kind::Symbol(_)
                | Kind::Word(_)
                | Kind::Text(_)
                | Kind::Function(_)
                | Kind::Log
                | Kind::Frac
                | Kind::Sqrt
                | Kind::Binom
                | Kind::Decoration(_)
                | Kind::Infinity
                | Kind::Number { .. },
            ) => true,
            Some(Kind::Open(bracket)) => *bracket != Bracket::Curly && *bracket != Bracket::Angle,
            Some(Kind::Bar) => self.bars == 0,
            _ => false,
        }
    }

    pub(super) fn unary(&mut self) -> Result<Expression, Failure> {
        match self.peek() {
            Some(Kind::Minus) => {
                self.advance();
                Ok(self.deeper(Self::unary)?.negated())
            }
            Some(Kind::Plus) => {
                self.advance();
                self.deeper(Self::unary)
            }
            _ => self.power(),
        }
    }

    pub(super) fn power(&mut self) -> Result<Expression, Failure> {
        self.deeper(|parser| {
            let base = parser.postfix()?;
            parser.raised(base)
        })
    }

    /// `base`, and a power of it if a caret follows.
    pub(super) fn raised(&mut self, base: Expression) -> Result<Expression, Failure> {
        if !self.accept(&Kind::Caret) {
            return Ok(base);
        }
        if self.degree_mark() {
            return Ok(times(base, Expression::Constant(Constant::Degree)));
        }
        let exponent = match self.peek() {
            Some(Kind::Open(Bracket::Group) | Kind::Word(_)) => self.argument()?,
            Some(Kind::Minus) => self.deeper(Self::unary)?,
            // Without braces a number is the whole exponent: `3^2\frac12` is no mixed number.
            Some(Kind::Number { value, .. }) => {
                self.advance();
                let exponent = Expression::Number(value.clone());
                self.deeper(|parser| parser.raised(exponent))?
            }
            // `2^3^2` is `2^(3^2)`.
            _ => self.power()?,
        };
        let value = Expression::Power(Box::new(base), Box::new(exponent));
        self.marks(value)
    }

    /// `\circ` or `{\circ}` after a caret.
    fn degree_mark(&mut self) -> bool {
        if self.accept(&Kind::Degree) {
            return true;
        }
        let group = [&Kind::Open(Bracket::Group), &Kind::Degree, &Kind::Close(Bracket::Group)];
        let found = self.ahead().iter().take(3).map(|token| &token.kind).eq(group);
        self.at += if found { 3 } else { 0 };
        found
    }

    fn postfix(&mut self) -> Result<Expression, Failure> {
        let value = self.primary()?;
        self.marks(value)
    }

    /// Factorials, percent and degree signs after a value.
    fn marks(&mut self, mut value: Expression) -> Result<Expression, Failure> {
        use super::token::Function;
        for _ in 0..MAX_DEPTH {
            if self.accept(&Kind::Bang) {
                let double = self.accept(&Kind::Bang);
                let function = if double { Function::DoubleFactorial } else { Function::Factorial };
                value = Expression::Apply(function, vec![value]);
            } else if self.accept(&Kind::Percent) {
                value = times(value, Expression::Constant(Constant::Percent));
            } else if self.accept(&Kind::Degree) {
                value = times(value, Expression::Constant(Constant::Degree));
            } else {
                return Ok(value);
            }
        }
        Err(Failure::Budget)
    }

    /// An argument of a command: a group, or the next single token (one digit or letter).
    pub(super) fn argument(&mut self) -> Result<Expression, Failure> {
        if self.accept(&Kind::Open(Bracket::Group)) {
            let bars = std::mem::take(&mut self.bars);
            let value = self.sum()?;
            self.bars = bars;
            self.expect(&Kind::Close(Bracket::Group))?;
            return Ok(value);
        }
        match self.piece()? {
            Some(piece) => Ok(piece),
            None => self.deeper(Self::primary),
        }
    }

    /// The next digit or letter, if a plain number or a word stands here; the rest of it waits.
    fn piece(&mut self) -> Result<Option<Expression>, Failure> {
        let whole = match (self.rest.take(), self.peek()) {
            (Some(rest), _) => rest,
            (None, Some(Kind::Number { digits: Some(digits), .. })) => digits.clone(),
            (None, Some(Kind::Word(word))) => word.clone(),
            _ => return Ok(None),
        };
        let (first, rest) = whole.split_at(1);
        if rest.is_empty() {
            self.advance();
        } else {
            self.rest = Some(rest.into());
        }
        match first.as_bytes() {
            [b'0'..=b'9'] => super::primary::integer(first).map(Some),
            _ => Ok(Some(super::primary::symbol(first))),
        }
    }

    /// The digits or letters that wait, as a factor of their own.
    pub(super) fn waiting(&mut self) -> Option<Result<Expression, Failure>> {
        let rest = self.rest.take()?;
        self.advance();
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(super::primary::integer(&rest));
        }
        let letters = rest.chars().map(|c| super::primary::symbol(&c.to_string()));
        Some(Ok(Expression::Product(letters.collect())))
    }

    pub(super) fn in_bars(&mut self) -> Result<Expression, Failure> {
        self.bars += 1;
        let value = self.sum()?;
        self.bars -= 1;
        self.expect(&Kind::Bar)?;
        Ok(value)
    }

    /// Runs `inner` where a bar opens an absolute value again.
    pub(super) fn without_bars<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let bars = std::mem::take(&mut self.bars);
        let value = inner(self)?;
        self.bars = bars;
        Ok(value)
    }

    /// The factors of a word that reads as a product of variables.
    pub(super) fn letters(word: &str) -> Result<Expression, Failure> {
        let letters = words::product(word).ok_or(Failure::Unknown)?;
        Ok(Expression::Product(letters.map(|c| super::primary::symbol(&c.to_string())).collect()))
    }
}

pub(super) fn times(value: Expression, factor: Expression) -> Expression {
    match value {
        Expression::Product(mut factors) => {
            factors.push(factor);
            Expression::Product(factors)
        }
        value => Expression::Product(vec![value, factor]),
    }
}
