//! Uniform selection without replacement: every prompt once an epoch, in a shuffled order.

use std::collections::HashSet;
use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::selector::{PromptSelector, SelectError};

const NAME: &str = "UniformWithoutReplacement";

/// Every prompt once an epoch, each epoch in a new random order.
///
/// A selection that crosses the end of an epoch still holds no prompt twice: prompts that it
/// already holds move to the end of the new epoch.
pub struct UniformWithoutReplacement {
    pool: Vec<PromptId>,
    /// The prompts of this epoch that are still to come, last first.
    ahead: Vec<PromptId>,
    epochs: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    epochs: u64,
    ahead: Vec<PromptId>,
}

impl UniformWithoutReplacement {
    /// Selects from this pool; prompts that occur twice are kept once.
    #[must_use]
    pub fn new(mut pool: Vec<PromptId>) -> Self {
        // Sorted, so that the choice depends on the set of prompts and not on its order.
        pool.sort_unstable();
        pool.dedup();
        Self { pool, ahead: Vec::new(), epochs: 0 }
    }

    /// Epochs begun so far.
    #[must_use]
    pub fn epochs(&self) -> u64 {
        self.epochs
    }

    fn begin_epoch(&mut self, held: &[PromptId], seed: u64) {
        self.epochs += 1;
        self.ahead.clone_from(&self.pool);
        self.ahead.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        if !held.is_empty() {
            let held: HashSet<_> = held.iter().collect();
            // `ahead` is taken from its end, so what must come late goes to the front (stably).
            self.ahead.sort_by_key(|prompt| !held.contains(prompt));
        }
    }
}

impl PromptSelector for UniformWithoutReplacement {
    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        if count > self.pool.len() {
            return Err(SelectError::PoolTooSmall { asked: count, available: self.pool.len() });
        }
        let mut selected = Vec::with_capacity(count);
        while selected.len() < count {
            match self.ahead.pop() {
                Some(prompt) => selected.push(prompt),
                None => self.begin_epoch(&selected, seed),
            }
        }
        Ok(selected)
    }

    fn state(&self) -> serde_json::Value {
        serde_json::json!({ "epochs": self.epochs, "ahead": self.ahead })
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let refuse = |reason: String| SelectError::State { selector: NAME, reason };
        let state: State = serde_json::from_value(state).map_err(|e| refuse(e.to_string()))?;
        if let Some(prompt) = state.ahead.iter().find(|p| self.pool.binary_search(p).is_err()) {
            return Err(refuse(format!("prompt {prompt} is not in the pool")));
        }
        (self.epochs, self.ahead) = (state.epochs, state.ahead);
        Ok(())
    }
}

impl fmt::Debug for UniformWithoutReplacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}
