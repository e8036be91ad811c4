//! The program in a completion.

/// The program of a completion: what stands in its last code fence.
///
/// Fences are lines of at least three back-ticks or tildes. Of the fences marked as Python the last
/// one counts, and if there are none the last one without a mark; those of other languages never.
/// The reasoning up to the last `</think>` is left out. There is no program if the reasoning or the
/// last fence is not closed: the completion was cut off then.
///
/// ````
/// use fireproof_verifier::extract_code;
/// let completion = "First try:\n```python\nx = 1\n```\nBetter:\n```python\nx = 2\n```\nDone.";
/// assert_eq!(extract_code(completion).as_deref(), Some("x = 2\n"));
/// assert_eq!(extract_code("x = 2"), None);
/// assert_eq!(extract_code("```python\nx = "), None);
/// ````
#[must_use]
pub fn extract_code(completion: &str) -> Option<String> {
    let answer = match completion.rsplit_once("</think>") {
        Some((_, answer)) => answer,
        None => completion,
    };
    if answer.contains("<think>") {
        return None;
    }
    let mut marked = None;
    let mut unmarked = None;
    let mut open: Option<Fence> = None;
    for line in answer.split_inclusive('\n') {
        match open.take() {
            None => open = Fence::opened_by(line),
            Some(fence) if fence.is_closed_by(line) => match fence.language.as_str() {
                "python" | "py" | "python3" | "python2" => marked = Some(fence.code),
                "" => unmarked = Some(fence.code),
                _ => {}
            },
            Some(mut fence) => {
                fence.push(line);
                open = Some(fence);
            }
        }
    }
    // A fence that is open at the end is the answer that never came.
    if open.is_some() { None } else { marked.or(unmarked) }
}

/// A code fence that is open.
struct Fence {
    mark: char,
    length: usize,
    indentation: usize,
    language: String,
    code: String,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let text = line.trim_start_matches([' ', '\t']);
        let mark = text.chars().next().filter(|c| ['`', '~'].contains(c))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        // Back-ticks after back-ticks are code within a line.
        if length < 3 || (mark == '`' && info.contains('`')) {
            return None;
        }
        let word = info.trim().split([' ', '{', ',', ':']).next().unwrap_or_default();
        let language = word.to_ascii_lowercase();
        Some(Self {
            mark,
            length,
            indentation: line.len() - text.len(),
            language,
            code: String::new(),
        })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim();
        text.len() >= self.length && text.chars().all(|c| c == self.mark)
    }

    /// Adds a line, without as much white space as stood before the fence.
    fn push(&mut self, line: &str) {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        self.code.push_str(&line[blank.min(self.indentation)..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(completion: &str) -> Option<String> {
        extract_code(completion)
    }

    #[test]
    fn the_last_python_fence_counts() {
        let text = "```py\na\n```\n```python\nb\n```\nOutput:\n```\n7\n```\n```bash\nls\n```\n";
        assert_eq!(code(text).as_deref(), Some("b\n"));
        assert_eq!(code("```\na\n```\ntext\n~~~\nb\n~~~").as_deref(), Some("b\n"));
        assert_eq!(code("```Python3 title=x\na\n```").as_deref(), Some("a\n"));
    }

    #[test]
    fn other_languages_and_bare_text_are_no_program() {
        for text in ["", "print(1)", "```rust\nfn main() {}\n```", "use `a` and ```b```"] {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn reasoning_is_left_out() {
        assert_eq!(
            code("<think>```python\na\n```</think>\n```python\nb\n```").as_deref(),
            Some("b\n")
        );
        assert_eq!(code("<think>```python\na\n```</think> no idea"), None);
        assert_eq!(code("<think>```python\na\n```"), None);
        assert_eq!(code("</think>```python\na\n```\n<think>again"), None);
    }

    #[test]
    fn a_fence_that_is_not_closed_is_no_program() {
        assert_eq!(code("```python\na\n```\n```python\nb\n"), None);
        assert_eq!(code("```python\na\n``"), None);
        assert_eq!(code("````python\na\n```\nb\n````").as_deref(), Some("a\n```\nb\n"));
    }

    #[test]
    fn indentation_of_the_fence_is_taken_off() {
        assert_eq!(
            code("1. So:\n   ```python\n   def f():\n       return 1\n   ```\n").as_deref(),
            Some("def f():\n    return 1\n")
        );
        assert_eq!(code("```python\r\na\r\n```\r\n").as_deref(), Some("a\r\n"));
    }
}
