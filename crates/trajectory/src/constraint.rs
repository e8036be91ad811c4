//! Constraints on the form of an answer that can be checked exactly, in the manner of IFEval
//! (arXiv 2311.07911).

use serde::{Deserialize, Serialize};

/// How many there may be, both ends included. Without bounds any number is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The fewest.
    #[serde(default)]
    pub at_least: Option<usize>,
    /// The most.
    #[serde(default)]
    pub at_most: Option<usize>,
}

impl Count {
    /// Exactly `count`.
    #[must_use]
    pub fn exactly(count: usize) -> Self {
        Self { at_least: Some(count), at_most: Some(count) }
    }

    /// `count` or more.
    #[must_use]
    pub fn at_least(count: usize) -> Self {
        Self { at_least: Some(count), at_most: None }
    }

    /// `count` or fewer.
    #[must_use]
    pub fn at_most(count: usize) -> Self {
        Self { at_least: None, at_most: Some(count) }
    }

    /// True if `count` is allowed.
    #[must_use]
    pub fn allows(&self, count: usize) -> bool {
        self.at_least.is_none_or(|least| count >= least)
            && self.at_most.is_none_or(|most| count <= most)
    }
}

/// One constraint on a text. White space around the text never counts.
///
/// *Words* are runs of letters, digits and underscores; *paragraphs* are separated by blank lines or
/// by lines of `***` or `---` alone; *sentences* end in `.`, `!`, `?` or `…` before white space or
/// the end, or in `。`, `！`, `？`. Names of words are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Constraint {
    /// Each of these words or phrases occurs, as whole words.
    Keywords {
        /// The words.
        words: Vec<String>,
    },
    /// A word or phrase occurs this often, as whole words.
    KeywordCount {
        /// The word.
        word: String,
        /// How often.
        count: Count,
    },
    /// None of these words or phrases occurs as whole words.
    ForbiddenWords {
        /// The words.
        words: Vec<String>,
    },
    /// A letter, large or small, occurs this often.
    LetterCount {
        /// The letter.
        letter: char,
        /// How often.
        count: Count,
    },
    /// Number of words.
    Words {
        /// How many.
        count: Count,
    },
    /// Number of sentences.
    Sentences {
        /// How many.
        count: Count,
    },
    /// Number of paragraphs.
    Paragraphs {
        /// How many.
        count: Count,
    },
    /// Number of characters.
    Characters {
        /// How many.
        count: Count,
    },
    /// A paragraph begins with a word.
    ParagraphStart {
        /// Which paragraph, from 1.
        paragraph: usize,
        /// The word.
        word: String,
    },
    /// Number of lines that begin with `* ` or `- `.
    Bullets {
        /// How many.
        count: Count,
    },
    /// Number of lines that begin with a number and `.` or `)`.
    NumberedItems {
        /// How many.
        count: Count,
    },
    /// Number of pieces between `*` or `**`.
    Highlights {
        /// How many.
        count: Count,
    },
    /// Number of lines that begin with `marker` and a number, such as `Section 2`.
    Sections {
        /// The marker.
        marker: String,
        /// How many.
        count: Count,
    },
    /// Number of placeholders such as `[address]`.
    Placeholders {
        /// How many.
        count: Count,
    },
    /// A line begins with `marker`, such as `P.S.`, and has text after it.
    Postscript {
        /// The marker.
        marker: String,
    },
    /// A line has a title as `<<title>>`.
    Title,
    /// All of it is JSON; a code fence around it is allowed.
    Json,
    /// All of it is JSON, as above, that a schema describes.
    ///
    /// Known keywords: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`,
    /// `minProperties`, `maxProperties`, `items`, `minItems`, `maxItems`, `uniqueItems`,
    /// `minLength`, `maxLength`, `pattern`, `minimum`, `maximum`, `exclusiveMinimum`,
    /// `exclusiveMaximum`, `allOf`, `anyOf`, `oneOf`, `not`, and those that only describe. A schema
    /// with any other is an error of the task.
    JsonSchema {
        /// The schema, as JSON text.
        schema: String,
    },
    /// A regular expression (of the crate `regex`) matches somewhere.
    Regex {
        /// The expression.
        pattern: String,
    },
    /// It begins with this text.
    StartsWith {
        /// The text.
        text: String,
    },
    /// It ends with this text.
    EndsWith {
        /// The text.
        text: String,
    },
    /// It has letters, and none is small.
    Uppercase,
    /// It has letters, and none is large.
    Lowercase,
    /// Number of words with a letter and no small one.
    CapitalWords {
        /// How many.
        count: Count,
    },
    /// There is no comma, in any script.
    NoCommas,
    /// It stands in double quotation marks.
    Quoted,
    /// It is one of these texts.
    OneOf {
        /// The texts.
        options: Vec<String>,
    },
    /// It begins with this text, word for word, and goes on after it.
    Repeats {
        /// The text.
        text: String,
    },
    /// It is two different responses with a line of six asterisks between them.
    TwoResponses,
    /// It has letters, and all of them are of one script, such as `Latin`, `Cyrillic` or `Han`.
    Script {
        /// Unicode's name of the script.
        script: String,
    },
}
