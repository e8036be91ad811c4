//! Exact answers.

use fireproof_trajectory::{CheckSpec, Outcome, Task, Verdict};

use crate::verifier::{Verifier, VerifyError};

/// The text equals the answer, up to white space around either.
///
/// An empty text is no answer, even if the task's answer were empty too.
#[derive(Clone, Copy, Debug)]
pub struct ExactMatch;

impl Verifier for ExactMatch {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Exact { answer } = &task.check else {
            return Err(VerifyError::unsupported("ExactMatch", task));
        };
        let response = response.trim();
        if response.is_empty() {
            return Ok(Verdict::new(Outcome::NoAnswer));
        }
        Ok(Verdict::over(response, response == answer.trim()))
    }
}

#[cfg(test)]
mod tests {
    use fireproof_trajectory::{PromptId, TaskMetadata};

    use super::*;

    fn verdict(answer: &str, response: &str) -> Verdict {
        let task = Task {
            id: PromptId(1),
            prompt: "?".into(),
            check: CheckSpec::Exact { answer: answer.into() },
            metadata: TaskMetadata::default(),
        };
        ExactMatch.verify(&task, response).unwrap()
    }

    #[test]
    fn surrounding_white_space_does_not_matter_and_inner_does() {
        assert!(verdict("125", "\t125 ").correct());
        assert!(!verdict("125", "12 5").correct());
    }

    #[test]
    fn empty_never_equals_empty() {
        assert_eq!(verdict("", "").outcome, Outcome::NoAnswer);
        assert_eq!(verdict(" ", "  ").outcome, Outcome::NoAnswer);
    }

    #[test]
    fn the_judged_answer_is_reported() {
        assert_eq!(verdict("7", " 8 ").answer.as_deref(), Some("8"));
    }

    #[test]
    fn another_check_is_an_error_and_not_a_wrong_answer() {
        let task = Task {
            id: PromptId(1),
            prompt: "?".into(),
            check: CheckSpec::Custom { name: "chess".into(), data: "e4".into() },
            metadata: TaskMetadata::default(),
        };
        let error = ExactMatch.verify(&task, "e4").unwrap_err().to_string();
        assert!(error.contains("ExactMatch cannot judge") && error.contains("chess"), "{error}");
    }
}
