//! One completion with everything that training needs of it.

use fireproof_trajectory::{Completion, CreditedView, ScoredGroup, TokenView};

use crate::score::ScoredTokens;

/// One completion with everything that training needs of it.
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    /// Index of its prompt within the step.
    pub(crate) prompt: usize,
    pub(crate) prompt_tokens: &'a [u32],
    pub(crate) completion: &'a Completion,
    pub(crate) correct: bool,
    /// Success rate of its group.
    pub(crate) success_rate: f32,
    /// What each token costs beside the reward; empty if nothing.
    pub(crate) costs: Vec<f32>,
    /// One advantage for each token.
    pub(crate) advantages: Vec<f32>,
    /// Log-probabilities under the reference policy, if one is used.
    pub(crate) reference: Option<Vec<f32>>,
    /// The trainer's own scores, if the sampler's are not trusted.
    pub(crate) trainer: Option<TrainerScores>,
}

/// How the trainer scores a completion before the step's first update.
#[derive(Clone, Debug)]
pub(crate) struct TrainerScores {
    pub(crate) logprobs: Vec<f32>,
    /// Factor of each token's share of the loss.
    pub(crate) weights: Vec<f32>,
}

impl<'a> Row<'a> {
    /// Completion `sample` of a group, without advantages yet.
    pub(crate) fn new(prompt: usize, scored: &'a ScoredGroup, sample: usize) -> Self {
        let view = scored.view();
        Self {
            prompt,
            prompt_tokens: &scored.group.prompt_tokens,
            completion: &scored.group.completions[sample],
            correct: view.correct[sample],
            success_rate: view.success_rate(),
            costs: Vec::new(),
            advantages: Vec::new(),
            reference: None,
            trainer: None,
        }
    }

    pub(crate) fn scored(&self) -> ScoredTokens<'a> {
        ScoredTokens::of(self.prompt_tokens, self.completion)
    }

    /// The same with a reserved token behind it, if it ended by itself.
    pub(crate) fn scored_with(&self, after: Option<u32>) -> ScoredTokens<'a> {
        let after = after.filter(|_| !self.completion.truncated());
        ScoredTokens { after, ..self.scored() }
    }

    /// The sampler's log-probabilities, among what it drew from.
    pub(crate) fn sampled(&self) -> &[f32] {
        self.completion.behaviour_logprobs()
    }

    /// The log-probabilities that ratios are against.
    pub(crate) fn behaviour(&self) -> &[f32] {
        self.trainer.as_ref().map_or(self.sampled(), |scores| &scores.logprobs)
    }

    pub(crate) fn view(&self) -> TokenView<'_> {
        TokenView {
            group: self.prompt,
            success_rate: self.success_rate,
            correct: self.correct,
            truncated: self.completion.truncated(),
            logprobs: self.behaviour(),
            entropies: &self.completion.entropies,
            costs: &self.costs,
        }
    }

    pub(crate) fn credited(&self) -> CreditedView<'_> {
        CreditedView { tokens: self.view(), advantages: &self.advantages }
    }
}
