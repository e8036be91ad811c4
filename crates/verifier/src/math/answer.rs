//! The typed value of an answer.

use dashu_ratio::RBig;

use super::expression::Expression;
use super::token::{Bracket, Sign};
use super::unit::Unit;

/// What an answer is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Scalar(Quantity),
    /// A chain of comparisons: `sides[0] signs[0] sides[1] ...`
    Relation {
        sides: Vec<Value>,
        signs: Vec<Sign>,
    },
    /// Ordered, in brackets; two items may be an interval or a point.
    Tuple {
        open: Bracket,
        close: Bracket,
        items: Vec<Value>,
    },
    /// `\{a, b\}`
    Set(Vec<Value>),
    /// Several answers without brackets, in any order.
    List {
        items: Vec<Value>,
        joint: Joint,
    },
    /// Operations on sets of real numbers.
    Union(Vec<Value>),
    Intersection(Vec<Value>),
    Without(Box<Value>, Box<Value>),
    Reals,
    Empty,
    /// Rows of equal length.
    Matrix(Vec<Vec<Expression>>),
    /// `a : b : c`, and whether it could be a time of day.
    Ratio {
        parts: Vec<Expression>,
        clock: Option<Clock>,
    },
    /// Digits in a base.
    Based {
        digits: String,
        base: u32,
        value: RBig,
    },
    /// A letter of a multiple choice, and the answer written behind it.
    Choice(char, Option<Box<Value>>),
    /// Words.
    Text(String),
}

/// What joins the answers of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joint {
    Comma,
    And,
    Or,
}

/// Minutes after midnight where all is written, and the half of the day if it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    /// `Some(true)` for p.m.
    pub(crate) afternoon: Option<bool>,
}

/// A mark on a number that is not a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Percent,
    Degree,
}

/// An expression with its unit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantity {
    pub(crate) expression: Expression,
    pub(crate) mark: Option<Mark>,
    pub(crate) unit: Option<Unit>,
}

impl Quantity {
    pub(crate) fn bare(expression: Expression) -> Self {
        Self { expression, mark: None, unit: None }
    }
}
