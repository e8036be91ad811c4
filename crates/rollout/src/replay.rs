//! Recorded groups in place of a model.

use std::collections::{HashMap, VecDeque};
use std::marker::PhantomData;

use fireproof_trajectory::{PolicyVersion, PromptGroup, PromptId};

use crate::engine::{RolloutEngine, RolloutError, RolloutRequest};

/// Returns recorded groups: for each request the next one of its prompt.
///
/// Publishing a policy has no effect; completions keep the version that they were recorded with.
#[derive(Clone, Debug)]
pub struct ReplayEngine<P> {
    groups: HashMap<PromptId, VecDeque<PromptGroup>>,
    policy: PhantomData<fn(&P)>,
}

impl<P> ReplayEngine<P> {
    /// Replays these groups, each once, in their order.
    #[must_use]
    pub fn new(recorded: Vec<PromptGroup>) -> Self {
        let mut groups: HashMap<_, VecDeque<_>> = HashMap::new();
        for group in recorded {
            groups.entry(group.prompt).or_default().push_back(group);
        }
        Self { groups, policy: PhantomData }
    }
}

impl<P> RolloutEngine for ReplayEngine<P> {
    type Policy = P;

    fn publish(&mut self, _policy: &P, _version: PolicyVersion) {}

    fn generate(&mut self, requests: &[RolloutRequest]) -> Result<Vec<PromptGroup>, RolloutError> {
        let next = |request: &RolloutRequest| {
            let RolloutRequest { prompt, samples, .. } = *request;
            let group = self.groups.get_mut(&prompt).and_then(VecDeque::pop_front);
            group
                .filter(|group| group.completions.len() == samples)
                .ok_or(RolloutError::NotRecorded { prompt, samples })
        };
        requests.iter().map(next).collect()
    }
}
