//! One spelling for many: Unicode signs become the ASCII or LaTeX that the lexer reads.

use std::borrow::Cow;

/// The text in the lexer's alphabet, or `None` if it holds something that must not be judged by its
/// looks: control characters (NUL among them) and marks that reverse the direction of writing.
pub(crate) fn clean(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if text.is_ascii() {
        let clean = text.bytes().all(|b| !b.is_ascii_control() || b.is_ascii_whitespace());
        return clean.then_some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if is_forbidden(c) {
            return None;
        }
        if let Some(first) = superscript(c) {
            gather(&mut out, "^{", first, &mut characters, superscript);
        } else if let Some(first) = subscript(c) {
            gather(&mut out, "_{", first, &mut characters, subscript);
        } else if matches!(c, '\u{304}' | '\u{305}') {
            let digit = out.pop()?;
            out.push_str("\\overline{");
            out.push(digit);
            out.push('}');
        } else {
            translate(c, &mut out);
        }
    }
    Some(Cow::Owned(out.trim().to_owned()))
}

fn is_forbidden(c: char) -> bool {
    let control = c.is_control() && !c.is_whitespace();
    control
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn gather(
    out: &mut String,
    open: &str,
    first: char,
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    digit: fn(char) -> Option<char>,
) {
    out.push_str(open);
    out.push(first);
    while let Some(next) = characters.peek().copied().and_then(digit) {
        out.push(next);
        characters.next();
    }
    out.push('}');
}

fn superscript(c: char) -> Option<char> {
    Some(match c {
        '⁰' => '0',
        '¹' => '1',
        '²' => '2',
        '³' => '3',
        '⁴'..='⁹' => char::from(b'4' + (c as u32 - '⁴' as u32) as u8),
        '⁺' => '+',
        '⁻' => '-',
        '⁽' => '(',
        '⁾' => ')',
        'ⁿ' => 'n',
        'ˣ' => 'x',
        _ => return None,
    })
}

fn subscript(c: char) -> Option<char> {
    Some(match c {
        '₀'..='₉' => char::from(b'0' + (c as u32 - '₀' as u32) as u8),
        'ₙ' => 'n',
        'ₓ' => 'x',
        _ => return None,
    })
}

fn translate(c: char, out: &mut String) {
    match c {
        '−' | '–' | '—' | '﹣' | '‐' | '‑' => out.push('-'),
        '⋅' | '·' | '×' | '∗' | '•' | '✕' | '\u{2062}' => out.push('*'),
        '÷' | '∕' | '⁄' => out.push('/'),
        '’' | '′' | 'ʹ' => out.push('\''),
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{2061}' | '\u{feff}' | '\u{fe0f}' => {}
        '！'..='～' => out.push(char::from((c as u32 - 0xfee0) as u8)),
        '𝐀'..='𝟿' => out.push(plain_letter(c)),
        _ if c.is_whitespace() => out.push(' '),
        _ => match word(c) {
            Some(word) => {
                out.push_str(word);
                out.push(' ');
            }
            None => match vulgar_fraction(c) {
                Some((a, b)) => {
                    out.push_str(&format!("\\frac{{{a}}}{{{b}}}"));
                }
                None => out.push(c),
            },
        },
    }
}

/// Mathematical alphanumeric symbols (bold, italic, script ...) as plain letters and digits.
fn plain_letter(c: char) -> char {
    let code = c as u32;
    if code >= '𝟎' as u32 {
        return char::from(b'0' + ((code - '𝟎' as u32) % 10) as u8);
    }
    let index = ((code - '𝐀' as u32) % 52) as u8;
    // Above 0x1d6a3 stand Greek letters, which stay as they are.
    match code {
        0x1d6a4.. => c,
        _ if index < 26 => char::from(b'A' + index),
        _ => char::from(b'a' + index - 26),
    }
}

fn vulgar_fraction(c: char) -> Option<(u8, u8)> {
    const FRACTIONS: [(char, u8, u8); 19] = [
        ('½', 1, 2),
        ('⅓', 1, 3),
        ('⅔', 2, 3),
        ('¼', 1, 4),
        ('¾', 3, 4),
        ('⅕', 1, 5),
        ('⅖', 2, 5),
        ('⅗', 3, 5),
        ('⅘', 4, 5),
        ('⅙', 1, 6),
        ('⅚', 5, 6),
        ('⅐', 1, 7),
        ('⅛', 1, 8),
        ('⅜', 3, 8),
        ('⅝', 5, 8),
        ('⅞', 7, 8),
        ('⅑', 1, 9),
        ('⅒', 1, 10),
        ('↉', 0, 3),
    ];
    FRACTIONS.iter().find(|(sign, ..)| *sign == c).map(|(_, a, b)| (*a, *b))
}

fn word(c: char) -> Option<&'static str> {
    const GREEK: [&str; 25] = [
        "\\alpha",
        "\\beta",
        "\\gamma",
        "\\delta",
        "\\epsilon",
        "\\zeta",
        "\\eta",
        "\\theta",
        "\\iota",
        "\\kappa",
        "\\lambda",
        "\\mu",
        "\\nu",
        "\\xi",
        "\\omicron",
        "\\pi",
        "\\rho",
        "\\sigma",
        "\\sigma",
        "\\tau",
        "\\upsilon",
        "\\phi",
        "\\chi",
        "\\psi",
        "\\omega",
    ];
    if ('α'..='ω').contains(&c) {
        return GREEK.get((c as u32 - 'α' as u32) as usize).copied();
    }
    Some(match c {
        'Γ' => "\\Gamma",
        'Δ' => "\\Delta",
        'Θ' => "\\Theta",
        'Λ' => "\\Lambda",
        'Π' => "\\Pi",
        'Σ' => "\\Sigma",
        'Φ' => "\\Phi",
        'ϕ' => "\\phi",
        'Ψ' => "\\Psi",
        'Ω' => "\\Omega",
        _ => return operator(c),
    })
}

