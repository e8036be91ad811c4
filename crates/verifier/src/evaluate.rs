//! Exact evaluation of integer expressions, with bounds on size and depth instead of a clock.
//!
//! ```text
//! sum     = product (('+' | '-') product)*
//! product = factor (('*' | '/') factor)*
//! factor  = number | '(' sum ')'
//! number  = '0' | [1-9][0-9]*
//! ```
//!
//! There is no sign and no power: `-3`, `2**3` and `7//2` do not parse. Spaces may stand between
//! tokens, never inside a number.

/// Longest text that is looked at, in bytes.
const MAX_LENGTH: usize = 1024;
/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 64;

/// An expression's value and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The value.
    pub value: i64,
    /// Every number, in order of appearance.
    pub numbers: Vec<i64>,
    /// Every operator, in order of appearance.
    pub operators: Vec<char>,
}

/// Why a text has no value. Positions are byte offsets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The text is longer than 1,024 bytes.
    #[error("expression of {length} bytes is longer than {MAX_LENGTH}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Parentheses nest deeper than 64.
    #[error("parentheses nest deeper than {MAX_DEPTH} at byte {position}")]
    TooDeep {
        /// Where.
        position: usize,
    },
    /// Something else stands where a number, operator or parenthesis should.
    #[error("expected {expected} at byte {position}, found {found}")]
    Unexpected {
        /// What should stand there.
        expected: &'static str,
        /// Where.
        position: usize,
        /// What stands there.
        found: String,
    },
    /// A number or an intermediate value does not fit in 64 bits.
    #[error("a value before byte {position} does not fit in 64 bits")]
    Overflow {
        /// Where.
        position: usize,
    },
    /// A division by zero or with a remainder.
    #[error("the division before byte {position} is not exact")]
    NotExact {
        /// Where.
        position: usize,
    },
}

