//! A verifier of one's own, as the book shows it.

use fireproof_trajectory::{CheckSpec, Outcome, PromptId, Task, TaskMetadata, Verdict};
use fireproof_verifier::{Verifier, VerifyError};

// ANCHOR: own
/// Right is any text that reads the same backwards.
#[derive(Debug)]
struct Palindrome;

impl Verifier for Palindrome {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Custom { name, .. } = &task.check else {
            let reason = "the check is not one of mine".to_owned();
            return Err(VerifyError::Infrastructure { task: task.id, reason });
        };
        if name != "palindrome" {
            let reason = format!("there is no check `{name}`");
            return Err(VerifyError::Infrastructure { task: task.id, reason });
        }
        let letters: Vec<char> = response.chars().filter(|c| c.is_alphabetic()).collect();
        if letters.is_empty() {
            return Ok(Verdict::new(Outcome::NoAnswer));
        }
        Ok(Verdict::over(response.trim(), letters.iter().eq(letters.iter().rev())))
    }
}
// ANCHOR_END: own

#[test]
fn it_tells_right_from_wrong_from_missing_from_broken() {
    let task = |name: &str| Task {
        id: PromptId(1),
        prompt: "A palindrome, please.".into(),
        check: CheckSpec::Custom { name: name.into(), data: String::new() },
        metadata: TaskMetadata::default(),
    };
    let outcome = |text: &str| Palindrome.verify(&task("palindrome"), text).unwrap().outcome;
    assert_eq!(outcome("never odd or even"), Outcome::Correct);
    assert_eq!(outcome("never even or odd"), Outcome::Wrong);
    assert_eq!(outcome("12321"), Outcome::NoAnswer);
    assert!(Palindrome.verify(&task("sonnet"), "never odd or even").is_err());
}
