//! Work is bounded by counting steps, never by a clock, so that a judgement is the same everywhere.

/// Longest text that is read, in bytes.
pub(crate) const MAX_TEXT: usize = 64 * 1024;
/// Deepest nesting of brackets.
pub(crate) const MAX_DEPTH: usize = 64;
/// Deepest nesting of sums, powers, signs and arguments in an expression.
pub(crate) const MAX_EXPRESSION: usize = 160;
/// Most tokens of an answer.
pub(crate) const MAX_TOKENS: usize = 20_000;
/// Most bits of any number.
pub(crate) const MAX_BITS: usize = 100_000;
/// Steps for one comparison; a step is about the work of one product of machine words.
const STEPS: u64 = 1_000_000;

/// Why an expression has no value that could be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Too many steps, bits or terms.
    Budget,
    /// A division by zero, a logarithm of zero and the like: never equal to anything.
    Undefined,
    /// It cannot be read, or this method cannot tell yet: more precision may.
    Unknown,
    /// This method has no rule for it, whatever the precision.
    Unsupported,
}

/// The steps that are left for a comparison.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { left: STEPS }
    }

    /// Half of what is left, as a budget of its own; give back what it leaves.
    pub(crate) fn half(&mut self) -> Self {
        let half = self.left / 2;
        self.left -= half;
        Self { left: half }
    }

    pub(crate) fn give_back(&mut self, unspent: Self) {
        self.left += unspent.left;
    }

    /// Takes `steps` away, or fails for good.
    pub(crate) fn charge(&mut self, steps: usize) -> Result<(), Failure> {
        match self.left.checked_sub(steps as u64) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Failure::Budget)
            }
        }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }
}
