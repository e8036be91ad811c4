//! What templates of Hugging Face checkpoints expect of Jinja.

use std::error::Error as _;

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::to_json::to_json;

/// An environment with the settings of `transformers`.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the delimiters are Jinja's own"));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", to_json);
    environment.add_function("raise_exception", raise_exception);
    environment
}

/// The message of a template that refuses a conversation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn raise_exception(message: String) -> Result<Value, Error> {
    let error = Error::new(ErrorKind::InvalidOperation, message.clone());
    Err(error.with_source(Refusal(message)))
}

/// The message of `raise_exception`, if that is where an error comes from.
pub(super) fn refusal(error: &Error) -> Option<&str> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(Refusal(message)) = error.downcast_ref() {
            return Some(message);
        }
        source = error.source();
    }
    None
}

/// `strftime_now(format)` at a given time.
pub(super) fn strftime_now(now: DateTime) -> Value {
    Value::from_function(move |format: String| {
        strtime::format(&format, now).map_err(|error| {
            let text = format!("strftime_now({format:?}): {error}");
            Error::new(ErrorKind::InvalidOperation, text)
        })
    })
}
