//! Python literals: reading them, and comparing them as Python does.
//!
//! What a program returns comes back as text, and what a test expects is text as well. Both are
//! read here, so equality is decided by this code and not by an object's own `__eq__`.

mod parse;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use parse::parse;

/// A plain Python value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    None,
    Bool(bool),
    /// Decimal digits without leading zeros, a minus sign in front if negative.
    Int(String),
    Float(f64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Vec<Value>),
    Dict(Vec<(Value, Value)>),
}

/// A value in a form in which equal values are identical: `1`, `1.0` and `True` are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    None,
    Int(String),
    /// The bits of a float that is no integer.
    Float(u64),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Key>),
    Tuple(Vec<Key>),
    Set(BTreeSet<Key>),
    Dict(BTreeMap<Key, Key>),
}

/// How to compare.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rule {
    /// A list equals a tuple with the same items: data sets in JSON know no tuples.
    pub(crate) one_sequence: bool,
    /// Numbers may differ by `10^-decimals`, absolutely or relative to the expected one.
    pub(crate) decimals: Option<u32>,
}

impl Rule {
    /// True if a value is as expected.
    pub(crate) fn equal(self, value: &Value, expected: &Value) -> bool {
        let close = |decimals| self.close(value, expected, tolerance(decimals));
        self.exact(value, expected) || self.decimals.is_some_and(close)
    }

    /// `None` for a value with a NaN, which equals nothing.
    fn key(self, value: &Value) -> Option<Key> {
        let all = |items: &[Value]| -> Option<Vec<Key>> {
            items.iter().map(|item| self.key(item)).collect()
        };
        Some(match value {
            Value::None => Key::None,
            Value::Bool(value) => Key::Int(u8::from(*value).to_string()),
            Value::Int(digits) => Key::Int(digits.clone()),
            Value::Float(value) if value.is_nan() => return None,
            // Rust prints all digits of a float that is an integer. Adding 0 takes the sign of -0.
            Value::Float(value) if value.fract() == 0.0 => Key::Int(format!("{:.0}", value + 0.0)),
            Value::Float(value) => Key::Float(value.to_bits()),
            Value::Str(text) => Key::Str(text.clone()),
            Value::Bytes(bytes) => Key::Bytes(bytes.clone()),
            Value::Tuple(items) if !self.one_sequence => Key::Tuple(all(items)?),
            Value::List(items) | Value::Tuple(items) => Key::List(all(items)?),
            Value::Set(items) => {
                Key::Set(items.iter().map(|item| self.key(item)).collect::<Option<_>>()?)
            }
            Value::Dict(items) => {
                let pair = |(k, v): &(Value, Value)| Some((self.key(k)?, self.key(v)?));
                Key::Dict(items.iter().map(pair).collect::<Option<_>>()?)
            }
        })
    }

    /// Equality with a tolerance on numbers, also inside of sequences and dictionaries.
    fn close(self, value: &Value, expected: &Value, tolerance: f64) -> bool {
        let each = |a: &[Value], b: &[Value]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.close(a, b, tolerance))
        };
        match (value, expected) {
            (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                is_close(number(value), number(expected), tolerance)
            }
            (Value::List(a), Value::List(b)) | (Value::Tuple(a), Value::Tuple(b)) => each(a, b),
            (Value::List(a), Value::Tuple(b)) | (Value::Tuple(a), Value::List(b)) => {
                self.one_sequence && each(a, b)
            }
            (Value::Dict(a), Value::Dict(b)) => {
                let (Some(found), Some(wanted)) = (self.keyed(a), self.keyed(b)) else {
                    return false;
                };
                let same = |((a, x), (b, y)): ((&Key, &&Value), (&Key, &&Value))| {
                    a == b && self.close(x, y, tolerance)
                };
                found.len() == wanted.len() && found.iter().zip(&wanted).all(same)
            }
            _ => self.exact(value, expected),
        }
    }

    fn keyed(self, items: &[(Value, Value)]) -> Option<BTreeMap<Key, &Value>> {
        items.iter().map(|(key, value)| Some((self.key(key)?, value))).collect()
    }

    fn exact(self, a: &Value, b: &Value) -> bool {
        matches!((self.key(a), self.key(b)), (Some(a), Some(b)) if a == b)
    }
}

fn tolerance(decimals: u32) -> f64 {
    0.1f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX))
}

/// True if `value` is within `tolerance` of `expected`, absolutely or relatively.
fn is_close(value: f64, expected: f64, tolerance: f64) -> bool {
    (value - expected).abs() <= tolerance * expected.abs().max(1.0)
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Int(digits) => digits.parse().unwrap_or(f64::NAN),
        Value::Float(value) => *value,
        _ => f64::NAN,
    }
}

