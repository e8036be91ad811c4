//! Prompts of mixed difficulty with many right answers: write a number as a sum of two.

use std::ops::Range;

use fireproof_advantage::{AdvantageEstimator, Focal, ZScore};
use fireproof_trajectory::{GroupView, PromptId, StepView};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::arms::{Crossings, Seen};
use super::{distinct_share, retained_mass};
use crate::softmax::{draw, softmax};
use crate::statistics::mean;

/// Tokens: the numbers from 0.
const TOKENS: usize = 12;
/// Sums of two tokens, 0 to 22: from 1 to 12 right answers each.
const SUMS: usize = 2 * TOKENS - 1;

/// The world: prompt `i` asks for two tokens `a`, `b` with `a + b = i mod 23`.
///
/// The policy draws `a` from a table of the prompt, then `b` from a table of prompt and `a` plus a
/// table of what is left, `n - a`, which all prompts share. So knowing how to finish is shared, and
/// which of its answers a prompt prefers is its own. Prompts differ in how much of the right `b`
/// they know at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManyAnswers {
    /// Prompts; all of them make a step.
    pub prompts: usize,
    /// Mean success rate at the start.
    pub start: f64,
    /// Standard deviation over prompts of what the right second token's logit begins with.
    pub difficulty: f64,
    /// Learning rate of plain gradient ascent, where an arm has no other.
    pub rate: f64,
    /// Level of pass@1 up to which a run goes.
    pub until: f64,
    /// Steps after which a run has missed.
    pub cap: usize,
    /// Steps after which arms are compared at equal completions.
    pub fixed: usize,
}

/// The learning rate of an arm, as a rule that tuning seeds decide.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// The world's own.
    Own,
    /// Such that as many steps are needed as at another exponent with the world's rate.
    Steps {
        /// The other exponent.
        of: f64,
    },
}

/// Parameters, or a gradient of them.
#[derive(Clone)]
struct Tables {
    /// `[prompt][a]`
    first: Vec<Vec<f64>>,
    /// `[prompt][a][b]`
    second: Vec<Vec<Vec<f64>>>,
    /// `[left][b]`, left from -11 to 22.
    shared: Vec<Vec<f64>>,
}

/// Probabilities of a prompt.
struct Chances {
    first: Vec<f64>,
    second: Vec<Vec<f64>>,
}

impl Default for ManyAnswers {
    fn default() -> Self {
        Self {
            prompts: 32,
            start: 0.36,
            difficulty: 2.0,
            rate: 0.1,
            until: 0.9,
            cap: 5000,
            fixed: 180,
        }
    }
}

impl ManyAnswers {
    /// Trains with groups of `size` completions and focal exponent `gamma` at some learning rate;
    /// arms share the start and the uniform numbers that completions are drawn with.
    ///
    /// Each step adds, for every prompt, `rate * mean over its group of A grad log pi`, with `A` from
    /// `Focal` around `ZScore`. What is seen is exact.
    #[must_use]
    pub fn run(&self, size: usize, gamma: f64, rate: f64, seed: u64) -> (Crossings, Seen) {
        let mut tables = self.begin(seed);
        let estimator = estimator(gamma);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        let mut chances = self.chances(&tables);
        let before: Vec<Vec<f64>> = self.right(&chances);
        let mut last = self.seen(0, &before, &chances);
        let (mut crossings, mut fixed) = (Crossings::default(), last);
        for step in 1..=self.cap {
            self.step(&mut tables, &chances, size, estimator.as_ref(), (rate, &mut rng));
            chances = self.chances(&tables);
            let seen = self.seen(step, &before, &chances);
            crossings.passed(&last, &seen);
            last = seen;
            if step == self.fixed {
                fixed = seen;
            }
            if crossings.at(self.until).is_some() && step >= self.fixed {
                break;
            }
        }
        (crossings, fixed)
    }

    /// The learning rate of an arm: its own, or the one at which some tuning seeds need as many steps
    /// to `until` (in the geometric mean; misses count twice the cap) as at another exponent.
    ///
    /// Steps fall about as `1/rate`, so a few corrections by their ratio are enough.
    #[must_use]
    pub fn matched(&self, size: usize, gamma: f64, rule: Matching, seeds: Range<u64>) -> f64 {
        let Matching::Steps { of } = rule else { return self.rate };
        let steps = |gamma: f64, rate: f64| {
            let one = |seed| {
                let arrived = self.run(size, gamma, rate, seed).0.at(self.until);
                arrived.map_or(2.0 * self.cap as f64, |seen| seen.step).ln()
            };
            mean(&seeds.clone().map(one).collect::<Vec<f64>>()).exp()
        };
        let wanted = steps(of, self.rate);
        (0..4).fold(self.rate, |rate, _| rate * steps(gamma, rate) / wanted)
    }

