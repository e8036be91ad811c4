//! Fields of a row, read from its JSON text so that numbers keep every digit.

use std::collections::BTreeMap;

use fireproof_trajectory::{CheckSpec, PromptId, Task, TaskMetadata};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{ReadProblem, shown};
use super::gold::{after_hashes, last_boxed};
use super::layout::{Answer, Fields, Judge};

type Object<'a> = BTreeMap<String, &'a RawValue>;

/// The task of a row and its worked solution; the prompt may be empty.
pub(super) fn task(fields: &Fields, row: &str) -> Result<(Task, Option<String>), ReadProblem> {
    let object: Object = serde_json::from_str(row).map_err(|error| not_json(&error, row))?;
    let prompt = value(&object, &fields.prompt)
        .ok_or_else(|| ReadProblem::Missing { field: fields.prompt.clone() })?;
    let prompt = prompt_text(&fields.prompt, prompt)?;
    let answer = gold(fields, &object)?;
    let optional = |path: &Option<String>| {
        let path = path.as_ref()?;
        Some(plain_text(path, value(&object, path)?))
    };
    let level = optional(&fields.level).transpose()?.and_then(|text| trailing_number(&text));
    let demonstration = optional(&fields.demonstration).transpose()?;
    let mut extra = BTreeMap::new();
    for path in &fields.extra {
        if let Some(value) = value(&object, path) {
            extra.insert(path.clone(), text(value).unwrap_or_else(|| value.get().to_owned()));
        }
    }
    let metadata = TaskMetadata { source: fields.source.clone(), level, solutions: None, extra };
    let id = PromptId::of(&prompt);
    let check = match fields.judge {
        Judge::Math => CheckSpec::Math { answer },
        Judge::Exact => CheckSpec::Exact { answer },
    };
    Ok((Task { id, prompt, check, metadata }, demonstration))
}

pub(super) fn not_json(error: &serde_json::Error, row: &str) -> ReadProblem {
    // The parser counts lines too, and there is only one.
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    ReadProblem::NotJson {
        reason: reason.to_owned(),
        column: error.column(),
        value: shown(row.trim_end()),
    }
}

/// The value at a path, unless it or something on the way is null or missing.
fn value<'a>(object: &Object<'a>, path: &str) -> Option<&'a RawValue> {
    // A name may itself hold a dot.
    let found = object.get(path).copied().or_else(|| {
        let (first, rest) = path.split_once('.')?;
        step(object.get(first)?, rest)
    });
    found.filter(|value| value.get() != "null")
}

fn step<'a>(raw: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    if let Ok(object) = serde_json::from_str::<Object>(raw.get()) {
        return value(&object, path);
    }
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
    let item = items.get(first.parse::<usize>().ok()?)?;
    match rest {
        Some(rest) => step(item, rest),
        None => (item.get() != "null").then_some(*item),
    }
}

/// A string's text, a number's digits, a truth value's name; nothing of a list or an object.
fn text(value: &RawValue) -> Option<String> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get()).ok(),
        Some(b'[' | b'{') => None,
        _ => Some(value.get().to_owned()),
    }
}

fn plain_text(path: &str, value: &RawValue) -> Result<String, ReadProblem> {
    text(value).ok_or_else(|| wrong(path, "a text or a number", value))
}

fn wrong(path: &str, expected: &'static str, value: &RawValue) -> ReadProblem {
    ReadProblem::WrongValue { field: path.to_owned(), expected, value: shown(value.get()) }
}

/// A prompt as text, or the contents of its messages.
fn prompt_text(path: &str, value: &RawValue) -> Result<String, ReadProblem> {
    #[derive(Deserialize)]
    struct Message {
        content: String,
    }
    let expected = "a text or a list of messages";
    if value.get().starts_with('"') {
        return text(value).ok_or_else(|| wrong(path, expected, value));
    }
    let messages: Vec<Message> =
        serde_json::from_str(value.get()).map_err(|_| wrong(path, expected, value))?;
    let contents: Vec<String> = messages.into_iter().map(|message| message.content).collect();
    Ok(contents.join("\n\n"))
}

/// The gold answer, never empty.
fn gold(fields: &Fields, object: &Object<'_>) -> Result<String, ReadProblem> {
    let found =
        fields.answers.iter().find_map(|answer| Some((answer, value(object, answer.field())?)));
    let Some((answer, raw)) = found else {
        let names: Vec<&str> = fields.answers.iter().map(Answer::field).collect();
        return Err(ReadProblem::Missing { field: names.join("` or `") });
    };
    let path = answer.field();
    // Some sets keep even a single answer in a list.
    let single = serde_json::from_str::<[&RawValue; 1]>(raw.get()).map_or(raw, |[only]| only);
    let whole = plain_text(path, single)?;
    let (gold, expected) = match answer {
        Answer::Whole(_) => (Some(whole.trim()), "an answer"),
        Answer::AfterHashes(_) => (after_hashes(&whole), "an answer after `####`"),
        Answer::LastBoxed(_) => (last_boxed(&whole), "an answer in a `\\boxed{}`"),
    };
    match gold {
        Some(gold) if !gold.is_empty() => Ok(gold.to_owned()),
        _ => Err(wrong(path, expected, raw)),
    }
}

