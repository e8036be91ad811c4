//! The judgement of a verifier over one completion.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What came of judging an answer. All of these are values of the domain, not errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The answer is right.
    Correct,
    /// An answer was found and it is not right.
    Wrong,
    /// No answer could be found in the text.
    NoAnswer,
    /// The completion was cut off before it ended, so it is not judged.
    Truncated,
}

/// The judgement over one completion. `Verdict::new(outcome)` has no answer and no format check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, derive_new::new)]
pub struct Verdict {
    /// What came of it.
    pub outcome: Outcome,
    /// The answer that was judged, as extracted from the text.
    #[serde(default)]
    #[new(default)]
    pub answer: Option<String>,
    /// Share of the format rules that the text keeps, from 0 to 1, where a format was checked.
    #[serde(default)]
    #[new(default)]
    pub format: Option<f32>,
    /// Scores by name, from 0 to 1, where several things were judged.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[new(default)]
    pub parts: BTreeMap<String, f32>,
}

impl Verdict {
    /// A verdict over an extracted answer.
    #[must_use]
    pub fn over(answer: &str, correct: bool) -> Self {
        let outcome = if correct { Outcome::Correct } else { Outcome::Wrong };
        Self { answer: Some(answer.to_owned()), ..Self::new(outcome) }
    }

    /// True if the answer is right.
    #[must_use]
    pub fn correct(&self) -> bool {
        self.outcome == Outcome::Correct
    }
}
