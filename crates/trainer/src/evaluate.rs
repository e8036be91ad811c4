//! Evaluation: unbiased pass@k over prompts, with intervals.

mod paired;

use std::collections::BTreeMap;
use std::fmt;

use fireproof_lab::statistics::{majority_at_k, pass_at_k, pass_hat_k};
use fireproof_model::CausalLm;
use fireproof_rollout::RolloutEngine;
use fireproof_trajectory::{PolicyVersion, PromptId, ScoredGroup};
use serde::{Deserialize, Serialize};

use crate::config::TrainerConfig;
use crate::environment::Environment;
use crate::error::TrainError;

pub use paired::Paired;

/// Keeps evaluation's random numbers apart from training's.
const EVALUATION_SEED: u64 = 0x6576_616c_7561_7465;

/// How many of a prompt's completions were right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, derive_new::new)]
pub struct PromptResult {
    /// The prompt.
    pub prompt: PromptId,
    /// Its level, if it has one.
    #[new(default)]
    pub level: Option<u32>,
    /// Completions judged.
    pub samples: u64,
    /// Right ones among them.
    pub correct: u64,
    /// The answers found in them, most frequent first; completions without an answer have none.
    #[serde(default)]
    #[new(default)]
    pub answers: Vec<AnswerCount>,
}

/// How often an answer was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCount {
    /// The answer as the verifier found it.
    pub answer: String,
    /// Whether it is right.
    pub correct: bool,
    /// Completions that gave it.
    pub count: u64,
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
    /// // Two of six are right.
    /// let evaluation = Evaluation { prompts: vec![PromptResult::new(PromptId(1), 6, 2)] };
    /// // 1 - C(4, 2) / C(6, 2) = 1 - 6/15
    /// assert!((evaluation.pass_at(2).mean - 0.6).abs() < 1e-12);
    /// ```
    ///
    /// # Panics
    /// If a prompt has fewer than `k` completions.
    #[must_use]
    pub fn pass_at(&self, k: u64) -> Interval {
        self.over_prompts(|result| pass_at_k(result.samples, result.correct, k))
    }

    /// pass^k: the mean over prompts of `C(c, k) / C(n, k)`, the chance that `k` of a prompt's `n`
    /// completions, drawn without replacement, are *all* right (arXiv 2406.12045).
    ///
    /// # Panics
    /// If a prompt has fewer than `k` completions.
    #[must_use]
    pub fn pass_hat(&self, k: u64) -> Interval {
        self.over_prompts(|result| pass_hat_k(result.samples, result.correct, k))
    }

    /// maj@k: the mean over prompts of the chance that the most frequent answer of `k` of a prompt's
    /// completions is right (self-consistency, arXiv 2203.11171).
    ///
    /// Answers count as the same if their texts are; where several are right, they share their
    /// votes. Completions without an answer do not vote, and ties are broken at random, in
    /// expectation. For `k` below the number of completions it is the mean over 256 random subsets,
    /// the same ones every time.
    ///
    /// # Panics
    /// If a prompt has fewer than `k` completions.
    #[must_use]
    pub fn majority_at(&self, k: u64) -> Interval {
        self.over_prompts(|result| {
            let answers: Vec<(u64, bool)> =
                result.answers.iter().map(|answer| (answer.count, answer.correct)).collect();
            majority_at_k(result.samples, &answers, k, result.prompt.0)
        })
    }

    fn over_prompts(&self, of: impl Fn(&PromptResult) -> f64) -> Interval {
        Interval::of(&self.prompts.iter().map(of).collect::<Vec<f64>>())
    }

    /// The same for each level.
    #[must_use]
    pub fn by_level(&self) -> BTreeMap<u32, Self> {
        let mut levels: BTreeMap<u32, Self> = BTreeMap::new();
        for result in &self.prompts {
            if let Some(level) = result.level {
                levels.entry(level).or_default().prompts.push(result.clone());
            }
        }
        levels
    }
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
    let requests = environment.requests(prompts, samples, config, None, address)?;
    let judged = environment.judge(engine.generate(&requests)?, config.judge_truncated)?;
    if let Some(error) = judged.first_error {
        return Err(TrainError::NotJudged { error });
    }
    let prompts = judged.groups.iter().map(|group| PromptResult::of(environment, group));
    Ok(Evaluation { prompts: prompts.collect::<Result<_, TrainError>>()? })
}

impl PromptResult {
    fn of(environment: &Environment, group: &ScoredGroup) -> Result<Self, TrainError> {
        let view = group.view();
        let mut counts: BTreeMap<(&str, bool), u64> = BTreeMap::new();
        for verdict in &group.verdicts {
            if let Some(answer) = &verdict.answer {
                *counts.entry((answer, verdict.correct())).or_default() += 1;
            }
        }
        let count = |((answer, correct), count): ((&str, bool), u64)| AnswerCount {
            answer: answer.to_owned(),
            correct,
            count,
        };
        let mut answers: Vec<AnswerCount> = counts.into_iter().map(count).collect();
        answers.sort_by_key(|answer| std::cmp::Reverse(answer.count));
        Ok(Self {
            prompt: view.prompt,
            level: environment.task(view.prompt)?.metadata.level,
            samples: view.len() as u64,
            correct: view.successes() as u64,
            answers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_by_hand() {
        let interval = Interval::of(&[0.0, 1.0, 1.0, 0.0]);
        // Sample standard deviation sqrt(1/3), standard error sqrt(1/12).
        assert!((interval.mean - 0.5).abs() < 1e-12);
        assert!((interval.half_width - 1.96 / 12f64.sqrt()).abs() < 1e-12);
        assert_eq!(Interval::of(&[0.7]), Interval { mean: 0.7, half_width: 0.0 });
    }
}
