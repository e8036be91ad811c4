//! One categorical policy over thousands of actions, many of them right.

use fireproof_advantage::theory::{Action, count_logit_changes, distinct_logit_changes};
use fireproof_advantage::{DeviationR, FocalR, PromptWeighting};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::arms::{Crossings, Seen};
use super::{distinct_share, retained_mass};
use crate::softmax::{Ascent, softmax};

/// How samples become a step in the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The usual estimator: every sample counts, `(n_i A_i - p_i sum of n_j A_j) / N`.
    Count,
    /// Prop. 3.2: a sampled action counts once, weighted by its probability, `p_i (R_i - S)`.
    Distinct,
}

/// The simulation of arXiv 2602.06717, smaller: random logits, Adam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categorical {
    /// Actions.
    pub actions: usize,
    /// Right ones among them.
    pub right: usize,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Steps.
    pub steps: usize,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CategoricalRun {
    /// At the start.
    pub start: Seen,
    /// After a quarter of the steps, half of them, and all.
    pub fixed: [Seen; 3],
    /// When pass@1 passed each of the levels.
    pub crossings: Crossings,
}

impl Form {
    /// As legends call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count form",
            Self::Distinct => "distinct form",
        }
    }

    /// The step's direction. The rate is `1/N` in the count form and 1 in the distinct form, whose
    /// terms carry a probability already; Adam takes the scale out of both.
    fn changes(self, actions: &[Action], right: f64, wrong: f64, size: usize) -> Vec<f64> {
        match self {
            Self::Count => count_logit_changes(actions, right, wrong, 1.0 / size as f64),
            Self::Distinct => distinct_logit_changes(actions, right, wrong, 1.0),
        }
    }
}

impl Default for Categorical {
    fn default() -> Self {
        Self { actions: 10_000, right: 800, rate: 1e-2, steps: 1000 }
    }
}

impl Categorical {
    /// Trains with groups of `size` completions and focal exponent `gamma`.
    ///
    /// Advantages are those of the z-score with the population deviation times `(1 - rho)^gamma`,
    /// as the prompt weighting `FocalR`. A group that is not mixed gives a step of no gradient.
    #[must_use]
    pub fn run(&self, form: Form, size: usize, gamma: f64, seed: u64) -> CategoricalRun {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut logits: Vec<f64> =
            (0..self.actions).map(|_| StandardNormal.sample(&mut rng)).collect();
        let weighting = FocalR { gamma, base: DeviationR };
        let mut ascent = Ascent::adam(self.rate);
        let mut p = softmax(&logits);
        let before = p[..self.right].to_vec();
        let start = self.seen(0, &before, &p);
        let (mut last, mut fixed, mut crossings) = (start, [start; 3], Crossings::default());
        for step in 1..=self.steps {
            let counts = counts(&p, size, &mut rng);
            let successes: u32 = counts[..self.right].iter().sum();
            let rho = f64::from(successes) / size as f64;
            let action = |(index, (p, count)): (usize, (&f64, &u32))| Action {
                probability: *p,
                correct: index < self.right,
                count: *count,
            };
            let actions: Vec<Action> = p.iter().zip(&counts).enumerate().map(action).collect();
            let (right, wrong) = (weighting.right(rho), weighting.wrong(rho));
            ascent.step(&mut logits, &form.changes(&actions, right, wrong, size));
            p = softmax(&logits);
            let seen = self.seen(step, &before, &p);
            crossings.passed(&last, &seen);
            last = seen;
            let ends = [self.steps / 4, self.steps / 2, self.steps];
            fixed.iter_mut().zip(ends).filter(|(_, end)| *end == step).for_each(|(f, _)| *f = seen);
        }
        CategoricalRun { start, fixed, crossings }
    }

    fn seen(&self, step: usize, before: &[f64], p: &[f64]) -> Seen {
        let right = &p[..self.right];
        Seen {
            step: step as f64,
            pass_at_1: right.iter().sum(),
            distinct: distinct_share(right, 256),
            retained: retained_mass(before, right),
        }
    }
}

/// How often each action occurs among `size` independent draws. The draws are made in ascending
/// order, by exponential spacings, so that one pass over the actions is enough.
fn counts(p: &[f64], size: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut places: Vec<f64> = Vec::with_capacity(size + 1);
    let mut sum = 0.0;
    for _ in 0..=size {
        sum -= (1.0 - rng.random::<f64>()).ln();
        places.push(sum);
    }
    let mut counts = vec![0; p.len()];
    let (mut action, mut below) = (0, p[0]);
    for place in &places[..size] {
        while place / sum >= below && action + 1 < p.len() {
            action += 1;
            below += p[action];
        }
        counts[action] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_probabilities() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let drawn = counts(&[0.5, 0.1, 0.4], 100_000, &mut rng);
        assert_eq!(drawn.iter().sum::<u32>(), 100_000);
        // Within four standard deviations.
        assert!(drawn[0].abs_diff(50_000) < 640, "{drawn:?}");
        assert!(drawn[1].abs_diff(10_000) < 380, "{drawn:?}");
    }

    #[test]
    fn a_policy_learns_and_forgets() {
        let small = Categorical { actions: 400, right: 40, rate: 0.03, steps: 400 };
        let run = small.run(Form::Count, 32, 0.0, 1);
        assert_eq!((run.start.retained, run.fixed[2].step), (1.0, 400.0));
        assert!(run.start.pass_at_1 < 0.2 && run.fixed[2].pass_at_1 > 0.9, "{run:?}");
        assert!(run.fixed[2].retained < 0.9, "{run:?}");
        assert_eq!(run, small.run(Form::Count, 32, 0.0, 1));
    }

    #[test]
    fn two_completions_make_focal_scaling_a_constant_that_adam_divides_out() {
        let small = Categorical { actions: 50, right: 20, rate: 0.03, steps: 60 };
        let [plain, focal] = [0.0, 2.0].map(|gamma| small.run(Form::Count, 2, gamma, 3).fixed[2]);
        assert!((plain.pass_at_1 - focal.pass_at_1).abs() < 1e-4, "{plain:?} {focal:?}");
        assert!(plain.pass_at_1 > small.run(Form::Count, 2, 0.0, 3).start.pass_at_1);
    }
}
