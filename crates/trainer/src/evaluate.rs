//! Evaluation: unbiased pass@k over prompts, with intervals.

use std::collections::BTreeMap;
use std::fmt;

use fireproof_model::CausalLm;
use fireproof_rollout::RolloutEngine;
use fireproof_trajectory::{PolicyVersion, PromptId};
use serde::{Deserialize, Serialize};

use crate::config::TrainerConfig;
use crate::environment::Environment;
use crate::error::TrainError;

/// Keeps evaluation's random numbers apart from training's.
const EVALUATION_SEED: u64 = 0x6576_616c_7561_7465;

/// How many of a prompt's completions were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptResult {
    /// The prompt.
    pub prompt: PromptId,
    /// Its level, if it has one.
    pub level: Option<u32>,
    /// Completions judged.
    pub samples: u64,
    /// Right ones among them.
    pub correct: u64,
}

/// Results of an evaluation, prompt by prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// One result for each prompt.
    pub prompts: Vec<PromptResult>,
}

/// A mean over prompts with its 95% interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval: 1.96 standard errors over prompts (normal approximation).
    pub half_width: f64,
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ± {:.3}", self.mean, self.half_width)
    }
}

impl Interval {
    /// Mean and interval of independent numbers; zero width for fewer than two.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        if values.is_empty() {
            return Self { mean: 0.0, half_width: 0.0 };
        }
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = if values.len() < 2 { 0.0 } else { (squares / (count - 1.0) / count).sqrt() };
        Self { mean, half_width: 1.96 * error }
    }
}

impl Evaluation {
    /// Unbiased pass@k: the mean over prompts of `1 - C(n-c, k) / C(n, k)`, the chance that `k` of
    /// a prompt's `n` completions, drawn without replacement, hold at least one of its `c` right
    /// ones (Chen et al. 2021, arXiv 2107.03374, eq. 1).
    ///
    /// ```
    /// use fireproof_trainer::{Evaluation, PromptResult};
    /// use fireproof_trajectory::PromptId;
    /// let result = PromptResult { prompt: PromptId(1), level: None, samples: 6, correct: 2 };
    /// let evaluation = Evaluation { prompts: vec![result] };
    /// // 1 - C(4, 2) / C(6, 2) = 1 - 6/15
    /// assert!((evaluation.pass_at(2).mean - 0.6).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// If a prompt has fewer than `k` completions.
    #[must_use]
    pub fn pass_at(&self, k: u64) -> Interval {
        let values: Vec<f64> =
            self.prompts.iter().map(|r| pass_at_k(r.samples, r.correct, k)).collect();
        Interval::of(&values)
    }

    /// The same for each level.
    #[must_use]
    pub fn by_level(&self) -> BTreeMap<u32, Self> {
        let mut levels: BTreeMap<u32, Self> = BTreeMap::new();
        for result in &self.prompts {
            if let Some(level) = result.level {
                levels.entry(level).or_default().prompts.push(*result);
            }
        }
        levels
    }
}

fn pass_at_k(samples: u64, correct: u64, k: u64) -> f64 {
    assert!(k <= samples, "pass@{k} needs at least {k} completions of each prompt, not {samples}");
    // C(n-c, k) / C(n, k) = product of (n-c-i) / (n-i), zero once k exceeds n-c.
    let miss = (0..k).map(|i| (samples - correct).saturating_sub(i) as f64 / (samples - i) as f64);
    1.0 - miss.product::<f64>()
}

/// Generates `samples` completions of each prompt with a policy and counts the right ones.
///
/// The same policy, prompts and seed give the same result. A completion that the verifier cannot
/// judge ends the evaluation: leaving it out would bias pass@k.
///
/// # Errors
/// If generation or the verifier fails.
pub fn evaluate<M: CausalLm, E: RolloutEngine<Policy = M>>(
    engine: &mut E,
    policy: &M,
    environment: &Environment,
    prompts: &[PromptId],
    samples: usize,
    config: &TrainerConfig,
) -> Result<Evaluation, TrainError> {
    engine.publish(policy, PolicyVersion(0));
    let address = (config.seed ^ EVALUATION_SEED, 0);
    let requests = environment.requests(prompts, samples, config, address)?;
    let judged = environment.judge(engine.generate(&requests)?, config.judge_truncated)?;
    if let Some(error) = judged.first_error {
        return Err(TrainError::NotJudged { error });
    }
    let result = |group: &fireproof_trajectory::ScoredGroup| {
        let view = group.view();
        let level = environment.task(view.prompt)?.metadata.level;
        let (samples, correct) = (view.len() as u64, view.successes() as u64);
        Ok(PromptResult { prompt: view.prompt, level, samples, correct })
    };
    let prompts = judged.groups.iter().map(result).collect::<Result<_, TrainError>>()?;
    Ok(Evaluation { prompts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pass_at_k_by_counting_subsets() {
        assert_eq!(pass_at_k(4, 0, 4), 0.0);
        assert_eq!(pass_at_k(4, 4, 1), 1.0);
        assert!((pass_at_k(16, 3, 1) - 3.0 / 16.0).abs() < 1e-12);
        // C(4,2)/C(6,2) = 6/15
        assert!((pass_at_k(6, 2, 2) - 0.6).abs() < 1e-12);
        // More draws than wrong completions: one must be right.
        assert_eq!(pass_at_k(6, 2, 5), 1.0);
    }

    #[test]
    fn an_interval_by_hand() {
        let interval = Interval::of(&[0.0, 1.0, 1.0, 0.0]);
        // Sample standard deviation sqrt(1/3), standard error sqrt(1/12).
        assert!((interval.mean - 0.5).abs() < 1e-12);
        assert!((interval.half_width - 1.96 / 12f64.sqrt()).abs() < 1e-12);
        assert_eq!(Interval::of(&[0.7]), Interval { mean: 0.7, half_width: 0.0 });
    }

    #[test]
    #[should_panic(expected = "pass@8 needs at least 8 completions of each prompt, not 4")]
    fn too_few_completions_are_refused() {
        let _ = pass_at_k(4, 1, 8);
    }
}
