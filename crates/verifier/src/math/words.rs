//! Words that mean something in plain text.

use super::token::{Function, Kind};

/// The token that a run of letters stands for, if it is a word of mathematics.
pub(crate) fn keyword(run: &str) -> Option<Kind> {
    Some(match run {
        "sqrt" => Kind::Sqrt,
        "pi" | "Pi" => Kind::Symbol("\\pi".into()),
        "infinity" | "Infinity" | "inf" | "oo" => Kind::Infinity,
        "and" => Kind::And,
        "or" => Kind::Or,
        "union" | "U" if run.len() > 1 => Kind::Cup,
        "intersect" => Kind::Cap,
        "log" | "lg" => Kind::Log,
        "mod" => Kind::Mod,
        "percent" | "pct" | "percentage" => Kind::Percent,
        "degrees" | "degree" | "deg" => Kind::Degree,
        "theta" | "alpha" | "beta" | "gamma" | "lambda" | "phi" | "omega" => {
            Kind::Symbol(format!("\\{run}").into())
        }
        _ => Kind::Function(function(run)?),
    })
}

fn function(run: &str) -> Option<Function> {
    Some(match run {
        "sin" => Function::Sin,
        "cos" => Function::Cos,
        "tan" => Function::Tan,
        "cot" => Function::Cot,
        "sec" => Function::Sec,
        "csc" => Function::Csc,
        "arcsin" | "asin" => Function::Arcsin,
        "arccos" | "acos" => Function::Arccos,
        "arctan" | "atan" => Function::Arctan,
        "sinh" => Function::Sinh,
        "cosh" => Function::Cosh,
        "tanh" => Function::Tanh,
        "ln" => Function::Ln,
        "exp" => Function::Exp,
        "abs" => Function::Abs,
        "floor" => Function::Floor,
        "ceil" => Function::Ceil,
        "max" => Function::Max,
        "min" => Function::Min,
        "gcd" => Function::Gcd,
        "lcm" => Function::Lcm,
        "binom" | "binomial" => Function::Binomial,
        _ => return None,
    })
}

/// A `\text{...}` that joins answers or is a word of mathematics.
pub(crate) fn connective(text: &str) -> Option<Kind> {
    let word = text.trim_matches(',').trim();
    Some(match word.to_ascii_lowercase().as_str() {
        "and" | "&" => Kind::And,
        "or" => Kind::Or,
        _ => return keyword(word).filter(|_| word.len() > 1),
    })
}

/// True if a text holds a word, so that it is not mathematics in another font.
pub(crate) fn is_wordy(text: &str) -> bool {
    if text.contains(['\\', '{', '}', '^', '_', '=']) {
        return false;
    }
    let mut run = 0;
    for c in text.chars() {
        run = if c.is_alphabetic() { run + 1 } else { 0 };
        if run >= 2 {
            return true;
        }
    }
    // One letter alone is a name (`\text{m}`, `p.m.`), with digits and signs it is an expression.
    let letters = |c: char| c.is_alphabetic() || matches!(c, '.' | '/') || c.is_whitespace();
    text.chars().all(letters) && text.chars().any(char::is_alphabetic)
}

/// The letters of a run as factors, if it reads as a product of variables (`xy`, `abc`, `bi`) and not
/// as a word.
pub(crate) fn product(word: &str) -> Option<impl Iterator<Item = char>> {
    let capitals = word.bytes().all(|b| b.is_ascii_uppercase());
    let lower = word.bytes().all(|b| b.is_ascii_lowercase());
    let is_word = match word.len() {
        2 => is_short_word(word),
        _ => word.contains(['e', 'o', 'i', 'u']) && !word.bytes().all(|b| b == b'i'),
    };
    let short = word.len() <= if capitals { 2 } else { 3 };
    let cased = capitals || lower || word.len() == 2;
    let reads = short && cased && (capitals || !is_word);
    reads.then(|| word.chars().collect::<Vec<_>>().into_iter())
}

/// A word of two letters, which alone is no product even in capitals.
pub(crate) fn is_short_word(word: &str) -> bool {
    const WORDS: [&str; 13] =
        ["no", "on", "of", "to", "is", "or", "an", "at", "it", "by", "in", "up", "so"];
    WORDS.contains(&&*word.to_ascii_lowercase())
}

/// Value of an English number word up to twenty.
pub(crate) fn number(word: &str) -> Option<u8> {
    const NUMBERS: [&str; 21] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ];
    let word = word.to_ascii_lowercase();
    NUMBERS.iter().position(|number| *number == word).map(|value| value as u8)
}
