//! Mathematical answers: extraction, reading and exact equality.
//!
//! ```text
//! completion ──extract──▶ text ──clean, lexer, parser, read──▶ typed value ──compare──▶ Comparison
//! ```
//!
//! | tier | decides |
//! |---|---|
//! | text | the same tokens are equal |
//! | exact | rationals, and quotients of polynomials in roots, logarithms and other atoms, by normal form |
//! | numeric | everything else by ball arithmetic: it refutes soundly, and confirms analytic expressions at a precision that the sizes of all values do not explain |
//!
//! Only what is surely equal is equal. Work is bounded by counted steps, sizes and depths; there is no
//! clock, no tolerance and no floating-point number. Values of different kinds compare through listed
//! bridges (`compare`), and the gold answer's form decides what is demanded.
//!
//! ```
//! use fireproof_verifier::math::{Policy, equal};
//!
//! let policy = Policy::default();
//! let same = |gold, prediction| equal(gold, prediction, &policy).unwrap().equal;
//! assert!(same(r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt2}"));
//! assert!(!same(r"(-\infty, 3]", r"x \le 3") && same(r"x \le 3", r"(-\infty, 3]"));
//! assert!(same("15%", "0.15") && !same("1,2,3", "123"));
//! ```

mod answer;
mod atom;
mod ball;
mod budget;
mod clean;
mod collection;
mod commands;
mod compare;
mod complex;
mod elementary;
mod expression;
mod extract;
mod form;
mod gold;
mod lexer;
mod literal;
mod magnitude;
mod normal;
mod notation;
mod number;
mod numeric;
mod outcome;
mod parser;
mod policy;
mod polynomial;
mod power;
mod primary;
mod quantity;
mod read;
mod region;
mod relate;
mod sample;
mod scalar;
mod special;
mod token;
mod transcendental;
mod unit;
mod verifier;
mod words;
mod wrapping;

pub use extract::Extracted;
pub use extract::Extraction;
pub use extract::extract;
pub use gold::Gold;
pub use outcome::Comparison;
pub use outcome::GoldError;
pub use outcome::Reason;
pub use outcome::Tier;
pub use policy::Policy;
pub use verifier::MathAnswer;

/// Is the prediction, a bare answer, equal to the gold answer?
///
/// # Errors
/// [`GoldError`] if the gold answer cannot be judged; see [`Gold::read`].
pub fn equal(gold: &str, prediction: &str, policy: &Policy) -> Result<Comparison, GoldError> {
    Ok(Gold::read(gold)?.compare(prediction, policy))
}
