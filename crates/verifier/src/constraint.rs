//! Checking the form of an answer: [`Constraint`]s.

mod count;
mod json;

use fireproof_trajectory::{CheckSpec, Constraint, Outcome, Task, Verdict};
use regex::{Regex, RegexBuilder};

use crate::verifier::{Verifier, VerifyError};

/// Bytes a compiled regular expression may take.
const REGEX_BYTES: usize = 1 << 20;

/// A constraint that cannot be checked: an error of the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstraintError {
    /// A regular expression or the name of a script is not one.
    #[error("`{pattern}` is no regular expression: {reason}")]
    Regex {
        /// The expression.
        pattern: String,
        /// Why.
        reason: String,
    },
    /// There is no rule for it here.
    #[error("there is no rule for {constraint}")]
    Unknown {
        /// The constraint.
        constraint: String,
    },
    /// A schema is no JSON or uses something that is not known here.
    #[error("the schema cannot be used: {reason}")]
    Schema {
        /// Why.
        reason: String,
    },
}

/// True if `text` meets a constraint.
///
/// ```
/// use fireproof_trajectory::{Constraint, Count};
/// use fireproof_verifier::meets;
///
/// let three_words = Constraint::Words { count: Count::exactly(3) };
/// assert_eq!(meets("To be continued.", &three_words), Ok(true));
/// assert_eq!(meets("To be, or not", &Constraint::NoCommas), Ok(false));
/// ```
///
/// # Errors
/// If the constraint itself is broken.
pub fn meets(text: &str, constraint: &Constraint) -> Result<bool, ConstraintError> {
    let text = text.trim();
    Ok(match constraint {
        Constraint::Keywords { words } => words.iter().all(|word| count::phrase(text, word) > 0),
        Constraint::KeywordCount { word, count } => count.allows(count::phrase(text, word)),
        Constraint::ForbiddenWords { words } => {
            words.iter().all(|word| count::phrase(text, word) == 0)
        }
        Constraint::LetterCount { letter, count } => count.allows(count::letter(text, *letter)),
        Constraint::Words { count } => count.allows(count::words(text).count()),
        Constraint::Sentences { count } => count.allows(count::sentences(text)),
        Constraint::Paragraphs { count } => count.allows(count::paragraphs(text).len()),
        Constraint::Characters { count } => count.allows(text.chars().count()),
        Constraint::ParagraphStart { paragraph, word } => {
            let paragraphs = count::paragraphs(text);
            let paragraph = paragraph.checked_sub(1).and_then(|index| paragraphs.get(index));
            let first = paragraph.and_then(|paragraph| count::words(paragraph).next());
            first.is_some_and(|first| first.to_lowercase() == word.to_lowercase())
        }
        Constraint::Bullets { count } => count.allows(count::bullets(text)),
        Constraint::NumberedItems { count } => count.allows(count::numbered(text, "")),
        Constraint::Highlights { count } => count.allows(count::highlights(text)),
        Constraint::Sections { marker, count } => count.allows(count::numbered(text, marker)),
        Constraint::Placeholders { count } => count.allows(count::placeholders(text)),
        Constraint::Postscript { marker } => {
            let mut after =
                text.lines().filter_map(|line| line.trim().strip_prefix(marker.as_str()));
            after.any(|rest| !rest.trim().is_empty())
        }
        Constraint::Title => text.lines().any(has_title),
        Constraint::Json => json::value(text).is_some(),
        Constraint::JsonSchema { schema } => json::conforms(text, schema)?,
        Constraint::Regex { pattern } => regex(pattern)?.is_match(text),
        Constraint::StartsWith { text: start } => text.starts_with(start.trim()),
        Constraint::EndsWith { text: end } => text.ends_with(end.trim()),
        Constraint::Uppercase => has_letters(text) && !text.chars().any(char::is_lowercase),
        Constraint::Lowercase => has_letters(text) && !text.chars().any(char::is_uppercase),
        Constraint::CapitalWords { count } => count.allows(count::capital_words(text)),
        Constraint::NoCommas => !text.contains([',', '،', '、', '，', '﹐', '､']),
        Constraint::Quoted => is_quoted(text),
        Constraint::OneOf { options } => options.iter().any(|option| option.trim() == text),
        Constraint::Repeats { text: start } => {
            text.strip_prefix(start.trim()).is_some_and(|rest| !rest.trim().is_empty())
        }
        Constraint::TwoResponses => is_two_responses(text),
        Constraint::Script { script } => {
            let letters: String = text.chars().filter(|c| c.is_alphabetic()).collect();
            let common = r"\p{Common}\p{Inherited}";
            has_letters(text) && regex(&format!(r"^[\p{{{script}}}{common}]+$"))?.is_match(&letters)
        }
        other => return Err(ConstraintError::Unknown { constraint: format!("{other:?}") }),
    })
}

fn regex(pattern: &str) -> Result<Regex, ConstraintError> {
    let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build();
    built.map_err(|error| ConstraintError::Regex {
        pattern: pattern.to_owned(),
        reason: error.to_string(),
    })
}

fn has_letters(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

fn has_title(line: &str) -> bool {
    let after = line.split_once("<<").map(|(_, after)| after);
    let title = after.and_then(|after| after.split_once(">>")).map(|(title, _)| title);
    title.is_some_and(|title| !title.trim().is_empty())
}

fn is_quoted(text: &str) -> bool {
    let pairs = [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('「', '」')];
    let inner = |(open, close)| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    pairs.into_iter().filter_map(inner).any(|inner| !inner.trim().is_empty())
}

fn is_two_responses(text: &str) -> bool {
    let parts: Vec<&str> = text.split("******").map(str::trim).collect();
    matches!(parts.as_slice(), [a, b] if !a.is_empty() && !b.is_empty() && a != b)
}

/// Share of constraints that a text meets, from 0 to 1; 1 where there are none.
///
/// # Errors
/// If one of them is broken.
pub fn constraints_met(text: &str, constraints: &[Constraint]) -> Result<f32, ConstraintError> {
    let met = constraints.iter().map(|constraint| meets(text, constraint));
    let met = met.collect::<Result<Vec<bool>, _>>()?;
    let count = met.iter().filter(|met| **met).count();
    Ok(if met.is_empty() { 1.0 } else { count as f32 / met.len() as f32 })
}

/// Judges by [`CheckSpec::Constraints`]: right if all are met. The share that is met is reported as
/// the format.
///
/// An empty response is no answer. A task without constraints, or with a broken one, is an error.
#[derive(Clone, Copy, Debug)]
pub struct ConstraintVerifier;

impl Verifier for ConstraintVerifier {
    fn verify(&self, task: &Task, response: &str) -> Result<Verdict, VerifyError> {
        let CheckSpec::Constraints { constraints } = &task.check else {
            return Err(VerifyError::unsupported("ConstraintVerifier", task));
        };
        if constraints.is_empty() {
            return Err(VerifyError::infrastructure(task, "there are no constraints"));
        }
        let share = constraints_met(response, constraints)
            .map_err(|error| VerifyError::infrastructure(task, error))?;
        let response = response.trim();
        let mut verdict = if response.is_empty() {
            Verdict::new(Outcome::NoAnswer)
        } else {
            Verdict::over(response, share == 1.0)
        };
        verdict.format = Some(share);
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests;