/// 3 of `Level 3`; nothing of `Level ?`.
fn trailing_number(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_digit());
    text[digits.len()..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;

    fn fields(layout: Layout) -> Fields {
        match layout {
            Layout::Fields(fields) => fields,
            other => panic!("{other:?} has no fields"),
        }
    }

    fn answer(task: &Task) -> &str {
        match &task.check {
            CheckSpec::Math { answer } | CheckSpec::Exact { answer } => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_layout_says_how_answers_are_judged() {
        let exact = Fields { judge: Judge::Exact, ..Fields::new("s", "q", "a") };
        let (first, _) = task(&exact, r#"{"q":"?","a":"yes"}"#).unwrap();
        assert_eq!(first.check, CheckSpec::Exact { answer: "yes".into() });
        let (second, _) = task(&fields(Layout::dapo()), r#"{"prompt":"?","answer":7}"#).unwrap();
        assert_eq!(second.check, CheckSpec::Math { answer: "7".into() });
    }

    #[test]
    fn gsm8k_rows() {
        let row = r#"{"question": "Ann has 2 pens and buys 1200.", "answer": "2+1200=<<2+1200=1202>>1202\n#### 1,202"}"#;
        let (task, solution) = task(&fields(Layout::gsm8k()), row).unwrap();
        assert_eq!(task.prompt, "Ann has 2 pens and buys 1200.");
        assert_eq!(task.id, PromptId::of(&task.prompt));
        assert_eq!(answer(&task), "1,202");
        assert!(solution.unwrap().ends_with("#### 1,202"));
        assert_eq!(task.metadata.source, "gsm8k");
    }

    #[test]
    fn math_rows_with_and_without_a_field_for_the_answer() {
        let layout = fields(Layout::math());
        let row = r#"{"problem":"Half?","level":"Level 3","type":"Algebra","solution":"It is $\\boxed{\\frac{1}{2}}$."}"#;
        let (first, _) = task(&layout, row).unwrap();
        assert_eq!(answer(&first), r"\frac{1}{2}");
        assert_eq!(first.metadata.level, Some(3));
        assert_eq!(first.metadata.extra["type"], "Algebra");
        let row = r#"{"problem":"Half?","level":5,"solution":"unboxed","answer":"0.5"}"#;
        let (second, solution) = task(&layout, row).unwrap();
        assert_eq!((answer(&second), second.metadata.level), ("0.5", Some(5)));
        assert_eq!(solution.as_deref(), Some("unboxed"));
    }

    #[test]
    fn dapo_rows() {
        let row = r#"{"data_source":"made up","prompt":[{"role":"system","content":"Be brief."},{"role":"user","content":"17*2?"}],"ability":"MATH","reward_model":{"ground_truth":"34","style":"rule"},"extra_info":{"index":"a-1"}}"#;
        let (task, solution) = task(&fields(Layout::dapo()), row).unwrap();
        assert_eq!(task.prompt, "Be brief.\n\n17*2?");
        assert_eq!((answer(&task), solution), ("34", None));
        assert_eq!(task.metadata.extra["extra_info.index"], "a-1");
    }

    #[test]
    fn numbers_keep_every_digit() {
        for number in ["7", "-0.50", "123456789012345678901234567890", "1e400", "70000.0"] {
            let row = format!(r#"{{"q":"?","a":{number}}}"#);
            let (task, _) = task(&Fields::new("s", "q", "a"), &row).unwrap();
            assert_eq!(answer(&task), number);
        }
    }

    #[test]
    fn paths_go_through_objects_lists_and_names_with_dots() {
        let row = r#"{"a.b":"dotted","c":{"d":[{"e":"deep"},null]}}"#;
        let object: Object = serde_json::from_str(row).unwrap();
        let found = |path| value(&object, path).and_then(text);
        assert_eq!(found("a.b").as_deref(), Some("dotted"));
        assert_eq!(found("c.d.0.e").as_deref(), Some("deep"));
        for path in ["a", "c.d", "c.d.1", "c.d.2", "c.d.x", "c.d.0.e.f", "", ".", "c."] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn an_answer_in_a_list_of_one_is_taken_and_one_of_several_is_not() {
        let layout = Fields::new("s", "q", "a");
        let (only, _) = task(&layout, r#"{"q":"?","a":["x=2"]}"#).unwrap();
        assert_eq!(answer(&only), "x=2");
        let error = task(&layout, r#"{"q":"?","a":["1","2"]}"#).unwrap_err().to_string();
        assert_eq!(error, r#"field `a` should hold a text or a number, not ["1","2"]"#);
    }

    #[test]
    fn rows_that_are_no_task_are_told_apart() {
        let gsm8k = fields(Layout::gsm8k());
        let cases = [
            (
                r#"{"question":"?""#,
                "EOF while parsing an object, at column 15: {\"question\":\"?\"",
            ),
            ("[1]", "invalid type: sequence, expected a map, at column 0: [1]"),
            (r#"{"answer":"1\n#### 1"}"#, "field `question` is null or missing"),
            (r#"{"question":"?","answer":null}"#, "field `answer` is null or missing"),
            (
                r#"{"question":7,"answer":"1\n#### 1"}"#,
                "field `question` should hold a text or a list of messages, not 7",
            ),
            (
                r#"{"question":"?","answer":"it is 4"}"#,
                "field `answer` should hold an answer after `####`, not \"it is 4\"",
            ),
        ];
        for (row, expected) in cases {
            assert_eq!(task(&gsm8k, row).unwrap_err().to_string(), expected);
        }
        let empty = task(&Fields::new("s", "q", "a"), r#"{"q":"?","a":" "}"#).unwrap_err();
        assert_eq!(empty.to_string(), "field `a` should hold an answer, not \" \"");
    }

    #[test]
    fn a_level_that_is_no_number_is_left_out() {
        assert_eq!(trailing_number("Level 3"), Some(3));
        assert_eq!(trailing_number("12"), Some(12));
        assert_eq!(trailing_number("Level ?"), None);
        assert_eq!(trailing_number("99999999999"), None);
    }
}
