//! Prompts that share a skill.

use fireproof_trajectory::PromptId;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::StandardNormal;

use super::{Group, Probe, Setting, Sharing};
use crate::softmax::{LogLinear, softmax};
use crate::statistics::mean;

/// All prompts of a seed; the first `pool` can be chosen, the others are held out.
pub(super) struct World {
    pub(super) prompts: Vec<Prompt>,
    pool: usize,
}

/// A prompt: what it shares, and what it does not.
pub(super) struct Prompt {
    pub(super) features: Vec<f64>,
    own: Vec<f64>,
}

impl World {
    pub(super) fn new(setting: &Setting, sharing: Sharing, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = setting.pool + setting.held_out;
        let mut prompts: Vec<Prompt> =
            (0..count).map(|_| Prompt::new(setting, sharing, &mut rng)).collect();
        let shift = shift(&prompts, setting.start);
        prompts.iter_mut().for_each(|prompt| prompt.own[0] += shift);
        Self { prompts, pool: setting.pool }
    }

    pub(super) fn logits(&self, policy: &LogLinear, prompt: usize) -> Vec<f64> {
        let Prompt { features, own } = &self.prompts[prompt];
        policy.logits(features).iter().zip(own).map(|(logit, own)| logit + own).collect()
    }

    /// Chance of the right action.
    pub(super) fn success(&self, policy: &LogLinear, prompt: usize) -> f64 {
        softmax(&self.logits(policy, prompt))[0]
    }

    /// How often each prompt of the pool is right.
    pub(super) fn probe(
        &self,
        policy: &LogLinear,
        setting: &Setting,
        rng: &mut ChaCha8Rng,
    ) -> Probe {
        let right = |prompt: usize| {
            let logits = self.logits(policy, prompt);
            let group = Group::sample(prompt, &logits, setting.samples, rng);
            (PromptId(prompt as u64), group.successes())
        };
        Probe { samples: setting.samples, right: (0..self.pool).map(right).collect() }
    }

    /// Completions of some prompts.
    pub(super) fn groups(
        &self,
        policy: &LogLinear,
        prompts: &[PromptId],
        samples: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Group> {
        let sample = |prompt: &PromptId| {
            let prompt = prompt.0 as usize;
            Group::sample(prompt, &self.logits(policy, prompt), samples, rng)
        };
        prompts.iter().map(sample).collect()
    }

    /// Exact pass@1, pass@8 and pass@64 on the held-out prompts.
    pub(super) fn held_out(&self, policy: &LogLinear) -> [f64; 3] {
        let held_out = self.pool..self.prompts.len();
        let right: Vec<f64> = held_out.map(|prompt| self.success(policy, prompt)).collect();
        [1, 8, 64].map(|k| {
            let pass: Vec<f64> = right.iter().map(|p| 1.0 - (1.0 - p).powi(k)).collect();
            mean(&pass)
        })
    }
}

impl Prompt {
    fn new(setting: &Setting, sharing: Sharing, rng: &mut impl Rng) -> Self {
        let Sharing { skill, features, .. } = sharing;
        let mut normal = |std: f64| std * rng.sample::<f64, _>(StandardNormal);
        let std = (1.0 / features as f64).sqrt();
        let mut own: Vec<f64> = (0..setting.actions).map(|_| normal(1.0)).collect();
        own[0] *= setting.spread;
        // The common unit vector has equal parts: any other one is a rotation of it.
        let features = (0..features).map(|_| skill * std + normal(std)).collect();
        Self { features, own }
    }

    /// Odds of the right action where nothing is learned yet.
    fn odds(&self) -> f64 {
        let others: f64 = self.own[1..].iter().map(|logit| logit.exp()).sum();
        self.own[0].exp() / others
    }
}

/// What, added to the right actions' logits, makes the mean success rate the wanted one: bisection.
fn shift(prompts: &[Prompt], start: f64) -> f64 {
    let odds: Vec<f64> = prompts.iter().map(Prompt::odds).collect();
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..60 {
        let middle: f64 = f64::midpoint(low, high);
        let success = |odds: &f64| 1.0 / (1.0 + (-middle).exp() / odds);
        let mean = mean(&odds.iter().map(success).collect::<Vec<f64>>());
        if mean < start { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
