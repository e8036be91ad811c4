//! Judging a whole step on all cores, under the eyes of a watchdog.

mod watchdog;

use std::panic::{AssertUnwindSafe, catch_unwind};

use fireproof_trajectory::{Outcome, Task, Verdict};
use rayon::prelude::*;

pub use watchdog::Waiting;
pub use watchdog::Watchdog;

use crate::verifier::{Verifier, VerifyError};
use watchdog::Board;

/// One completion to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Its text, without prompt and stop token.
    Text(String),
    /// It was cut off, and what is there is not judged.
    Truncated,
}

/// The completions of one prompt.
#[derive(Clone, Debug)]
pub struct Responses<'a> {
    /// What they answer.
    pub task: &'a Task,
    /// The completions.
    pub responses: Vec<Response>,
}

/// Judges the completions of a step on all cores.
///
/// The results stand in the order of the groups and of their completions, however many threads
/// there are. A verifier that panics fails on that completion only. If there is a `watchdog`, it is
/// told while judgements take long; it cannot end them, so a verifier has bounds of its own.
///
/// The threads are those of the `rayon` pool in which it is called.
///
/// ```
/// use fireproof_trajectory::{CheckSpec, PromptId, Task, TaskMetadata};
/// use fireproof_verifier::{ExactMatch, Response, Responses, verify_groups};
///
/// let check = CheckSpec::Exact { answer: "4".into() };
/// let task = Task { id: PromptId(1), prompt: "?".into(), check, metadata: TaskMetadata::default() };
/// let responses = ["4", "5"].map(|text| Response::Text(text.into())).to_vec();
/// let judged = verify_groups(&ExactMatch, &[Responses { task: &task, responses }], None);
/// let correct: Vec<bool> = judged[0].iter().map(|v| v.as_ref().unwrap().correct()).collect();
/// assert_eq!(correct, [true, false]);
/// ```
pub fn verify_groups(
    verifier: &dyn Verifier,
    groups: &[Responses<'_>],
    watchdog: Option<&Watchdog<'_>>,
) -> Vec<Vec<Result<Verdict, VerifyError>>> {
    let board = Board::default();
    let judge = |(group, sample): (&Responses<'_>, usize)| match &group.responses[sample] {
        Response::Truncated => Ok(Verdict::new(Outcome::Truncated)),
        Response::Text(text) => {
            let _entry = board.enter(group.task.id, sample);
            guarded(verifier, group.task, text)
        }
    };
    let numbered = |group| std::iter::repeat(group).zip(0..);
    let all: Vec<(&Responses<'_>, usize)> =
        groups.iter().flat_map(|group| numbered(group).take(group.responses.len())).collect();
    let judged: Vec<Result<Verdict, VerifyError>> =
        board.watch(watchdog, || all.into_par_iter().map(judge).collect());
    let mut judged = judged.into_iter();
    groups.iter().map(|group| judged.by_ref().take(group.responses.len()).collect()).collect()
}

/// Judges one completion; a panic becomes an error.
fn guarded(verifier: &dyn Verifier, task: &Task, text: &str) -> Result<Verdict, VerifyError> {
    // What a verifier was changing when it panicked is its own: it keeps no state of ours.
    catch_unwind(AssertUnwindSafe(|| verifier.verify(task, text))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
        let reason = format!("it panicked: {}", message.unwrap_or_else(|| "no message".into()));
        Err(VerifyError::infrastructure(task, reason))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use fireproof_trajectory::{CheckSpec, PromptId, TaskMetadata};

    use super::*;
    use crate::exact::ExactMatch;

    fn task(id: u64) -> Task {
        Task {
            id: PromptId(id),
            prompt: "?".into(),
            check: CheckSpec::Exact { answer: id.to_string() },
            metadata: TaskMetadata::default(),
        }
    }

    fn texts(texts: &[&str]) -> Vec<Response> {
        texts.iter().map(|text| Response::Text((*text).to_owned())).collect()
    }

    #[test]
    fn results_stand_in_order_whatever_the_threads() {
        let tasks: Vec<Task> = (0..50).map(task).collect();
        let group = |task| Responses { task, responses: texts(&["0", "7", "13", "49"]) };
        let mut groups: Vec<Responses<'_>> = tasks.iter().map(group).collect();
        groups[3].responses.clear();
        groups[7].responses[0] = Response::Truncated;
        let judge = || verify_groups(&ExactMatch, &groups, None);
        let seen = |judged: Vec<Vec<Result<Verdict, VerifyError>>>| -> Vec<Vec<Outcome>> {
            let outcomes = |group: Vec<Result<Verdict, VerifyError>>| {
                group.into_iter().map(|verdict| verdict.unwrap().outcome).collect()
            };
            judged.into_iter().map(outcomes).collect()
        };
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let many = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
        let (first, second) = (seen(one.install(judge)), seen(many.install(judge)));
        assert_eq!(first, second);
        assert_eq!((first.len(), first[3].len()), (50, 0));
        assert_eq!(first[7][..2], [Outcome::Truncated, Outcome::Correct]);
        assert_eq!(first[13][2], Outcome::Correct);
    }

    #[derive(Debug)]
    struct Panics;

    impl Verifier for Panics {
        fn verify(&self, _: &Task, response: &str) -> Result<Verdict, VerifyError> {
            assert!(response != "bad", "a {response} one");
            Ok(Verdict::new(Outcome::Wrong))
        }
    }

    #[test]
    fn a_panic_is_an_error_of_one_completion() {
        let task = task(1);
        let groups = [Responses { task: &task, responses: texts(&["good", "bad", "good"]) }];
        let judged = verify_groups(&Panics, &groups, None);
        assert!(judged[0][0].is_ok() && judged[0][2].is_ok());
        let error = judged[0][1].as_ref().unwrap_err().to_string();
        assert!(error.contains("it panicked: a bad one"), "{error}");
    }

    /// Judges `slow` only after the watchdog has spoken.
    #[derive(Debug, Default)]
    struct Waits {
        spoken: Mutex<bool>,
        bell: Condvar,
    }

    impl Verifier for Waits {
        fn verify(&self, _: &Task, response: &str) -> Result<Verdict, VerifyError> {
            if response == "slow" {
                let spoken = self.spoken.lock().unwrap();
                drop(self.bell.wait_while(spoken, |spoken| !*spoken).unwrap());
            }
            Ok(Verdict::new(Outcome::Wrong))
        }
    }

    #[test]
    fn the_watchdog_names_what_it_waits_for() {
        let verifier = Waits::default();
        let named = Mutex::new(Vec::new());
        let report = |waiting: &[Waiting]| {
            named.lock().unwrap().extend(waiting.to_vec());
            *verifier.spoken.lock().unwrap() = true;
            verifier.bell.notify_all();
        };
        let watchdog = Watchdog { after: Duration::from_millis(20), report: &report };
        let (first, second) = (task(1), task(2));
        let groups = [
            Responses { task: &first, responses: texts(&["a", "b"]) },
            Responses { task: &second, responses: texts(&["c", "d", "slow"]) },
        ];
        let judged = verify_groups(&verifier, &groups, Some(&watchdog));
        assert!(judged.iter().flatten().all(Result::is_ok));
        let named = named.into_inner().unwrap();
        let slow = named.first().unwrap();
        assert_eq!((slow.task, slow.sample), (PromptId(2), 2));
        assert!(slow.elapsed >= Duration::from_millis(20));
        assert!(slow.to_string().starts_with("task 0000000000000002, sample 2, for "), "{slow}");
    }
}