/// True if two words of a program's output are numbers within the tolerance.
pub(crate) fn close_words(word: &str, expected: &str, decimals: u32) -> bool {
    let number = |word: &str| word.parse::<f64>().ok().filter(|value| value.is_finite());
    matches!(
        (number(word), number(expected)),
        (Some(a), Some(b)) if is_close(a, b, tolerance(decimals))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(rule: Rule, a: &str, b: &str) -> bool {
        rule.equal(&parse(a).unwrap(), &parse(b).unwrap())
    }

    #[test]
    fn equality_is_pythons() {
        let rule = Rule::default();
        for (a, b) in [
            ("1", "1.0"),
            ("True", "1"),
            ("-0.0", "0"),
            ("[1, (2, 3)]", "[1.0, (2, 3.0)]"),
            ("{1, 2, 2}", "{2, 1}"),
            ("{'a': 1, 'b': [2]}", "{'b': [2], 'a': 1}"),
            ("{1: 'x', True: 'y'}", "{1: 'y'}"),
            ("1e22", "10000000000000000000000"),
            ("1e999", "1e999"),
            ("0x10", "16"),
            ("'a' 'b'", "\"ab\""),
        ] {
            assert!(equal(rule, a, b), "{a} {b}");
        }
        for (a, b) in [
            ("[1, 2]", "(1, 2)"),
            ("'1'", "1"),
            ("b'a'", "'a'"),
            ("[1, 2]", "[2, 1]"),
            ("9007199254740993", "9007199254740992.0"),
            ("1e23", "100000000000000000000000"),
            ("0.1", "0.10000000000000002"),
            ("None", "False"),
            ("{}", "set()"),
            ("1e999", "-1e999"),
            ("1e-400", "1e-300"),
        ] {
            assert!(!equal(rule, a, b), "{a} {b}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_literal_or_not(text in "[\\[\\](){}'\"\\\\,:0-9a-fxjeE+._ rbuNT#\n-]{0,60}") {
            if let Some(value) = parse(&text) {
                // Equal to itself, unless there is a NaN inside, which no literal gives.
                proptest::prop_assert!(Rule::default().equal(&value, &value));
            }
        }

        #[test]
        fn text_and_numbers_survive_quoting(text in "\\PC{0,30}", number: f64, whole: i64) {
            let quoted = format!("{:?}", text.escape_unicode().to_string());
            let python = quoted.replace("\\\\u{", "\\U{");
            let python = expand(&python);
            let equal = matches!(parse(&python), Some(Value::Str(found)) if found == text);
            proptest::prop_assert!(equal, "{python}");
            if number.is_finite() {
                let found = parse(&format!("{number:e}")).unwrap();
                proptest::prop_assert!(Rule::default().equal(&found, &Value::Float(number)));
            }
            let found = parse(&whole.to_string()).unwrap();
            proptest::prop_assert!(Rule::default().equal(&found, &Value::Int(whole.to_string())));
        }
    }

    /// Python's eight digits in place of Rust's braces.
    fn expand(text: &str) -> String {
        let mut parts = text.split("\\U{");
        let mut all = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (digits, rest) = part.split_once('}').unwrap_or_default();
            all += &format!("\\U{digits:0>8}{rest}");
        }
        all
    }

    #[test]
    fn nothing_equals_nan() {
        let nan = Value::List(vec![Value::Float(f64::NAN)]);
        let rule = Rule { decimals: Some(3), ..Rule::default() };
        assert!(!rule.equal(&nan, &nan));
    }

    #[test]
    fn sequences_are_one_where_the_rule_says_so() {
        let rule = Rule { one_sequence: true, ..Rule::default() };
        assert!(equal(rule, "[(1, 2), (3,)]", "[[1, 2], [3]]"));
        assert!(!equal(rule, "{1, 2}", "[1, 2]"));
    }

    #[test]
    fn a_tolerance_reaches_into_containers_and_not_to_text() {
        let rule = Rule { decimals: Some(6), ..Rule::default() };
        assert!(equal(rule, "[0.3333333, {'a': 1e12}]", "[0.33333333333, {'a': 1000000000001}]"));
        assert!(!equal(rule, "0.33333", "0.33333333333"));
        assert!(!equal(rule, "'1.0'", "'1.00'"));
        assert!(close_words("0.3333333", "0.33333333", 6) && !close_words("nan", "nan", 6));
        assert!(!close_words("inf", "inf", 6) && !close_words("a", "a", 6));
    }
}
