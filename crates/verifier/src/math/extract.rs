//! Where the answer stands in a completion: an ordered list of strategies, the first that finds one
//! decides.

mod boxes;
mod delimited;
mod letters;
mod numbers;
mod phrases;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::gold::Gold;

/// A way to find the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Extraction {
    /// Inside the last `<answer>...</answer>`.
    Tags,
    /// Inside the last `\boxed{}` or `\fbox{}`; several boxes in a row are a list if the gold answer
    /// is one with as many items.
    Boxed,
    /// Behind the last `#### `, to the end of the line.
    Gsm8k,
    /// Behind "the answer is", "Answer:" and the like, to the end of the sentence.
    Phrase,
    /// The letter of a multiple choice: never the article "A".
    Choice,
    /// Inside the last `$...$`, `\(...\)` or `\[...\]`.
    Dollars,
    /// The last number that stands by itself.
    LastNumber,
    /// The whole text.
    Whole,
}

impl Extraction {
    /// The strategies that `auto` tries.
    pub const AUTO: [Self; 6] =
        [Self::Tags, Self::Boxed, Self::Gsm8k, Self::Phrase, Self::Dollars, Self::LastNumber];

    /// The strategies behind a name: `auto`, or one of `tags`, `boxed`, `gsm8k`, `phrase`, `choice`,
    /// `dollars`, `last_number`, `whole`.
    ///
    /// ```
    /// use fireproof_verifier::math::Extraction;
    /// assert_eq!(Extraction::mode("boxed"), Some(vec![Extraction::Boxed]));
    /// assert_eq!(Extraction::mode("guess"), None);
    /// ```
    #[must_use]
    pub fn mode(name: &str) -> Option<Vec<Self>> {
        Some(match name {
            "auto" => Self::AUTO.to_vec(),
            "tags" => vec![Self::Tags],
            "boxed" => vec![Self::Boxed],
            "gsm8k" => vec![Self::Gsm8k],
            "phrase" => vec![Self::Phrase],
            "choice" => vec![Self::Choice],
            "dollars" => vec![Self::Dollars],
            "last_number" => vec![Self::LastNumber],
            "whole" => vec![Self::Whole],
            _ => return None,
        })
    }
}

/// An answer found in a completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// The answer as it is compared.
    pub text: String,
    /// The bytes of the completion that it was taken from.
    pub span: Range<usize>,
    /// How it was found.
    pub strategy: Extraction,
}

/// What a strategy says.
pub(super) enum Found {
    /// The answer is the text at this place.
    At(Range<usize>),
    /// The answer is made of several places.
    Joined(String, Range<usize>),
    /// There is a mark, and what it announces is missing: the completion was cut off.
    CutOff,
    Nothing,
}

/// The answer that a completion gives, by the first strategy that finds one.
///
/// A think block is skipped, and one that does not close leaves no answer. A mark without its answer
/// (a box or tag that does not close) leaves none either: weaker strategies would only find a number
/// of an unfinished calculation. Of a very long text only the last 256 KiB are searched.
///
/// ```
/// use fireproof_verifier::math::{Extraction, extract};
/// let found = extract(r"so $x=3$, hence \boxed{\frac{1}{2}}.", &Extraction::AUTO, None).unwrap();
/// assert_eq!((found.text.as_str(), found.strategy), (r"\frac{1}{2}", Extraction::Boxed));
/// assert_eq!(extract("<think>is it 7?", &Extraction::AUTO, None), None);
/// ```
#[must_use]
pub fn extract(text: &str, strategies: &[Extraction], gold: Option<&Gold>) -> Option<Extracted> {
    let start = tail(text, after_thinking(text)?);
    let visible = &text[start..];
    let wants_letter = gold.is_some_and(Gold::is_choice);
    for &strategy in strategies {
        if wants_letter && matches!(strategy, Extraction::Phrase | Extraction::LastNumber) {
            if let Found::At(span) = letters::find(visible) {
                return finish(visible, start, Found::At(span), Extraction::Choice);
            }
            continue;
        }
        let found = match strategy {
            Extraction::Tags => tagged(visible, gold),
            Extraction::Boxed => boxes::find(visible, gold.map_or(1, Gold::items)),
            Extraction::Gsm8k => hashes(visible),
            Extraction::Phrase => phrases::find(visible),
            Extraction::Choice => letters::find(visible),
            Extraction::Dollars => delimited::find(visible),
            Extraction::LastNumber => numbers::find(visible),
            Extraction::Whole => Found::At(0..visible.len()),
        };
        match found {
            Found::Nothing => {}
            Found::CutOff => return None,
            found => return finish(visible, start, found, strategy),
        }
    }
    None
}

/// Where the text after the last think block begins; `None` if a block does not close.
fn after_thinking(text: &str) -> Option<usize> {
    const CLOSE: &str = "</think>";
    let start = text.rfind(CLOSE).map_or(0, |at| at + CLOSE.len());
    (!text[start..].contains("<think>")).then_some(start)
}

/// Most bytes at the end of a completion that are searched.
const MAX_TAIL: usize = 256 * 1024;

/// Where the part that is searched begins, given where the visible text does.
fn tail(text: &str, start: usize) -> usize {
    let mut from = start.max(text.len().saturating_sub(MAX_TAIL));
    while !text.is_char_boundary(from) {
        from += 1;
    }
    from
}

fn finish(text: &str, offset: usize, found: Found, strategy: Extraction) -> Option<Extracted> {
    let (answer, span) = match found {
        Found::At(span) => {
            let inner = &text[span.clone()];
            let start = span.start + (inner.len() - inner.trim_start().len());
            let answer = inner.trim();
            (answer.to_owned(), start..start + answer.len())
        }
        Found::Joined(answer, span) => (answer, span),
        Found::CutOff | Found::Nothing => return None,
    };
    let span = span.start + offset..span.end + offset;
    (!answer.is_empty()).then_some(Extracted { text: answer, span, strategy })
}

/// Inside answer tags a box or phrase may still name the answer.
fn tagged(text: &str, gold: Option<&Gold>) -> Found {
    const OPEN: &str = "<answer>";
    const CLOSE: &str = "</answer>";
    let Some(open) = text.rfind(OPEN) else { return Found::Nothing };
    let start = open + OPEN.len();
    let Some(length) = text[start..].find(CLOSE) else { return Found::CutOff };
    let inner = &text[start..start + length];
    let shift = |span: Range<usize>| span.start + start..span.end + start;
    for found in [boxes::find(inner, gold.map_or(1, Gold::items)), phrases::find(inner)] {
        match found {
            Found::Nothing => {}
            Found::At(span) => return Found::At(shift(span)),
            Found::Joined(answer, span) => return Found::Joined(answer, shift(span)),
            Found::CutOff => return Found::CutOff,
        }
    }
    Found::At(start..start + length)
}

/// `#### 42`
fn hashes(text: &str) -> Found {
    const MARK: &str = "####";
    let Some(at) = text.rfind(MARK) else { return Found::Nothing };
    let start = at + MARK.len();
    let line = text[start..].lines().next().unwrap_or_default();
    if line.trim().is_empty() { Found::CutOff } else { Found::At(start..start + line.len()) }
}
