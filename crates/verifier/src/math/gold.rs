//! An answer as it is written, and every way to read it.

use std::borrow::Cow;

use super::answer::Value;
use super::budget::{Failure, MAX_TEXT};
use super::clean::clean;
use super::compare::{Context, values};
use super::extract::{Extraction, extract};
use super::form::Algebra;
use super::lexer;
use super::normal::normal;
use super::outcome::{Comparison, GoldError, Reason, Tier};
use super::policy::Policy;
use super::read;
use super::special;
use super::token::Kind;
use super::words;
use super::wrapping::unwrap;

/// A text with its readings.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The text without its wrapping.
    text: String,
    /// The tokens, without their places.
    kinds: Vec<Kind>,
    /// At least one.
    readings: Vec<Value>,
    /// A single letter, for choices.
    short: Option<char>,
    /// The text as words, if it is nothing else.
    words: Option<String>,
}

impl Answer {
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        if text.len() > MAX_TEXT {
            return Err(Failure::Budget);
        }
        let clean = clean(text).ok_or(Failure::Unknown)?;
        let single = single_backslashes(&clean);
        let plain = without_dollars(unwrap(&single));
        let text = plain.trim();
        if text.is_empty() {
            return Err(Failure::Unknown);
        }
        let mut readings = Vec::new();
        if let Some((letter, rest)) = special::choice(text) {
            let content = if rest.is_empty() { None } else { Self::read(rest).ok() };
            let content = content.and_then(|answer| answer.readings.into_iter().next());
            readings.push(Value::Choice(letter, content.map(Box::new)));
        }
        readings.extend(special::based(text));
        let (kinds, value) = match mathematics(text) {
            Ok((kinds, value)) => (kinds, Ok(value)),
            Err(failure) => (Vec::new(), Err(failure)),
        };
        match value {
            Ok(value) if readings.is_empty() || is_letter(text) => readings.push(value),
            Err(Failure::Budget) => return Err(Failure::Budget),
            Err(_) if readings.is_empty() => {
                readings.push(Value::Text(as_words(text).ok_or(Failure::Unknown)?));
            }
            Ok(_) | Err(_) => {}
        }
        let short = text.trim_matches(['(', ')', '.', ' ']);
        let short = if short.len() == 1 { short.chars().next() } else { None };
        let wordy = text.chars().all(|c| c.is_alphabetic() || c == ' ');
        let words = if wordy && text.len() > 1 { as_words(text) } else { None };
        Ok(Self { text: text.to_owned(), kinds, readings, short, words })
    }
}

/// `$x=1$ and $y=2$` without its dollar signs: an even number of them marks formulas, an odd one is
/// a price.
fn without_dollars(text: &str) -> Cow<'_, str> {
    let signs = text.matches('$').count() - text.matches("\\$").count();
    if signs == 0 || signs % 2 == 1 || text.contains("\\$") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('$', " "))
}

/// `\\frac` as `\frac`: backslashes that were escaped once too often. In a matrix two of them end a
/// row.
fn single_backslashes(text: &str) -> Cow<'_, str> {
    if !text.contains("\\\\") || text.contains("\\begin") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\\\") {
        let after = &rest[at + 2..];
        out.push_str(&rest[..at]);
        out.push_str(if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
            "\\"
        } else {
            "\\\\"
        });
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A single letter may be a choice and a variable.
fn is_letter(text: &str) -> bool {
    text.len() == 1
}

fn mathematics(text: &str) -> Result<(Vec<Kind>, Value), Failure> {
    let tokens = lexer::tokens(text)?;
    read::check_brackets(&tokens)?;
    let value = match tokens.as_slice() {
        // Words in another font: what they say is read as if it stood bare.
        [token] => match &token.kind {
            Kind::Text(inner) if inner.chars().count() > 1 => {
                let inner = lexer::tokens(inner)?;
                read::check_brackets(&inner)?;
                read::value(&inner)?
            }
            Kind::Word(word) if words::is_short_word(word) => return Err(Failure::Unknown),
            _ => read::value(&tokens)?,
        },
        _ => read::value(&tokens)?,
    };
    Ok((tokens.into_iter().map(|token| token.kind).collect(), value))
}

/// Words as they are compared: lower case, without fonts, quotes and final points. `None` if the text
/// holds mathematics that is not understood.
fn as_words(text: &str) -> Option<String> {
    let mut plain = text.to_owned();
    for font in ["\\textbf", "\\text", "\\mathrm", "\\mathbf", "\\textit", "\\mbox"] {
        plain = plain.replace(font, "");
    }
    plain = plain.replace("\\ ", " ");
    if plain.contains(['\\', '^', '_', '=', '$', '<', '>', '|']) {
        return None;
    }
    let plain: String =
        plain.chars().filter(|c| !matches!(c, '{' | '}' | '"' | '*' | '`')).collect();
    let plain = plain.to_lowercase();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = plain.trim_matches(['.', ',', ';', ':', '!', ' ']).to_owned();
    let letters = plain.chars().filter(|c| c.is_alphabetic()).count();
    (letters >= 2 || plain.chars().any(|c| c.is_alphabetic() && !c.is_ascii())).then_some(plain)
}

