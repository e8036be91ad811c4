//! The verifier of mathematical answers.

use fireproof_trajectory::{CheckSpec, Outcome, Task, Verdict};

use super::extract::{Extraction, extract};
use super::gold::Gold;
use super::policy::Policy;
use crate::verifier::{Verifier, VerifyError};

/// Judges a mathematical answer: finds it in the response and compares it exactly with the task's.
///
/// ```
/// use fireproof_trajectory::{CheckSpec, Outcome, PromptId, Task, TaskMetadata};
/// use fireproof_verifier::{Verifier, math::MathAnswer};
///
/// let task = Task {
///     id: PromptId::of("half?"),
///     prompt: "half?".into(),
///     check: CheckSpec::Math { answer: r"\frac{1}{2}".into() },
///     metadata: TaskMetadata::default(),
/// };
/// let verdict = MathAnswer::default().verify(&task, r"It is $\boxed{0.5}$.").unwrap();
/// assert_eq!((verdict.outcome, verdict.answer.as_deref()), (Outcome::Correct, Some("0.5")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MathAnswer {
    /// How the answer is found, in the order of trial.
    pub extraction: Vec<Extraction>,
    /// What a prediction may leave open.
    pub policy: Policy,
}

impl Default for MathAnswer {
    fn default() -> Self {
        Self { extraction: Extraction::AUTO.to_vec(), policy: Policy::default() }
    }
}

impl Verifier for MathAnswer {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Math { answer } = &task.check else {
            return Err(VerifyError::unsupported("MathAnswer", task));
        };
        let gold =
            Gold::read(answer).map_err(|error| VerifyError::Gold { task: task.id, error })?;
        Ok(match extract(response, &self.extraction, Some(&gold)) {
            Some(found) => {
                let comparison = gold.compare(&found.text, &self.policy);
                Verdict::over(&found.text, comparison.equal)
            }
            None => Verdict::new(Outcome::NoAnswer),
        })
    }
}

#[cfg(test)]
mod tests {
    use fireproof_trajectory::{PromptId, TaskMetadata};

    use super::*;
    use crate::verifier::CheckVerifier;

    fn task(answer: &str) -> Task {
        Task {
            id: PromptId(7),
            prompt: "?".into(),
            check: CheckSpec::Math { answer: answer.into() },
            metadata: TaskMetadata::default(),
        }
    }

    #[test]
    fn an_answer_is_found_and_judged() {
        let outcome =
            |answer, response| CheckVerifier.verify(&task(answer), response).unwrap().outcome;
        assert_eq!(outcome("18", "so 9 + 9 = 18\n#### 18"), Outcome::Correct);
        assert_eq!(outcome("18", "<think>18</think> no idea"), Outcome::NoAnswer);
        assert_eq!(outcome("18", r"\boxed{17}"), Outcome::Wrong);
        assert_eq!(outcome("B", "I think the answer is (B)."), Outcome::Correct);
    }

    #[test]
    fn a_gold_answer_that_cannot_be_read_is_an_error_of_the_task() {
        for answer in [r"\frac{1}{0}", "", r"\int_0^1 f", "((((2"] {
            let error = CheckVerifier.verify(&task(answer), r"\boxed{2}").unwrap_err();
            assert!(matches!(error, VerifyError::Gold { .. }), "{answer}: {error}");
        }
    }
}
