//! What surrounds the policy: tasks, tokenizer, verifier and rewards.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fireproof_model::Tokenizer;
use fireproof_rollout::{RolloutRequest, StopRules};
use fireproof_trajectory::{Completion, PromptGroup, PromptId, SamplingParams, ScoredGroup, Task};
use fireproof_verifier::{
    Response, Responses, RewardScale, Verifier, Waiting, Watchdog, verify_groups,
};

use crate::config::TrainerConfig;
use crate::error::TrainError;

/// Tasks with everything needed to pose them and to judge the answers.
#[derive(Debug)]
pub struct Environment {
    tasks: HashMap<PromptId, (Task, Vec<u32>)>,
    tokenizer: Tokenizer,
    verifier: Box<dyn Verifier>,
    rewards: RewardScale,
    watch: Option<Watch>,
}

/// Whom to tell of judgements that take long.
#[derive(Clone, Copy, Debug)]
struct Watch {
    after: Duration,
    report: fn(&[Waiting]),
}

/// Judged groups, and what the verifier could not judge.
#[derive(Debug, Default)]
pub struct Judged {
    /// Judged groups: whole ones, and those with at least two completions left.
    pub groups: Vec<ScoredGroup>,
    /// Completions dropped because the verifier failed on them or on all but one of their group.
    pub dropped_completions: usize,
    /// Groups dropped because fewer than two completions were left.
    pub dropped_groups: usize,
    /// The verifier's first error.
    pub first_error: Option<String>,
}

impl Environment {
    /// Encodes the prompts of all tasks.
    ///
    /// # Errors
    /// If a prompt cannot be encoded.
    pub fn new(
        tasks: impl IntoIterator<Item = Task>,
        tokenizer: Tokenizer,
        verifier: Box<dyn Verifier>,
        rewards: RewardScale,
    ) -> Result<Self, TrainError> {
        let encode = |task: Task| {
            let tokens = tokenizer.encode(&task.prompt)?;
            Ok((task.id, (task, tokens)))
        };
        let tasks = tasks.into_iter().map(encode).collect::<Result<_, TrainError>>()?;
        Ok(Self { tasks, tokenizer, verifier, rewards, watch: None })
    }

    /// Reports judgements that have been running for `after` and longer, again and again while they
    /// run: a verifier that hangs is named by its task.
    #[must_use]
    pub fn watched(self, after: Duration, report: fn(&[Waiting])) -> Self {
        Self { watch: Some(Watch { after, report }), ..self }
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The task of a prompt.
    ///
    /// # Errors
    /// [`TrainError::UnknownPrompt`] if there is none.
    pub fn task(&self, prompt: PromptId) -> Result<&Task, TrainError> {
        self.entry(prompt).map(|(task, _)| task)
    }

    /// Share of right completions by level, for groups whose task has one.
    pub(crate) fn pass_by_level(
        &self,
        groups: &[ScoredGroup],
    ) -> Result<BTreeMap<u32, f32>, TrainError> {
        let mut counts: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for group in groups {
            let view = group.view();
            if let Some(level) = self.task(view.prompt)?.metadata.level {
                let (right, all) = counts.entry(level).or_default();
                (*right, *all) = (*right + view.successes(), *all + view.len());
            }
        }
        let share = |(level, (right, all))| (level, right as f32 / all as f32);
        Ok(counts.into_iter().map(share).collect())
    }

    /// True if rewards say more than right or wrong.
    pub(crate) fn shapes_rewards(&self) -> bool {
        self.rewards.format_weight != 0.0
    }

    fn entry(&self, prompt: PromptId) -> Result<&(Task, Vec<u32>), TrainError> {
        self.tasks.get(&prompt).ok_or(TrainError::UnknownPrompt(prompt))
    }

    /// A request for completions of each prompt, drawn from the `top_k` likeliest tokens. `seed` and `step` address the randomness.
    ///
    /// # Errors
    /// [`TrainError::UnknownPrompt`].
    pub fn requests(
        &self,
        prompts: &[PromptId],
        samples: usize,
        config: &TrainerConfig,
        top_k: Option<usize>,
        (seed, step): (u64, u64),
    ) -> Result<Vec<RolloutRequest>, TrainError> {
        let request = |prompt: &PromptId| {
            Ok(RolloutRequest {
                prompt: *prompt,
                prompt_tokens: self.entry(*prompt)?.1.clone(),
                prefix: Vec::new(),
                samples,
                sampling: SamplingParams {
                    temperature: config.temperature,
                    top_k,
                    ..SamplingParams::default()
                },
                stop: StopRules {
                    max_tokens: config.max_new_tokens,
                    stop_tokens: self.tokenizer.stops().to_vec(),
                },
                seed,
                step,
            })
        };
        prompts.iter().map(request).collect()
    }

    /// Judges groups on all cores. A completion on which the verifier fails is dropped and counted, never paid.
    ///
    /// # Errors
    /// If a group belongs to no task, contradicts itself or cannot be decoded.
    pub fn judge(
        &self,
        groups: Vec<PromptGroup>,
        judge_truncated: bool,
    ) -> Result<Judged, TrainError> {
        let responses = groups.iter().map(|group| self.responses(group, judge_truncated));
        let responses = responses.collect::<Result<Vec<_>, TrainError>>()?;
        let watchdog = self.watch.as_ref().map(|w| Watchdog { after: w.after, report: &w.report });
        let verdicts = verify_groups(self.verifier.as_ref(), &responses, watchdog.as_ref());
        drop(responses);
        let mut judged = Judged::default();
        for (group, results) in groups.into_iter().zip(verdicts) {
            let PromptGroup { prompt, prompt_tokens, completions } = group;
            let asked = completions.len();
            let mut kept = Vec::with_capacity(asked);
            let mut verdicts = Vec::with_capacity(asked);
            for (completion, result) in completions.into_iter().zip(results) {
                match result {
                    Ok(verdict) => {
                        verdicts.push(verdict);
                        kept.push(completion);
                    }
                    Err(error) => {
                        judged.dropped_completions += 1;
                        judged.first_error.get_or_insert_with(|| error.to_string());
                    }
                }
            }
            if kept.is_empty() || (kept.len() < 2 && kept.len() < asked) {
                judged.dropped_completions += kept.len();
                judged.dropped_groups += 1;
                continue;
            }
            let rewards = verdicts.iter().map(|verdict| self.rewards.reward(verdict)).collect();
            let group = PromptGroup { prompt, prompt_tokens, completions: kept };
            judged.groups.push(ScoredGroup::new(group, verdicts, rewards)?);
        }
        Ok(judged)
    }

    /// The texts of a group, for the verifier.
    fn responses(
        &self,
        group: &PromptGroup,
        judge_truncated: bool,
    ) -> Result<Responses<'_>, TrainError> {
        let response = |completion: &Completion| {
            if completion.truncated() && !judge_truncated {
                return Ok(Response::Truncated);
            }
            Ok(Response::Text(self.tokenizer.decode(&completion.tokens)?))
        };
        let responses =
            group.completions.iter().map(response).collect::<Result<_, TrainError>>()?;
        Ok(Responses { task: self.task(group.prompt)?, responses })
    }
}
