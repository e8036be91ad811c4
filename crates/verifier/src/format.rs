//! Formats: tags around the reasoning and the answer.

use fireproof_trajectory::{Outcome, Task, Verdict};

use crate::verifier::{Verifier, VerifyError};

const TAGS: [&str; 4] = ["<think>", "</think>", "<answer>", "</answer>"];

/// Judges what stands between `<answer>` and `</answer>` by another verifier, and the tags
/// themselves as a format.
///
/// The response must read `<think>…</think><answer>…</answer>` with each tag exactly once, in this
/// order, and nothing but white space outside; otherwise there is no answer to judge. The share of
/// tags that are in place ([`tag_score`]) is reported as `Verdict::format`, apart from correctness:
/// the algorithms' theory assumes binary rewards, so a format counts only if a [`RewardScale`]
/// gives it weight.
///
/// [`RewardScale`]: crate::RewardScale
#[derive(Clone, Copy, Debug)]
pub struct TaggedAnswer<V>(
    /// The judge of the answer itself.
    pub V,
);

impl<V: Verifier> Verifier for TaggedAnswer<V> {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let mut verdict = match tagged_answer(response) {
            Some(answer) => self.0.verify(task, answer)?,
            None => Verdict::new(Outcome::NoAnswer),
        };
        verdict.format = Some(tag_score(response));
        Ok(verdict)
    }
}

/// Share of the four tags `<think>`, `</think>`, `<answer>`, `</answer>` that occur exactly once:
/// 0, 1/4, 2/4, 3/4 or 1.
///
/// ```
/// use fireproof_verifier::tag_score;
/// assert_eq!(tag_score("<think>2+2</think><answer>4</answer>"), 1.0);
/// assert_eq!(tag_score("<answer>4</answer>"), 0.5);
/// assert_eq!(tag_score("<answer>4<answer>"), 0.0);
/// ```
#[must_use]
pub fn tag_score(response: &str) -> f32 {
    let once = TAGS.iter().filter(|tag| response.matches(*tag).count() == 1).count();
    once as f32 / TAGS.len() as f32
}

/// The text between the answer tags, if the whole response has the required form.
fn tagged_answer(response: &str) -> Option<&str> {
    if tag_score(response) < 1.0 {
        return None;
    }
    let rest = response.trim().strip_prefix("<think>")?;
    let (_, rest) = rest.split_once("</think>")?;
    let rest = rest.trim_start().strip_prefix("<answer>")?;
    rest.strip_suffix("</answer>")
}

#[cfg(test)]
mod tests {
    use fireproof_trajectory::{CheckSpec, PromptId, TaskMetadata};

    use super::*;
    use crate::exact::ExactMatch;

    fn verdict(response: &str) -> Verdict {
        let task = Task {
            id: PromptId(1),
            prompt: "?".into(),
            check: CheckSpec::Exact { answer: "4".into() },
            metadata: TaskMetadata::default(),
        };
        TaggedAnswer(ExactMatch).verify(&task, response).unwrap()
    }

    #[test]
    fn the_answer_inside_well_formed_tags_is_judged() {
        assert!(verdict("<think>2+2</think>\n<answer> 4 </answer>\n").correct());
        let wrong = verdict("<think>2+2</think><answer>5</answer>");
        assert_eq!((wrong.outcome, wrong.format), (Outcome::Wrong, Some(1.0)));
    }

    #[test]
    fn anything_out_of_place_leaves_no_answer() {
        for response in [
            "4",
            "<answer>4</answer>",
            "<answer>4</answer><think>2+2</think>",
            "<think>2+2</think><answer>4</answer> so 4",
            "so <think>2+2</think><answer>4</answer>",
            "<think>2+2</think> hm <answer>4</answer>",
            "<think>2+2</think><answer>4</answer><answer>4</answer>",
            "<think>2+2<answer>4</answer>",
        ] {
            assert_eq!(verdict(response).outcome, Outcome::NoAnswer, "{response}");
        }
    }

    #[test]
    fn a_partial_format_is_scored_apart_from_the_answer() {
        assert_eq!(verdict("<answer>4</answer>").format, Some(0.5));
        assert_eq!(verdict("4").format, Some(0.0));
    }
}
