//! What importance ratios do to positive and negative tokens (ASPO, arXiv 2510.06062), in a policy
//! that is exact.
//!
//! ```text
//! completion            `tokens` symbols, one after the other; right if all of them are
//! logits of token t     W_t x      one matrix for each place, shared by all prompts
//! right symbol          argmax of T_t x under a hidden teacher T
//! start                 W = a T + noise, with a so that the mean success rate is the wanted one
//! ```
//!
//! A step samples completions of some prompts, and then makes `epochs` passes over them in
//! `minibatches` updates each, so that the policy drifts away from the one that sampled. Advantages
//! are [`ZScore`]'s, prompts [`UniformWithoutReplacement`]'s; the weight of a token is [`TokenRule`]'s.

mod comparison;
mod exact;
mod findings;
mod rule;
mod world;

use fireproof_advantage::{AdvantageEstimator, ZScore};
use fireproof_selection::{PromptSelector, UniformWithoutReplacement};
use fireproof_trajectory::{GroupView, PromptId, StepView};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

pub use comparison::Comparison;
pub use exact::Scan;
pub use exact::exact_findings;
pub use exact::mismatch_findings;
pub use findings::findings;
pub use rule::TokenRule;
use world::{Group, Policy, World};

use crate::softmax::Ascent;
use crate::statistics::mean;
use crate::tuning::rates;

/// Seeds for tuning begin here.
const TUNING: u64 = 1_000_000;

/// What the arms differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The ratio, clipped at 0.2 on both sides.
    Grpo,
    /// The ratio, clipped at 0.2 and 0.28: DAPO's clip alone, without its filter.
    Dapo,
    /// The ratio flipped for positive advantages.
    Aspo,
    /// No importance weight; GRPO's mask.
    Unweighted,
    /// GRPO that samples anew for each update, as many updates: the ratio is 1.
    OneEpoch,
}

impl Arm {
    /// All of them, the baseline first.
    pub const ALL: [Self; 5] =
        [Self::Grpo, Self::Dapo, Self::Aspo, Self::Unweighted, Self::OneEpoch];

    /// Its name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpo => "grpo",
            Self::Dapo => "dapo-clip",
            Self::Aspo => "aspo",
            Self::Unweighted => "no-ratio",
            Self::OneEpoch => "one-epoch",
        }
    }

    /// How it weighs a token.
    #[must_use]
    pub fn rule(self) -> TokenRule {
        match self {
            Self::Grpo | Self::OneEpoch => TokenRule::Clipped { low: 0.2, high: 0.2 },
            Self::Dapo => TokenRule::Clipped { low: 0.2, high: 0.28 },
            Self::Aspo => TokenRule::Aspo { low: 0.2, high: 0.2, cap: 3.0 },
            Self::Unweighted => TokenRule::Unweighted { low: 0.2, high: 0.2 },
        }
    }
}

/// Settings of the simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setting {
    /// Prompts; trained on and evaluated exactly.
    pub prompts: usize,
    /// Features of a prompt.
    pub features: usize,
    /// Symbols to choose from.
    pub symbols: usize,
    /// Symbols of a completion.
    pub tokens: usize,
    /// Mean success rate at the start.
    pub start: f64,
    /// Prompts of a step.
    pub prompts_per_step: usize,
    /// Completions of each.
    pub samples: usize,
    /// Passes over the completions of a step.
    pub epochs: usize,
    /// Updates of a pass.
    pub minibatches: usize,
    /// Steps.
    pub steps: usize,
    /// Steps from one evaluation to the next.
    pub every: usize,
    /// Pass@1 to be reached.
    pub target: f64,
    /// Smallest and largest mean |R - 1| of a learning rate that counts as several epochs.
    pub drift: [f64; 2],
    /// Seeds that are reported.
    pub seeds: u64,
    /// Seeds that the learning rate is tuned on.
    pub tuning_seeds: u64,
    /// Lowest learning rate of Adam.
    pub lowest_rate: f64,
    /// Learning rates, each 1.5 times the one before.
    pub rates: u32,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            prompts: 128,
            features: 16,
            symbols: 8,
            tokens: 3,
            start: 0.1,
            prompts_per_step: 16,
            samples: 8,
            epochs: 8,
            minibatches: 4,
            steps: 120,
            every: 4,
            target: 0.5,
            drift: [0.03, 0.1],
            seeds: 20,
            tuning_seeds: 4,
            lowest_rate: 0.003,
            rates: 9,
        }
    }
}