    fn sum_of(&self, prompt: usize) -> usize {
        prompt % SUMS
    }

    /// The second token that makes a prompt's answer right after `a`, if any does.
    fn finish(&self, prompt: usize, a: usize) -> Option<usize> {
        self.sum_of(prompt).checked_sub(a).filter(|b| *b < TOKENS)
    }

    /// The row of the shared table: `n - a + 11`.
    fn left(&self, prompt: usize, a: usize) -> usize {
        self.sum_of(prompt) + TOKENS - 1 - a
    }

    fn begin(&self, seed: u64) -> Tables {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut row = |size: f64| -> Vec<f64> {
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            (0..TOKENS).map(|_| size * normal()).collect()
        };
        let first = (0..self.prompts).map(|_| row(1.0)).collect();
        let mut second: Vec<Vec<Vec<f64>>> =
            (0..self.prompts).map(|_| (0..TOKENS).map(|_| row(0.5)).collect()).collect();
        let known: Vec<f64> = (0..self.prompts).map(|_| row(self.difficulty)[0]).collect();
        for (prompt, known) in known.iter().enumerate() {
            for (a, row) in second[prompt].iter_mut().enumerate() {
                if let Some(b) = self.finish(prompt, a) {
                    row[b] += known;
                }
            }
        }
        let blank = vec![vec![0.0; TOKENS]; SUMS + TOKENS - 1];
        let tables = Tables { first, second, shared: blank };
        let with = |skill: f64| {
            let mut tables = tables.clone();
            (0..TOKENS).for_each(|left| tables.shared[left + TOKENS - 1][left] = skill);
            tables
        };
        let (mut low, mut high) = (-10.0, 20.0);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            let right = self.right(&self.chances(&with(middle)));
            let rates: Vec<f64> = right.iter().map(|right| right.iter().sum()).collect();
            if mean(&rates) < self.start { low = middle } else { high = middle }
        }
        with(low)
    }

    fn chances(&self, tables: &Tables) -> Vec<Chances> {
        let of = |prompt: usize| {
            let second = |a: usize| {
                let (own, shared) =
                    (&tables.second[prompt][a], &tables.shared[self.left(prompt, a)]);
                softmax(
                    &own.iter().zip(shared).map(|(own, shared)| own + shared).collect::<Vec<_>>(),
                )
            };
            let first = softmax(&tables.first[prompt]);
            Chances { first, second: (0..TOKENS).map(second).collect() }
        };
        (0..self.prompts).map(of).collect()
    }

    /// Probabilities of every prompt's right answers.
    fn right(&self, chances: &[Chances]) -> Vec<Vec<f64>> {
        let of = |(prompt, chances): (usize, &Chances)| {
            let answer =
                |a: usize| self.finish(prompt, a).map(|b| chances.first[a] * chances.second[a][b]);
            (0..TOKENS).filter_map(answer).collect()
        };
        chances.iter().enumerate().map(of).collect()
    }

    fn seen(&self, step: usize, before: &[Vec<f64>], chances: &[Chances]) -> Seen {
        let right = self.right(chances);
        let over =
            |of: &dyn Fn(usize) -> f64| mean(&(0..self.prompts).map(of).collect::<Vec<f64>>());
        Seen {
            step: step as f64,
            pass_at_1: over(&|prompt| right[prompt].iter().sum()),
            distinct: over(&|prompt| distinct_share(&right[prompt], 256)),
            retained: over(&|prompt| retained_mass(&before[prompt], &right[prompt])),
        }
    }

    fn step(
        &self,
        tables: &mut Tables,
        chances: &[Chances],
        size: usize,
        estimator: &dyn AdvantageEstimator,
        (rate, rng): (f64, &mut ChaCha8Rng),
    ) {
        for (prompt, chances) in chances.iter().enumerate() {
            let sample = |_| {
                let a = draw(&chances.first, rng.random());
                (a, draw(&chances.second[a], rng.random()))
            };
            let drawn: Vec<(usize, usize)> = (0..size).map(sample).collect();
            let right = |(a, b): &(usize, usize)| self.finish(prompt, *a) == Some(*b);
            let correct: Vec<bool> = drawn.iter().map(right).collect();
            let advantages = advantages(estimator, &correct);
            for ((a, b), advantage) in drawn.iter().zip(advantages) {
                let scale = rate * advantage / size as f64;
                push(&mut tables.first[prompt], &chances.first, *a, scale);
                push(&mut tables.second[prompt][*a], &chances.second[*a], *b, scale);
                push(&mut tables.shared[self.left(prompt, *a)], &chances.second[*a], *b, scale);
            }
        }
    }
}

