//! Selection in a fixed order.

use std::collections::HashSet;
use std::fmt;

use fireproof_trajectory::PromptId;

use crate::selector::{PromptSelector, SelectError};

const NAME: &str = "InOrder";

/// The prompts in the order given, around and around: for replays, tests and hand-made curricula.
pub struct InOrder {
    pool: Vec<PromptId>,
    next: usize,
}

impl InOrder {
    /// Selects from this list; a prompt that comes again in it is left out there.
    #[must_use]
    pub fn new(mut pool: Vec<PromptId>) -> Self {
        let mut seen = HashSet::new();
        pool.retain(|prompt| seen.insert(*prompt));
        Self { pool, next: 0 }
    }
}

impl PromptSelector for InOrder {
    fn select(&mut self, count: usize, _seed: u64) -> Result<Vec<PromptId>, SelectError> {
        if count > self.pool.len() {
            return Err(SelectError::PoolTooSmall { asked: count, available: self.pool.len() });
        }
        let selected = (0..count).map(|i| self.pool[(self.next + i) % self.pool.len()]).collect();
        self.next = (self.next + count) % self.pool.len().max(1);
        Ok(selected)
    }

    fn state(&self) -> serde_json::Value {
        self.next.into()
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let next = state.as_u64().and_then(|next| usize::try_from(next).ok());
        match next {
            Some(next) if next < self.pool.len().max(1) => {
                self.next = next;
                Ok(())
            }
            _ => Err(SelectError::State {
                selector: NAME,
                reason: format!("{state} is not a position in a pool of {}", self.pool.len()),
            }),
        }
    }
}

impl fmt::Debug for InOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}