/// A gold answer, read once and compared with many predictions.
///
/// ```
/// use fireproof_verifier::math::{Gold, Policy};
/// let gold = Gold::read(r"\frac{1}{\sqrt{2}}").unwrap();
/// assert!(gold.compare(r"\frac{\sqrt 2}{2}", &Policy::default()).equal);
/// assert!(!gold.compare("0.7071067811865", &Policy::default()).equal);
/// assert!(Gold::read(r"\frac{1}{0}").is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Gold {
    written: String,
    answer: Answer,
}

impl Gold {
    /// Reads a gold answer.
    ///
    /// # Errors
    /// [`GoldError`] if it is empty, too large, has no value, or is neither mathematics that is
    /// understood nor words: then the task is at fault.
    pub fn read(text: &str) -> Result<Self, GoldError> {
        if text.trim().is_empty() {
            return Err(GoldError::Empty);
        }
        let named = || text.chars().take(80).collect::<String>();
        let answer = Answer::read(text).map_err(|failure| match failure {
            Failure::Budget => GoldError::TooLarge(named()),
            Failure::Undefined => GoldError::Undefined(named()),
            Failure::Unknown | Failure::Unsupported => GoldError::Unreadable(named()),
        })?;
        if let [Value::Scalar(quantity)] = answer.readings.as_slice()
            && quantity.expression.infinity().is_none()
            && normal(&quantity.expression.chosen(0), &mut Algebra::new())
                == Err(Failure::Undefined)
        {
            return Err(GoldError::Undefined(named()));
        }
        Ok(Self { written: text.trim().to_owned(), answer })
    }

    /// True if the answer is the letter of a multiple choice.
    pub(crate) fn is_choice(&self) -> bool {
        let choice =
            |reading: &Value| matches!(reading, Value::Choice(letter, _) if *letter <= 'J');
        self.answer.readings.iter().any(choice)
    }

    /// The number of answers that it lists.
    pub(crate) fn items(&self) -> usize {
        match self.answer.readings.first() {
            Some(Value::List { items, .. } | Value::Set(items)) => items.len(),
            Some(Value::Scalar(quantity)) => 1 << quantity.expression.choices().0,
            _ => 1,
        }
    }

    /// Compares a bare prediction with it.
    #[must_use]
    pub fn compare(&self, prediction: &str, policy: &Policy) -> Comparison {
        if prediction.trim().is_empty() {
            return Comparison::not(Reason::Empty, Tier::Text);
        }
        if prediction.trim() == self.written {
            return Comparison::same(Tier::Text);
        }
        // A bare answer with a box or phrase in it: they say which part is meant.
        let strategies = [Extraction::Boxed, Extraction::Phrase];
        let strategies = &strategies[..if self.is_choice() { 1 } else { 2 }];
        let found = extract(prediction, strategies, Some(self));
        let prediction = found.as_ref().map_or(prediction, |found| found.text.as_str());
        let prediction = match Answer::read(prediction) {
            Ok(answer) => answer,
            Err(Failure::Budget) => return Comparison::not(Reason::Budget, Tier::Text),
            Err(Failure::Undefined) => return Comparison::not(Reason::Undefined, Tier::Text),
            Err(Failure::Unknown | Failure::Unsupported) => {
                return Comparison::not(Reason::Unreadable, Tier::Text);
            }
        };
        let tokens = !self.answer.kinds.is_empty() && self.answer.kinds == prediction.kinds;
        if tokens || self.answer.text == prediction.text {
            return Comparison::same(Tier::Text);
        }
        self.readings(&prediction, policy)
    }

    /// The best comparison of any two readings.
    fn readings(&self, prediction: &Answer, policy: &Policy) -> Comparison {
        // `YES` may be a product of variables, unless it is compared with a word.
        let is_text = |answer: &Answer| matches!(answer.readings[..], [Value::Text(_)]);
        let wordy = is_text(&self.answer) || is_text(prediction);
        if wordy && self.answer.words.is_some() && self.answer.words == prediction.words {
            return Comparison::same(Tier::Text);
        }
        let mut context = Context { policy, budget: super::budget::Budget::new() };
        let mut result = Comparison::not(Reason::Kind, Tier::Exact);
        for gold in &self.answer.readings {
            if let (Value::Choice(letter, _), Some(short)) = (gold, prediction.short)
                && *letter <= 'J'
                && short.eq_ignore_ascii_case(letter)
            {
                return Comparison::same(Tier::Text);
            }
            for other in &prediction.readings {
                let comparison = values(gold, other, &mut context);
                if comparison.equal {
                    return comparison;
                }
                if result.reason == Reason::Kind {
                    result = comparison;
                }
            }
        }
        result
    }
}