/// A policy in the middle of its training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Completions sampled.
    pub completions: usize,
    /// Updates made.
    pub updates: usize,
    /// pass@1, pass@8 and pass@64.
    pub pass: [f64; 3],
    /// Mean entropy of a token in nats.
    pub entropy: f64,
}

/// Tokens of one sign of the advantage, over all updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Tokens counted, each once an update.
    pub tokens: f64,
    /// Mean importance ratio.
    pub ratio: f64,
    /// Share without a gradient.
    pub clipped: f64,
}

/// Tokens of one sign and about one behaviour probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Middle of the bin, on a logarithmic scale.
    pub probability: f64,
    /// Mean ratio of positive and of negative tokens; none if there are fewer than 100.
    pub ratio: [Option<f64>; 2],
}

/// A trained policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Before, and after every so many completions.
    pub points: Vec<Point>,
    /// Mean |R - 1| over all tokens of all updates.
    pub drift: f64,
    /// Tokens with a positive advantage.
    pub positive: Side,
    /// Tokens with a negative advantage.
    pub negative: Side,
    /// By behaviour probability; empty where it was not looked at.
    pub bins: Vec<Bin>,
}

/// One arm: its learning rate, and its runs with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmResult {
    /// The learning rate.
    pub rate: f64,
    /// For each one tried, over the tuning seeds: its runs.
    pub tried: Vec<(f64, Vec<Trained>)>,
    /// One run for each reported seed.
    pub seeds: Vec<Trained>,
}

/// Tunes the learning rate of an arm ([`ArmResult::tuned`]) and runs it: a pure function of its
/// arguments.
///
/// # Panics
/// As [`train`], and if there are no learning rates.
#[must_use]
pub fn study(setting: &Setting, arm: Arm) -> ArmResult {
    let tuned = ArmResult::tuned(arm, scan(setting, arm), setting.drift);
    let run = |seed| train(setting, arm, tuned.rate, seed);
    ArmResult { seeds: (0..setting.seeds).map(run).collect(), ..tuned }
}

impl ArmResult {
    /// An arm without reported runs yet, at the learning rate of the highest mean pass@1 at the end,
    /// among those whose mean |R - 1| lies within `drift` (among all for [`Arm::OneEpoch`], which has
    /// none); if none does, at the one whose drift is nearest to the middle.
    ///
    /// # Panics
    /// If no rate was tried.
    #[must_use]
    pub fn tuned(arm: Arm, tried: Vec<(f64, Vec<Trained>)>, [least, most]: [f64; 2]) -> Self {
        let over = |runs: &[Trained], of: fn(&Trained) -> f64| {
            mean(&runs.iter().map(of).collect::<Vec<f64>>())
        };
        let drift = |runs: &[Trained]| over(runs, |run| run.drift);
        let score = |runs: &[Trained]| over(runs, Trained::last);
        let within =
            |runs: &[Trained]| arm == Arm::OneEpoch || (least..=most).contains(&drift(runs));
        let best = tried.iter().filter(|(_, runs)| within(runs));
        let best = best.max_by(|(_, a), (_, b)| score(a).total_cmp(&score(b)));
        let away = |runs: &[Trained]| (drift(runs) - f64::midpoint(least, most)).abs();
        let nearest = tried.iter().min_by(|(_, a), (_, b)| away(a).total_cmp(&away(b)));
        let rate = best.or(nearest).expect("at least one rate was tried").0;
        Self { rate, tried, seeds: Vec::new() }
    }
}

