//! A pool whose success rates are estimated, from training alone or from probes.

use std::collections::BTreeMap;

use fireproof_trajectory::PromptId;
use serde::{Deserialize, Serialize};

use crate::pool::Pool;
use crate::rates::{SuccessCounts, SuccessRates, require_counts};
use crate::selector::{Need, Observation, SelectError};
use crate::setting::{require, require_pool, require_share};

/// When the whole pool is probed: once before the first step, and then again if wanted. A probe
/// generates `samples` completions of every prompt of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Completions of each prompt, at least 1.
    pub samples: usize,
    /// Steps from one probe to the next, at least 1; `None` for a single one.
    pub every: Option<u64>,
}

impl Probe {
    pub(crate) fn validate(self, rule: &'static str) -> Result<(), SelectError> {
        require(rule, "samples", self.samples, "at least 1", self.samples > 0)?;
        let every = self.every;
        require(rule, "every", every, "at least 1 step", every != Some(0))
    }

    pub(crate) fn is_due(self, last: Option<u64>, step: u64) -> bool {
        last.is_none_or(|last| self.every.is_some_and(|every| step >= last.saturating_add(every)))
    }
}

/// Where a selector's success rates come from: always from the groups that it is shown, and from
/// probes of the whole pool if wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimation {
    /// What older counts are multiplied by when a group of the prompt comes in, from 0 to 1 (see
    /// [`SuccessRates`]). The default, 0.5, is our choice.
    pub discount: f64,
    /// Probes; the default is none, so that a prompt is known once it was trained on.
    pub probe: Option<Probe>,
}

impl Default for Estimation {
    fn default() -> Self {
        Self { discount: 0.5, probe: None }
    }
}

/// A pool with estimated success rates.
pub(crate) struct Estimates {
    pub(crate) pool: Pool,
    rates: SuccessRates,
    estimation: Estimation,
    probed: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    counts: BTreeMap<PromptId, SuccessCounts>,
    probed: Option<u64>,
}

impl Estimates {
    pub(crate) fn new(
        rule: &'static str,
        pool: Vec<PromptId>,
        estimation: Estimation,
    ) -> Result<Self, SelectError> {
        let pool = Pool::new(pool);
        require_pool(rule, pool.len())?;
        require_share(rule, "discount", estimation.discount)?;
        estimation.probe.map_or(Ok(()), |probe| probe.validate(rule))?;
        let rates = SuccessRates::new(estimation.discount)?;
        Ok(Self { pool, rates, estimation, probed: None })
    }

    pub(crate) fn estimation(&self) -> Estimation {
        self.estimation
    }

    /// The estimate; 1/2 for a prompt never seen, so that rules that look for mixed outcomes try it.
    pub(crate) fn rate(&self, prompt: PromptId) -> f64 {
        self.rates.rate(prompt).unwrap_or(0.5)
    }

    pub(crate) fn need(&mut self, step: u64) -> Need {
        self.pool.begin_step();
        match self.estimation.probe {
            Some(probe) if probe.is_due(self.probed, step) => {
                self.probed = Some(step);
                Need::Rollouts { prompts: self.pool.prompts().to_vec(), samples: probe.samples }
            }
            _ => Need::None,
        }
    }

    pub(crate) fn observe(&mut self, seen: &[Observation<'_>]) {
        for observation in seen.iter().filter(|o| self.pool.contains(o.group.prompt)) {
            self.rates.learn(observation.group);
        }
    }

    pub(crate) fn state(&self, selector: &'static str) -> serde_json::Value {
        let learned = Learned { counts: self.rates.all().clone(), probed: self.probed };
        self.pool.pack(selector, &learned)
    }

    pub(crate) fn restore(
        &mut self,
        selector: &'static str,
        state: serde_json::Value,
    ) -> Result<(), SelectError> {
        let unpacked = self.pool.unpack::<Learned>(selector, state)?;
        require_counts(selector, &unpacked.learned.counts)?;
        self.pool.require_known(selector, unpacked.learned.counts.keys())?;
        let learned = self.pool.accept(unpacked);
        self.rates.replace(learned.counts);
        self.probed = learned.probed;
        Ok(())
    }
}
