//! Reading a Python literal.

use super::Value;

/// Deepest nesting of brackets.
const DEPTH: usize = 100;

/// The value of a literal, or `None` if the text is none.
///
/// Numbers but complex ones, text and bytes with all escapes but named characters, adjacent text,
/// lists, tuples, sets, `set()` and dictionaries. Comments may stand between tokens.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { rest: text, depth: 0 };
    let value = reader.value()?;
    reader.blank();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Skips white space and comments.
    fn blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', '\x0c']);
            let Some(comment) = self.rest.strip_prefix('#') else { return };
            self.rest = comment.find('\n').map_or("", |end| &comment[end..]);
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.blank();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self) -> Option<Value> {
        self.blank();
        match self.rest.chars().next()? {
            '[' => Some(Value::List(self.items('[', ']')?.0)),
            '(' => {
                let (mut items, comma) = self.items('(', ')')?;
                let grouped = items.len() == 1 && !comma;
                if grouped { items.pop() } else { Some(Value::Tuple(items)) }
            }
            '{' => self.set_or_dict(),
            '-' => {
                self.rest = &self.rest[1..];
                self.blank();
                Some(negative(self.number()?))
            }
            '+' => {
                self.rest = &self.rest[1..];
                self.blank();
                self.number()
            }
            '0'..='9' | '.' => self.number(),
            _ => self.word_or_text(),
        }
    }

    /// Values between brackets, and whether a comma followed the last.
    fn items(&mut self, open: char, close: char) -> Option<(Vec<Value>, bool)> {
        self.rest = self.rest.strip_prefix(open)?;
        self.depth += 1;
        let close = close.to_string();
        let (mut items, mut comma) = (Vec::new(), false);
        while !self.take(&close) {
            if self.depth > DEPTH || (!items.is_empty() && !comma) {
                return None;
            }
            items.push(self.value()?);
            comma = self.take(",");
        }
        self.depth -= 1;
        Some((items, comma))
    }

    fn set_or_dict(&mut self) -> Option<Value> {
        self.rest = self.rest.strip_prefix('{')?;
        self.depth += 1;
        let (mut keys, mut pairs, mut comma) = (Vec::new(), Vec::new(), true);
        while !self.take("}") {
            if self.depth > DEPTH || !comma {
                return None;
            }
            let key = self.value()?;
            if self.take(":") {
                pairs.push((key, self.value()?));
            } else {
                keys.push(key);
            }
            comma = self.take(",");
        }
        self.depth -= 1;
        match (keys.is_empty(), pairs.is_empty()) {
            (true, _) => Some(Value::Dict(pairs)),
            (false, true) => Some(Value::Set(keys)),
            (false, false) => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let bytes = self.rest.as_bytes();
        let hexadecimal = self.rest.starts_with("0x") || self.rest.starts_with("0X");
        let mut end = 0;
        while let Some(byte) = bytes.get(end) {
            let sign = (*byte == b'-' || *byte == b'+')
                && !hexadecimal
                && end > 0
                && matches!(bytes[end - 1], b'e' | b'E');
            if !is_part(char::from(*byte)) && !sign {
                break;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        read_number(text)
    }

    fn word_or_text(&mut self) -> Option<Value> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if rest.starts_with(['"', '\'']) {
            return self.texts();
        }
        self.rest = rest;
        match word {
            "None" => Some(Value::None),
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "set" => (self.take("(") && self.take(")")).then(|| Value::Set(Vec::new())),
            _ => None,
        }
    }

    /// One text or several in a row, which Python joins.
    fn texts(&mut self) -> Option<Value> {
        let (bytes, mut all) = self.text()?;
        loop {
            self.blank();
            let prefix = self.rest.trim_start_matches(['r', 'R', 'b', 'B', 'u', 'U']);
            if !prefix.starts_with(['"', '\'']) {
                break;
            }
            let (more_bytes, more) = self.text()?;
            if more_bytes != bytes {
                return None;
            }
            all.extend(more);
        }
        if bytes {
            let byte = |c: char| u8::try_from(u32::from(c)).ok();
            return all.into_iter().map(byte).collect::<Option<_>>().map(Value::Bytes);
        }
        Some(Value::Str(all.into_iter().collect()))
    }

    /// One text: whether it is bytes, and its characters.
    fn text(&mut self) -> Option<(bool, Vec<char>)> {
        let end = self.rest.find(['"', '\''])?;
        let (prefix, rest) = self.rest.split_at(end);
        let (raw, bytes) = match prefix.to_ascii_lowercase().as_str() {
            "" | "u" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "br" | "rb" => (true, true),
            _ => return None,
        };
        let quote = &rest[..1];
        let triple = quote.repeat(3);
        let end = if rest.starts_with(&triple) { triple.as_str() } else { quote };
        self.rest = &rest[end.len()..];
        let mut all = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(end) {
                self.rest = rest;
                return Some((bytes, all));
            }
            let next = self.character()?;
            match next {
                '\\' if raw => {
                    all.push('\\');
                    all.push(self.character()?);
                }
                '\\' => all.extend(self.escape(bytes)?),
                '\n' if end.len() == 1 => return None,
                _ if bytes && !next.is_ascii() => return None,
                _ => all.push(next),
            }
        }
    }

    fn character(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    /// What follows a backslash.
    fn escape(&mut self, bytes: bool) -> Option<Vec<char>> {
        let next = self.character()?;
        let one = |c| Some(vec![c]);
        match next {
            '\n' => Some(Vec::new()),
            '\\' | '\'' | '"' => one(next),
            'n' => one('\n'),
            't' => one('\t'),
            'r' => one('\r'),
            'a' => one('\x07'),
            'b' => one('\x08'),
            'f' => one('\x0c'),
            'v' => one('\x0b'),
            'x' => one(self.code(2, 16)?),
            'u' if !bytes => one(self.code(4, 16)?),
            'U' if !bytes => one(self.code(8, 16)?),
            '0'..='7' => {
                let more = self.rest.bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b));
                let count = more.count();
                let mut digits = next.to_string();
                digits.push_str(&self.rest[..count]);
                self.rest = &self.rest[count..];
                one(char::from_u32(u32::from_str_radix(&digits, 8).ok()?)?)
            }
            // A name that needs Unicode's table.
            'N' if !bytes => None,
            _ => Some(vec!['\\', next]),
        }
    }

    /// A character by its number. Half of a surrogate pair is none.
    fn code(&mut self, digits: usize, radix: u32) -> Option<char> {
        let text = self.rest.get(..digits)?;
        self.rest = &self.rest[digits..];
        let is_digit = text.chars().all(|c| c.is_digit(radix));
        char::from_u32(u32::from_str_radix(text, radix).ok().filter(|_| is_digit)?)
    }
}

