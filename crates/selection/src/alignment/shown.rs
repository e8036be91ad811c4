//! Sketches of gradients and their comparison.

use std::collections::BTreeMap;

use fireproof_trajectory::{GroupView, PromptId};
use serde::{Deserialize, Serialize};

use super::Alignment;

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    pub(super) prompts: BTreeMap<PromptId, Sketch>,
    pub(super) validation: BTreeMap<PromptId, Vec<f32>>,
    pub(super) refused: Option<(PromptId, String)>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sketch {
    pub(super) gradient: Vec<f32>,
    rate: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Sketch {
    pub(super) fn score(&self, validation: &[f64], alignment: Alignment) -> f64 {
        let own: Vec<f64> = self.gradient.iter().copied().map(f64::from).collect();
        let product = dot(&own, validation);
        let norms = dot(&own, &own).sqrt() * dot(validation, validation).sqrt();
        let cosine = if norms > 0.0 { product / norms } else { 0.0 };
        match alignment {
            Alignment::Cosine => cosine,
            Alignment::DotProduct => product,
            Alignment::CosineTimesVariance => cosine * 4.0 * self.rate * (1.0 - self.rate),
        }
    }
}

impl Shown {
    /// The mean validation gradient.
    pub(super) fn mean(&self, length: usize) -> Vec<f64> {
        let mut mean = vec![0.0; length];
        for gradient in self.validation.values() {
            let share = 1.0 / self.validation.len() as f64;
            mean.iter_mut().zip(gradient).for_each(|(mean, g)| *mean += share * f64::from(*g));
        }
        mean
    }

    pub(super) fn learn(&mut self, group: GroupView<'_>, gradient: &[f32], is_validation: bool) {
        let (prompt, gradient) = (group.prompt, gradient.to_vec());
        if is_validation {
            self.validation.insert(prompt, gradient);
        } else {
            let rate = group.successes() as f64 / group.len().max(1) as f64;
            self.prompts.insert(prompt, Sketch { gradient, rate });
        }
    }
}

/// What is wrong with a gradient.
pub(super) fn defect(gradient: &[f32], length: usize) -> Option<String> {
    if gradient.len() != length {
        return Some(format!("has {} numbers, not {length}", gradient.len()));
    }
    let index = gradient.iter().position(|number| !number.is_finite())?;
    Some(format!("has {} at place {index}", gradient[index]))
}
