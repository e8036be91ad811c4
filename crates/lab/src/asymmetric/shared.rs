//! Many prompts that share parameters: a log-linear policy trained by sampled groups, evaluated
//! exactly.

use std::ops::Range;

use fireproof_advantage::AdvantageEstimator;
use fireproof_selection::{PromptSelector, UniformWithoutReplacement};
use fireproof_trajectory::{GroupView, PromptId, StepView};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::Arm;
use super::race::Run;
use crate::softmax::{Ascent, LogLinear, draw, softmax};
use crate::statistics::mean;

/// How the policy follows its gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Adam.
    Adam,
    /// Plain gradient ascent.
    Sgd,
}

/// The world: prompts with random unit features, one right action each. A random linear teacher
/// decides which, so that prompts share what is to be learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// Prompts, all of them trained on and evaluated on.
    pub prompts: usize,
    /// Features of a prompt.
    pub features: usize,
    /// Actions, of which one is right.
    pub actions: usize,
    /// Prompts of a step.
    pub prompts_per_step: usize,
    /// Completions of each, `G`.
    pub completions: usize,
    /// Mean success rate at which a run has arrived.
    pub target: f64,
    /// Steps after which a run has missed.
    pub cap: usize,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Learning rate at which tuning begins.
    pub first_rate: f64,
}

/// Where runs begin and how closely they are looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Mean success rate of the warm start.
    pub success: f64,
    /// Steps between evaluations.
    pub check_every: usize,
    /// Completions after which arms are compared at equal completions.
    pub budget: usize,
}

/// What tuning found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The best learning rate.
    pub rate: f64,
    /// Rates tried with the geometric mean of completions to target, lowest rate first.
    pub tried: Vec<(f64, f64)>,
}

/// Factor between neighbouring learning rates.
const SPACING: f64 = 1.5;
/// Tuning stays within so many spacings of the first rate.
const REACH: i32 = 6;

/// A world of one seed.
struct Drawn {
    /// Features of each prompt.
    features: Vec<Vec<f64>>,
    /// Right action of each prompt.
    right: Vec<usize>,
    /// After the warm start.
    policy: LogLinear,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            prompts: 128,
            features: 16,
            actions: 64,
            prompts_per_step: 16,
            completions: 8,
            target: 0.7,
            cap: 700,
            optimizer: Optimizer::Adam,
            first_rate: 0.2,
        }
    }
}

impl Shared {
    /// Completions of a step.
    #[must_use]
    pub fn completions_per_step(&self) -> usize {
        self.prompts_per_step * self.completions
    }

    /// What a run that missed counts: twice the completions of the longest run.
    #[must_use]
    pub fn missed(&self) -> f64 {
        (2 * self.cap * self.completions_per_step()) as f64
    }

