//! The gold answer inside a worked solution.

/// The text after the last `#### `, up to the end of its line.
pub(super) fn after_hashes(solution: &str) -> Option<&str> {
    let (_, rest) = solution.rsplit_once("####")?;
    let answer = rest.lines().next().unwrap_or_default().trim();
    (!answer.is_empty()).then_some(answer)
}

/// What the last `\boxed` or `\fbox` holds, in braces or as a single character after a blank.
pub(super) fn last_boxed(solution: &str) -> Option<&str> {
    let boxes = ["\\boxed", "\\fbox"].map(|word| solution.rfind(word).map(|at| at + word.len()));
    let rest = solution[boxes.into_iter().flatten().max()?..].trim_start();
    let Some(inside) = rest.strip_prefix('{') else {
        let end = rest.chars().next().filter(char::is_ascii_alphanumeric)?.len_utf8();
        return Some(&rest[..end]);
    };
    let mut depth = 1;
    let mut escaped = false;
    for (at, letter) in inside.char_indices() {
        match letter {
            _ if escaped => {}
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        if depth == 0 {
            let answer = inside[..at].trim();
            return (!answer.is_empty()).then_some(answer);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_after_the_last_hashes_counts() {
        assert_eq!(after_hashes("so 2+2=4\n#### 4"), Some("4"));
        assert_eq!(after_hashes("#### 3\nno:\n####  1,250 \nbye"), Some("1,250"));
        assert_eq!(after_hashes("### 4"), None);
        assert_eq!(after_hashes("#### \n4"), None);
    }

    #[test]
    fn the_last_box_counts_with_nested_and_escaped_braces() {
        assert_eq!(last_boxed(r"so $\boxed{1}$, no, $\boxed{\frac{1}{2}}$."), Some(r"\frac{1}{2}"));
        assert_eq!(last_boxed(r"\fbox{3} then \boxed{\{1,2\}}"), Some(r"\{1,2\}"));
        assert_eq!(last_boxed(r"\boxed 7"), Some("7"));
        assert_eq!(last_boxed(r"\boxed{a\\}"), Some(r"a\\"));
    }

    #[test]
    fn a_box_that_is_empty_or_does_not_close_holds_nothing() {
        for text in
            [r"\boxed{}", r"\boxed{ }", r"\boxed{1", r"\boxed", r"\boxed{\}", "boxed{1}", ""]
        {
            assert_eq!(last_boxed(text), None, "{text}");
        }
    }
}