fn negative(value: Value) -> Value {
    match value {
        Value::Int(digits) if digits == "0" => Value::Int(digits),
        Value::Int(digits) => Value::Int(format!("-{digits}")),
        Value::Float(value) => Value::Float(-value),
        other => other,
    }
}

/// A number without a sign.
fn read_number(text: &str) -> Option<Value> {
    let text = without_underscores(text)?;
    let lower = text.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = lower.strip_prefix(prefix) {
            // `from_str_radix` would take a sign.
            let is_digit = digits.chars().all(|c| c.is_digit(radix));
            let value = u128::from_str_radix(digits, radix).ok().filter(|_| is_digit)?;
            return Some(Value::Int(value.to_string()));
        }
    }
    if lower.bytes().all(|b| b.is_ascii_digit()) {
        let digits = lower.trim_start_matches('0');
        return match (digits.is_empty(), digits.len() < lower.len()) {
            (true, _) => Some(Value::Int("0".to_owned())),
            // Python refuses `007`.
            (false, true) => None,
            (false, false) => Some(Value::Int(lower)),
        };
    }
    // Rust also reads words such as `inf` and `nan`, and a lone point is nothing.
    let begins = lower.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    lower.parse().ok().filter(|_| begins).map(Value::Float)
}

/// Underscores may stand between two digits only.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_hexdigit);
    let wrong = |(index, byte): (usize, &u8)| {
        *byte == b'_' && !(index > 0 && digit(index - 1) && digit(index + 1))
    };
    (!bytes.iter().enumerate().any(wrong)).then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        format!("{:?}", parse(text))
    }

    #[test]
    fn literals_are_read() {
        for (text, expected) in [
            ("-12", "Int(\"-12\")"),
            ("- 0", "Int(\"0\")"),
            ("1_000", "Int(\"1000\")"),
            ("0b101", "Int(\"5\")"),
            ("1e-3", "Float(0.001)"),
            (".5", "Float(0.5)"),
            ("5.", "Float(5.0)"),
            ("(1)", "Int(\"1\")"),
            ("(1,)", "Tuple([Int(\"1\")])"),
            ("()", "Tuple([])"),
            ("[1, # one\n 2,]", "List([Int(\"1\"), Int(\"2\")])"),
            ("{}", "Dict([])"),
            ("set()", "Set([])"),
            ("{'a': None}", "Dict([(Str(\"a\"), None)])"),
            (r"'\x41\u00e9\n\'\q\101'", r#"Str("Aé\n'\\qA")"#),
            (r"r'\n\''", r#"Str("\\n\\'")"#),
            ("'''a\nb'''", r#"Str("a\nb")"#),
            (r"b'\xff'", "Bytes([255])"),
            ("'a' \"b\"", "Str(\"ab\")"),
        ] {
            assert_eq!(shown(text), format!("Some({expected})"), "{text}");
        }
    }

    #[test]
    fn what_is_no_literal_is_refused() {
        for text in [
            "",
            "f(1)",
            "1 + 1",
            "[1 2]",
            "[,]",
            "{1: 2, 3}",
            "'a",
            "'a\nb'",
            "007",
            "1__0",
            "nan",
            "inf",
            "1j",
            "'a' b'b'",
            "0x",
            "b'é'",
            "'\\ud800'",
            "x",
            "[1]]",
            ".",
            "--1",
            "-'a'",
            "0x_",
            "1e",
            "{,}",
            "(,)",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        assert!(parse(&("[".repeat(90) + &"]".repeat(90))).is_some());
        assert!(parse(&"[".repeat(1_000_000)).is_none());
        assert!(parse(&"{(".repeat(1_000_000)).is_none());
    }
}
