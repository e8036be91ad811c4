//! Uniform selection without replacement: every prompt once an epoch, in a shuffled order.

use std::collections::HashSet;
use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::pool::Pool;
use crate::selector::{Need, PromptSelector, SelectError};

const NAME: &str = "UniformWithoutReplacement";

/// Every prompt once an epoch, each epoch in a new random order.
///
/// A selection that crosses the end of an epoch still holds no prompt twice: what this step already
/// holds moves to the end of the new epoch.
pub struct UniformWithoutReplacement {
    pool: Pool,
    /// The prompts of this epoch that are still to come, last first.
    ahead: Vec<PromptId>,
    epochs: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    epochs: u64,
    ahead: Vec<PromptId>,
}

impl UniformWithoutReplacement {
    /// Selects from this pool; prompts that occur twice are kept once.
    #[must_use]
    pub fn new(pool: Vec<PromptId>) -> Self {
        Self { pool: Pool::new(pool), ahead: Vec::new(), epochs: 0 }
    }

    /// Epochs begun so far.
    #[must_use]
    pub fn epochs(&self) -> u64 {
        self.epochs
    }

    pub(crate) fn prompts(&self) -> &[PromptId] {
        self.pool.prompts()
    }

    fn begin_epoch(&mut self, held: &[PromptId], seed: u64) {
        self.epochs += 1;
        self.ahead = self.pool.prompts().to_vec();
        self.ahead.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let held: HashSet<_> = held.iter().collect();
        // `ahead` is taken from its end, so what must come late goes to the front (stably): first
        // what this selection holds, then what earlier ones of this step hold.
        self.ahead.sort_by_key(|p| (!held.contains(p), !self.pool.is_taken(*p)));
    }
}

impl PromptSelector for UniformWithoutReplacement {
    fn need(&mut self, _step: u64, _seed: u64) -> Need {
        self.pool.begin_step();
        Need::None
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        self.pool.require(count)?;
        let mut selected = Vec::with_capacity(count);
        while selected.len() < count {
            match self.ahead.pop() {
                Some(prompt) => selected.push(prompt),
                None => self.begin_epoch(&selected, seed),
            }
        }
        Ok(self.pool.take(selected))
    }

    fn state(&self) -> serde_json::Value {
        self.pool.pack(NAME, &Learned { epochs: self.epochs, ahead: self.ahead.clone() })
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let unpacked = self.pool.unpack::<Learned>(NAME, state)?;
        let ahead = &unpacked.learned.ahead;
        self.pool.require_known(NAME, ahead.iter())?;
        if ahead.iter().collect::<HashSet<_>>().len() < ahead.len() {
            let reason = "a prompt is to come twice in one epoch".to_owned();
            return Err(SelectError::State { selector: NAME, reason });
        }
        let learned = self.pool.accept(unpacked);
        (self.epochs, self.ahead) = (learned.epochs, learned.ahead);
        Ok(())
    }
}

impl fmt::Debug for UniformWithoutReplacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}
