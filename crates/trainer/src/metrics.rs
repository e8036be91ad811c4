//! What a step measures, and its line in `metrics.jsonl`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fireproof_losses::SurrogateStats;
use fireproof_trajectory::{GroupView, ScoredGroup};
use serde::{Deserialize, Serialize};

use crate::trainer::Collected;
use crate::update::UpdateStats;

/// Everything measured in one step. Two runs with the same seed on flex differ in `time` alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// The step, from 0.
    pub step: u64,
    /// Rewards of all judged completions, before the group filter.
    pub reward: Spread,
    /// Share of right completions.
    pub pass_at_1: f32,
    /// Share of groups whose rewards are all equal: no gradient under a centred estimator.
    pub dead_groups: f32,
    /// Share of groups with only right completions.
    pub all_right: f32,
    /// Share of groups with only wrong completions.
    pub all_wrong: f32,
    /// Groups that train: let through by the filter, and not beyond the number asked for.
    pub groups_trained: usize,
    /// Times that prompts were selected and generated for: more than 1 where the filter's groups are
    /// replaced (dynamic sampling).
    #[serde(default)]
    pub generation_batches: usize,
    /// Completions that the verifier failed on.
    pub dropped_completions: usize,
    /// Groups lost to that.
    pub dropped_groups: usize,
    /// Tokens of a completion, stop token included.
    pub length: Spread,
    /// Share of completions cut off at the limit.
    pub truncated: f32,
    /// Mean entropy in nats of the distributions that tokens were drawn from.
    pub entropy: f32,
    /// Share of right completions by level of difficulty, for prompts that have one.
    #[serde(default)]
    pub levels: BTreeMap<u32, f32>,
    /// Advantages of the completions that train, one for each.
    pub advantage: Spread,
    /// What each success rate of a group was worth, fewest successes first.
    #[serde(default)]
    pub by_successes: Vec<SuccessBin>,
    /// Updates made in this step.
    pub updates: u64,
    /// Mean objective of the updates.
    pub loss: f32,
    /// The surrogate's part of it.
    pub policy_loss: f32,
    /// Mean norm of the gradient before the clip.
    pub grad_norm: f32,
    /// Learning rate of the last update.
    pub learning_rate: f64,
    /// Share of trained tokens clipped below, above and by the dual clip, over all updates.
    pub clip: ClipShares,
    /// Mean importance ratio over all updates.
    pub ratio: f32,
    /// Mean `|R - 1|` over all updates: how far the policy drifted from the one that sampled.
    #[serde(default)]
    pub ratio_distance: f32,
    /// Tokens whose advantage is positive, over all updates.
    #[serde(default)]
    pub positive: SignedTokens,
    /// Tokens whose advantage is negative, over all updates.
    #[serde(default)]
    pub negative: SignedTokens,
    /// Mean `KL(behaviour || policy)` over all updates.
    pub kl_behaviour: KlMeans,
    /// Largest absolute difference of a token's log-probability between sampling and training, in
    /// the step's first update, when the parameters are still the same: rounding alone.
    pub max_logprob_delta: f32,
    /// Durations and rates.
    pub time: StepTimes,
}

/// Mean, standard deviation (population), smallest and largest of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f32,
    /// Standard deviation.
    pub std: f32,
    /// Smallest.
    pub min: f32,
    /// Largest.
    pub max: f32,
}

impl Spread {
    /// Of some numbers; all 0 if there are none.
    pub fn of(values: impl IntoIterator<Item = f32>) -> Self {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        if values.is_empty() {
            return Self::default();
        }
        let mean = mean(values.iter().copied());
        let variance = self::mean(values.iter().map(|value| (value - mean).powi(2)));
        Self {
            mean: mean as f32,
            std: variance.sqrt() as f32,
            min: values.iter().copied().fold(f64::INFINITY, f64::min) as f32,
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max) as f32,
        }
    }
}

/// Mean of some numbers; 0 if there are none.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