fn operator(c: char) -> Option<&'static str> {
    Some(match c {
        '∞' => "\\infty",
        '√' => "\\sqrt",
        '∛' => "\\sqrt[3]",
        '∜' => "\\sqrt[4]",
        '≤' | '⩽' | '≦' => "\\le",
        '≥' | '⩾' | '≧' => "\\ge",
        '≠' => "\\ne",
        '≈' | '≃' | '≅' => "\\approx",
        '±' => "\\pm",
        '∓' => "\\mp",
        '∪' | '⋃' => "\\cup",
        '∩' | '⋂' => "\\cap",
        '∈' => "\\in",
        '∅' | '⌀' | 'Ø' => "\\emptyset",
        '∖' => "\\setminus",
        'ℝ' => "\\mathbb{R}",
        '°' | 'º' | '˚' => "\\degree",
        '⟨' | '〈' => "\\langle",
        '⟩' | '〉' => "\\rangle",
        '…' | '⋯' => "\\ldots",
        '∠' => "\\angle",
        '⌊' => "\\lfloor",
        '⌋' => "\\rfloor",
        '⌈' => "\\lceil",
        '⌉' => "\\rceil",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_get_one_spelling() {
        assert_eq!(clean(" −3×π² ").unwrap(), "-3*\\pi ^{2}");
        assert_eq!(clean("1½").unwrap(), "1\\frac{1}{2}");
        assert_eq!(clean("１２").unwrap(), "12");
        assert_eq!(clean("𝟏𝟐𝑥").unwrap(), "12x");
        assert_eq!(clean("1\u{200b}2").unwrap(), "12");
    }

    #[test]
    fn deceptive_characters_are_refused() {
        assert!(clean("12\0").is_none());
        assert!(clean("\u{202e}12").is_none());
    }
}
