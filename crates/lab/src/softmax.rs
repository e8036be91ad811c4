//! Policies small enough to be exact: probabilities of a softmax, and steps uphill.

/// `exp(z_i) / sum_j exp(z_j)`, safe for large logits.
///
/// ```
/// use fireproof_lab::softmax;
/// let p = softmax(&[0.0, 3f64.ln()]);
/// assert!((p[1] - 0.75).abs() < 1e-12);
/// ```
#[must_use]
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut terms: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let sum: f64 = terms.iter().sum();
    terms.iter_mut().for_each(|term| *term /= sum);
    terms
}

/// The action at which the cumulative probability passes a uniform number in `[0, 1)`; the last one
/// if rounding keeps the sum below it.
#[must_use]
pub fn draw(probabilities: &[f64], uniform: f64) -> usize {
    let mut sum = 0.0;
    let passed = |p: &f64| {
        sum += p;
        uniform < sum
    };
    probabilities.iter().position(passed).unwrap_or(probabilities.len() - 1)
}

/// A log-linear policy: one weight for each action and feature, `logits = W x`. Prompts whose
/// features overlap share parameters, as in a network.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLinear {
    /// Features of a prompt.
    pub features: usize,
    /// `[actions, features]`, row by row.
    pub weights: Vec<f64>,
}

impl LogLinear {
    /// All weights 0: every action is equally likely.
    #[must_use]
    pub fn uniform(actions: usize, features: usize) -> Self {
        Self { features, weights: vec![0.0; actions * features] }
    }

    /// Logits of a prompt's actions.
    ///
    /// # Panics
    /// If `x` has another number of features.
    #[must_use]
    pub fn logits(&self, x: &[f64]) -> Vec<f64> {
        assert_eq!(x.len(), self.features, "features of a prompt");
        let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum();
        self.weights.chunks_exact(self.features).map(dot).collect()
    }

    /// Probabilities of a prompt's actions.
    #[must_use]
    pub fn probabilities(&self, x: &[f64]) -> Vec<f64> {
        softmax(&self.logits(x))
    }

    /// Adds `scale * x` to the gradient of each action's row: `gradient += pull (outer) x`, where
    /// `pull` is the gradient in the logits. For an advantage-weighted sample of action `a` that is
    /// `A (one-hot(a) - probabilities)`.
    pub fn add_gradient(&self, gradient: &mut [f64], pull: &[f64], x: &[f64]) {
        for (row, pull) in gradient.chunks_exact_mut(self.features).zip(pull) {
            row.iter_mut().zip(x).for_each(|(g, x)| *g += pull * x);
        }
    }
}

/// How parameters follow a gradient, uphill.
#[derive(Clone, Debug, PartialEq)]
pub enum Ascent {
    /// `parameters += rate * gradient`.
    Sgd {
        /// Learning rate.
        rate: f64,
    },
    /// Adam (arXiv 1412.6980) with `beta = (0.9, 0.999)` and `epsilon = 1e-8`.
    Adam {
        /// Learning rate.
        rate: f64,
        /// Mean and uncentred variance of the gradients so far.
        moments: Vec<[f64; 2]>,
        /// Steps made.
        steps: i32,
    },
}

impl Ascent {
    /// Plain gradient ascent.
    #[must_use]
    pub fn sgd(rate: f64) -> Self {
        Self::Sgd { rate }
    }

    /// Adam at its start.
    #[must_use]
    pub fn adam(rate: f64) -> Self {
        Self::Adam { rate, moments: Vec::new(), steps: 0 }
    }

    /// One step uphill.
    ///
    /// # Panics
    /// If the parameters are not as many as at the step before.
    pub fn step(&mut self, parameters: &mut [f64], gradient: &[f64]) {
        match self {
            Self::Sgd { rate } => {
                parameters.iter_mut().zip(gradient).for_each(|(p, g)| *p += *rate * g);
            }
            Self::Adam { rate, moments, steps } => {
                moments.resize(moments.len().max(parameters.len()), [0.0; 2]);
                assert_eq!(moments.len(), parameters.len(), "as many parameters as before");
                *steps += 1;
                let (first, second) = (1.0 - 0.9f64.powi(*steps), 1.0 - 0.999f64.powi(*steps));
                for ((p, g), [m, v]) in parameters.iter_mut().zip(gradient).zip(moments) {
                    *m = 0.9 * *m + 0.1 * g;
                    *v = 0.999 * *v + 0.001 * g * g;
                    *p += *rate * (*m / first) / ((*v / second).sqrt() + 1e-8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_cumulative_probabilities() {
        let p = [0.25, 0.5, 0.25];
        let drawn = [0.0, 0.24, 0.25, 0.74, 0.75, 0.999].map(|u| draw(&p, u));
        assert_eq!(drawn, [0, 0, 1, 1, 2, 2]);
        assert_eq!(draw(&[0.5, 0.4999], 0.99999), 1);
        assert_eq!(softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
    }

    #[test]
    fn the_gradient_is_that_of_the_log_probability() {
        let mut policy = LogLinear::uniform(3, 2);
        policy.weights = vec![0.3, -0.2, 0.1, 0.5, -0.4, 0.2];
        let (x, action) = ([0.7, -1.3], 1);
        let pull: Vec<f64> = policy
            .probabilities(&x)
            .iter()
            .enumerate()
            .map(|(a, p)| f64::from(u8::from(a == action)) - p)
            .collect();
        let mut gradient = vec![0.0; 6];
        policy.add_gradient(&mut gradient, &pull, &x);
        for (index, gradient) in gradient.iter().enumerate() {
            let at = |shift: f64| {
                let mut moved = policy.clone();
                moved.weights[index] += shift;
                moved.probabilities(&x)[action].ln()
            };
            assert!(((at(1e-5) - at(-1e-5)) / 2e-5 - gradient).abs() < 1e-8);
        }
    }

    #[test]
    fn ascent_by_hand() {
        let mut parameters = [1.0, 2.0];
        Ascent::sgd(0.5).step(&mut parameters, &[1.0, -2.0]);
        assert_eq!(parameters, [1.5, 1.0]);
        // Adam's first step is the learning rate in the gradient's direction.
        let mut adam = Ascent::adam(0.1);
        adam.step(&mut parameters, &[0.001, -7.0]);
        assert!((parameters[0] - 1.6).abs() < 1e-5 && (parameters[1] - 0.9).abs() < 1e-5);
        // Equal gradients keep it there.
        adam.step(&mut parameters, &[0.001, -7.0]);
        assert!((parameters[0] - 1.7).abs() < 2e-5 && (parameters[1] - 0.8).abs() < 2e-5);
    }
}
