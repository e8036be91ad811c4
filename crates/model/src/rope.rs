//! Frequencies of the rotary position encoding and the ways to stretch them.
//!
//! ```text
//! f_i = theta^(-2i/d)                                            for i in 0..d/2
//! linear    f_i / factor
//! llama3    f_i where the wavelength w = 2 pi / f_i is below L / high, f_i / factor where it is
//!           above L / low, and between them (1 - s) f_i / factor + s f_i,
//!           s = (L / w - low) / (high - low)
//! yarn      r_i f_i / factor + (1 - r_i) f_i, r_i a ramp from 0 at the pair that turns beta_fast
//!           times over L tokens to 1 at the one that turns beta_slow times; cosines and sines are
//!           multiplied by 0.1 ln(factor) + 1                                   (arXiv 2309.00071)
//! dynamic   f_i: rows longer than the context, for which theta would grow, are refused
//! ```
//!
//! with `L` the original context. Exponents and powers are rounded to `f32` like those of
//! `transformers`, so that angles far from the start agree too.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::causal_lm::ModelError;

/// How the rotary frequencies are stretched beyond the context they were trained with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All by one factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Beyond the context only, and there by growing `theta`. A row never exceeds the model's
    /// context here, so within it this is [`None`](Self::None).
    Dynamic {
        /// The factor.
        factor: f64,
    },
    /// Low frequencies only, with a smooth passage.
    Llama3 {
        /// The factor of the low frequencies.
        factor: f64,
        /// Turns over the original context below which a frequency is low.
        low_frequency: f64,
        /// Turns over the original context above which a frequency is high.
        high_frequency: f64,
        /// The original context.
        original_context: usize,
    },
    /// Low frequencies only, with a linear passage, and a temperature.
    Yarn {
        /// The factor of the low frequencies.
        factor: f64,
        /// Turns over the original context above which a frequency is high.
        beta_fast: f64,
        /// Turns over the original context below which a frequency is low.
        beta_slow: f64,
        /// The original context.
        original_context: usize,
        /// Multiplies cosines and sines; `None` is `0.1 ln(factor) + 1`.
        attention_factor: Option<f64>,
        /// True if the ends of the passage are rounded to whole pairs.
        truncate: bool,
    },
}

impl RopeScaling {
    pub(crate) fn validate(&self) -> Result<(), ModelError> {
        let positive = |name: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(ModelError::Config(format!("rope_scaling: {name} must be positive, not {value}")))
        };
        match *self {
            Self::None => Ok(()),
            Self::Linear { factor } | Self::Dynamic { factor } => positive("factor", factor),
            Self::Llama3 { factor, low_frequency, high_frequency, original_context } => {
                positive("factor", factor)?;
                positive("original_context", original_context as f64)?;
                positive("high_frequency - low_frequency", high_frequency - low_frequency)
            }
            Self::Yarn { factor, beta_fast, beta_slow, original_context, .. } => {
                positive("factor", factor)?;
                positive("original_context", original_context as f64)?;
                positive("beta_slow", beta_slow)?;
                positive("beta_fast - beta_slow", beta_fast - beta_slow)
            }
        }
    }
}

/// Frequencies of the pairs of a head, and what multiplies cosines and sines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frequencies {
    pub(crate) values: Vec<f32>,
    pub(crate) factor: f32,
}

impl Frequencies {
    pub(crate) fn new(head: usize, theta: f64, scaling: RopeScaling) -> Self {
        let plain = (0..head / 2).map(|i| plain(head, theta, i));
        let factor = match scaling {
            RopeScaling::Yarn { factor, attention_factor, .. } => {
                attention_factor.unwrap_or(if factor > 1.0 { 0.1 * factor.ln() + 1.0 } else { 1.0 })
            }
            _ => 1.0,
        };
        let stretched = |(i, f): (usize, f32)| match scaling {
            RopeScaling::None | RopeScaling::Dynamic { .. } => f,
            RopeScaling::Linear { factor } => f / factor as f32,
            RopeScaling::Llama3 { .. } => llama3(f64::from(f), scaling) as f32,
            RopeScaling::Yarn { .. } => yarn(f64::from(f), i, head, theta, scaling) as f32,
        };
        Self { values: plain.enumerate().map(stretched).collect(), factor: factor as f32 }
    }
}

