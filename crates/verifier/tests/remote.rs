//! The remote verifier against a service in this process.
#![cfg(feature = "remote")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fireproof_trajectory::{CheckSpec, Outcome, PromptId, Task, TaskMetadata};
use fireproof_verifier::{RemoteVerifier, Verifier, VerifyError};

fn task() -> Task {
    Task {
        id: PromptId(1),
        prompt: "1+1>".into(),
        check: CheckSpec::Custom { name: "mine".into(), data: "2".into() },
        metadata: TaskMetadata::default(),
    }
}

/// Reads a request and returns its body.
fn body(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("set-up");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("set-up");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).expect("set-up");
    String::from_utf8(bytes).expect("set-up")
}

/// Serves `answers` one after the other, the last one for ever, and counts the requests. An answer
/// of nothing hangs until the client has gone.
fn asked(
    answers: &[(u16, &str)],
    retries: u32,
    response: &str,
) -> (Result<Outcome, VerifyError>, usize, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("set-up");
    let url = format!("http://{}/verify", listener.local_addr().expect("set-up"));
    let count = AtomicUsize::new(0);
    let verifier = RemoteVerifier::new(&url, Duration::from_millis(300))
        .with_retries(retries, Duration::from_millis(1));
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut last = String::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("set-up");
                let question = body(&stream);
                if question == "stop" {
                    break;
                }
                last = question;
                let number = count.fetch_add(1, Ordering::Relaxed);
                let (status, text) = answers[number.min(answers.len() - 1)];
                if status == 0 {
                    let mut rest = Vec::new();
                    // Ends when the client hangs up; how does not matter.
                    let _ = stream.read_to_end(&mut rest);
                    continue;
                }
                let length = text.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                stream.write_all((head + text).as_bytes()).expect("set-up");
            }
            last
        });
        let verdict = verifier.verify(&task(), response).map(|verdict| verdict.outcome);
        let mut stream =
            TcpStream::connect(listener.local_addr().expect("set-up")).expect("set-up");
        stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nstop").expect("set-up");
        let last = server.join().expect("set-up");
        (verdict, count.load(Ordering::Relaxed), last)
    })
}

#[test]
fn the_services_verdict_is_taken() {
    let (verdict, count, question) = asked(&[(200, r#"{"outcome":"correct"}"#)], 0, "say \"2\"");
    assert_eq!((verdict.unwrap(), count), (Outcome::Correct, 1));
    let question: serde_json::Value = serde_json::from_str(&question).unwrap();
    assert_eq!(question["response"], "say \"2\"");
    assert_eq!(question["task"]["prompt"], "1+1>");
    let (verdict, ..) = asked(&[(200, r#"{"outcome":"no-answer","format":0.5}"#)], 0, "");
    assert_eq!(verdict.unwrap(), Outcome::NoAnswer);
}

#[test]
fn failures_that_may_pass_are_tried_again() {
    let answers = [(503, ""), (0, ""), (429, "later"), (200, r#"{"outcome":"wrong"}"#)];
    let (verdict, count, _) = asked(&answers, 3, "x");
    assert_eq!((verdict.unwrap(), count), (Outcome::Wrong, 4));
    let (verdict, count, _) = asked(&answers, 1, "x");
    assert!(matches!(verdict, Err(VerifyError::Infrastructure { .. })));
    assert_eq!(count, 2);
}

#[test]
fn what_is_no_verdict_is_an_error_and_not_a_wrong_answer() {
    for answer in [
        (404, ""),
        (400, r#"{"outcome":"correct"}"#),
        (200, ""),
        (200, "correct"),
        (200, r#"{"outcome":"maybe"}"#),
        (200, r#"{"outcome":"correct","format":1e9}"#),
    ] {
        let (verdict, count, _) = asked(&[answer], 3, "x");
        assert!(matches!(verdict, Err(VerifyError::Infrastructure { .. })), "{answer:?}");
        assert_eq!(count, 1, "{answer:?}");
    }
}

#[test]
fn nobody_there_is_an_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/");
    let verifier = RemoteVerifier::new(&url, Duration::from_millis(300))
        .with_retries(2, Duration::from_millis(1));
    let error = verifier.verify(&task(), "x").unwrap_err().to_string();
    assert!(error.contains(&url), "{error}");
}
