//! Where answers are found, and where none is.

use fireproof_verifier::math::{Extraction, Gold, Policy, extract};

fn found(mode: &str, text: &str, gold: &str) -> Option<String> {
    let gold = Gold::read(gold).expect("a readable gold answer");
    let found = extract(text, &Extraction::mode(mode).expect("a known mode"), Some(&gold))?;
    let span = &text[found.span.clone()];
    // The span holds the answer; only joined boxes are longer than it.
    assert!(span.contains(&found.text) || found.text.contains(", "), "{span} for {}", found.text);
    Some(found.text)
}

fn check(cases: &[(&str, &str, &str, Option<&str>)]) {
    for (mode, text, gold, expected) in cases {
        assert_eq!(found(mode, text, gold).as_deref(), *expected, "{mode}: {text}");
    }
}

#[test]
fn boxes() {
    check(&[
        ("boxed", r"so \boxed{5}.", "5", Some("5")),
        ("boxed", r"\boxed{\frac{1}{2}}", "5", Some(r"\frac{1}{2}")),
        ("boxed", r"\boxed{1} then \boxed{2}", "2", Some("2")),
        ("boxed", r"\boxed{\{1,2\}}", "5", Some(r"\{1,2\}")),
        ("boxed", r"\boxed{\left\{1\right.}", "5", Some(r"\left\{1\right.")),
        ("boxed", r"\fbox{7}", "7", Some("7")),
        ("boxed", r"\boxed 7 is it", "7", Some("7")),
        ("boxed", r"$\boxed7$", "7", Some("7")),
        ("boxed", r"\boxed {7}", "7", Some("7")),
        ("boxed", r"\boxed{\text{B}}", "B", Some(r"\text{B}")),
        ("boxed", r"\boxed{x=\boxed{5}}", "5", Some(r"x=\boxed{5}")),
        ("boxed", "no box", "5", None),
        ("boxed", r"\boxed{}", "5", None),
        ("boxed", r"\boxed{5", "5", None),
        ("boxed", r"first \boxed{4}, no: \boxed{5", "5", None),
        ("auto", r"thus \boxed{12", "12", None),
        ("boxed", r"<think>\boxed{3}</think> \boxed{4}", "4", Some("4")),
        ("boxed", r"<think>\boxed{3}</think> four", "4", None),
        ("boxed", r"reasoning \boxed{3}</think> \boxed{4}", "4", Some("4")),
    ]);
}

#[test]
fn several_boxes_are_a_list_where_the_gold_answer_is_one() {
    let two = r"$x=\boxed{1}$ or $x=\boxed{2}$";
    check(&[
        ("boxed", two, "1,2", Some("1, 2")),
        ("boxed", two, r"\{1,2\}", Some("1, 2")),
        ("boxed", two, r"\pm 1", Some("1, 2")),
        ("boxed", two, "2", Some("2")),
        ("boxed", two, "1,2,3", Some("2")),
        ("boxed", r"\boxed{1,2}", "1,2", Some("1,2")),
        ("boxed", "\\boxed{1}\n\nLet me try again.\n\n\\boxed{2}", "1,2", Some("2")),
    ]);
}

#[test]
fn tags_and_hashes() {
    check(&[
        ("tags", "<answer> 42 </answer>", "42", Some("42")),
        ("tags", "<answer>1</answer><answer>2</answer>", "2", Some("2")),
        ("tags", r"<answer>so $\boxed{42}$</answer>", "42", Some("42")),
        ("tags", "<answer>The answer is 42.</answer>", "42", Some("42")),
        ("tags", "<answer>42", "42", None),
        ("tags", "42", "42", None),
        ("tags", "<answer></answer>", "42", None),
        ("auto", "7 <answer>42", "42", None),
        ("gsm8k", "9+9=18\n#### 18", "18", Some("18")),
        ("gsm8k", "#### 1,000\n", "1000", Some("1,000")),
        ("gsm8k", "#### 7.", "7", Some("7.")),
        ("gsm8k", "#### 3\n#### 4", "4", Some("4")),
        ("gsm8k", "####", "4", None),
        ("gsm8k", "4", "4", None),
    ]);
}

