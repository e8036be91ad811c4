//! The tree of an expression.

use dashu_ratio::RBig;

use super::token::{Function, Name};

/// A number that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Constant {
    Pi,
    E,
    I,
    Infinity,
    /// One degree, pi/180.
    Degree,
    /// One hundredth.
    Percent,
}

/// An expression. Its depth is bounded by the parser, so walking it by recursion is safe.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Number(RBig),
    Symbol(Name),
    Constant(Constant),
    Sum(Vec<Expression>),
    Product(Vec<Expression>),
    Quotient(Box<Expression>, Box<Expression>),
    Power(Box<Expression>, Box<Expression>),
    /// Radicand and index.
    Root(Box<Expression>, Box<Expression>),
    Apply(Function, Vec<Expression>),
    /// A function without a meaning of its own, such as `f` in `f(x)`.
    Call(Name, Vec<Expression>),
    /// The sign of a plus-minus, chosen once for each of them; true for a minus-plus.
    Choice(u8, bool),
}

impl Expression {
    pub(crate) fn integer(value: i64) -> Self {
        Self::Number(RBig::from(value))
    }

    /// `-self`, folded into a literal number.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Number(value) => Self::Number(-value),
            Self::Product(mut factors) => {
                factors.insert(0, Self::integer(-1));
                Self::Product(factors)
            }
            other => Self::Product(vec![Self::integer(-1), other]),
        }
    }

    /// Its direct parts.
    pub(crate) fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_) | Self::Symbol(_) | Self::Constant(_) | Self::Choice(..) => Vec::new(),
            Self::Sum(parts)
            | Self::Product(parts)
            | Self::Apply(_, parts)
            | Self::Call(_, parts) => parts.iter().collect(),
            Self::Quotient(a, b) | Self::Power(a, b) | Self::Root(a, b) => vec![a, b],
        }
    }

    /// True if it or a part of it passes.
    pub(crate) fn any(&self, test: &mut dyn FnMut(&Self) -> bool) -> bool {
        test(self) || self.children().into_iter().any(|child| child.any(test))
    }

    /// Names of its variables, each once, in order of appearance.
    pub(crate) fn variables(&self) -> Vec<&Name> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect<'a>(&'a self, found: &mut Vec<&'a Name>) {
        if let Self::Symbol(name) = self
            && !found.contains(&name)
        {
            found.push(name);
        }
        for child in self.children() {
            child.collect(found);
        }
    }

    /// Plus or minus infinity: its sign is negative.
    pub(crate) fn infinity(&self) -> Option<bool> {
        match self {
            Self::Constant(Constant::Infinity) => Some(false),
            Self::Product(parts) => match parts.as_slice() {
                [Self::Number(sign), Self::Constant(Constant::Infinity)] if *sign == -RBig::ONE => {
                    Some(true)
                }
                _ => None,
            },
            Self::Sum(parts) => match parts.as_slice() {
                [only] => only.infinity(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The number of sign choices in it.
    pub(crate) fn choices(&self) -> (u8, bool) {
        let (mut count, mut linked) = (0, false);
        self.any(&mut |part| {
            if let Self::Choice(index, minus_first) = part {
                count = count.max(index + 1);
                linked |= minus_first;
            }
            false
        });
        (count, linked)
    }

    /// With every sign choice made: bit `k` of `signs` set means minus for choice `k`.
    pub(crate) fn chosen(&self, signs: u32) -> Self {
        let all = |parts: &[Self]| parts.iter().map(|part| part.chosen(signs)).collect();
        let boxed = |part: &Self| Box::new(part.chosen(signs));
        match self {
            Self::Choice(index, minus_first) => {
                let minus = (signs >> index) & 1 == 1;
                Self::integer(if minus == *minus_first { 1 } else { -1 })
            }
            Self::Sum(parts) => Self::Sum(all(parts)),
            Self::Product(parts) => Self::Product(all(parts)),
            Self::Apply(function, parts) => Self::Apply(*function, all(parts)),
            Self::Call(name, parts) => Self::Call(name.clone(), all(parts)),
            Self::Quotient(a, b) => Self::Quotient(boxed(a), boxed(b)),
            Self::Power(a, b) => Self::Power(boxed(a), boxed(b)),
            Self::Root(a, b) => Self::Root(boxed(a), boxed(b)),
            leaf => leaf.clone(),
        }
    }
}