/// The groups of a step with the same number of right completions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SuccessBin {
    /// Right completions.
    pub successes: usize,
    /// Completions.
    pub samples: usize,
    /// Groups.
    pub groups: usize,
    /// Groups of them that the filter let through.
    pub trained: usize,
    /// Mean advantage of their right completions; 0 if there are none that train.
    pub right: f32,
    /// Mean advantage of their wrong completions; 0 if there are none that train.
    pub wrong: f32,
}

/// Shares of tokens that were clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClipShares {
    /// Ratio too low, negative advantage.
    pub low: f32,
    /// Ratio too high, positive advantage.
    pub high: f32,
    /// Weight above the cap.
    pub dual: f32,
}

/// Trained tokens of one sign of the advantage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignedTokens {
    /// Their share of all trained tokens.
    pub share: f32,
    /// Their mean importance ratio; 0 if there are none.
    pub ratio: f32,
}

/// Two estimates of a divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KlMeans {
    /// `-log R`.
    pub k1: f32,
    /// `R - 1 - log R`.
    pub k3: f32,
}

/// Durations in seconds and rates of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepTimes {
    /// Whole step.
    pub step: f64,
    /// Generating.
    pub generate: f64,
    /// Judging.
    pub verify: f64,
    /// Scoring and updating.
    pub train: f64,
    /// New tokens a second while generating.
    pub generate_tokens_per_second: f64,
    /// Prompt and completion tokens a second while updating.
    pub train_tokens_per_second: f64,
}

impl StepMetrics {
    /// What can be said of judged groups, before any filter.
    pub(crate) fn of_groups(step: u64, groups: &[ScoredGroup]) -> Self {
        let views: Vec<GroupView<'_>> = groups.iter().map(ScoredGroup::view).collect();
        let completions = || groups.iter().flat_map(|group| &group.group.completions);
        let share = |is: &dyn Fn(&GroupView<'_>) -> bool| {
            mean(views.iter().map(|view| f64::from(is(view)))) as f32
        };
        let correct = views.iter().flat_map(|view| view.correct);
        let entropies = completions().flat_map(|completion| &completion.entropies);
        Self {
            step,
            reward: Spread::of(views.iter().flat_map(|view| view.rewards.iter().copied())),
            pass_at_1: mean(correct.map(|correct| f64::from(*correct))) as f32,
            dead_groups: share(&|view| view.rewards.iter().all(|r| *r == view.rewards[0])),
            all_right: share(&|view| view.successes() == view.len()),
            all_wrong: share(&|view| view.successes() == 0),
            length: Spread::of(completions().map(|completion| completion.tokens.len() as f32)),
            truncated: mean(completions().map(|c| f64::from(c.truncated()))) as f32,
            entropy: mean(entropies.map(|entropy| f64::from(*entropy))) as f32,
            ..Self::default()
        }
    }

