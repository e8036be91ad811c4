//! Making a task set: levels mixed evenly, no task twice, training and held-out parts disjoint.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use crate::family::{Instance, TaskFamily};

/// The part of a family that a task belongs to, decided by the hash of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Partition {
    /// Four fifths of the tasks: to train on.
    Train,
    /// One fifth: never trained on.
    HeldOut,
}

impl Partition {
    /// Where a prompt belongs.
    #[must_use]
    pub fn of(prompt: PromptId) -> Self {
        // The high bits, so that it is independent of whatever uses the low ones.
        if (prompt.0 >> 32).is_multiple_of(5) { Self::HeldOut } else { Self::Train }
    }
}

/// Draws up to `per_level` different tasks of each level from one part of a family.
///
/// A level with fewer tasks than that gives all that are found before 200 + 40 n draws in a row
/// bring nothing new, with n the number found so far. The levels come interleaved (1, 2, 3, 1, 2, 3,
/// ...), so that a prefix of the set is mixed too. The same arguments always give the same tasks.
///
/// # Panics
/// If a level is outside [`TaskFamily::levels`].
#[must_use]
pub fn generate(
    family: &dyn TaskFamily,
    levels: RangeInclusive<u32>,
    per_level: usize,
    partition: Partition,
    seed: u64,
) -> Vec<Instance> {
    // A prompt may exist at several levels (countdown with and without `*`): it is kept once.
    let mut seen = HashSet::new();
    let mut column = |level| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(u64::from(level));
        let mut drawn = Vec::new();
        let mut in_vain = 0;
        while drawn.len() < per_level && in_vain < 200 + 40 * drawn.len() {
            let instance = family.generate(level, &mut rng);
            let id = instance.task.id;
            if Partition::of(id) == partition && seen.insert(id) {
                drawn.push(instance);
                in_vain = 0;
            } else {
                in_vain += 1;
            }
        }
        drawn.into_iter()
    };
    let mut columns: Vec<std::vec::IntoIter<Instance>> = levels.map(&mut column).collect();
    let mut tasks = Vec::new();
    loop {
        let before = tasks.len();
        tasks.extend(columns.iter_mut().filter_map(Iterator::next));
        if tasks.len() == before {
            return tasks;
        }
    }
}
