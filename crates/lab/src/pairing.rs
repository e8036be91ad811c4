//! Pairs of a rarely right and a rarely wrong prompt (arXiv 2602.03452) in a policy that is exact.
//!
//! ```text
//! logits of prompt i    z_i = W x_i + o_i          action 0 is right
//! features              x_i = skill * u + noise    noise ~ N(0, 1/m) in each of m dimensions
//! own part              o_i[0] ~ N(shift, spread), o_i[a] ~ N(0, 1)      not trained
//! ```
//!
//! `u` is the same unit vector for all prompts, so `skill` says how much one prompt teaches another;
//! `shift` is set so that the mean success rate is the wanted one. Held-out prompts come from the
//! same distribution, and their success rates are exact.
//!
//! Selection is by the selectors of the selection crate, advantages by [`PairWeighted`] with its
//! defaults, so what is compared is what trains a network.

mod arm;
mod comparison;
mod exact;
mod findings;
mod world;

use fireproof_advantage::{AdvantageEstimator, PairWeighted};
use fireproof_selection::SelectError;
use fireproof_trajectory::{GroupView, PromptId, StepView};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

pub use arm::Arm;
pub use arm::Probe;
pub use arm::selector;
pub use comparison::Comparison;
pub use exact::exact_findings;
pub use exact::expected_pull;
pub use exact::mixed_group;
pub use findings::findings;
use world::World;

use crate::softmax::{Ascent, LogLinear, draw, softmax};
use crate::statistics::mean;
use crate::tuning::rates;

/// Fixed prompts whose groups were all constant for so many updates have nothing left to teach.
const DEAD_UPDATES: usize = 20;

/// How much prompts share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sharing {
    /// Its name.
    pub name: &'static str,
    /// Length of the common part of all features.
    pub skill: f64,
    /// Dimensions.
    pub features: usize,
}

/// From nothing shared to one skill that decides all prompts.
pub const SHARINGS: [Sharing; 4] = [
    Sharing { name: "none", skill: 0.0, features: 64 },
    Sharing { name: "weak", skill: 0.4, features: 64 },
    Sharing { name: "partial", skill: 1.0, features: 4 },
    Sharing { name: "strong", skill: 1.0, features: 64 },
];

/// Settings of the simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setting {
    /// Prompts to choose from.
    pub pool: usize,
    /// Prompts to evaluate on.
    pub held_out: usize,
    /// Actions of each prompt, one of them right.
    pub actions: usize,
    /// Mean success rate at the start.
    pub start: f64,
    /// Standard deviation of difficulty, in logits.
    pub spread: f64,
    /// Most successes of a hard prompt, and failures of an easy one, in the probe.
    pub c: usize,
    /// Completions of a prompt in a group, and in the probe.
    pub samples: usize,
    /// Updates of two groups each.
    pub updates: usize,
    /// Updates from one evaluation to the next.
    pub every: usize,
    /// Held-out pass@1 to be reached.
    pub target: f64,
    /// Seeds that are reported.
    pub seeds: u64,
    /// Choices of prompts for each seed.
    pub draws: u64,
    /// Seeds that the learning rate is tuned on, others than those reported.
    pub tuning_seeds: u64,
    /// Choices of prompts for each of them.
    pub tuning_draws: u64,
    /// Lowest learning rate of Adam.
    pub lowest_rate: f64,
    /// Learning rates, each 1.5 times the one before.
    pub rates: u32,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            pool: 128,
            held_out: 200,
            actions: 30,
            start: 0.35,
            spread: 2.0,
            c: 2,
            samples: 16,
            updates: 100,
            every: 10,
            target: 0.7,
            seeds: 20,
            draws: 4,
            tuning_seeds: 6,
            tuning_draws: 2,
            lowest_rate: 0.02,
            rates: 10,
        }
    }
}

/// A policy trained on two prompts an update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Held-out pass@1, pass@8 and pass@64 before, and after every so many updates.
    pub pass: Vec<[f64; 3]>,
    /// Share of constant groups of each update.
    pub dead: Vec<f64>,
}

/// One arm with one kind of sharing: its learning rate, and its runs with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmResult {
    /// The learning rate, and for each one tried the mean held-out pass@1 at the end, over the
    /// tuning seeds.
    pub rate: f64,
    /// Rates and scores.
    pub tried: Vec<(f64, f64)>,
    /// For each reported seed its runs, one for each choice of prompts.
    pub seeds: Vec<Vec<Trained>>,
}

/// Tunes the learning rate of an arm and runs it: a pure function of its arguments.
///
/// # Errors
/// If a probe finds too few rarely right or rarely wrong prompts.
pub fn study(setting: &Setting, sharing: Sharing, arm: Arm) -> Result<ArmResult, SelectError> {
    // Only the end counts for tuning.
    let tuning = Setting { every: setting.updates, ..setting.clone() };
    let mut tried = Vec::new();
    for rate in rates(setting.lowest_rate, setting.rates) {
        let mut scores = Vec::new();
        for seed in 0..setting.tuning_seeds {
            for draw in 0..setting.tuning_draws {
                scores.push(train(&tuning, sharing, arm, rate, [TUNING + seed, draw])?.last());
            }
        }
        tried.push((rate, mean(&scores)));
    }
    let best = tried.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let rate = best.map_or(setting.lowest_rate, |(rate, _)| *rate);
    let runs = |seed| {
        (0..setting.draws).map(|draw| train(setting, sharing, arm, rate, [seed, draw])).collect()
    };
    let seeds = (0..setting.seeds).map(runs).collect::<Result<_, _>>()?;
    Ok(ArmResult { rate, tried, seeds })
}

