//! What is written around an answer and says nothing: dollar signs, boxes, emphasis, a final point.

/// The answer without its wrapping.
pub(crate) fn unwrap(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let before = text.len();
        text = without_end(text);
        for (open, close) in PAIRS {
            if let Some(inner) = between(text, open, close) {
                text = inner.trim();
            }
        }
        if let Some(inner) = boxed(text) {
            text = inner.trim();
        }
        if text.len() == before {
            return text;
        }
    }
}

const PAIRS: [(&str, &str); 9] = [
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("**", "**"),
    ("`", "`"),
    ("\\displaystyle", ""),
    ("\"", "\""),
    ("\\begin{equation}", "\\end{equation}"),
];

/// The text between a pair that does not occur in it again.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let inner = text.strip_prefix(open)?.strip_suffix(close)?;
    let again = inner.contains(open) || !close.is_empty() && inner.contains(close);
    // `\$5 and \$` ends with an escaped sign.
    (!again && !inner.ends_with('\\')).then_some(inner)
}

/// Without what ends a sentence: `7.` is 7, and `5!` stays.
fn without_end(text: &str) -> &str {
    let text = text.trim_end_matches("\\\\").trim_end();
    match text.strip_suffix(['.', ',', ';', ':']) {
        // `\,` and `\;` at the end are space; the backslash goes with them.
        Some(rest) => rest.strip_suffix('\\').unwrap_or(rest).trim_end(),
        None => text,
    }
}

/// The inside of a box around everything.
fn boxed(text: &str) -> Option<&str> {
    let rest = ["\\boxed", "\\fbox"].iter().find_map(|command| text.strip_prefix(command))?;
    let inner = rest.trim_start().strip_prefix('{')?.strip_suffix('}')?;
    let mut depth = 0i32;
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth < 0 {
            return None;
        }
    }
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_is_taken_off_layer_by_layer() {
        for text in ["$7$", "**7**.", "\\boxed{7}", "$\\boxed{7}$.", "\\(7\\)", "$$ 7 $$", "7."] {
            assert_eq!(unwrap(text), "7", "{text}");
        }
        assert_eq!(unwrap("\\$7"), "\\$7");
        assert_eq!(unwrap("$a$ and $b$"), "$a$ and $b$");
    }
}
