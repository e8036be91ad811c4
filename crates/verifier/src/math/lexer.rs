//! Text to tokens. LaTeX and plain spellings meet here.

use super::budget::{Failure, MAX_TOKENS};
use super::commands::{self, Command};
use super::token::{Bracket, Kind, Sign, Token};
use super::{literal, words};

/// All tokens of a cleaned text.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Failure> {
    nested(text, 0)
}

/// Deepest nesting of `\text{}` in itself.
const MAX_TEXTS: usize = 4;

fn nested(text: &str, depth: usize) -> Result<Vec<Token>, Failure> {
    if depth > MAX_TEXTS {
        return Err(Failure::Budget);
    }
    let mut lexer =
        Lexer { text, at: 0, depth, spaced: false, nesting: Vec::new(), tokens: Vec::new() };
    while lexer.at < text.len() {
        lexer.step()?;
        if lexer.tokens.len() > MAX_TOKENS {
            return Err(Failure::Budget);
        }
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    spaced: bool,
    /// Open brackets in which a comma separates, and groups, in which it may not.
    nesting: Vec<Bracket>,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize) {
        match &kind {
            Kind::Open(bracket) => self.nesting.push(*bracket),
            Kind::Close(_) => {
                self.nesting.pop();
            }
            _ => {}
        }
        let start = self.at;
        self.at += length;
        self.tokens.push(Token { kind, spaced: self.spaced, start, end: self.at });
        self.spaced = false;
    }

    fn step(&mut self) -> Result<(), Failure> {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return Ok(()) };
        if c.is_whitespace() || c == '~' {
            self.spaced = true;
            self.at += c.len_utf8();
            return Ok(());
        }
        if c == '\\' {
            return self.command();
        }
        if c.is_ascii_digit() || (c == '.' && self.begins_decimal()) {
            return self.number();
        }
        if c.is_ascii_alphabetic() {
            self.letters();
            return Ok(());
        }
        self.sign(c)
    }

    fn begins_decimal(&self) -> bool {
        let rest = &self.rest()[1..];
        let digit =
            rest.starts_with(|c: char| c.is_ascii_digit()) || rest.starts_with("\\overline");
        let after_number =
            matches!(self.tokens.last(), Some(Token { kind: Kind::Number { .. }, .. }));
        digit && (self.spaced || !after_number)
    }

    fn number(&mut self) -> Result<(), Failure> {
        let separates = |bracket: &Bracket| !matches!(bracket, Bracket::Group);
        let grouped = !self.nesting.iter().any(separates);
        let literal = literal::scan(self.rest(), grouped)?;
        let kind = Kind::Number { value: literal.value, digits: literal.digits.map(Into::into) };
        self.push(kind, literal.length);
        Ok(())
    }

    fn letters(&mut self) {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let run = &rest[..length];
        // "x in (1, 2)", and not "5 in".
        let after = rest[length..].trim_start();
        if run == "in" && after.starts_with(['(', '[', '\\']) && !self.tokens.is_empty() {
            self.push(Kind::Sign(Sign::In), length);
            return;
        }
        let kind = words::keyword(run).unwrap_or_else(|| {
            if length == 1 { Kind::Symbol(run.into()) } else { Kind::Word(run.into()) }
        });
        self.push(kind, length);
    }

    fn sign(&mut self, c: char) -> Result<(), Failure> {
        let rest = self.rest();
        const LONG: [(&str, Kind); 9] = [
            ("**", Kind::Caret),
            ("<=", Kind::Sign(Sign::LessEqual)),
            ("=<", Kind::Sign(Sign::LessEqual)),
            (">=", Kind::Sign(Sign::GreaterEqual)),
            ("=>", Kind::Sign(Sign::GreaterEqual)),
            ("!=", Kind::Sign(Sign::NotEqual)),
            ("==", Kind::Sign(Sign::Equal)),
            ("+-", Kind::PlusMinus),
            ("+/-", Kind::PlusMinus),
        ];
        if let Some((text, kind)) = LONG.iter().find(|(text, _)| rest.starts_with(text)) {
            self.push(kind.clone(), text.len());
            return Ok(());
        }
        let kind = match c {
            '+' => Kind::Plus,
            '-' => Kind::Minus,
            '*' => Kind::Times,
            '/' => Kind::Over,
            '^' => Kind::Caret,
            '_' => Kind::Underscore,
            '!' => Kind::Bang,
            '%' => Kind::Percent,
            '\'' => Kind::Prime,
            '(' => Kind::Open(Bracket::Round),
            ')' => Kind::Close(Bracket::Round),
            '[' => Kind::Open(Bracket::Square),
            ']' => Kind::Close(Bracket::Square),
            '{' => Kind::Open(Bracket::Group),
            '}' => Kind::Close(Bracket::Group),
            '|' => Kind::Bar,
            ',' => Kind::Comma,
            ';' => Kind::Semicolon,
            ':' => Kind::Colon,
            '<' => Kind::Sign(Sign::Less),
            '>' => Kind::Sign(Sign::Greater),
            '=' => Kind::Sign(Sign::Equal),
            '&' => Kind::Ampersand,
            '$' => Kind::Currency("$"),
            '€' => Kind::Currency("€"),
            '£' => Kind::Currency("£"),
            '¥' => Kind::Currency("¥"),
            '₹' => Kind::Currency("₹"),
            _ if c.is_alphabetic() => Kind::Symbol(c.to_string().into()),
            _ => return Err(Failure::Unknown),
        };
        self.push(kind, c.len_utf8());
        Ok(())
    }

    fn command(&mut self) -> Result<(), Failure> {
        let rest = self.rest();
        let length = commands::length(rest);
        match commands::look_up(&rest[1..length]) {
            Command::Token(kind) => self.push(kind, length),
            Command::Space => {
                self.spaced |= length > 1;
                self.at += length;
            }
            Command::Nothing => self.at += length,
            Command::Delimiter => {
                self.at += length;
                // `\left.` and `\right.` are invisible.
                if self.rest().starts_with('.') {
                    self.at += 1;
                }
            }
            Command::Text => {
                self.at += length;
                self.text_group()?;
            }
            Command::Begin(open) => {
                let name = group(&rest[length..]).ok_or(Failure::Unknown)?;
                let kind = if open { Kind::Begin(name.into()) } else { Kind::End(name.into()) };
                let end = length + rest[length..].find('}').map_or(0, |at| at + 1);
                self.push(kind, end);
                if open {
                    self.column_layout();
                }
            }
            Command::Blackboard => {
                let name = group(&rest[length..]).ok_or(Failure::Unknown)?;
                let end = length + rest[length..].find('}').map_or(0, |at| at + 1);
                let kind = if name.trim() == "R" {
                    Kind::Reals
                } else {
                    Kind::Symbol(format!("\\mathbb{{{}}}", name.trim()).into())
                };
                self.push(kind, end);
            }
            Command::Unknown => return Err(Failure::Unknown),
        }
        Ok(())
    }

    /// Skips the `{cc}` of an array.
    fn column_layout(&mut self) {
        let rest = self.rest();
        let is_array = rest.starts_with('{');
        if let (true, Some(end)) = (is_array, rest.find('}'))
            && rest[1..end].chars().all(|c| matches!(c, 'c' | 'l' | 'r' | '|' | ' ' | '@'))
        {
            self.at += end + 1;
        }
    }

    /// `\text{...}`: numbers and signs are read as mathematics, words stay words.
    fn text_group(&mut self) -> Result<(), Failure> {
        let Some(inner) = group(self.rest()) else {
            // `\mathrm x` styles the next token only; a group that does not close is a mistake.
            let open = self.rest().trim_start().starts_with('{');
            return if open { Err(Failure::Unknown) } else { Ok(()) };
        };
        let skipped = self.rest().find('{').unwrap_or(0);
        let trimmed = inner.trim();
        let length = skipped + inner.len() + 2;
        if trimmed.is_empty() {
            self.spaced = true;
            self.at += length;
        } else if let Some(kind) = words::connective(trimmed) {
            self.push(kind, length);
        } else if words::is_wordy(trimmed) {
            self.push(Kind::Text(trimmed.into()), length);
            self.spaced |= inner.ends_with(' ');
        } else {
            for token in nested(trimmed, self.depth + 1)? {
                self.spaced |= token.spaced;
                self.push(token.kind, 0);
            }
            self.at += length;
        }
        Ok(())
    }
}

/// The inside of a `{...}` that begins here, if it closes.
fn group(text: &str) -> Option<&str> {
    let open = text.len() - text.trim_start().len();
    let inner = text[open..].strip_prefix('{')?;
    let mut depth = 0usize;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(&inner[..at]),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