    /// Trains one arm from one start with one seed; arms share prompts, warm start, order of prompts
    /// and the uniform numbers that completions are drawn with.
    ///
    /// One on-policy update a step: the gradient of `mean of A log pi`, with `A` from the arm's own
    /// estimator.
    ///
    /// # Panics
    /// If a step has more prompts than there are.
    #[must_use]
    pub fn run(&self, start: &Start, arm: Arm, rate: f64, seed: u64) -> Run {
        let mut world = self.draw(start.success, seed);
        let estimator = arm.estimator();
        let mut ascent = match self.optimizer {
            Optimizer::Adam => Ascent::adam(rate),
            Optimizer::Sgd => Ascent::sgd(rate),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        let ids = (0..self.prompts as u64).map(PromptId).collect();
        let mut selector = UniformWithoutReplacement::new(ids);
        let mut run = Run::begun(world.success());
        for step in 0..self.cap {
            selector.need(step as u64, seed);
            let chosen = selector.select(self.prompts_per_step, seed ^ ((step as u64) << 32));
            let chosen = chosen.expect("a step has at most as many prompts as there are");
            let gradient = self.gradient(&world, estimator.as_ref(), &chosen, step, &mut rng);
            ascent.step(&mut world.policy.weights, &gradient);
            let done = (step + 1) * self.completions_per_step();
            if (step + 1).is_multiple_of(start.check_every) || step + 1 == self.cap {
                run.saw(done as f64, world.success(), self.target, start.budget as f64);
            }
            if run.reached && done >= start.budget {
                break;
            }
        }
        run.ended(self.missed())
    }

    /// The ascent direction of one step.
    fn gradient(
        &self,
        world: &Drawn,
        estimator: &dyn AdvantageEstimator,
        chosen: &[PromptId],
        step: usize,
        rng: &mut ChaCha8Rng,
    ) -> Vec<f64> {
        let count = self.completions;
        let probabilities: Vec<Vec<f64>> =
            chosen.iter().map(|id| world.at(id.0 as usize)).collect();
        let mut actions = Vec::with_capacity(chosen.len() * count);
        for p in &probabilities {
            actions.extend((0..count).map(|_| draw(p, rng.random())));
        }
        let right =
            chosen.iter().flat_map(|id| std::iter::repeat_n(world.right[id.0 as usize], count));
        let correct: Vec<bool> = actions.iter().zip(right).map(|(a, right)| *a == right).collect();
        let rewards: Vec<f32> = correct.iter().map(|correct| f32::from(*correct)).collect();
        let (lengths, truncated) = (vec![1; count], vec![false; count]);
        let group = |(row, prompt): (usize, &PromptId)| GroupView {
            prompt: *prompt,
            rewards: &rewards[row * count..][..count],
            correct: &correct[row * count..][..count],
            lengths: &lengths,
            truncated: &truncated,
        };
        let groups: Vec<GroupView<'_>> = chosen.iter().enumerate().map(group).collect();
        let view = StepView { groups: &groups, step: step as u64, steps: self.cap as u64 };
        let advantages = estimator.advantages(&view);
        let mut gradient = vec![0.0; world.policy.weights.len()];
        for (row, (prompt, p)) in chosen.iter().zip(&probabilities).enumerate() {
            let pull = pull(p, &actions[row * count..][..count], &advantages[row]);
            let scale = 1.0 / actions.len() as f64;
            let pull: Vec<f64> = pull.iter().map(|pull| pull * scale).collect();
            world.policy.add_gradient(&mut gradient, &pull, &world.features[prompt.0 as usize]);
        }
        gradient
    }

    /// The learning rate with the fewest completions to target in the geometric mean over some
    /// seeds. It climbs from the first rate in factors of 1.5 until neighbours on both sides are
    /// worse.
    ///
    /// # Panics
    /// As [`Shared::run`].
    #[must_use]
    pub fn tune(&self, start: &Start, arm: Arm, seeds: Range<u64>) -> Tuned {
        let cost = |place: i32| {
            let rate = self.first_rate * SPACING.powi(place);
            let one = |seed| self.run(start, arm, rate, seed).completions.ln();
            mean(&seeds.clone().map(one).collect::<Vec<f64>>())
        };
        climb(cost, REACH).rates(self.first_rate)
    }

    fn draw(&self, success: f64, seed: u64) -> Drawn {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |_| -> f64 { StandardNormal.sample(&mut rng) };
        let features: Vec<Vec<f64>> = (0..self.prompts)
            .map(|_| unit((0..self.features).map(&mut normal).collect()))
            .collect();
        let mut weights = || LogLinear {
            features: self.features,
            weights: (0..self.actions * self.features).map(&mut normal).collect(),
        };
        let (teacher, noise) = (weights(), weights());
        let taught: Vec<Vec<f64>> = features.iter().map(|x| teacher.logits(x)).collect();
        let random: Vec<Vec<f64>> = features.iter().map(|x| noise.logits(x)).collect();
        let right: Vec<usize> = taught.iter().map(|logits| largest(logits)).collect();
        let at = |share: f64| {
            let one = |((t, n), right): ((&Vec<f64>, &Vec<f64>), &usize)| {
                let logits: Vec<f64> = t.iter().zip(n).map(|(t, n)| share * t + n).collect();
                softmax(&logits)[*right]
            };
            let all: Vec<f64> = taught.iter().zip(&random).zip(&right).map(one).collect();
            mean(&all)
        };
        let share = bisect(at, success, -4.0, 30.0);
        let sum = teacher.weights.iter().zip(&noise.weights).map(|(t, n)| share * t + n);
        let policy = LogLinear { features: self.features, weights: sum.collect() };
        Drawn { features, right, policy }
    }
}

impl Drawn {
    fn at(&self, prompt: usize) -> Vec<f64> {
        self.policy.probabilities(&self.features[prompt])
    }