#[test]
fn phrases() {
    check(&[
        ("phrase", "The answer is 5.", "5", Some("5")),
        ("phrase", "The answer is 5. That was easy.", "5", Some("5")),
        ("phrase", "The answer is 5.25.", "5", Some("5.25")),
        ("phrase", "the final answer is: $\\frac{1}{2}$.", "5", Some(r"\frac{1}{2}")),
        ("phrase", "**Answer:** 5", "5", Some("5")),
        ("phrase", "Answer: (B)", "5", Some("(B)")),
        ("phrase", "answer: 3\nAnswer: 4\n", "5", Some("4")),
        ("phrase", "The answer is $5$ and $6$.", "5", Some("$5$ and $6$")),
        ("phrase", "The answer is 5 because 2+3=5.", "5", Some("5")),
        ("phrase", "The answer is\n\n12", "12", Some("12")),
        ("phrase", "The answer is 1:30 p.m. today. Yes.", "5", Some("1:30 p.m. today")),
        ("phrase", "The answer is né. Oui.", "5", Some("né")),
        ("phrase", "The answer is: **42**.", "42", Some("42")),
        ("phrase", "**Answer: 42**", "42", Some("42")),
        ("phrase", "The answer is $5$ dollars.", "5", Some("$5$ dollars")),
        ("phrase", "The answer is 5 (since 2+3=5).", "5", Some("5")),
        ("phrase", "Final answer: the largest $n$ is 34.", "34", Some("34")),
        ("phrase", "The answer is", "5", None),
        ("phrase", "It is 5.", "5", None),
    ]);
    let judged = |text: &str| {
        let gold = Gold::read("5").unwrap();
        let found = extract(text, &Extraction::AUTO, Some(&gold)).unwrap();
        gold.compare(&found.text, &Policy::default()).equal
    };
    assert!(judged("The answer is 5.") && judged("the answer is $x = 5$"));
    assert!(!judged("The answer is not 5.") && !judged("The answer is 5 or 6."));
}

#[test]
fn letters_of_choices() {
    check(&[
        ("choice", "The answer is (B).", "B", Some("B")),
        ("choice", r"\boxed{\textbf{(C)}}", "C", Some("C")),
        ("choice", "Answer: D", "D", Some("D")),
        ("choice", "I pick (A), no, (E)", "E", Some("E")),
        ("choice", "so it must be\nB", "B", Some("B")),
        ("choice", "The correct option is **C**", "C", Some("C")),
        ("choice", "A cat sat on A mat", "A", None),
        ("choice", "The answer is A cat", "A", None),
        ("auto", "The answer is a lot. A dog.", "A", None),
        ("auto", "Thus the answer is option B.", "B", Some("B")),
        ("auto", "(A) 3 (B) 4. Clearly, B\n", "B", Some("B")),
    ]);
}

#[test]
fn formulas_and_numbers() {
    check(&[
        ("dollars", "from $x$ follows $y=2$.", "2", Some("y=2")),
        ("dollars", r"so \[ x^2 \]", "2", Some("x^2")),
        ("dollars", r"so \(7\)", "2", Some("7")),
        ("dollars", "$$8$$", "2", Some("8")),
        ("dollars", "costs $5 and $6 today", "2", None),
        ("dollars", r"pay $\$18$", "18", Some(r"\$18")),
        ("last_number", "first 3, then 12 apples.", "12", Some("12")),
        ("last_number", "it is -7", "7", Some("-7")),
        ("last_number", "it costs $1,234.50.", "7", Some("$1,234.50")),
        ("last_number", "about 3/4 of it", "7", Some("3/4")),
        ("last_number", "that is 15%", "7", Some("15%")),
        ("last_number", "10-3", "7", Some("3")),
        ("last_number", r"it is \sqrt{2}", "2", None),
        ("last_number", "the value of x2", "2", None),
        ("last_number", "at 12:30", "30", None),
        ("last_number", "The result is **42**.", "42", Some("42")),
        ("last_number", "3*42", "42", None),
        ("last_number", "none", "7", None),
    ]);
}

#[test]
fn a_think_block_that_does_not_close_leaves_no_answer() {
    for mode in ["auto", "boxed", "last_number", "whole"] {
        assert_eq!(found(mode, r"<think>\boxed{5} 5", "5"), None, "{mode}");
        assert_eq!(found(mode, r"<think>a</think><think>\boxed{5}", "5"), None, "{mode}");
    }
}

#[test]
fn strategies_are_tried_in_order() {
    let text = "the answer is 3\n#### 4\n\\boxed{5}\n<answer>6</answer>";
    let by = |strategies: &[Extraction]| extract(text, strategies, None).unwrap();
    assert_eq!(by(&[Extraction::Gsm8k, Extraction::Boxed]).text, "4");
    assert_eq!(by(&[Extraction::Phrase]).text, "3");
    assert_eq!(by(&Extraction::AUTO).strategy, Extraction::Tags);
}

#[test]
fn configuration_names_strategies_in_snake_case() {
    let list: Vec<Extraction> = serde_json::from_str(r#"["boxed","last_number"]"#).unwrap();
    assert_eq!(list, [Extraction::Boxed, Extraction::LastNumber]);
    assert!(serde_json::from_str::<Extraction>("\"guess\"").is_err());
    for mode in ["tags", "boxed", "gsm8k", "phrase", "choice", "dollars", "last_number", "whole"] {
        let json = format!("[\"{mode}\"]");
        assert_eq!(Extraction::mode(mode), serde_json::from_str(&json).ok(), "{mode}");
    }
}