fn plain(head: usize, theta: f64, i: usize) -> f32 {
    let exponent = (2 * i) as f32 / head as f32;
    1.0 / (theta.powf(f64::from(exponent)) as f32)
}

fn llama3(f: f64, scaling: RopeScaling) -> f64 {
    let RopeScaling::Llama3 { factor, low_frequency, high_frequency, original_context } = scaling
    else {
        return f;
    };
    let turns = original_context as f64 * f / (2.0 * PI);
    if turns > high_frequency {
        return f;
    }
    if turns < low_frequency {
        return f / factor;
    }
    let smooth = (turns - low_frequency) / (high_frequency - low_frequency);
    (1.0 - smooth) * f / factor + smooth * f
}

fn yarn(f: f64, i: usize, head: usize, theta: f64, scaling: RopeScaling) -> f64 {
    let RopeScaling::Yarn { factor, beta_fast, beta_slow, original_context, truncate, .. } =
        scaling
    else {
        return f;
    };
    // The pair that turns so many times over the original context.
    let pair = |turns: f64| {
        head as f64 * (original_context as f64 / (turns * 2.0 * PI)).ln() / (2.0 * theta.ln())
    };
    let (low, high) = (pair(beta_fast), pair(beta_slow));
    let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
    let (low, high) = (low.max(0.0), high.min((head - 1) as f64));
    let high = if high == low { low + 0.001 } else { high };
    let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
    ramp * f / factor + (1.0 - ramp) * f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_config::ModelConfig;

    fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-6 * b.abs(), "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn linear_scaling_divides_every_frequency() {
        let values = Frequencies::new(4, 100.0, RopeScaling::Linear { factor: 8.0 }).values;
        assert_close(&values, &[0.125, 0.0125]);
    }

    #[test]
    fn llama3_divides_low_frequencies_only() {
        // Over 63 tokens the pairs turn 63 / 2 pi = 10.03, 1.003 and 0.1003 times (theta 1000, d 6).
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_frequency: 0.5,
            high_frequency: 4.0,
            original_context: 63,
        };
        let values = Frequencies::new(6, 1000.0, scaling).values;
        let smooth = (63.0 * 0.1 / (2.0 * PI) - 0.5) / 3.5;
        let middle = (1.0 - smooth) * 0.1 / 8.0 + smooth * 0.1;
        assert_close(&values, &[1.0, middle as f32, 0.01 / 8.0]);
    }

    /// Frequencies of configurations as published, from `tests/golden/make_families.py`.
    #[test]
    fn published_scalings_equal_those_of_transformers() {
        #[derive(serde::Deserialize)]
        struct Case {
            head: usize,
            context: usize,
            rope_parameters: serde_json::Value,
            values: Vec<f32>,
            factor: f32,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../tests/golden/rope.json")).unwrap();
        for Case { head, context, rope_parameters, values, factor } in cases {
            let config = serde_json::json!({
                "model_type": "llama", "vocab_size": 8, "hidden_size": head,
                "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
                "intermediate_size": 8, "max_position_embeddings": context,
                "rope_parameters": rope_parameters,
            });
            let config = ModelConfig::from_hf(&config.to_string()).unwrap().transformer;
            let scaling = config.architecture.rope_scaling;
            let found = Frequencies::new(head, config.rope_theta, scaling);
            assert_close(&found.values, &values);
            assert_close(&[found.factor], &[factor]);
        }
    }

    #[test]
    fn impossible_scalings_are_refused() {
        let error = RopeScaling::Linear { factor: 0.0 }.validate().unwrap_err().to_string();
        assert!(error.contains("factor must be positive, not 0"), "{error}");
    }
}