/// Evaluates an integer expression exactly.
///
/// ```
/// use fireproof_verifier::evaluate;
/// assert_eq!(evaluate("(2+3)*4").unwrap().value, 20);
/// assert_eq!(evaluate("8-3-2").unwrap().value, 3);
/// assert!(evaluate("7/2").is_err());
/// assert!(evaluate("9**9**9").is_err());
/// ```
///
/// # Errors
/// [`EvaluateError`] says what is wrong and at which byte.
pub fn evaluate(text: &str) -> Result<Evaluation, EvaluateError> {
    if text.len() > MAX_LENGTH {
        return Err(EvaluateError::TooLong { length: text.len() });
    }
    let mut parser = Parser {
        text: text.as_bytes(),
        position: 0,
        depth: 0,
        numbers: Vec::new(),
        operators: Vec::new(),
    };
    let value = parser.sum()?;
    match parser.peek() {
        None => Ok(Evaluation { value, numbers: parser.numbers, operators: parser.operators }),
        Some(_) => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    position: usize,
    depth: usize,
    numbers: Vec<i64>,
    operators: Vec<char>,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<i64, EvaluateError> {
        let mut value = self.product()?;
        while let Some(operator) = self.operator(b"+-") {
            let right = self.product()?;
            let result =
                if operator == '+' { value.checked_add(right) } else { value.checked_sub(right) };
            value = result.ok_or(EvaluateError::Overflow { position: self.position })?;
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, EvaluateError> {
        let mut value = self.factor()?;
        while let Some(operator) = self.operator(b"*/") {
            let right = self.factor()?;
            value = if operator == '*' {
                value
                    .checked_mul(right)
                    .ok_or(EvaluateError::Overflow { position: self.position })?
            } else {
                // `checked_rem` is `None` for a zero divisor and for MIN / -1.
                match value.checked_rem(right) {
                    Some(0) => value / right,
                    _ => return Err(EvaluateError::NotExact { position: self.position }),
                }
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<i64, EvaluateError> {
        match self.peek() {
            Some(b'(') => {
                if self.depth == MAX_DEPTH {
                    return Err(EvaluateError::TooDeep { position: self.position });
                }
                self.position += 1;
                self.depth += 1;
                let value = self.sum()?;
                if self.peek() != Some(b')') {
                    return Err(self.unexpected("`)` or an operator"));
                }
                self.position += 1;
                self.depth -= 1;
                Ok(value)
            }
            Some(b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected("a number or `(`")),
        }
    }

    fn number(&mut self) -> Result<i64, EvaluateError> {
        let start = self.position;
        while self.text.get(self.position).is_some_and(u8::is_ascii_digit) {
            self.position += 1;
        }
        let digits = &self.text[start..self.position];
        if digits.len() > 1 && digits[0] == b'0' {
            self.position = start;
            return Err(self.unexpected("a number without leading zeros"));
        }
        let value = digits.iter().try_fold(0i64, |value, digit| {
            value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))
        });
        let value = value.ok_or(EvaluateError::Overflow { position: self.position })?;
        self.numbers.push(value);
        Ok(value)
    }

    /// Takes the next token if it is one of `allowed`.
    fn operator(&mut self, allowed: &[u8]) -> Option<char> {
        let byte = self.peek().filter(|byte| allowed.contains(byte))?;
        self.position += 1;
        self.operators.push(char::from(byte));
        Some(char::from(byte))
    }

    /// The next byte that is not a space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.position) == Some(&b' ') {
            self.position += 1;
        }
        self.text.get(self.position).copied()
    }

    fn unexpected(&self, expected: &'static str) -> EvaluateError {
        let rest = String::from_utf8_lossy(&self.text[self.position..]);
        let found = rest.chars().next().map_or("the end".to_owned(), |c| format!("`{c}`"));
        EvaluateError::Unexpected { expected, position: self.position, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> i64 {
        evaluate(text).unwrap().value
    }

    #[test]
    fn precedence_and_association_are_the_usual_ones() {
        assert_eq!(value("2+3*4"), 14);
        assert_eq!(value("2*3+4"), 10);
        assert_eq!(value("10-4-3"), 3);
        assert_eq!(value("24/4/2"), 3);
        assert_eq!(value("10-(4-3)"), 9);
        assert_eq!(value(" ( 1 + 2 ) * 3 "), 9);
    }

    #[test]
    fn numbers_and_operators_are_reported_in_order() {
        let evaluation = evaluate("3*(5+8)").unwrap();
        assert_eq!(evaluation.numbers, [3, 5, 8]);
        assert_eq!(evaluation.operators, ['*', '+']);
    }

    #[test]
    fn what_python_would_run_away_with_does_not_parse() {
        for text in ["9**9**9", "7//2", "-3+5", "+3", "1_0", "0x1f", "1e3", "2^8", "1,000", "٣+٤"]
        {
            assert!(matches!(evaluate(text), Err(EvaluateError::Unexpected { .. })), "{text}");
        }
    }

    #[test]
    fn half_written_expressions_do_not_parse() {
        for text in ["", " ", "3+", "+", "(3+4", "3+4)", "()", "3 4", "(3)(4)", "007"] {
            assert!(matches!(evaluate(text), Err(EvaluateError::Unexpected { .. })), "{text:?}");
        }
    }

    #[test]
    fn hostile_sizes_end_at_once() {
        assert!(matches!(evaluate(&"(".repeat(1000)), Err(EvaluateError::TooDeep { .. })));
        assert!(matches!(evaluate(&"1".repeat(2000)), Err(EvaluateError::TooLong { .. })));
        assert!(matches!(evaluate(&"9".repeat(20)), Err(EvaluateError::Overflow { .. })));
        let tower = ["999999999"; 9].join("*");
        assert!(matches!(evaluate(&tower), Err(EvaluateError::Overflow { .. })));
    }

    #[test]
    fn inexact_divisions_have_no_value() {
        for text in ["7/2", "1/0", "0/0", "1/(3-3)"] {
            assert!(matches!(evaluate(text), Err(EvaluateError::NotExact { .. })), "{text}");
        }
        assert_eq!(value("(2-8)/3"), -2);
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(
            evaluate("3+x").unwrap_err().to_string(),
            "expected a number or `(` at byte 2, found `x`"
        );
        assert_eq!(
            evaluate("(3").unwrap_err().to_string(),
            "expected `)` or an operator at byte 2, found the end"
        );
    }
}
