//! Which field of a row is what.

use serde::{Deserialize, Serialize};

/// How rows are turned into tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layout {
    /// Whole tasks, as [`write_jsonl`](crate::write_jsonl) writes them.
    Tasks,
    /// Prompt and answer under these names.
    Fields(Fields),
}

/// The names of the fields of a data set.
///
/// A name is a path: `reward_model.ground_truth` is the field `ground_truth` of the object in the
/// field `reward_model`, and a whole number counts the items of a list from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// Name of the data set, for `metadata.source`.
    pub source: String,
    /// The prompt: a text, or a list of messages `{"role", "content"}` whose contents are joined
    /// by blank lines.
    pub prompt: String,
    /// Where the gold answer stands; the first that a row has is taken.
    pub answers: Vec<Answer>,
    /// How answers are judged.
    #[serde(default)]
    pub judge: Judge,
    /// A worked solution to learn from, if the set has one.
    #[serde(default)]
    pub demonstration: Option<String>,
    /// Difficulty: a number, alone or at the end of a text such as `Level 3`.
    #[serde(default)]
    pub level: Option<String>,
    /// More fields to keep in `metadata.extra`, where a row has them.
    #[serde(default)]
    pub extra: Vec<String>,
}

/// A field with the gold answer, as a text or a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", content = "field", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Answer {
    /// The field is the answer. A number is taken as it is written, digit for digit.
    Whole(String),
    /// The answer follows the last `####` of the field.
    AfterHashes(String),
    /// The answer stands in the last `\boxed{}` or `\fbox{}` of the field.
    LastBoxed(String),
}

/// How the answers to a data set are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Judge {
    /// The answer is found in the completion and must be mathematically equal to the gold answer.
    #[default]
    Math,
    /// The completion must be the gold answer.
    Exact,
}

impl Answer {
    /// The path of the field.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Whole(field) | Self::AfterHashes(field) | Self::LastBoxed(field) => field,
        }
    }
}

impl Fields {
    /// A data set with nothing but a prompt and an answer that is judged as mathematics.
    #[must_use]
    pub fn new(source: &str, prompt: &str, answer: &str) -> Self {
        Self {
            source: source.to_owned(),
            prompt: prompt.to_owned(),
            answers: vec![Answer::Whole(answer.to_owned())],
            judge: Judge::default(),
            demonstration: None,
            level: None,
            extra: Vec::new(),
        }
    }
}

impl Layout {
    /// GSM8K: `question`, and `answer` with the worked solution before `#### `.
    #[must_use]
    pub fn gsm8k() -> Self {
        Self::Fields(Fields {
            answers: vec![Answer::AfterHashes("answer".to_owned())],
            demonstration: Some("answer".to_owned()),
            ..Fields::new("gsm8k", "question", "answer")
        })
    }

    /// MATH and its relatives: `problem`, `solution` with a boxed answer, `answer` where there is
    /// one, `level` as in `Level 3`, `type` or `subject`.
    #[must_use]
    pub fn math() -> Self {
        let answers =
            vec![Answer::Whole("answer".to_owned()), Answer::LastBoxed("solution".to_owned())];
        Self::Fields(Fields {
            answers,
            demonstration: Some("solution".to_owned()),
            level: Some("level".to_owned()),
            extra: ["type", "subject", "unique_id"].map(str::to_owned).to_vec(),
            ..Fields::new("math", "problem", "answer")
        })
    }

    /// DAPO-Math and other sets in verl's form: `prompt` as messages, the answer in
    /// `reward_model.ground_truth` (or in `answer` or `solution`, as in processed copies).
    #[must_use]
    pub fn dapo() -> Self {
        let answers = ["reward_model.ground_truth", "answer", "solution"];
        Self::Fields(Fields {
            answers: answers.map(|field| Answer::Whole(field.to_owned())).to_vec(),
            extra: ["data_source", "ability", "extra_info.index"].map(str::to_owned).to_vec(),
            ..Fields::new("dapo", "prompt", "answer")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_can_stand_in_a_configuration_file() {
        let json = r#"{"fields":{"source":"exam","prompt":"q.text","answers":[
            {"form":"whole","field":"key"},{"form":"last-boxed","field":"worked"}],"judge":"exact"}}"#;
        let layout: Layout = serde_json::from_str(json).unwrap();
        let answers = vec![Answer::Whole("key".into()), Answer::LastBoxed("worked".into())];
        let fields = Fields { answers, judge: Judge::Exact, ..Fields::new("exam", "q.text", "") };
        assert_eq!(layout, Layout::Fields(fields));
        let misspelt = json.replace("judge", "jugde");
        let error = serde_json::from_str::<Layout>(&misspelt).unwrap_err().to_string();
        assert!(error.contains("unknown field `jugde`"), "{error}");
    }
}
