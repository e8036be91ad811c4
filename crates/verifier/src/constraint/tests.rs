//! Each constraint on texts that meet it and texts that do not.

use fireproof_trajectory::{Count, PromptId, TaskMetadata};

use super::*;

#[track_caller]
fn check(constraint: &Constraint, met: &[&str], missed: &[&str]) {
    for text in met {
        assert_eq!(meets(text, constraint), Ok(true), "{constraint:?}: {text:?}");
    }
    for text in missed {
        assert_eq!(meets(text, constraint), Ok(false), "{constraint:?}: {text:?}");
    }
    let json = serde_json::to_string(constraint).unwrap();
    assert_eq!(&serde_json::from_str::<Constraint>(&json).unwrap(), constraint, "{json}");
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn words_that_must_or_must_not_occur() {
    let keywords = Constraint::Keywords { words: strings(&["cat", "New York"]) };
    check(&keywords, &["The Cat in new york."], &["The cats in New York", "cat, New Yorker", ""]);
    let count = Count::exactly(2);
    let twice = Constraint::KeywordCount { word: "a".into(), count };
    check(&twice, &["a cat and A dog"], &["a", "an a", "a a a"]);
    let forbidden = Constraint::ForbiddenWords { words: strings(&["very", "C++"]) };
    check(&forbidden, &["everyday", ""], &["Very good", "I know C++."]);
}

#[test]
fn numbers_of_things() {
    let letters = Constraint::LetterCount { letter: 'É', count: Count::at_least(2) };
    check(&letters, &["été", "ÉÉ"], &["é", "ee"]);
    let words = Constraint::Words { count: Count { at_least: Some(2), at_most: Some(3) } };
    check(&words, &["two words", "it's two", "  a b\nc "], &["one", "a b c d", ""]);
    let characters = Constraint::Characters { count: Count::at_most(3) };
    check(&characters, &["äöü", " abc "], &["abcd"]);
    let sentences = Constraint::Sentences { count: Count::exactly(2) };
    check(
        &sentences,
        &[
            "One. Two!",
            "Dr. No paid 3.50. Why?",
            "He said \"no.\" Then left",
            "你好。再见。",
            "Wait... What?!",
        ],
        &["One.", "One. Two. Three.", "...", "e.g. this one"],
    );
    let paragraphs = Constraint::Paragraphs { count: Count::exactly(2) };
    check(
        &paragraphs,
        &["a\nb\n\nc", "a\n***\nb", "a\n\n \n---\nb\n"],
        &["a\nb", "a\n\nb\n\nc", ""],
    );
    let capital = Constraint::CapitalWords { count: Count::at_most(1) };
    check(&capital, &["NASA went", "Only Title Case", "A cat"], &["NASA and ESA", "I AM"]);
}

#[test]
fn parts_of_a_document() {
    let bullets = Constraint::Bullets { count: Count::exactly(2) };
    check(&bullets, &["* a\n* b", "- a\ntext\n  - b"], &["* a", "*a\n*b", "* a\n* b\n* c", "-\n-"]);
    let items = Constraint::NumberedItems { count: Count::exactly(2) };
    check(&items, &["1. a\n2. b", "1) a\n 2) b"], &["1. a", "1 a\n2 b", "a 1. b"]);
    let highlights = Constraint::Highlights { count: Count::at_least(2) };
    check(&highlights, &["*a* and **b c**", "* *x* *y*"], &["*a*", "2*3*4 ", "** **", "* a\n* b"]);
    let sections = Constraint::Sections { marker: "Section".into(), count: Count::exactly(2) };
    check(
        &sections,
        &["Section 1\na\n## Section 2: b"],
        &["Section 1", "Section one\nSection two"],
    );
    let placeholders = Constraint::Placeholders { count: Count::at_least(2) };
    check(&placeholders, &["[name], [address]", "[[a]] [b]"], &["[name]", "[] []", "[a [b", "]a["]);
    let postscript = Constraint::Postscript { marker: "P.S.".into() };
    check(&postscript, &["Hi\nP.S. bye"], &["Hi P.S. bye", "Hi\nP.S.", "P.P.S. bye"]);
    check(&Constraint::Title, &["<<A poem>>\nx", "x <<y>>"], &["<< >>", "<<a", "<a>", "<<a\n>>"]);
    let start = Constraint::ParagraphStart { paragraph: 2, word: "then".into() };
    check(&start, &["a\n\nThen, b"], &["then", "then\n\na", "a\n\nthenceforth"]);
    let never = Constraint::ParagraphStart { paragraph: 0, word: "a".into() };
    check(&never, &[], &["a"]);
    check(
        &Constraint::TwoResponses,
        &["a\n******\nb"],
        &["a", "a******a", "a******b******c", "******b"],
    );
}

#[test]
fn beginnings_ends_and_choices() {
    let start = Constraint::StartsWith { text: "Dear".into() };
    check(&start, &[" Dear me"], &["dear me", "My Dear"]);
    let end = Constraint::EndsWith { text: "Is there anything else? ".into() };
    check(&end, &["So. Is there anything else?\n"], &["Is there anything else? No"]);
    let options = Constraint::OneOf { options: strings(&["yes", "no"]) };
    check(&options, &["yes", " no\n"], &["Yes", "yes.", "yes no", ""]);
    let repeats = Constraint::Repeats { text: "Why?".into() };
    check(&repeats, &["Why? Because."], &["Why?", "why? Because.", "Because. Why?"]);
    check(
        &Constraint::Quoted,
        &["\"a\"", "“a b”", "«a»"],
        &["\"", "\"\"", "\"a", "'a'", "a \"b\""],
    );
}

#[test]
fn letters_and_marks() {
    check(&Constraint::Uppercase, &["ALL 123!", "ÄÖ"], &["All", "123", "", "aLL"]);
    check(&Constraint::Lowercase, &["all 123!", "äö ß"], &["All", "123", ""]);
    check(&Constraint::NoCommas, &["a; b", ""], &["a, b", "a，b", "a、b", "a، b"]);
    let cyrillic = Constraint::Script { script: "Cyrillic".into() };
    check(&cyrillic, &["Привет, 123!"], &["Hello", "Привет Bob", "123", ""]);
    let han = Constraint::Script { script: "Han".into() };
    check(&han, &["你好。"], &["你好 ok", "こんにちは"]);
    let regex = Constraint::Regex { pattern: r"^\d{3}-\d{4}$".into() };
    check(&regex, &["555-1234", " 555-1234\n"], &["555-12345", "call 555-1234"]);
}

#[test]
fn json_and_its_schema() {
    check(
        &Constraint::Json,
        &["{\"a\": [1]}", "```json\n[1]\n```", "```\n1\n```", "null"],
        &[
            "{a: 1}",
            "{} {}",
            "",
            "Here: {}",
            "```json\n{}",
            "```python\n1\n```",
            &"[".repeat(100_000),
        ],
    );
    let schema = |text: &str| Constraint::JsonSchema { schema: text.into() };
    let person = r#"{"type": "object", "title": "A person", "required": ["name", "age"],
        "properties": {"name": {"type": "string", "minLength": 1, "pattern": "^[A-Z]"},
                       "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
                       "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "maxItems": 2}},
        "additionalProperties": false}"#;
    check(
        &schema(person),
        &[r#"{"name": "Ann", "age": 3}"#, r#"{"age": 3.0, "name": "B", "tags": ["a", "b"]}"#],
        &[
            r#"{"name": "Ann"}"#,
            r#"{"name": "ann", "age": 3}"#,
            r#"{"name": "Ann", "age": 3.5}"#,
            r#"{"name": "Ann", "age": 150}"#,
            r#"{"name": "Ann", "age": 3, "x": 1}"#,
            r#"{"name": "Ann", "age": 3, "tags": ["a", "a"]}"#,
            r#"{"name": "Ann", "age": 3, "tags": ["a", 1]}"#,
            r#"[]"#,
            "no JSON",
        ],
    );
    let choice =
        r#"{"oneOf": [{"const": 1}, {"enum": ["a", {"b": [1.0]}]}], "not": {"type": "null"}}"#;
    check(&schema(choice), &["1", "1.0", "\"a\"", "{\"b\": [1]}"], &["2", "null", "\"b\""]);
    let mixed = r#"{"anyOf": [{"type": ["null", "boolean"]}, {"allOf": [{"type": "number"}, {"maximum": 2}]}]}"#;
    check(&schema(mixed), &["null", "true", "2"], &["3", "\"x\"", "[]"]);
    check(&schema("true"), &["1"], &["x"]);
}

#[test]
fn a_broken_constraint_is_the_tasks_error() {
    let schema = |text: &str| Constraint::JsonSchema { schema: text.into() };
    for constraint in [
        Constraint::Regex { pattern: "(".into() },
        Constraint::Regex { pattern: r"(\w{1000}){1000}".into() },
        Constraint::Script { script: "Klingon".into() },
        schema("{"),
        schema("3"),
        schema(r##"{"$ref": "#"}"##),
        schema(r#"{"type": "text"}"#),
        schema(r#"{"properties": {"a": {"minimum": "3"}}}"#),
        schema(r#"{"items": {"pattern": "("}}"#),
        schema(r#"{"required": [1]}"#),
    ] {
        assert!(meets("text", &constraint).is_err(), "{constraint:?}");
    }
}

#[test]
fn the_verifier_wants_all_and_reports_the_share() {
    let task = |constraints| Task {
        id: PromptId(1),
        prompt: "?".into(),
        check: CheckSpec::Constraints { constraints },
        metadata: TaskMetadata::default(),
    };
    let two = vec![Constraint::NoCommas, Constraint::Lowercase];
    let judge = |text: &str| ConstraintVerifier.verify(&task(two.clone()), text).unwrap();
    assert!(judge("fine").correct());
    let half = judge("Fine");
    assert_eq!((half.outcome, half.format), (Outcome::Wrong, Some(0.5)));
    assert_eq!(judge(" ").outcome, Outcome::NoAnswer);
    assert!(ConstraintVerifier.verify(&task(Vec::new()), "x").is_err());
    let broken = vec![Constraint::Regex { pattern: "(".into() }];
    assert!(ConstraintVerifier.verify(&task(broken), "x").is_err());
}
