//! Several judgements over one response, each reported.

use fireproof_trajectory::{Constraint, Outcome, Task, Verdict};

use crate::constraint::constraints_met;
use crate::format::tag_score;
use crate::repetition::repetition;
use crate::verifier::{Verifier, VerifyError};

/// Something about a response that has a score from 0 to 1.
#[derive(Debug)]
pub enum Score {
    /// 1 if another verifier finds the answer right, else 0.
    Verifier(Box<dyn Verifier>),
    /// The share of tags in place ([`tag_score`]).
    Tags,
    /// The share of constraints met.
    Constraints(Vec<Constraint>),
    /// 1 less the share of repeated runs of so many words ([`repetition`]).
    Variety {
        /// Words in a run.
        length: usize,
    },
}

impl Score {
    /// The score of a response.
    ///
    /// # Errors
    /// If a verifier fails or a constraint is broken.
    pub fn of(&self, task: &Task, response: &str) -> Result<f32, VerifyError> {
        Ok(match self {
            Self::Verifier(verifier) => {
                f32::from(u8::from(verifier.verify(task, response)?.correct()))
            }
            Self::Tags => tag_score(response),
            Self::Constraints(constraints) => constraints_met(response, constraints)
                .map_err(|error| VerifyError::infrastructure(task, error))?,
            Self::Variety { length } => 1.0 - repetition(response, *length),
        })
    }
}

/// A score with a name and a weight.
#[derive(Debug)]
pub struct Part {
    /// Name, in the verdict's `parts`.
    pub name: String,
    /// What is scored.
    pub score: Score,
    /// Weight among the parts; 0 only reports it.
    pub weight: f32,
}

/// An answer's verifier with further scores beside it.
///
/// The outcome is the answer's alone, so rewards stay binary. Every part's score is reported under
/// its name in `Verdict::parts`, and their mean by weight, `sum(w * s) / sum(w)`, is the verdict's
/// format, which pays only as far as a [`RewardScale`](crate::RewardScale) gives it weight. Parts are
/// scored whatever the outcome.
///
/// ```
/// use fireproof_trajectory::{CheckSpec, PromptId, Task, TaskMetadata};
/// use fireproof_verifier::{Composite, ExactMatch, Part, Score, Verifier};
///
/// let part = |name: &str, score, weight| Part { name: name.into(), score, weight };
/// let verifier = Composite {
///     answer: Box::new(ExactMatch),
///     parts: vec![part("tags", Score::Tags, 1.0), part("variety", Score::Variety { length: 2 }, 3.0)],
/// };
/// let check = CheckSpec::Exact { answer: "4".into() };
/// let task = Task { id: PromptId(1), prompt: "?".into(), check, metadata: TaskMetadata::default() };
/// let verdict = verifier.verify(&task, "4").unwrap();
/// assert!(verdict.correct());
/// assert_eq!((verdict.parts["tags"], verdict.parts["variety"]), (0.0, 1.0));
/// assert_eq!(verdict.format, Some(0.75));
/// ```
#[derive(Debug)]
pub struct Composite {
    /// Decides the outcome.
    pub answer: Box<dyn Verifier>,
    /// The others.
    pub parts: Vec<Part>,
}

impl Verifier for Composite {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let mut verdict = self.answer.verify(task, response)?;
        let (mut sum, mut weights) = (0.0, 0.0);
        for part in &self.parts {
            let score = part.score.of(task, response)?;
            sum += part.weight * score;
            weights += part.weight;
            verdict.parts.insert(part.name.clone(), score);
        }
        verdict
            .parts
            .insert("answer".into(), f32::from(u8::from(verdict.outcome == Outcome::Correct)));
        if weights > 0.0 {
            verdict.format = Some(sum / weights);
        }
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests {
    use fireproof_trajectory::{CheckSpec, PromptId, TaskMetadata};

    use super::*;
    use crate::exact::ExactMatch;
    use crate::expression::IntegerExpression;
    use crate::reward::RewardScale;

    fn task() -> Task {
        Task {
            id: PromptId(1),
            prompt: "?".into(),
            check: CheckSpec::Exact { answer: "a, b".into() },
            metadata: TaskMetadata::default(),
        }
    }

    fn composite(score: Score, weight: f32) -> Composite {
        let part = Part { name: "part".into(), score, weight };
        Composite { answer: Box::new(ExactMatch), parts: vec![part] }
    }

    #[test]
    fn parts_are_reported_and_the_reward_stays_binary() {
        let no_commas = || Score::Constraints(vec![Constraint::NoCommas, Constraint::Lowercase]);
        let verdict = composite(no_commas(), 1.0).verify(&task(), "a, b").unwrap();
        assert_eq!((verdict.parts["part"], verdict.parts["answer"]), (0.5, 1.0));
        assert_eq!((verdict.format, RewardScale::default().reward(&verdict)), (Some(0.5), 1.0));
        let wrong =
            composite(Score::Verifier(Box::new(ExactMatch)), 2.0).verify(&task(), "c").unwrap();
        assert_eq!((wrong.outcome, wrong.format), (Outcome::Wrong, Some(0.0)));
    }

    #[test]
    fn a_part_without_weight_is_only_reported() {
        let verdict = composite(Score::Tags, 0.0).verify(&task(), "a, b").unwrap();
        assert_eq!((verdict.parts["part"], verdict.format), (0.0, None));
    }

    #[test]
    fn a_part_that_cannot_be_judged_is_an_error() {
        let other = Score::Verifier(Box::new(IntegerExpression));
        assert!(composite(other, 1.0).verify(&task(), "a, b").is_err());
        let broken = Score::Constraints(vec![Constraint::Regex { pattern: "(".into() }]);
        assert!(composite(broken, 1.0).verify(&task(), "a, b").is_err());
    }
}