/// The product's estimator: the z-score, times `(1 - rho)^gamma` if gamma is not 0.
fn estimator(gamma: f64) -> Box<dyn AdvantageEstimator> {
    let base = Box::new(ZScore::default());
    if gamma > 0.0 { Box::new(Focal { gamma, base }) } else { base }
}

fn advantages(estimator: &dyn AdvantageEstimator, correct: &[bool]) -> Vec<f64> {
    let rewards: Vec<f32> = correct.iter().map(|correct| f32::from(*correct)).collect();
    let group = GroupView {
        prompt: PromptId(0),
        rewards: &rewards,
        correct,
        lengths: &vec![2; correct.len()],
        truncated: &vec![false; correct.len()],
    };
    let rows = estimator.advantages(&StepView { groups: &[group], step: 0, steps: 1 });
    rows[0].iter().map(|a| f64::from(*a)).collect()
}

/// `logits += scale * grad log p(chosen)`
fn push(logits: &mut [f64], p: &[f64], chosen: usize, scale: f64) {
    logits.iter_mut().zip(p).for_each(|(logit, p)| *logit -= scale * p);
    logits[chosen] += scale;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_has_as_many_answers_as_its_sum_allows() {
        let world = ManyAnswers::default();
        let right = world.right(&world.chances(&world.begin(1)));
        let counts: Vec<usize> = right.iter().map(Vec::len).collect();
        assert_eq!((counts[0], counts[11], counts[22], counts[23]), (1, 12, 1, 1));
        let rates: Vec<f64> = right.iter().map(|right| right.iter().sum()).collect();
        assert!((mean(&rates) - 0.36).abs() < 1e-6);
    }

    #[test]
    fn a_push_is_the_gradient_of_a_log_probability() {
        let logits = vec![0.2, -0.4, 0.9];
        let p = softmax(&logits);
        let mut moved = logits.clone();
        push(&mut moved, &p, 2, 1.0);
        for index in 0..3 {
            let at = |shift: f64| {
                let mut logits = logits.clone();
                logits[index] += shift;
                softmax(&logits)[2].ln()
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((moved[index] - logits[index] - slope).abs() < 1e-8);
        }
    }

    #[test]
    fn training_narrows_and_a_smaller_rate_takes_longer() {
        let world = ManyAnswers { until: 0.7, fixed: 1, ..ManyAnswers::default() };
        let arrive = |gamma, rate| world.run(8, gamma, rate, 1).0.at(0.7).unwrap();
        let (fast, slow, focal) = (arrive(0.0, 0.4), arrive(0.0, 0.2), arrive(1.0, 0.4));
        assert!(slow.step > 1.5 * fast.step && focal.step > fast.step, "{fast:?} {slow:?}");
        assert!(fast.retained < 1.0 && fast.retained > 0.3, "{fast:?}");
        assert_eq!(arrive(0.0, 0.4), fast);
    }

    #[test]
    fn matched_arms_take_as_many_steps() {
        let world = ManyAnswers { until: 0.6, fixed: 1, ..ManyAnswers::default() };
        let seeds = 100..103;
        let rate = world.matched(8, 1.0, Matching::Steps { of: 0.0 }, seeds.clone());
        let steps = |gamma, rate| {
            let one = |seed| world.run(8, gamma, rate, seed).0.at(0.6).unwrap().step.ln();
            mean(&seeds.clone().map(one).collect::<Vec<f64>>()).exp()
        };
        let (focal, base) = (steps(1.0, rate), steps(0.0, world.rate));
        assert!((focal / base - 1.0).abs() < 0.08 && rate > world.rate, "{focal} {base} {rate}");
    }
}
