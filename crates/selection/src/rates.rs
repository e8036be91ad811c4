//! Success rates learned from judged groups.

use std::collections::BTreeMap;

use fireproof_trajectory::{GroupView, PromptId};
use serde::{Deserialize, Serialize};

use crate::selector::SelectError;
use crate::setting::require_share;

/// Discounted numbers of right and wrong completions of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessCounts {
    /// Right completions, at least 0.
    pub successes: f64,
    /// Wrong completions, at least 0.
    pub failures: f64,
}

impl SuccessCounts {
    /// `successes / (successes + failures)`; `None` before the first completion.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let trials = self.successes + self.failures;
        (trials > 0.0).then(|| self.successes / trials)
    }

    pub(crate) fn is_valid(&self) -> bool {
        [self.successes, self.failures].iter().all(|count| count.is_finite() && *count >= 0.0)
    }
}

/// What is known of the success rate of each prompt, older groups counting less.
///
/// ```text
/// for each group of a prompt, with k right completions of G:
///   successes <- discount * successes + k
///   failures  <- discount * failures + (G - k)
/// ```
///
/// Right and wrong come from correctness, never from rewards. A discount of 1 counts everything
/// ever seen, 0 only the last group. All selectors of this crate that estimate success rates use
/// this, and so may yours.
///
/// ```
/// use fireproof_selection::SuccessRates;
/// use fireproof_trajectory::{GroupView, PromptId};
/// let group = |correct| GroupView {
///     prompt: PromptId(1),
///     rewards: &[0.0; 4],
///     correct,
///     lengths: &[1; 4],
///     truncated: &[false; 4],
/// };
/// let mut rates = SuccessRates::new(0.5).unwrap();
/// assert_eq!(rates.rate(PromptId(1)), None);
/// rates.learn(group(&[true, true, true, true])); // 4 right, 0 wrong
/// rates.learn(group(&[false, false, false, true])); // 2 + 1 right, 0 + 3 wrong
/// assert_eq!(rates.rate(PromptId(1)), Some(0.5));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SuccessRates {
    discount: f64,
    counts: BTreeMap<PromptId, SuccessCounts>,
}

impl SuccessRates {
    /// Nothing is known yet.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if the discount is not from 0 to 1.
    pub fn new(discount: f64) -> Result<Self, SelectError> {
        require_share("SuccessRates", "discount", discount)?;
        Ok(Self { discount, counts: BTreeMap::new() })
    }

    /// What older counts are multiplied by.
    #[must_use]
    pub fn discount(&self) -> f64 {
        self.discount
    }

    /// Counts a group; an empty one changes nothing.
    pub fn learn(&mut self, group: GroupView<'_>) {
        if group.is_empty() {
            return;
        }
        let (right, discount) = (group.successes(), self.discount);
        let counts = self.counts.entry(group.prompt).or_default();
        counts.successes = discount * counts.successes + right as f64;
        counts.failures = discount * counts.failures + (group.len() - right) as f64;
    }

    /// The counts of a prompt; zeros if it was never seen.
    #[must_use]
    pub fn counts(&self, prompt: PromptId) -> SuccessCounts {
        self.counts.get(&prompt).copied().unwrap_or_default()
    }

    /// The estimated success rate of a prompt, if it was ever seen.
    #[must_use]
    pub fn rate(&self, prompt: PromptId) -> Option<f64> {
        self.counts(prompt).rate()
    }

    /// Every prompt seen, with its estimated success rate, in order of the ids.
    pub fn seen(&self) -> impl Iterator<Item = (PromptId, f64)> + '_ {
        self.counts.iter().filter_map(|(prompt, counts)| Some((*prompt, counts.rate()?)))
    }

    pub(crate) fn set(&mut self, prompt: PromptId, counts: SuccessCounts) {
        self.counts.insert(prompt, counts);
    }

    /// What a state holds of it; the discount is a setting.
    pub(crate) fn all(&self) -> &BTreeMap<PromptId, SuccessCounts> {
        &self.counts
    }

    pub(crate) fn replace(&mut self, counts: BTreeMap<PromptId, SuccessCounts>) {
        self.counts = counts;
    }
}

/// Refuses counts that are negative or not finite.
pub(crate) fn require_counts(
    selector: &'static str,
    counts: &BTreeMap<PromptId, SuccessCounts>,
) -> Result<(), SelectError> {
    match counts.iter().find(|(_, counts)| !counts.is_valid()) {
        None => Ok(()),
        Some((prompt, counts)) => {
            Err(SelectError::State { selector, reason: format!("prompt {prompt} has {counts:?}") })
        }
    }
}
