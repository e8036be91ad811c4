//! Prompts of four levels that share the parameters of one policy.

use fireproof_trajectory::PromptId;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::SelectionSetting;
use crate::softmax::LogLinear;

/// Lengths of the prompts' features, easiest level first. Logits grow with them, so a short prompt
/// needs larger weights to be as sure.
const LENGTHS: [f64; 4] = [2.0, 1.2, 0.7, 0.4];
/// Size of the noise on the start's weights, as a share of the teacher's.
const NOISE: f64 = 0.5;
/// Halvings when the start is sought.
const HALVINGS: usize = 40;

/// Prompts with their right actions, and the policy at the start.
#[derive(Clone, Debug)]
pub struct World {
    /// Features of each prompt.
    pub features: Vec<Vec<f64>>,
    /// Its right action.
    pub right: Vec<usize>,
    /// Its level, 0 to 3.
    pub levels: Vec<u32>,
    /// The policy at the start.
    pub policy: LogLinear,
}

impl World {
    /// A world of its seed: a random teacher says which action is right, and the policy starts as a
    /// scaled and noisy teacher whose mean success rate is the setting's `start`.
    #[must_use]
    pub fn new(setting: &SelectionSetting, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let SelectionSetting { prompts, actions, features: width, .. } = *setting;
        let mut teacher = LogLinear::uniform(actions, width);
        teacher.weights.iter_mut().for_each(|weight| *weight = normal(&mut rng));
        let noise: Vec<f64> = teacher.weights.iter().map(|_| NOISE * normal(&mut rng)).collect();
        let levels: Vec<u32> = (0..prompts).map(|prompt| (prompt % LENGTHS.len()) as u32).collect();
        let features: Vec<Vec<f64>> = levels
            .iter()
            .map(|level| direction(width, LENGTHS[*level as usize], &mut rng))
            .collect();
        let largest = |logits: Vec<f64>| {
            let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            best.map_or(0, |(action, _)| action)
        };
        let right = features.iter().map(|x| largest(teacher.logits(x))).collect();
        let mut world = Self { features, right, levels, policy: teacher.clone() };
        world.start_at(setting.start, &teacher, &noise);
        world
    }

    /// Scales teacher and noise until the mean success rate is `start`; it grows with the scale.
    fn start_at(&mut self, start: f64, teacher: &LogLinear, noise: &[f64]) {
        let (mut low, mut high) = (0.0, 20.0);
        for _ in 0..HALVINGS {
            let scale = 0.5 * (low + high);
            let scaled = teacher.weights.iter().zip(noise).map(|(w, n)| scale * (w + n));
            self.policy.weights = scaled.collect();
            if self.mean_success() < start { low = scale } else { high = scale }
        }
    }

    /// The exact success rate of a prompt.
    #[must_use]
    pub fn success(&self, prompt: usize) -> f64 {
        self.policy.probabilities(&self.features[prompt])[self.right[prompt]]
    }

    /// The exact success rate of every prompt.
    #[must_use]
    pub fn successes(&self) -> Vec<f64> {
        (0..self.right.len()).map(|prompt| self.success(prompt)).collect()
    }

    /// Its mean over all prompts.
    #[must_use]
    pub fn mean_success(&self) -> f64 {
        self.successes().iter().sum::<f64>() / self.right.len() as f64
    }

    /// Every prompt with its level.
    #[must_use]
    pub fn pool(&self) -> Vec<(PromptId, u32)> {
        (0..).map(PromptId).zip(self.levels.iter().copied()).collect()
    }
}

/// A random direction of some length.
fn direction(width: usize, length: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let x: Vec<f64> = (0..width).map(|_| normal(rng)).collect();
    let norm = x.iter().map(|x| x * x).sum::<f64>().sqrt();
    x.into_iter().map(|x| x * length / norm).collect()
}

/// A standard normal number (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_starts_where_it_is_told_and_short_prompts_are_hard() {
        for start in [0.2, 0.5] {
            let setting = SelectionSetting { start, ..SelectionSetting::default() };
            let world = World::new(&setting, 3);
            assert!((world.mean_success() - start).abs() < 1e-6);
            let level = |level: u32| {
                let of = world.levels.iter().zip(world.successes()).filter(|(l, _)| **l == level);
                of.map(|(_, success)| success).sum::<f64>() / 64.0
            };
            assert!(level(0) > level(1) && level(1) > level(2) && level(2) > level(3));
        }
    }
}