    /// Exact mean success rate.
    fn success(&self) -> f64 {
        let one = |prompt: usize| self.at(prompt)[self.right[prompt]];
        mean(&(0..self.right.len()).map(one).collect::<Vec<f64>>())
    }
}

/// Gradient in the logits: `sum over samples of A (one-hot(a) - p)`.
fn pull(p: &[f64], actions: &[usize], advantages: &[f32]) -> Vec<f64> {
    let sum: f64 = advantages.iter().map(|a| f64::from(*a)).sum();
    let mut pull: Vec<f64> = p.iter().map(|p| -p * sum).collect();
    for (action, advantage) in actions.iter().zip(advantages) {
        pull[*action] += f64::from(*advantage);
    }
    pull
}

fn unit(vector: Vec<f64>) -> Vec<f64> {
    let norm = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
    vector.into_iter().map(|v| v / norm).collect()
}

fn largest(values: &[f64]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}

/// Where an increasing function takes a value.
fn bisect(f: impl Fn(f64) -> f64, value: f64, mut low: f64, mut high: f64) -> f64 {
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if f(middle) < value { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// Places of a grid with their costs.
struct Climb(std::collections::BTreeMap<i32, f64>);

/// Goes from place 0 towards lower cost until both neighbours are costlier or the reach ends.
fn climb(cost: impl Fn(i32) -> f64, reach: i32) -> Climb {
    let mut costs = std::collections::BTreeMap::new();
    let mut best = 0i32;
    loop {
        for place in [best, best - 1, best + 1] {
            if place.abs() <= reach {
                costs.entry(place).or_insert_with(|| cost(place));
            }
        }
        let found = Climb(costs.clone()).best();
        if found == best {
            return Climb(costs);
        }
        best = found;
    }
}

impl Climb {
    fn best(&self) -> i32 {
        let least = self.0.iter().min_by(|a, b| a.1.total_cmp(b.1));
        least.map_or(0, |(place, _)| *place)
    }

    fn rates(&self, first: f64) -> Tuned {
        let rate = |place: i32| first * SPACING.powi(place);
        let tried = self.0.iter().map(|(place, cost)| (rate(*place), cost.exp())).collect();
        Tuned { rate: rate(self.best()), tried }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scheme;
    use super::*;

    fn start(success: f64) -> Start {
        Start { success, check_every: 5, budget: 0 }
    }

    #[test]
    fn a_world_starts_where_it_is_told_to() {
        for success in [0.02, 0.4] {
            let drawn = Shared::default().draw(success, 3);
            assert!((drawn.success() - success).abs() < 1e-6, "{}", drawn.success());
        }
    }

    #[test]
    fn the_step_is_the_gradient_of_the_weighted_log_probability() {
        let (mut policy, x) = (LogLinear::uniform(3, 2), [0.6, -0.8]);
        policy.weights = vec![0.3, -0.2, 0.1, 0.5, -0.4, 0.2];
        let (actions, advantages) = ([0, 2, 2, 1], [1.5f32, -0.5, -0.5, 0.25]);
        let value = |policy: &LogLinear| -> f64 {
            let p = policy.probabilities(&x);
            actions.iter().zip(advantages).map(|(a, w)| f64::from(w) * p[*a].ln()).sum()
        };
        let mut gradient = vec![0.0; 6];
        policy.add_gradient(
            &mut gradient,
            &pull(&policy.probabilities(&x), &actions, &advantages),
            &x,
        );
        for (index, gradient) in gradient.iter().enumerate() {
            let at = |shift: f64| {
                let mut moved = policy.clone();
                moved.weights[index] += shift;
                value(&moved)
            };
            assert!(((at(1e-5) - at(-1e-5)) / 2e-5 - gradient).abs() < 1e-8);
        }
    }

    #[test]
    fn training_reaches_the_target_and_seeds_differ() {
        let world = Shared { cap: 400, ..Shared::default() };
        let arm = Arm { scheme: Scheme::LinearR, drop: false };
        let run = world.run(&start(0.1), arm, 0.2, 1);
        assert!(run.reached && run.completions < 51_200.0, "{run:?}");
        assert_eq!(run, world.run(&start(0.1), arm, 0.2, 1));
        assert_ne!(run, world.run(&start(0.1), arm, 0.2, 2));
        // Without learning it misses, and counts twice the longest run.
        let short = Shared { cap: 10, ..world };
        let run = short.run(&start(0.1), arm, 1e-6, 1);
        assert_eq!((run.reached, run.completions), (false, 2560.0));
    }

    #[test]
    fn tuning_climbs_to_the_cheapest_rate() {
        let tuned = climb(|place| f64::from((place - 3).pow(2)), 6).rates(0.1);
        assert!((tuned.rate - 0.1 * 1.5f64.powi(3)).abs() < 1e-12);
        assert_eq!(tuned.tried.len(), 6, "-1, 0, 1, 2, 3, 4");
        assert!((climb(|place| f64::from(-place), 2).rates(1.0).rate - 2.25).abs() < 1e-12);
    }
}