/// Seeds for tuning begin here.
const TUNING: u64 = 1_000_000;

/// Trains one policy by Adam: `[seed, choice]` says which prompts there are, and which are chosen.
///
/// # Errors
/// As [`study`].
pub fn train(
    setting: &Setting,
    sharing: Sharing,
    arm: Arm,
    rate: f64,
    [seed, choice]: [u64; 2],
) -> Result<Trained, SelectError> {
    let world = World::new(setting, sharing, seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 + choice);
    let mut policy = LogLinear::uniform(setting.actions, sharing.features);
    let mut ascent = Ascent::adam(rate);
    let probe = world.probe(&policy, setting, &mut rng);
    let mut selector = selector(arm, &probe, setting.c, rng.random())?;
    let mut trained = Trained { pass: vec![world.held_out(&policy)], dead: Vec::new() };
    for update in 0..setting.updates {
        selector.need(update as u64, rng.random());
        let prompts = selector.select(2, rng.random())?;
        if arm.is_fixed() && trained.is_dead() {
            trained.dead.push(1.0);
        } else {
            let groups = world.groups(&policy, &prompts, setting.samples, &mut rng);
            let step = (update as u64, setting.updates as u64);
            let gradient = gradient(&world, &policy, &groups, step);
            ascent.step(&mut policy.weights, &gradient);
            trained.dead.push(mean(&groups.iter().map(Group::dead).collect::<Vec<f64>>()));
        }
        if (update + 1).is_multiple_of(setting.every) {
            trained.pass.push(world.held_out(&policy));
        }
    }
    Ok(trained)
}

impl Trained {
    /// Held-out pass@1 at the end.
    fn last(&self) -> f64 {
        self.pass.last().map_or(f64::NAN, |pass| pass[0])
    }

    /// Mean share of constant groups in the last quarter of the updates.
    fn dead_at_end(&self) -> f64 {
        mean(&self.dead[self.dead.len() * 3 / 4..])
    }

    /// Whether all groups of the last updates were constant.
    fn is_dead(&self) -> bool {
        self.dead.len() >= DEAD_UPDATES
            && self.dead[self.dead.len() - DEAD_UPDATES..].iter().all(|share| *share == 1.0)
    }
}

/// Some completions of one prompt.
struct Group {
    prompt: usize,
    probabilities: Vec<f64>,
    actions: Vec<usize>,
    correct: Vec<bool>,
}

impl Group {
    fn sample(prompt: usize, logits: &[f64], samples: usize, rng: &mut ChaCha8Rng) -> Self {
        let probabilities = softmax(logits);
        let actions: Vec<usize> =
            (0..samples).map(|_| draw(&probabilities, rng.random())).collect();
        let correct = actions.iter().map(|action| *action == 0).collect();
        Self { prompt, probabilities, actions, correct }
    }

    fn successes(&self) -> usize {
        self.correct.iter().filter(|correct| **correct).count()
    }

    /// 1 if all completions are right or all wrong.
    fn dead(&self) -> f64 {
        f64::from(self.successes() == 0 || self.successes() == self.correct.len())
    }
}

/// The gradient of one update: the mean over its completions of `A_i grad log pi(a_i)`.
fn gradient(
    world: &World,
    policy: &LogLinear,
    groups: &[Group],
    (step, steps): (u64, u64),
) -> Vec<f64> {
    let samples = groups[0].correct.len();
    let (blank, lengths, truncated) = (vec![0.0; samples], vec![1; samples], vec![false; samples]);
    let views: Vec<GroupView<'_>> = groups
        .iter()
        .map(|group| GroupView {
            prompt: PromptId(group.prompt as u64),
            // Weighted GRPO looks at correctness alone.
            rewards: &blank,
            correct: &group.correct,
            lengths: &lengths,
            truncated: &truncated,
        })
        .collect();
    let advantages = PairWeighted::default().advantages(&StepView { groups: &views, step, steps });
    let mut gradient = vec![0.0; policy.weights.len()];
    for (group, advantages) in groups.iter().zip(advantages) {
        let share = 1.0 / (samples * groups.len()) as f64;
        let total: f64 = advantages.iter().map(|a| f64::from(*a)).sum();
        let mut pull: Vec<f64> = group.probabilities.iter().map(|p| -p * total * share).collect();
        for (action, advantage) in group.actions.iter().zip(&advantages) {
            pull[*action] += f64::from(*advantage) * share;
        }
        policy.add_gradient(&mut gradient, &pull, &world.prompts[group.prompt].features);
    }
    gradient
}

#[cfg(test)]
mod tests;