    /// Adds what the estimator made of the groups.
    pub(crate) fn add_advantages(
        &mut self,
        groups: &[ScoredGroup],
        advantages: &[Option<Vec<f32>>],
    ) {
        self.groups_trained = advantages.iter().flatten().count();
        self.advantage = Spread::of(advantages.iter().flatten().flatten().copied());
        let mut bins: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            let view = group.view();
            bins.entry((view.successes(), view.len())).or_default().push(index);
        }
        let bin = |((successes, samples), members): ((usize, usize), Vec<usize>)| {
            let mean_where = |wanted: bool| {
                let trained = members.iter().filter_map(|i| Some((i, advantages[*i].as_ref()?)));
                let all = trained.flat_map(|(i, row)| groups[*i].view().correct.iter().zip(row));
                mean(all.filter(|(c, _)| **c == wanted).map(|(_, a)| f64::from(*a))) as f32
            };
            let trained = members.iter().filter(|i| advantages[**i].is_some()).count();
            let (groups, right, wrong) = (members.len(), mean_where(true), mean_where(false));
            SuccessBin { successes, samples, groups, trained, right, wrong }
        };
        self.by_successes = bins.into_iter().map(bin).collect();
    }

    /// Adds what collecting the groups was like.
    pub(crate) fn add_collected(&mut self, collected: &Collected) {
        self.generation_batches = collected.batches;
        self.dropped_completions = collected.dropped_completions;
        self.dropped_groups = collected.dropped_groups;
    }

    /// Adds durations; `input` tokens went through the model in the updates.
    pub(crate) fn add_times(
        &mut self,
        collected: &Collected,
        train: Duration,
        step: Duration,
        input: usize,
    ) {
        let (train, generate) = (train.as_secs_f64(), collected.generate);
        self.time = StepTimes {
            step: step.as_secs_f64(),
            generate,
            verify: collected.verify,
            train,
            generate_tokens_per_second: collected.new_tokens as f64 / generate.max(1e-9),
            train_tokens_per_second: input as f64 / train.max(1e-9),
        };
    }

    /// Adds what the updates did.
    pub(crate) fn add_updates(&mut self, updates: &[(UpdateStats, f32)]) {
        let average = |of: &dyn Fn(&(UpdateStats, f32)) -> f32| {
            mean(updates.iter().map(|update| f64::from(of(update)))) as f32
        };
        self.updates = updates.len() as u64;
        self.loss = average(&|(stats, _)| stats.loss);
        self.policy_loss = average(&|(stats, _)| stats.policy_loss);
        self.grad_norm = average(&|(_, norm)| *norm);
        self.max_logprob_delta = updates.first().map_or(0.0, |(stats, _)| stats.max_logprob_delta);
        let total = |name: &str| {
            let index = SurrogateStats::TOTALS.iter().position(|total| *total == name);
            let index = index.expect("the name is one of SurrogateStats::TOTALS");
            updates.iter().map(|(stats, _)| f64::from(stats.totals[index])).sum::<f64>()
        };
        let per_token = |name: &str| (total(name) / total("tokens").max(1.0)) as f32;
        let signed = |tokens: &str, ratio: &str| SignedTokens {
            share: per_token(tokens),
            ratio: (total(ratio) / total(tokens).max(1.0)) as f32,
        };
        self.clip = ClipShares {
            low: per_token("clip_low"),
            high: per_token("clip_high"),
            dual: per_token("clip_dual"),
        };
        self.ratio = per_token("ratio");
        self.ratio_distance = per_token("ratio_distance");
        self.positive = signed("positive_tokens", "positive_ratio");
        self.negative = signed("negative_tokens", "negative_ratio");
        self.kl_behaviour =
            KlMeans { k1: per_token("kl_behaviour_k1"), k3: per_token("kl_behaviour_k3") };
    }
}

impl fmt::Display for StepMetrics {
    /// One line for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClipShares { low, high, dual } = self.clip;
        write!(
            f,
            "step {:>4}  reward {:.3}  pass@1 {:.3}  entropy {:.3}  clip {:>4.1}%  length {:>4.1}  \
             dead {:>3.0}%  dlogp {:.0e}  generate {} tok/s  train {} tok/s",
            self.step + 1,
            self.reward.mean,
            self.pass_at_1,
            self.entropy,
            100.0 * (low + high + dual),
            self.length.mean,
            100.0 * self.dead_groups,
            self.max_logprob_delta,
            Thousands(self.time.generate_tokens_per_second),
            Thousands(self.time.train_tokens_per_second),
        )
    }
}

/// A rate such as `820` or `12.3k`.
struct Thousands(f64);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1000.0 { write!(f, "{:.0}", self.0) } else { write!(f, "{:.1}k", self.0 / 1e3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_by_hand() {
        let spread = Spread::of([1.0, 2.0, 3.0, 6.0]);
        assert_eq!((spread.mean, spread.min, spread.max), (3.0, 1.0, 6.0));
        assert!((spread.std - 3.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(Spread::of([]), Spread::default());
    }

    #[test]
    fn metrics_survive_json_to_the_bit() {
        let metrics = StepMetrics { step: 3, entropy: 0.1 + 0.2, loss: 1e-7, ..Default::default() };
        let json = serde_json::to_string(&metrics).unwrap();
        assert_eq!(serde_json::from_str::<StepMetrics>(&json).unwrap(), metrics);
    }
}
