//! The prompts that a selector may choose, those given in this step, and the frame of every state.

use std::collections::BTreeSet;

use fireproof_trajectory::PromptId;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::selector::SelectError;

/// A set of prompts and the part of it that was selected since the step began.
pub(crate) struct Pool {
    /// Sorted, so that a choice depends on the set of prompts and not on its order.
    prompts: Vec<PromptId>,
    taken: BTreeSet<PromptId>,
}

/// What stands around everything learned: whose it is, and over which prompts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    selector: String,
    pool: PromptId,
    taken: BTreeSet<PromptId>,
    learned: serde_json::Value,
}

/// A state that was found to fit.
pub(crate) struct Unpacked<T> {
    taken: BTreeSet<PromptId>,
    pub(crate) learned: T,
}

/// One number for a list of prompts.
pub(crate) fn fingerprint(prompts: &[PromptId]) -> PromptId {
    PromptId::of(&prompts.iter().map(PromptId::to_string).collect::<String>())
}

impl Pool {
    /// Prompts that occur twice are kept once.
    pub(crate) fn new(mut prompts: Vec<PromptId>) -> Self {
        prompts.sort_unstable();
        prompts.dedup();
        Self { prompts, taken: BTreeSet::new() }
    }

    pub(crate) fn prompts(&self) -> &[PromptId] {
        &self.prompts
    }

    pub(crate) fn len(&self) -> usize {
        self.prompts.len()
    }

    pub(crate) fn contains(&self, prompt: PromptId) -> bool {
        self.prompts.binary_search(&prompt).is_ok()
    }

    pub(crate) fn begin_step(&mut self) {
        self.taken.clear();
    }

    pub(crate) fn is_taken(&self, prompt: PromptId) -> bool {
        self.taken.contains(&prompt)
    }

    pub(crate) fn require(&self, count: usize) -> Result<(), SelectError> {
        let available = self.len();
        if count > available {
            return Err(SelectError::PoolTooSmall { asked: count, available });
        }
        Ok(())
    }

    /// All prompts in a random order, those taken in this step last.
    pub(crate) fn shuffled(&self, rng: &mut ChaCha8Rng) -> Vec<PromptId> {
        let mut order = self.prompts.clone();
        order.shuffle(rng);
        order.sort_by_key(|prompt| self.is_taken(*prompt));
        order
    }

    /// The `count` of lowest score, those taken in this step last; of equals the earlier. They are
    /// taken from now on.
    pub(crate) fn take_lowest(
        &mut self,
        count: usize,
        mut scored: Vec<(f64, PromptId)>,
    ) -> Vec<PromptId> {
        let is_taken = |prompt: &PromptId| self.is_taken(*prompt);
        scored.sort_by(|(a, p), (b, q)| is_taken(p).cmp(&is_taken(q)).then(a.total_cmp(b)));
        self.take(scored.into_iter().take(count).map(|(_, prompt)| prompt).collect())
    }

    /// From each class its quota, as far as it goes, and what is missing from all, the lower classes
    /// first. `order` holds prompts with their classes; those taken in this step come last.
    pub(crate) fn take_quotas(
        &mut self,
        order: &[(usize, PromptId)],
        quotas: &[usize],
    ) -> Vec<PromptId> {
        let count: usize = quotas.iter().sum();
        let mut left = quotas.to_vec();
        let (mut selected, mut others) = (Vec::with_capacity(count), Vec::new());
        for (class, prompt) in order {
            match left.get_mut(*class) {
                Some(left) if *left > 0 && !self.is_taken(*prompt) => {
                    *left -= 1;
                    selected.push(*prompt);
                }
                _ => others.push((*class, *prompt)),
            }
        }
        others.sort_by_key(|(class, prompt)| (self.is_taken(*prompt), *class));
        let missing = count - selected.len();
        selected.extend(others.into_iter().take(missing).map(|(_, prompt)| prompt));
        self.take(selected)
    }

    /// Marks a selection.
    pub(crate) fn take(&mut self, selected: Vec<PromptId>) -> Vec<PromptId> {
        self.taken.extend(&selected);
        selected
    }

    pub(crate) fn pack(&self, selector: &str, learned: &impl Serialize) -> serde_json::Value {
        serde_json::json!({
            "selector": selector,
            "pool": fingerprint(&self.prompts),
            "taken": self.taken,
            "learned": learned,
        })
    }

    /// Reads a state of `selector` over these prompts; nothing changes yet.
    pub(crate) fn unpack<T: DeserializeOwned>(
        &self,
        selector: &'static str,
        state: serde_json::Value,
    ) -> Result<Unpacked<T>, SelectError> {
        let refuse = |reason: String| SelectError::State { selector, reason };
        let unreadable = |error: serde_json::Error| refuse(error.to_string());
        let frame: Frame = serde_json::from_value(state).map_err(unreadable)?;
        if frame.selector != selector {
            return Err(refuse(format!("it is one of {}", frame.selector)));
        }
        let own = fingerprint(&self.prompts);
        if frame.pool != own {
            let size = self.len();
            return Err(refuse(format!(
                "its prompts have the fingerprint {}, these {size} have {own}",
                frame.pool
            )));
        }
        self.require_known(selector, frame.taken.iter())?;
        let learned = serde_json::from_value(frame.learned).map_err(unreadable)?;
        Ok(Unpacked { taken: frame.taken, learned })
    }

    /// Refuses prompts that are not in the pool.
    pub(crate) fn require_known<'a>(
        &self,
        selector: &'static str,
        mut prompts: impl Iterator<Item = &'a PromptId>,
    ) -> Result<(), SelectError> {
        match prompts.find(|prompt| !self.contains(**prompt)) {
            None => Ok(()),
            Some(prompt) => Err(SelectError::State {
                selector,
                reason: format!("prompt {prompt} is not in the pool"),
            }),
        }
    }

    /// Takes over what was taken and hands out what was learned.
    pub(crate) fn accept<T>(&mut self, state: Unpacked<T>) -> T {
        self.taken = state.taken;
        state.learned
    }
}
