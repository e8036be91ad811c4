//! Hostile input: whatever a model writes is answered by a bounded amount of work, never by a panic,
//! and never with a reward. Budgets count steps, so the assertions are on outcomes and not on time.

use fireproof_verifier::math::{Comparison, Extraction, Gold, GoldError, Policy, Reason, extract};

fn judge(gold: &str, prediction: &str) -> Comparison {
    Gold::read(gold).expect("a readable gold answer").compare(prediction, &Policy::default())
}

/// Text that nobody sane writes as an answer.
fn monsters() -> Vec<String> {
    let many = 100_000;
    let mut found: Vec<String> =
        ["{", "(", "[", "}", "\\frac{", "\\sqrt{", "\\left(", "-", "^", "|", "$"]
            .iter()
            .map(|part| part.repeat(many))
            .collect();
    found.extend(
        ["\\{", "\\text{", "\\boxed{", "1+", "x^", "2^", "!", "1,", "(1,", "\\pm", "a_", "\\sin "]
            .map(|part| part.repeat(5_000)),
    );
    found.push("7".repeat(2_000_000));
    found.push(format!("0.{}", "7".repeat(30_000)));
    found.push(format!("0.\\overline{{{}}}", "7".repeat(20_000)));
    found.push(format!("{}1{}", "\\frac{1}{1+".repeat(500), "}".repeat(500)));
    found.push(format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000)));
    found.push(format!("{}1{}", "\\sqrt{".repeat(63), "}".repeat(63)));
    found.push(format!("{}1{}", "\\{".repeat(60), "\\}".repeat(60)));
    found.push(format!("3{}", "!".repeat(60)));
    found.push(format!("\\begin{{pmatrix}}{}1\\end{{pmatrix}}", "1&".repeat(20_000)));
    found.push(format!("\\begin{{pmatrix}}{}1\\end{{pmatrix}}", "1\\\\".repeat(10_000)));
    found.push((0..300).map(|n| format!("x_{{{n}}}")).collect::<Vec<_>>().join("+"));
    found.push(format!(
        "({})^{{500}}",
        (0..20).map(|n| format!("x_{{{n}}}")).collect::<Vec<_>>().join("+")
    ));
    let bases = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    found.push(bases.map(|base| format!("1/{base}^{{{}}}", 90_000 / (base + 4))).join("+"));
    found.push((0..3_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", "));
    found.push(format!("\\{{{}\\}}", vec!["\\sqrt{2}"; 90].join(",")));
    found
}

#[test]
fn monsters_are_never_the_answer() {
    for gold in ["5", "x+1", r"\{1,2\}"] {
        let gold = Gold::read(gold).unwrap();
        for monster in monsters() {
            let comparison = gold.compare(&monster, &Policy::default());
            assert!(!comparison.equal, "{}", &monster[..40]);
        }
    }
}

#[test]
fn a_monster_as_a_gold_answer_is_an_error_or_equals_only_itself() {
    for monster in monsters() {
        if let Ok(gold) = Gold::read(&monster) {
            assert!(!gold.compare("5", &Policy::default()).equal, "{}", &monster[..40]);
        }
    }
}

#[test]
fn a_monster_hides_no_answer_from_the_extractor() {
    for monster in monsters() {
        let _ = extract(&monster, &Extraction::AUTO, None);
        let text = format!("{monster}\n\n\\boxed{{5}}");
        let found = extract(&text, &[Extraction::Boxed], None).unwrap();
        assert_eq!((found.text.as_str(), &text[found.span]), ("5", "5"), "{}", &monster[..40]);
    }
}

#[test]
fn numbers_that_are_too_large_run_out_of_budget() {
    for text in [
        "10^{10^{10}}",
        "9^{9^{9^9}}",
        "((9^9)^9999)^9999",
        "9999999!",
        r"\binom{1000000000}{500000000}",
        r"2^{2^{2^{2^{2^2}}}}",
    ] {
        assert_eq!(judge("5", text).reason, Reason::Budget, "{text}");
    }
    for text in ["1e999999999", "1e-999999999"] {
        assert!(!judge("5", text).equal);
        assert!(matches!(Gold::read(text), Err(GoldError::TooLarge(_))), "{text}");
    }
}

