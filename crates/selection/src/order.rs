//! Selection in a fixed order.

use std::collections::HashSet;
use std::fmt;

use fireproof_trajectory::PromptId;
use serde::{Deserialize, Serialize};

use crate::pool::{Pool, fingerprint};
use crate::selector::{PromptSelector, SelectError};

const NAME: &str = "InOrder";

/// The prompts in the order given, around and around: for replays, tests and hand-made curricula.
///
/// Further selections within a step go on in the list, so they repeat nothing before its end.
pub struct InOrder {
    list: Vec<PromptId>,
    next: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    order: PromptId,
    next: usize,
}

impl InOrder {
    /// Selects from this list; a prompt that comes again in it is left out there.
    #[must_use]
    pub fn new(mut list: Vec<PromptId>) -> Self {
        let mut seen = HashSet::new();
        list.retain(|prompt| seen.insert(*prompt));
        Self { list, next: 0 }
    }
}

impl PromptSelector for InOrder {
    fn select(&mut self, count: usize, _seed: u64) -> Result<Vec<PromptId>, SelectError> {
        let available = self.list.len();
        if count > available {
            return Err(SelectError::PoolTooSmall { asked: count, available });
        }
        let selected = (0..count).map(|i| self.list[(self.next + i) % available]).collect();
        self.next = (self.next + count) % available.max(1);
        Ok(selected)
    }

    fn state(&self) -> serde_json::Value {
        let learned = Learned { order: fingerprint(&self.list), next: self.next };
        Pool::new(self.list.clone()).pack(NAME, &learned)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let refuse = |reason: String| Err(SelectError::State { selector: NAME, reason });
        let Learned { order, next } =
            Pool::new(self.list.clone()).unpack::<Learned>(NAME, state)?.learned;
        if order != fingerprint(&self.list) {
            return refuse("the same prompts stand in another order".to_owned());
        }
        if next >= self.list.len().max(1) {
            let size = self.list.len();
            return refuse(format!("{next} is not a position in a pool of {size}"));
        }
        self.next = next;
        Ok(())
    }
}

impl fmt::Debug for InOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}