/// The tuning seeds of an arm at every learning rate.
///
/// # Panics
/// As [`train`].
#[must_use]
pub fn scan(setting: &Setting, arm: Arm) -> Vec<(f64, Vec<Trained>)> {
    let seeds = TUNING..TUNING + setting.tuning_seeds;
    let runs = |rate| seeds.clone().map(|seed| train(setting, arm, rate, seed)).collect();
    rates(setting.lowest_rate, setting.rates).into_iter().map(|rate| (rate, runs(rate))).collect()
}

/// Trains one policy by Adam.
///
/// # Panics
/// If a step has more prompts than there are.
#[must_use]
pub fn train(setting: &Setting, arm: Arm, rate: f64, seed: u64) -> Trained {
    let world = World::new(setting, seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    let mut policy = world.start.clone();
    let mut ascents = vec![Ascent::adam(rate); setting.tokens];
    let ids = (0..setting.prompts).map(|prompt| PromptId(prompt as u64)).collect();
    let mut selector = UniformWithoutReplacement::new(ids);
    let plan = Plan::of(setting, arm);
    let (mut points, mut sums) = (vec![world.point(&policy, 0, 0)], Sums::new(arm.rule()));
    for step in 0..plan.steps {
        selector.need(step as u64, rng.random());
        let chosen = selector.select(plan.prompts, rng.random()).expect("the pool is large enough");
        let groups: Vec<Group> =
            chosen.iter().map(|p| world.sample(&policy, p.0 as usize, setting, &mut rng)).collect();
        let advantages = advantages(&groups, step as u64, plan.steps as u64);
        for _epoch in 0..plan.epochs {
            for part in 0..plan.minibatches {
                let size = plan.prompts / plan.minibatches;
                let own = part * size..(part + 1) * size;
                let batch = (&groups[own.clone()], &advantages[own]);
                update(&world, &mut policy, &mut ascents, batch, &mut sums);
            }
        }
        let done = step + 1;
        if done.is_multiple_of(plan.every) {
            let updates = done * plan.epochs * plan.minibatches;
            points.push(world.point(&policy, done * plan.prompts * setting.samples, updates));
        }
    }
    sums.trained(points)
}

/// The sizes of an arm.
struct Plan {
    steps: usize,
    prompts: usize,
    epochs: usize,
    minibatches: usize,
    every: usize,
}

impl Plan {
    /// [`Arm::OneEpoch`] has as many updates of the same size, each on completions of its own; it is
    /// evaluated after the same numbers of completions as the others, and goes on.
    fn of(setting: &Setting, arm: Arm) -> Self {
        let Setting { steps, prompts_per_step: prompts, epochs, minibatches, every, .. } = *setting;
        if arm != Arm::OneEpoch {
            return Self { steps, prompts, epochs, minibatches, every };
        }
        Self {
            steps: steps * epochs * minibatches,
            prompts: prompts / minibatches,
            epochs: 1,
            minibatches: 1,
            every: every * minibatches,
        }
    }
}

impl Trained {
    /// pass@1 at the end.
    fn last(&self) -> f64 {
        self.points.last().map_or(f64::NAN, |point| point.pass[0])
    }
}

/// Advantages of all groups of a step, by the z-score of each.
fn advantages(groups: &[Group], step: u64, steps: u64) -> Vec<Vec<f32>> {
    let samples = groups[0].correct.len();
    let (lengths, truncated) = (vec![1; samples], vec![false; samples]);
    let views: Vec<GroupView<'_>> = groups
        .iter()
        .map(|group| GroupView {
            prompt: PromptId(group.prompt as u64),
            rewards: &group.rewards,
            correct: &group.correct,
            lengths: &lengths,
            truncated: &truncated,
        })
        .collect();
    ZScore::default().advantages(&StepView { groups: &views, step, steps })
}

/// One update: the mean over its tokens of `A weight(R) grad log pi(token)`.
fn update(
    world: &World,
    policy: &mut Policy,
    ascents: &mut [Ascent],
    (groups, advantages): (&[Group], &[Vec<f32>]),
    sums: &mut Sums,
) {
    for (place, ascent) in ascents.iter_mut().enumerate() {
        let matrix = &policy.matrices[place];
        let mut gradient = vec![0.0; matrix.weights.len()];
        for (group, advantages) in groups.iter().zip(advantages) {
            let x = &world.prompts[group.prompt].features;
            let now = matrix.probabilities(x);
            let share = 1.0 / (advantages.len() * groups.len() * policy.tokens()) as f64;
            let mut pull = vec![0.0; now.len()];
            let mut total = 0.0;
            for (symbols, advantage) in group.symbols.iter().zip(advantages) {
                let symbol = symbols[place];
                let behaviour = group.behaviour[place][symbol];
                let advantage = f64::from(*advantage);
                let weight = sums.add(now[symbol] / behaviour, advantage, behaviour);
                pull[symbol] += advantage * weight * share;
                total += advantage * weight * share;
            }
            pull.iter_mut().zip(&now).for_each(|(pull, p)| *pull -= p * total);
            matrix.add_gradient(&mut gradient, &pull, x);
        }
        ascent.step(&mut policy.matrices[place].weights, &gradient);
    }
}

/// Bins of behaviour probability: three a decade from 1e-3 to 1.
const BINS: usize = 9;

/// Sums over tokens of all updates.
struct Sums {
    rule: TokenRule,
    tokens: f64,
    distance: f64,
    /// For positive and negative tokens: their number, their ratios, those without a gradient.
    sides: [[f64; 3]; 2],
    /// The same by bin: number and ratios.
    bins: [[[f64; 2]; 2]; BINS],
}

impl Sums {
    fn new(rule: TokenRule) -> Self {
        let bins = [[[0.0; 2]; 2]; BINS];
        Self { rule, tokens: 0.0, distance: 0.0, sides: [[0.0; 3]; 2], bins }
    }

    /// Counts a token and gives its weight.
    fn add(&mut self, ratio: f64, advantage: f64, behaviour: f64) -> f64 {
        self.tokens += 1.0;
        self.distance += (ratio - 1.0).abs();
        if advantage == 0.0 {
            return 0.0;
        }
        let weight = self.rule.weight(ratio, advantage);
        let side = usize::from(advantage < 0.0);
        let [count, ratios, clipped] = &mut self.sides[side];
        *count += 1.0;
        *ratios += ratio;
        *clipped += f64::from(u8::from(weight == 0.0));
        let bin = (3.0 * (behaviour.log10() + 3.0)).floor().clamp(0.0, BINS as f64 - 1.0) as usize;
        let [count, ratios] = &mut self.bins[bin][side];
        *count += 1.0;
        *ratios += ratio;
        weight
    }

    fn trained(&self, points: Vec<Point>) -> Trained {
        let side = |[tokens, ratio, clipped]: [f64; 3]| {
            let all = tokens.max(1.0);
            Side { tokens, ratio: ratio / all, clipped: clipped / all }
        };
        let bin = |(number, sides): (usize, &[[f64; 2]; 2])| Bin {
            probability: 10f64.powf((number as f64 + 0.5) / 3.0 - 3.0),
            ratio: sides.map(|[count, ratios]| (count >= 100.0).then_some(ratios / count)),
        };
        Trained {
            points,
            drift: self.distance / self.tokens.max(1.0),
            positive: side(self.sides[0]),
            negative: side(self.sides[1]),
            bins: self.bins.iter().enumerate().map(bin).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
