//! Positive advantages that count less, by a schedule (arXiv 2511.05993).

use std::fmt;

use fireproof_trajectory::TokenStep;
use serde_json::{Value, json};

use super::{CreditAssignment, CreditError};

/// How `lambda`, the weight of positive advantages, moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PositiveSchedule {
    /// 0 in the first half of the run, then linear to 1: `max(0, 2 (step + 1) / steps - 1)`.
    Stage,
    /// `(e - 1) / (E - 1)` in epoch `e` of `E`, which share the steps evenly.
    Epoch {
        /// Epochs of the run, `E`; with one, lambda is 1.
        epochs: u64,
    },
    /// After each step `lambda <- clip(lambda +- increment, 0, 1)`: up if the mean entropy of the
    /// step's tokens lay above `entropy`, down if below.
    EntropyGuided {
        /// Lambda of the first step.
        start: f64,
        /// What lambda moves by in one step (paper: 0.05).
        increment: f64,
        /// Mean entropy in nats that the run is held at; the paper tunes it.
        entropy: f64,
    },
}

/// Base credit whose positive advantages are multiplied by `lambda` in [0, 1], so that the pull of
/// right completions, which is what lowers the entropy, is held back.
///
/// ```text
/// A'_t = lambda A_t  if A_t > 0,  else A_t
/// ```
///
/// Source: arXiv 2511.05993 (confidence MED: one full reading). The paper multiplies the loss of
/// those tokens, which is the same for every surrogate that is linear in the size of the advantage.
///
/// Departures:
/// 1. At which step the linear part reaches 1 is DERIVED: at the last one.
/// 2. The first lambda of the entropy-guided schedule is NOT FOUND: it is a setting.
/// 3. The entropy is that of the behaviour policy, over all tokens of the step.
///
/// ```
/// use fireproof_advantage::{CreditAssignment, EveryToken, PositiveReweighted, PositiveSchedule};
/// use fireproof_trajectory::{TokenStep, TokenView};
/// let row = TokenView {
///     group: 0,
///     success_rate: 0.5,
///     correct: true,
///     truncated: false,
///     logprobs: &[-0.1],
///     entropies: &[0.3],
///     costs: &[],
/// };
/// let schedule = PositiveSchedule::EntropyGuided { start: 1.0, increment: 0.25, entropy: 0.5 };
/// let mut credit = PositiveReweighted::new(EveryToken, schedule);
/// let step = TokenStep { rows: &[row, row], step: 0, steps: 100 };
/// assert_eq!(credit.assign(&[2.0, -2.0], &step), [[2.0], [-2.0]]);
/// // The entropy 0.3 is below 0.5.
/// credit.observe(&step);
/// assert_eq!(credit.assign(&[2.0, -2.0], &step), [[1.5], [-2.0]]);
/// ```
pub struct PositiveReweighted {
    base: Box<dyn CreditAssignment>,
    schedule: PositiveSchedule,
    /// Moved by `observe`; only the entropy-guided schedule uses it.
    learned: f64,
}

impl fmt::Debug for PositiveReweighted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("PositiveReweighted");
        text.field("base", &self.base).field("schedule", &self.schedule).finish()
    }
}

impl PositiveReweighted {
    /// A base rule and how the weight of its positive advantages moves.
    pub fn new(base: impl CreditAssignment + 'static, schedule: PositiveSchedule) -> Self {
        let learned = match schedule {
            PositiveSchedule::EntropyGuided { start, .. } => start,
            PositiveSchedule::Stage | PositiveSchedule::Epoch { .. } => 1.0,
        };
        Self { base: Box::new(base), schedule, learned }
    }

    /// `lambda` at a step (from 0) of a run of `steps`.
    #[must_use]
    pub fn lambda(&self, step: u64, steps: u64) -> f64 {
        let steps = steps.max(1);
        match self.schedule {
            PositiveSchedule::Stage => {
                (2.0 * (step + 1) as f64 / steps as f64 - 1.0).clamp(0.0, 1.0)
            }
            PositiveSchedule::Epoch { epochs: 0 | 1 } => 1.0,
            PositiveSchedule::Epoch { epochs } => {
                let epoch = (u128::from(step) * u128::from(epochs) / u128::from(steps)) as f64;
                (epoch / (epochs - 1) as f64).min(1.0)
            }
            PositiveSchedule::EntropyGuided { .. } => self.learned,
        }
    }

    fn misfit(&self, problem: String) -> CreditError {
        CreditError::State { credit: format!("{self:?}"), problem }
    }
}

impl CreditAssignment for PositiveReweighted {
    fn uses_costs(&self) -> bool {
        self.base.uses_costs()
    }

    fn assign(&self, advantages: &[f32], step: &TokenStep<'_>) -> Vec<Vec<f32>> {
        let lambda = self.lambda(step.step, step.steps);
        let mut credit = self.base.assign(advantages, step);
        for value in credit.iter_mut().flatten().filter(|value| **value > 0.0) {
            *value = (f64::from(*value) * lambda) as f32;
        }
        credit
    }

    fn observe(&mut self, step: &TokenStep<'_>) {
        self.base.observe(step);
        let PositiveSchedule::EntropyGuided { increment, entropy, .. } = self.schedule else {
            return;
        };
        let entropies = || step.rows.iter().flat_map(|row| row.entropies);
        let sum: f64 = entropies().map(|entropy| f64::from(*entropy)).sum();
        let mean = sum / entropies().count() as f64;
        // Equal, and NaN for a step without tokens, move nothing.
        if mean > entropy {
            self.learned = (self.learned + increment).min(1.0);
        } else if mean < entropy {
            self.learned = (self.learned - increment).max(0.0);
        }
    }

    /// `{"lambda": .., "base": ..}`; lambda is `null` unless the schedule follows the entropy.
    fn state(&self) -> Value {
        let guided = matches!(self.schedule, PositiveSchedule::EntropyGuided { .. });
        json!({ "lambda": guided.then_some(self.learned), "base": self.base.state() })
    }

    fn restore(&mut self, state: Value) -> Result<(), CreditError> {
        let (Some(lambda), Some(base)) = (state.get("lambda"), state.get("base")) else {
            return Err(self.misfit(format!("expected `lambda` and `base`, found {state}")));
        };
        let guided = matches!(self.schedule, PositiveSchedule::EntropyGuided { .. });
        let learned = match lambda.as_f64() {
            Some(lambda) if guided && (0.0..=1.0).contains(&lambda) => lambda,
            None if !guided && lambda.is_null() => self.learned,
            _ => return Err(self.misfit(format!("lambda is {lambda}"))),
        };
        self.base.restore(base.clone())?;
        self.learned = learned;
        Ok(())
    }
}
