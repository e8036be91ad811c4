//! What a comparison says.

use serde::{Deserialize, Serialize};

/// The tier of equality that settled a comparison, from the cheapest to the dearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// The texts are the same after one spelling was chosen for each sign.
    Text,
    /// Types and exact normal forms: rationals, polynomials and rational functions in roots and other
    /// named quantities.
    Exact,
    /// Ball arithmetic at growing precision.
    Numeric,
}

/// Why two answers are equal or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The prediction is the gold answer.
    Same,
    /// Both are understood, and they differ.
    Different,
    /// The two are of kinds that do not compare: a set and a tuple, a number and a word.
    Kind,
    /// Units or currencies differ.
    Unit,
    /// Nothing is left of the prediction after white space.
    Empty,
    /// The prediction cannot be read.
    Unreadable,
    /// The prediction has no value: a division by zero and the like.
    Undefined,
    /// No tier could tell, which counts as not equal.
    Undecided,
    /// The budget of steps, size or depth ran out, which counts as not equal.
    Budget,
}

/// The judgement over a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// True only if the prediction is surely the gold answer.
    pub equal: bool,
    /// The tier that settled it.
    pub tier: Tier,
    /// Why.
    pub reason: Reason,
}

impl Comparison {
    pub(crate) fn same(tier: Tier) -> Self {
        Self { equal: true, tier, reason: Reason::Same }
    }

    pub(crate) fn not(reason: Reason, tier: Tier) -> Self {
        Self { equal: false, tier, reason }
    }
}

/// Why a gold answer cannot be compared with: an error of the task, never of the completion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GoldError {
    /// It is empty.
    #[error("the gold answer is empty")]
    Empty,
    /// It is longer than 64 KiB, nests too deep, or holds numbers that are too large.
    #[error("the gold answer is too large to be judged: {0}")]
    TooLarge(String),
    /// It is neither mathematics that is understood nor words.
    #[error("the gold answer cannot be read: {0}")]
    Unreadable(String),
    /// It has no value: a division by zero and the like.
    #[error("the gold answer has no value: {0}")]
    Undefined(String),
}
