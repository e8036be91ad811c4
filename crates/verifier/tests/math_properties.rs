//! Properties of reading and comparing: an expression equals its rewritten self, a perturbed one does
//! not, and nothing that anybody writes makes the judge panic.

use fireproof_verifier::math::{Extraction, Gold, Policy, equal, extract};
use proptest::prelude::*;

/// An expression that prints in two ways.
#[derive(Clone, Debug)]
enum Tree {
    Number(u32),
    Variable(char),
    Pi,
    Root(u32),
    Sum(Box<Tree>, Box<Tree>),
    Difference(Box<Tree>, Box<Tree>),
    Product(Box<Tree>, Box<Tree>),
    Quotient(Box<Tree>, u32),
    Square(Box<Tree>),
}

impl Tree {
    /// As a careful author writes it.
    fn plain(&self) -> String {
        match self {
            Self::Number(n) => n.to_string(),
            Self::Variable(name) => name.to_string(),
            Self::Pi => r"\pi".to_owned(),
            Self::Root(n) => format!(r"\sqrt{{{n}}}"),
            Self::Sum(a, b) => format!("({}+{})", a.plain(), b.plain()),
            Self::Difference(a, b) => format!("({}-{})", a.plain(), b.plain()),
            Self::Product(a, b) => format!(r"{} \cdot {}", a.plain(), b.plain()),
            Self::Quotient(a, n) => format!(r"\frac{{{}}}{{{n}}}", a.plain()),
            Self::Square(a) => format!("({})^2", a.plain()),
        }
    }

    /// The same value with every rule of arithmetic applied once.
    fn rewritten(&self) -> String {
        match self {
            Self::Number(n) => format!("({}-7)", n + 7),
            Self::Variable(name) => format!(r"\frac{{2{name}}}2"),
            Self::Pi => r"(π)".to_owned(),
            Self::Root(n) => format!(r"\frac{{{n}}}{{\sqrt{{{n}}}}}"),
            Self::Sum(a, b) => format!(r"\left({}+{}\right)", b.rewritten(), a.rewritten()),
            Self::Difference(a, b) => format!("(-({})+{})", b.rewritten(), a.rewritten()),
            Self::Product(a, b) => format!(r"{}\times {}", b.rewritten(), a.rewritten()),
            Self::Quotient(a, n) => format!(r"\dfrac1{{{n}}}*{}", a.rewritten()),
            Self::Square(a) => format!("({})({})", a.rewritten(), a.rewritten()),
        }
    }

    /// Its value for a number in place of every variable, root and pi, if that is an `i128`.
    fn value(&self) -> Option<(i128, i128)> {
        let add = |(a, b): (i128, i128), (c, d): (i128, i128), sign: i128| {
            let above = a.checked_mul(d)?.checked_add(sign * c.checked_mul(b)?)?;
            Some((above, b.checked_mul(d)?))
        };
        let times = |(a, b): (i128, i128), (c, d): (i128, i128)| {
            Some((a.checked_mul(c)?, b.checked_mul(d)?))
        };
        match self {
            Self::Number(n) => Some((i128::from(*n), 1)),
            Self::Variable(_) | Self::Pi | Self::Root(_) => None,
            Self::Sum(a, b) => add(a.value()?, b.value()?, 1),
            Self::Difference(a, b) => add(a.value()?, b.value()?, -1),
            Self::Product(a, b) => times(a.value()?, b.value()?),
            Self::Quotient(a, n) => times(a.value()?, (1, i128::from(*n))),
            Self::Square(a) => times(a.value()?, a.value()?),
        }
    }
}

fn grown(leaf: impl Strategy<Value = Tree> + 'static) -> impl Strategy<Value = Tree> {
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = || (inner.clone(), inner.clone());
        prop_oneof![
            pair().prop_map(|(a, b)| Tree::Sum(a.into(), b.into())),
            pair().prop_map(|(a, b)| Tree::Difference(a.into(), b.into())),
            pair().prop_map(|(a, b)| Tree::Product(a.into(), b.into())),
            (inner.clone(), 1u32..50).prop_map(|(a, n)| Tree::Quotient(a.into(), n)),
            inner.clone().prop_map(|a| Tree::Square(a.into())),
        ]
    })
}

fn expression() -> impl Strategy<Value = Tree> {
    grown(prop_oneof![
        (0u32..200).prop_map(Tree::Number),
        prop::sample::select(vec!['x', 'y', 'n']).prop_map(Tree::Variable),
        Just(Tree::Pi),
        (2u32..30).prop_map(Tree::Root),
    ])
}

fn rational() -> impl Strategy<Value = Tree> {
    grown((0u32..200).prop_map(Tree::Number))
}

