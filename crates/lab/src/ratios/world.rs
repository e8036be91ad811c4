//! Prompts whose answers are sequences.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::StandardNormal;

use super::{Point, Setting};
use crate::softmax::{LogLinear, draw};
use crate::statistics::mean;

/// The prompts of a seed and the policy that training starts from.
pub(super) struct World {
    pub(super) prompts: Vec<Prompt>,
    pub(super) start: Policy,
}

/// A prompt and its answer.
pub(super) struct Prompt {
    pub(super) features: Vec<f64>,
    right: Vec<usize>,
}

/// One matrix for each place of a completion.
#[derive(Clone)]
pub(super) struct Policy {
    pub(super) matrices: Vec<LogLinear>,
}

/// The completions of one prompt.
pub(super) struct Group {
    pub(super) prompt: usize,
    /// The symbols of each completion.
    pub(super) symbols: Vec<Vec<usize>>,
    pub(super) correct: Vec<bool>,
    pub(super) rewards: Vec<f32>,
    /// Probabilities of all symbols at each place when they were sampled.
    pub(super) behaviour: Vec<Vec<f64>>,
}

impl Policy {
    pub(super) fn tokens(&self) -> usize {
        self.matrices.len()
    }

    fn drawn(setting: &Setting, rng: &mut impl Rng) -> Self {
        let matrix = |_| {
            let mut matrix = LogLinear::uniform(setting.symbols, setting.features);
            matrix.weights.iter_mut().for_each(|w| *w = rng.sample(StandardNormal));
            matrix
        };
        Self { matrices: (0..setting.tokens).map(matrix).collect() }
    }

    /// `scale * self + other`.
    fn plus(&self, scale: f64, other: &Self) -> Self {
        let mut sum = other.clone();
        for (sum, own) in sum.matrices.iter_mut().zip(&self.matrices) {
            sum.weights.iter_mut().zip(&own.weights).for_each(|(sum, own)| *sum += scale * own);
        }
        sum
    }
}

impl World {
    pub(super) fn new(setting: &Setting, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let teacher = Policy::drawn(setting, &mut rng);
        let noise = Policy::drawn(setting, &mut rng);
        let prompts =
            (0..setting.prompts).map(|_| Prompt::new(setting, &teacher, &mut rng)).collect();
        let mut world = Self { prompts, start: noise.clone() };
        // The more of the teacher, the better: bisection.
        let (mut low, mut high) = (0.0, 20.0);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            world.start = teacher.plus(middle, &noise);
            let success = mean(&world.success(&world.start));
            if success < setting.start { low = middle } else { high = middle }
        }
        world
    }

    /// Chance of a right completion of each prompt.
    fn success(&self, policy: &Policy) -> Vec<f64> {
        let right = |prompt: &Prompt| {
            let places = policy.matrices.iter().zip(&prompt.right);
            places.map(|(matrix, right)| matrix.probabilities(&prompt.features)[*right]).product()
        };
        self.prompts.iter().map(right).collect()
    }

    /// Exact pass@k and entropy.
    pub(super) fn point(&self, policy: &Policy, completions: usize, updates: usize) -> Point {
        let success = self.success(policy);
        let pass = [1, 8, 64]
            .map(|k| mean(&success.iter().map(|p| 1.0 - (1.0 - p).powi(k)).collect::<Vec<f64>>()));
        let entropies = self.prompts.iter().flat_map(|prompt| {
            policy.matrices.iter().map(|matrix| {
                let probabilities = matrix.probabilities(&prompt.features);
                probabilities.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>()
            })
        });
        let entropy = mean(&entropies.collect::<Vec<f64>>());
        Point { completions, updates, pass, entropy }
    }

    /// Completions of a prompt.
    pub(super) fn sample(
        &self,
        policy: &Policy,
        prompt: usize,
        setting: &Setting,
        rng: &mut ChaCha8Rng,
    ) -> Group {
        let Prompt { features, right } = &self.prompts[prompt];
        let behaviour: Vec<Vec<f64>> =
            policy.matrices.iter().map(|matrix| matrix.probabilities(features)).collect();
        let mut completion =
            || behaviour.iter().map(|place| draw(place, rng.random())).collect::<Vec<usize>>();
        let symbols: Vec<Vec<usize>> = (0..setting.samples).map(|_| completion()).collect();
        let correct: Vec<bool> = symbols.iter().map(|symbols| symbols == right).collect();
        let rewards = correct.iter().map(|correct| f32::from(u8::from(*correct))).collect();
        Group { prompt, symbols, correct, rewards, behaviour }
    }
}

impl Prompt {
    /// Features of length 1; the right symbols are the teacher's favourites.
    fn new(setting: &Setting, teacher: &Policy, rng: &mut impl Rng) -> Self {
        let mut features: Vec<f64> =
            (0..setting.features).map(|_| rng.sample(StandardNormal)).collect();
        let length = features.iter().map(|x| x * x).sum::<f64>().sqrt();
        features.iter_mut().for_each(|x| *x /= length);
        let favourite = |matrix: &LogLinear| {
            let logits = matrix.logits(&features);
            let best = logits.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
            best.map_or(0, |(symbol, _)| symbol)
        };
        let right = teacher.matrices.iter().map(favourite).collect();
        Self { features, right }
    }
}