#[test]
fn a_tower_equals_only_itself() {
    let tower = "10^{10^{10}}";
    assert!(judge(tower, tower).equal);
    assert!(judge(tower, " $10^{10^{10}}$ ").equal);
    assert!(!judge(tower, "10^{10^{11}}").equal);
    assert!(!judge(tower, "10^{10^{10}}+1").equal);
}

#[test]
fn deep_nesting_is_refused_and_moderate_nesting_is_read() {
    let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(judge("1", &nested(40)).equal);
    assert_eq!(judge("1", &nested(5_000)).reason, Reason::Budget);
    let fractions =
        |depth: usize| format!("{}1{}", "\\frac{1}{1+".repeat(depth), "}".repeat(depth));
    assert!(judge(r"\frac{8}{13}", &fractions(5)).equal);
    assert_eq!(judge("1", &fractions(500)).reason, Reason::Budget);
    let minus = |count: usize| format!("{}1", "-".repeat(count));
    assert_eq!(judge("1", &minus(5_000)).reason, Reason::Budget);
}

#[test]
fn deceptive_unicode_is_refused() {
    for text in [
        "5\0",
        "\0",
        "\u{202e}5",
        "\u{2066}5\u{2069}",
        "٥",
        "५",
        "五",
        "𝟝\u{338}",
        "5\u{20e3}",
        "\u{feff}",
        "\u{200b}",
        "Ⅴ",
        "⁵",
        "₅",
        "5̶",
    ] {
        assert!(!judge("5", text).equal, "{text:?}");
    }
    // Cyrillic letters only look like Latin ones.
    assert!(!judge("x+1", "х+1").equal);
    assert!(!judge("a", "а").equal);
    assert!(judge("12", "１２").equal && judge("12", "1\u{200b}2").equal);
}

#[test]
fn near_misses_are_told_apart_at_any_distance() {
    let power = |n: u32| format!("1/3^{{{n}}}");
    for (gold, prediction) in [
        (power(80), power(81)),
        (format!("\\pi+{}", power(3_000)), "\\pi".to_owned()),
        (format!("\\sqrt{{2}}+{}", power(3_000)), "\\sqrt{2}".to_owned()),
        (format!("\\sin 1+{}", power(1_500)), "\\sin 1".to_owned()),
        ("e^{-1000}".to_owned(), "0".to_owned()),
        ("1+e^{-1000}".to_owned(), "1".to_owned()),
        (r"\sqrt{10^{200}+1}".to_owned(), "10^{100}".to_owned()),
        ("x^{2305843009213693951}".to_owned(), "x".to_owned()),
        (format!("{}1", "9".repeat(3_000)), format!("{}2", "9".repeat(3_000))),
        (r"\sin(10^{10})".to_owned(), r"\sin(10^{10}+10^{-300})".to_owned()),
    ] {
        let (there, back) = (judge(&gold, &prediction), judge(&prediction, &gold));
        assert!(!there.equal && !back.equal, "{gold} and {prediction}: {there:?} {back:?}");
    }
}

#[test]
fn nothing_equals_a_value_that_does_not_exist() {
    for text in [
        "5/0",
        "0/0",
        r"5\cdot\frac{0}{0}",
        r"\frac{5(\sin^2 2+\cos^2 2-1)}{\sin^2 2+\cos^2 2-1}",
        r"\frac{5(\sin 2-2\sin 1\cos 1)}{\sin 2-2\sin 1\cos 1}",
        r"\frac{5(\sqrt{3+2\sqrt2}-1-\sqrt2)}{\sqrt{3+2\sqrt2}-1-\sqrt2}",
        r"5+\infty-\infty",
        r"5^{\infty}",
        r"5\cdot0^0",
        r"\log_1 1+5",
        "nan",
        "undefined",
    ] {
        assert!(!judge("5", text).equal, "{text}");
    }
    assert!(Gold::read("0/0").is_err());
}

#[test]
fn long_lists_are_matched_within_the_budget() {
    let list = |items: &mut dyn Iterator<Item = u32>| {
        items.map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
    };
    let up = list(&mut (1..=60));
    let down = list(&mut (1..=60).rev());
    assert!(judge(&up, &down).equal);
    assert!(!judge(&up, &list(&mut (2..=61))).equal);
    let long = list(&mut (0..3_000));
    assert!(judge(&long, &long).equal);
}