fn same(gold: &str, prediction: &str) -> bool {
    equal(gold, prediction, &Policy::default()).expect("a readable gold answer").equal
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn an_expression_equals_its_rewritten_self(tree in expression()) {
        let (plain, rewritten) = (tree.plain(), tree.rewritten());
        prop_assert!(same(&plain, &plain));
        prop_assert!(same(&plain, &rewritten), "{plain}\n{rewritten}");
        prop_assert!(same(&rewritten, &plain), "{rewritten}\n{plain}");
    }

    #[test]
    fn a_perturbed_expression_differs(tree in expression(), places in 1u32..300, minus: bool) {
        let (plain, rewritten) = (tree.plain(), tree.rewritten());
        let sign = if minus { '-' } else { '+' };
        let perturbed = format!("{rewritten}{sign}10^{{-{places}}}");
        prop_assert!(!same(&plain, &perturbed), "{plain}\n{perturbed}");
        prop_assert!(!same(&perturbed, &plain), "{perturbed}\n{plain}");
        let scaled = format!("({rewritten})(1+10^{{-{places}}})");
        prop_assert!(!same(&plain, &scaled) || same(&plain, "0"), "{plain}\n{scaled}");
    }

    #[test]
    fn rational_arithmetic_is_exact(tree in rational()) {
        let Some((above, below)) = tree.value() else { return Ok(()) };
        let fraction = format!("{above}/{below}");
        prop_assert!(same(&tree.plain(), &fraction), "{} = {fraction}", tree.plain());
        let other = format!("{}/{below}", above + 1);
        prop_assert!(!same(&tree.plain(), &other));
    }

    #[test]
    fn decimals_are_read_digit_by_digit(whole in 0u64..10_000_000, places in 0u32..12, digits: u64) {
        let unit = 10u64.pow(places);
        let fixed = digits % unit.max(1);
        let text = match places {
            0 => whole.to_string(),
            places => format!("{whole}.{fixed:0width$}", width = places as usize),
        };
        let fraction = format!(r"\frac{{{}}}{{{unit}}}", u128::from(whole) * u128::from(unit) + u128::from(fixed));
        prop_assert!(same(&text, &fraction), "{text} = {fraction}");
    }

    #[test]
    fn a_list_matches_its_shuffles_and_a_tuple_does_not(
        items in prop::collection::vec(-50i32..50, 2..7),
        seed: prop::sample::Index,
    ) {
        let join = |items: &[i32]| items.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
        let mut turned = items.clone();
        turned.rotate_left(seed.index(items.len()));
        prop_assert!(same(&join(&items), &join(&turned)));
        let tuple = |items: &[i32]| format!("({})", join(items));
        prop_assert_eq!(same(&tuple(&items), &tuple(&turned)), items == turned);
    }

    #[test]
    fn anything_is_answered(gold in "\\PC{0,60}", prediction in "\\PC{0,60}") {
        if let Ok(gold) = Gold::read(&gold) {
            let _ = gold.compare(&prediction, &Policy::default());
        }
        let _ = extract(&prediction, &Extraction::AUTO, None);
    }

    #[test]
    fn anything_that_looks_like_mathematics_is_answered(
        parts in prop::collection::vec(prop::sample::select(vec![
            "\\frac", "{", "}", "1", "23", "x", "\\sqrt", "(", ")", "[", "]", "\\{", "\\}", ",", "^",
            "_", "+", "-", "\\pm", "=", "<", "\\le", "\\in", "\\cup", "\\pi", "\\infty", "\\text{",
            "cm", "%", "\\circ", "!", "|", "\\ln", "\\sin", "\\log", "\\begin{pmatrix}",
            "\\end{pmatrix}", "&", "\\\\", ".", ":", "\\binom", "e", "i", " ", "$", "\\boxed{", "and",
            "\\left", "\\right", "\\overline", "0.", "\\lfloor", "\\rfloor", "\\mathbb{R}", "\\setminus",
        ]), 0..30),
    ) {
        let text: String = parts.concat();
        for gold in ["5", "x+1", "(1,2)", r"\{1,2\}", r"x>3"] {
            let _ = equal(gold, &text, &Policy::default());
        }
        if let Ok(gold) = Gold::read(&text) {
            prop_assert!(gold.compare(&text, &Policy::default()).equal, "{text} is not itself");
            let _ = gold.compare("x+1", &Policy::default());
        }
        for strategy in Extraction::AUTO.into_iter().chain([Extraction::Choice]) {
            if let Some(found) = extract(&text, &[strategy], None) {
                prop_assert!(text.is_char_boundary(found.span.start) && text.is_char_boundary(found.span.end));
            }
        }
    }
}
