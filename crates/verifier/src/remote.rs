//! A verifier of the user's own, asked over HTTP.

use std::time::Duration;

use fireproof_trajectory::{Task, Verdict};
use serde::Serialize;
use ureq::Agent;

use crate::verifier::{Verifier, VerifyError};

/// Most bytes of an answer that are read.
const ANSWER_BYTES: u64 = 1 << 20;

/// Asks a service for every verdict.
///
/// The request is a `POST` with `{"task": Task, "response": text}` as JSON, the answer the JSON of a
/// [`Verdict`], of which only the outcome must be there: `{"outcome": "correct"}`, or `wrong`,
/// `no-answer`, `truncated`. Whatever else happens is [`VerifyError::Infrastructure`], never a wrong
/// answer: no connection, a time-out, a status other than 200 to 299, an answer that is no verdict.
/// Only `http://` is spoken; put a proxy in front of a service that is not on a network you trust.
///
/// ```no_run
/// use std::time::Duration;
/// use fireproof_verifier::RemoteVerifier;
///
/// let verifier = RemoteVerifier::new("http://127.0.0.1:8080/verify", Duration::from_secs(10))
///     .with_retries(5, Duration::from_millis(500));
/// ```
#[derive(Clone, Debug)]
pub struct RemoteVerifier {
    agent: Agent,
    url: String,
    retries: u32,
    pause: Duration,
}

#[derive(Serialize)]
struct Question<'a> {
    task: &'a Task,
    response: &'a str,
}

/// What went wrong, and whether it may go right the next time.
struct Failure {
    reason: String,
    passing: bool,
}

impl RemoteVerifier {
    /// A verifier that asks `url` and waits for each answer at most `timeout`, with two retries after
    /// 100 and 200 ms.
    #[must_use]
    pub fn new(url: &str, timeout: Duration) -> Self {
        let config =
            Agent::config_builder().timeout_global(Some(timeout)).http_status_as_error(false);
        let agent = config.build().into();
        Self { agent, url: url.to_owned(), retries: 2, pause: Duration::from_millis(100) }
    }

    /// How often a request is made again that failed on the way, or with a status of 429 or of 500
    /// and more, and the pause before the first of these; it doubles with each.
    #[must_use]
    pub fn with_retries(mut self, retries: u32, pause: Duration) -> Self {
        self.retries = retries;
        self.pause = pause;
        self
    }

    fn ask(&self, question: &str) -> Result<Verdict, Failure> {
        let request = self.agent.post(&self.url).content_type("application/json");
        let passing = |error: ureq::Error| Failure { reason: error.to_string(), passing: true };
        let mut answer = request.send(question).map_err(passing)?;
        let status = answer.status();
        if !status.is_success() {
            let passing = status.is_server_error() || status.as_u16() == 429;
            return Err(Failure { reason: format!("the service answered {status}"), passing });
        }
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
        let verdict: Verdict = serde_json::from_str(&body.map_err(passing)?).map_err(|error| {
            Failure { reason: format!("the answer is no verdict: {error}"), passing: false }
        })?;
        match verdict.format {
            Some(format) if !(0.0..=1.0).contains(&format) => {
                let reason = format!("the verdict's format is {format}, not from 0 to 1");
                Err(Failure { reason, passing: false })
            }
            _ => Ok(verdict),
        }
    }
}

impl Verifier for RemoteVerifier {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let question = serde_json::to_string(&Question { task, response })
            .map_err(|error| VerifyError::infrastructure(task, error))?;
        let mut tries = 0;
        loop {
            match self.ask(&question) {
                Ok(verdict) => return Ok(verdict),
                Err(failure) if failure.passing && tries < self.retries => {
                    // Past the tenth the pause grows no more.
                    std::thread::sleep(self.pause * (1 << tries.min(10)));
                    tries += 1;
                }
                Err(failure) => {
                    let reason = format!("{}: {}", self.url, failure.reason);
                    return Err(VerifyError::infrastructure(task, reason));
                }
            }
        }
    }
}
