//! Splitting `assert f(x) == 3` into what the program computes and what it must not see.

use super::literal::{self, Value};

/// An assertion that a call has a value.
#[derive(Clone, Debug)]
pub(crate) struct Assertion {
    /// The call, as Python source.
    pub(crate) call: String,
    /// The value it must have.
    pub(crate) expected: Value,
}

/// Names that are a test's own machinery. A program could replace them, and their arguments often
/// hold the expected value (`abs(f(x) - 2.5) < 1e-6`), so they never run beside the program.
const MACHINERY: &[&str] = &[
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "callable",
    "cmath",
    "collections",
    "complex",
    "copy",
    "datetime",
    "decimal",
    "dict",
    "divmod",
    "enumerate",
    "eval",
    "exec",
    "filter",
    "float",
    "format",
    "fractions",
    "frozenset",
    "functools",
    "getattr",
    "hasattr",
    "hash",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "itertools",
    "json",
    "len",
    "list",
    "map",
    "math",
    "max",
    "min",
    "next",
    "not",
    "np",
    "numpy",
    "operator",
    "pow",
    "print",
    "random",
    "range",
    "re",
    "repr",
    "reversed",
    "round",
    "set",
    "slice",
    "sorted",
    "statistics",
    "str",
    "string",
    "sum",
    "tuple",
    "type",
    "vars",
    "zip",
    "lambda",
    "await",
    "yield",
    "None",
    "True",
    "False",
];

/// Splits a single `assert` of the form `call == literal`, either way round; a message may follow.
///
/// The call must be a name of the program (or `entry`, which tests may call `candidate`) followed by
/// arguments, attributes and subscripts. A method of a function's value is left to the judge, who
/// knows whether it is one of a plain value: `f(x).startswith('abc')`. `None` for every other form.
pub(crate) fn split(code: &str, entry: Option<&str>) -> Option<Assertion> {
    let rest = code.trim().strip_prefix("assert")?;
    if !rest.starts_with([' ', '\t', '(']) {
        return None;
    }
    let rest = rest.trim();
    let mut parts = top_level(rest, b',')?.into_iter();
    let mut condition = parts.next()?;
    if let Some(message) = parts.next() {
        let plain = matches!(literal::parse(message), Some(Value::Str(_)));
        if !plain || parts.next().is_some() {
            return None;
        }
    }
    if condition == rest {
        condition = without_parentheses(condition);
    }
    let sides = top_level(condition, b'=')?;
    let [left, right] = sides.as_slice() else { return None };
    let (call, expected) = match (literal::parse(left), literal::parse(right)) {
        (None, Some(expected)) => (left, expected),
        (Some(expected), None) => (right, expected),
        _ => return None,
    };
    Some(Assertion { call: program_call(call, entry)?, expected })
}

/// The call, if it begins with a name of the program and is nothing but calls on it.
fn program_call(text: &str, entry: Option<&str>) -> Option<String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_numeric()) {
        return None;
    }
    let name = match entry {
        Some(entry) if name == "candidate" || name == entry => entry,
        _ if MACHINERY.contains(&name) => return None,
        _ => name,
    };
    let mut trailers = rest.trim_start();
    let mut called = false;
    while !trailers.is_empty() {
        trailers = match trailers.as_bytes()[0] {
            b'(' | b'[' => {
                called |= trailers.starts_with('(');
                &trailers[closing(trailers)? + 1..]
            }
            b'.' if called && !name.starts_with(char::is_uppercase) => return None,
            b'.' => {
                let attribute = trailers[1..].trim_start();
                let end = attribute.find(|c: char| !c.is_alphanumeric() && c != '_');
                let end = end.unwrap_or(attribute.len());
                if end == 0 || attribute.starts_with(|c: char| c.is_numeric()) {
                    return None;
                }
                &attribute[end..]
            }
            _ => return None,
        };
        trailers = trailers.trim_start();
    }
    called.then(|| format!("({name}{rest})"))
}

/// Takes parentheses that enclose all of a text.
fn without_parentheses(text: &str) -> &str {
    let inner = text.starts_with('(') && closing(text) == Some(text.len() - 1);
    if !inner {
        return text;
    }
    let inner = text[1..text.len() - 1].trim();
    // `(a == b, "message")` is a tuple and always true: not ours to mend.
    match top_level(inner, b',') {
        Some(parts) if parts.len() == 1 => inner,
        _ => text,
    }
}

