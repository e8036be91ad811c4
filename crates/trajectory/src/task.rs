//! A task: a prompt and the data that a verifier needs to judge an answer to it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::constraint::Constraint;
use crate::family_check::FamilyCheck;
use crate::tests_check::TestsCheck;

/// Identity of a prompt: a 64-bit hash of its content, stable across runs and machines.
///
/// Two tasks with the same content have the same id, so a task set can be split into disjoint
/// training and held-out parts by the id alone. It is written as 16 hexadecimal digits, which every
/// JSON reader keeps exactly (a plain 64-bit number would lose bits in JavaScript).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PromptId(pub u64);

impl PromptId {
    /// The id of a piece of content: FNV-1a over its bytes, then a finaliser that spreads the bits.
    ///
    /// ```
    /// use fireproof_trajectory::PromptId;
    /// assert_eq!(PromptId::of("20:2>"), PromptId::of("20:2>"));
    /// assert_ne!(PromptId::of("20:2>"), PromptId::of("21:2>"));
    /// ```
    #[must_use]
    pub fn of(content: &str) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in content.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        // FNV's high bits depend weakly on the last bytes; MurmurHash3's finaliser mends that.
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        Self(hash ^ (hash >> 33))
    }
}

impl fmt::Display for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PromptId({self})")
    }
}

impl Serialize for PromptId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PromptId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(|_| {
            de::Error::custom(format!("`{text}` is not a prompt id (16 hexadecimal digits)"))
        })
    }
}

/// One prompt with the check that judges answers to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Identity, usually [`PromptId::of`] the prompt.
    pub id: PromptId,
    /// The text that the policy continues.
    pub prompt: String,
    /// What an answer is checked against.
    pub check: CheckSpec,
    /// Where the task comes from; never seen by the policy.
    #[serde(default)]
    pub metadata: TaskMetadata,
}

/// Facts about a task for reports, curricula and coverage metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMetadata {
    /// The family or data set it belongs to.
    #[serde(default)]
    pub source: String,
    /// Difficulty level within the source, from 1.
    #[serde(default)]
    pub level: Option<u32>,
    /// Number of distinct right answers, where it can be counted.
    #[serde(default)]
    pub solutions: Option<u64>,
    /// Anything else a data set carries.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
}

/// What an answer is checked against: data only, judged by the `verifier` crate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CheckSpec {
    /// The answer is this text, up to surrounding white space.
    Exact {
        /// The right answer.
        answer: String,
    },
    /// The answer is an arithmetic expression over the integers.
    Expression(ExpressionCheck),
    /// The answer solves an instance of a procedural family: a path, a placement, a word.
    Family(FamilyCheck),
    /// The answer is a program that must pass tests.
    Tests(TestsCheck),
    /// The answer is mathematically equal to this one.
    Math {
        /// The right answer, in LaTeX or plain text.
        answer: String,
    },
    /// The answer must meet all of these constraints on its form.
    Constraints {
        /// The constraints.
        constraints: Vec<Constraint>,
    },
    /// A check that a user's own verifier understands.
    Custom {
        /// Name of the check, for the verifier to recognise.
        name: String,
        /// Its data, in any form that the verifier reads.
        data: String,
    },
}

/// An integer expression that must reach a value under rules on its numbers and operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressionCheck {
    /// The value that the expression must have.
    pub target: i64,
    /// The operators that may occur, out of `+-*/`. Division must leave no remainder.
    pub operators: String,
    /// Digits that no number may contain.
    #[serde(default)]
    pub forbidden_digits: String,
    /// Which numbers must occur.
    pub operands: Operands,
}

/// Rule on the numbers of an [`ExpressionCheck`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Operands {
    /// Exactly these numbers, each as often as it is listed, in any order (countdown).
    Exactly {
        /// The numbers to use.
        numbers: Vec<i64>,
    },
    /// Some of these numbers, at least one and each at most as often as it is listed (subset sum).
    Subset {
        /// The numbers to choose from.
        numbers: Vec<i64>,
    },
    /// From one to `most` of these numbers, each as often as one likes (coin change).
    Repeated {
        /// The numbers to choose from.
        numbers: Vec<i64>,
        /// How many numbers at most.
        most: usize,
    },
    /// Any `count` numbers from `minimum` to `maximum` (split).
    Free {
        /// How many numbers.
        count: usize,
        /// Smallest number allowed.
        minimum: i64,
        /// Largest number allowed.
        maximum: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_id_survives_json() {
        let id = PromptId::of("7+5>");
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json.len(), 18, "{json}");
        assert_eq!(serde_json::from_str::<PromptId>(&json).unwrap(), id);
    }

    #[test]
    fn a_malformed_prompt_id_is_named() {
        let error = serde_json::from_str::<PromptId>("\"xyz\"").unwrap_err().to_string();
        assert!(error.contains("`xyz` is not a prompt id"), "{error}");
    }

    #[test]
    fn a_task_survives_json() {
        let task = Task {
            id: PromptId::of("20:2>"),
            prompt: "20:2>".into(),
            check: CheckSpec::Expression(ExpressionCheck {
                target: 20,
                operators: "+".into(),
                forbidden_digits: "7".into(),
                operands: Operands::Free { count: 2, minimum: 1, maximum: 20 },
            }),
            metadata: TaskMetadata { source: "split".into(), level: Some(1), ..Default::default() },
        };
        let json = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<Task>(&json).unwrap(), task);
    }

    #[test]
    fn a_mathematical_check_is_written_with_its_kind() {
        let check = CheckSpec::Math { answer: r"\frac{1}{2}".into() };
        let json = serde_json::to_string(&check).unwrap();
        assert_eq!(json, r#"{"kind":"math","answer":"\\frac{1}{2}"}"#);
        assert_eq!(serde_json::from_str::<CheckSpec>(&json).unwrap(), check);
    }

    #[test]
    fn ids_spread_evenly_over_their_high_and_low_bits() {
        let ids: Vec<u64> = (0..4000).map(|n| PromptId::of(&format!("{n}:2>")).0).collect();
        for shift in [0, 32, 61] {
            let ones = ids.iter().filter(|id| (*id >> shift) & 1 == 1).count();
            assert!((1850..2150).contains(&ones), "bit {shift}: {ones} of 4000");
        }
    }
}
