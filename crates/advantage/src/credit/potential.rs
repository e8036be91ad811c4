//! Credit from how sure and how right the policy is after each step: SPAE (arXiv 2601.03823).
//!
//! After each step a probe asks for the final answer. The probes come from outside; here are what is
//! made of them.

use super::whitened::whiten;
use crate::z_score::Ddof;

/// Confidence of a probe: `mean over continuations of exp(-mean over tokens of the entropy)`, from 0
/// to 1; `entropies` holds one slice for each continuation.
///
/// Source: SPAE, arXiv 2601.03823 (confidence MED: a full reading; the released script takes
/// `exp(-sum) / length` instead). NaN without continuations or tokens.
///
/// ```
/// use fireproof_advantage::probe_confidence;
/// let half = 2f32.ln();
/// // exp(0) = 1 and exp(-ln 2) = 1/2.
/// assert!((probe_confidence(&[&[0.0, 0.0], &[2.0 * half, 0.0]]) - 0.75).abs() < 1e-6);
/// ```
#[must_use]
pub fn probe_confidence(entropies: &[&[f32]]) -> f32 {
    let confidence = |entropies: &&[f32]| {
        let sum: f64 = entropies.iter().map(|entropy| f64::from(*entropy)).sum();
        (-sum / entropies.len() as f64).exp()
    };
    (entropies.iter().map(confidence).sum::<f64>() / entropies.len() as f64) as f32
}

/// `Phi = 1.5 accuracy confidence + 0.5 accuracy - confidence`, from -1 (sure and wrong) to 1 (sure
/// and right): SPAE, arXiv 2601.03823 (confidence HIGH).
///
/// `accuracy` is the mean probability of the right answer when the probe forces it, `confidence` that
/// of [`probe_confidence`]; both from 0 to 1.
///
/// ```
/// use fireproof_advantage::step_potential;
/// let corners = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
/// assert_eq!(corners.map(|(a, c)| step_potential(a, c)), [0.0, -1.0, 0.5, 1.0]);
/// ```
#[must_use]
pub fn step_potential(accuracy: f32, confidence: f32) -> f32 {
    let (accuracy, confidence) = (f64::from(accuracy), f64::from(confidence));
    (1.5 * accuracy * confidence + 0.5 * accuracy - confidence) as f32
}

/// A completion cut into steps that were probed.
#[derive(Clone, Copy, Debug)]
pub struct ProbedSteps<'a> {
    /// Reward minus the mean of the group.
    pub advantage: f32,
    /// [`step_potential`] after each step.
    pub potentials: &'a [f32],
    /// Tokens of each step.
    pub lengths: &'a [usize],
}

/// SPAE (arXiv 2601.03823): less credit once the answer stands, more for steps that bring it nearer.
///
/// ```text
/// f_k = 1 - alpha (1 - exp(-#{t < k: Phi_t > saturation}))
/// d_k = Phi_k - Phi_{k-1} (0 for the first step)      m_k = (d_k - min d) / (max d - min d)
/// g_k = exp(m_k) - mean(exp(m))
/// A_t = whiten over all tokens of the step of (A f_k + xi g_k)       k the step that t stands in
/// ```
///
/// Confidence HIGH for the form, MED for the details; alpha and xi 1/2 are the paper's, the
/// saturation of 0.9 is that of the released script (the paper's value is NOT FOUND).
///
/// Departures:
/// 1. Over what min, max and mean are taken is DERIVED: over all steps of all completions given.
/// 2. The whitening (sample variance, 1e-8 under the root) is DERIVED: verl's, on which the code is
///    built. Where everything is equal it gives 0.
///
/// ```
/// use fireproof_advantage::{PotentialCredit, ProbedSteps};
/// // Two steps of one token: the second brings the answer. d = 0, 1, so g = (1-e)/2 and (e-1)/2:
/// // two different numbers, of which the whitening makes -1/sqrt 2 and 1/sqrt 2.
/// let row = ProbedSteps { advantage: 0.5, potentials: &[0.0, 1.0], lengths: &[1, 1] };
/// let found = PotentialCredit::default().assign(&[row]).concat();
/// for (found, expected) in found.iter().zip([-0.5f32.sqrt(), 0.5f32.sqrt()]) {
///     assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
/// }
/// ```
#[doc(alias = "SPAE")]
#[derive(Clone, Copy, Debug)]
pub struct PotentialCredit {
    /// How much credit saturation takes away, from 0 to 1.
    pub alpha: f64,
    /// Weight of the change of the potential.
    pub xi: f64,
    /// Potential above which a step counts as solved.
    pub saturation: f64,
}

impl Default for PotentialCredit {
    /// Alpha and xi 1/2, saturation 0.9.
    fn default() -> Self {
        Self { alpha: 0.5, xi: 0.5, saturation: 0.9 }
    }
}

impl PotentialCredit {
    /// One advantage for each token of each completion.
    ///
    /// # Panics
    /// If a completion has another number of potentials than of lengths.
    #[must_use]
    pub fn assign(&self, rows: &[ProbedSteps<'_>]) -> Vec<Vec<f32>> {
        let changes: Vec<Vec<f64>> = rows.iter().map(|row| changes(row.potentials)).collect();
        let shaping = shaping(&changes);
        let credit = |(row, shaping): (&ProbedSteps<'_>, &Vec<f64>)| self.row(row, shaping);
        let credit: Vec<Vec<f64>> = rows.iter().zip(&shaping).map(credit).collect();
        whiten(&credit, Ddof::Sample, 1e-8, 0.0)
    }

    fn row(&self, row: &ProbedSteps<'_>, shaping: &[f64]) -> Vec<f64> {
        assert_eq!(row.potentials.len(), row.lengths.len(), "potentials and lengths of steps");
        let mut solved = 0.0;
        let mut credit = Vec::with_capacity(row.lengths.iter().sum());
        for ((potential, length), shaping) in row.potentials.iter().zip(row.lengths).zip(shaping) {
            let saturation = 1.0 - self.alpha * (1.0 - f64::exp(-solved));
            let value = f64::from(row.advantage) * saturation + self.xi * shaping;
            credit.extend(std::iter::repeat_n(value, *length));
            solved += f64::from(u8::from(f64::from(*potential) > self.saturation));
        }
        credit
    }
}

fn changes(potentials: &[f32]) -> Vec<f64> {
    let first = potentials.first().map(|_| 0.0);
    let pairs = potentials.windows(2).map(|pair| f64::from(pair[1]) - f64::from(pair[0]));
    first.into_iter().chain(pairs).collect()
}

/// `exp` of the changes scaled to [0, 1], minus its mean; zeros where all changes are equal.
fn shaping(changes: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let all = || changes.iter().flatten().copied();
    let (low, high) =
        (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let span = if high > low { high - low } else { 1.0 };
    let exponential = |change: f64| ((change - low) / span).exp();
    let mean = all().map(exponential).sum::<f64>() / all().count() as f64;
    changes.iter().map(|row| row.iter().map(|c| exponential(*c) - mean).collect()).collect()
}