/// Where the bracket that opens a text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (index, token) in tokens(text)? {
        match token {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

/// The parts of a text between commas, or between `==`, that stand in no bracket.
///
/// `None` if the text is more than one expression, or has other comparisons, words between
/// expressions or operators there.
fn top_level(text: &str, separator: u8) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0usize);
    let tokens = tokens(text)?;
    let mut skip = false;
    for (position, (index, token)) in tokens.iter().enumerate() {
        if std::mem::take(&mut skip) {
            continue;
        }
        let next = tokens.get(position + 1).filter(|(next, _)| *next == index + 1);
        match token {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.checked_sub(1)?,
            b'\n' | b';' | b'\\' | b'<' | b'>' | b'!' | b':' if depth == 0 => return None,
            b'=' if depth == 0 => {
                // An assignment or the rest of `<=`, `!=`.
                if next.is_none_or(|(_, next)| *next != b'=') {
                    return None;
                }
                if separator == b'=' {
                    parts.push(text[start..*index].trim());
                    start = index + 2;
                }
                skip = true;
            }
            b',' if depth == 0 && separator == b',' => {
                parts.push(text[start..*index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    (depth == 0).then_some(parts)
}

/// The punctuation of a text with its places: not that inside of quoted text and comments.
fn tokens(text: &str) -> Option<Vec<(usize, u8)>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            quote @ (b'"' | b'\'') => index = after_text(bytes, index, quote)?,
            b'#' => {
                let rest = bytes[index..].iter().position(|byte| *byte == b'\n');
                index += rest.unwrap_or(bytes.len() - index);
            }
            byte => {
                if byte.is_ascii_punctuation() || byte == b'\n' {
                    found.push((index, byte));
                }
                index += 1;
            }
        }
    }
    Some(found)
}

/// The place after a quoted text.
fn after_text(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let length = if triple { 3 } else { 1 };
    let mut index = start + length;
    while index < bytes.len() {
        if bytes[index] == b'\\' {
            index += 2;
        } else if bytes[index..].starts_with(&[quote; 3][..length]) {
            return Some(index + length);
        } else if bytes[index] == b'\n' && !triple {
            return None;
        } else {
            index += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(code: &str) -> Option<String> {
        split(code, Some("sum")).map(|assertion| assertion.call)
    }

    #[test]
    fn a_call_and_a_literal_are_split() {
        for (code, expected) in [
            ("assert f(1) == 2", "(f(1))"),
            ("assert f(1)==2, 'no, it is not'", "(f(1))"),
            ("assert (f(1) == 2)", "(f(1))"),
            ("assert(f([1, 2], k={'a': (3,)}) == [4, 5])", "(f([1, 2], k={'a': (3,)}))"),
            ("assert 2 == f(1)", "(f(1))"),
            (
                "assert Solution().solve('a == b')[0] .x(1) == (1, 'x')",
                "(Solution().solve('a == b')[0] .x(1))",
            ),
            ("assert candidate(1) == -3.5", "(sum(1))"),
            ("assert sum(1, 2) == True", "(sum(1, 2))"),
            ("  assert f(1) == {'a': [1, 2]}  # why\n", "(f(1))"),
            ("assert f(g(1) <= 2) == None", "(f(g(1) <= 2))"),
        ] {
            assert_eq!(call(code).as_deref(), Some(expected), "{code}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_judge() {
        for code in [
            "assert f(1)",
            "assert not f(1)",
            "assert f(1) == f(2)",
            "assert 1 == 1",
            "assert abs(f(1) - 2.5) == 0",
            "assert sorted(f(1)) == [1]",
            "assert math.isclose(f(1), 2.5) == True",
            "assert f(1) == 2 and f(2) == 3",
            "assert f(1) == 2; print(1)",
            "assert f(1) == 2\nassert f(2) == 3",
            "assert (f(1) == 2, 'always true')",
            "assert f(1) == 2 == f(3)",
            "assert f(1) != 2",
            "assert f(1) <= 2",
            "assert f(1) + 1 == 2",
            "assert -f(1) == 2",
            "assert f == 2",
            "assert f(1) is None",
            "assert x.y == 2",
            "assert f(1).startswith('a') == True",
            "assert f(1) == 2 if True else False",
            "assertf(1) == 2",
            "assert f('a == 2",
            "assert f(1)) == 2",
            "x = 1",
            "",
        ] {
            assert_eq!(call(code), None, "{code}");
        }
        assert!(split("assert sum(1) == 2", None).is_none());
    }
}
