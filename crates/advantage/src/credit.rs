//! From the advantage of a completion to the advantage of each of its tokens.

mod check;
mod positive;
mod potential;
mod step_values;
mod whitened;

use std::fmt::Debug;

use fireproof_trajectory::TokenStep;
use serde_json::Value;

pub use self::check::CreditError;
pub use self::check::checked_credit;
pub use self::positive::PositiveReweighted;
pub use self::positive::PositiveSchedule;
pub use self::potential::PotentialCredit;
pub use self::potential::ProbedSteps;
pub use self::potential::probe_confidence;
pub use self::potential::step_potential;
pub use self::step_values::fill_step_values;
pub use self::step_values::step_value_advantages;
pub use self::step_values::to_tokens;
pub use self::whitened::WhitenedReturns;

/// Spreads the advantages of a step's completions over their tokens.
///
/// The `Debug` text is part of a recipe's fingerprint: it must show every setting and nothing that
/// was learned. What a rule learns from finished steps goes through [`state`](Self::state) into
/// checkpoints.
pub trait CreditAssignment: Debug + Send + Sync {
    /// One advantage for each token of each row; `advantages` holds one for each row.
    fn assign(&self, advantages: &[f32], step: &TokenStep<'_>) -> Vec<Vec<f32>>;

    /// True if it counts what tokens cost ([`TokenView::costs`](fireproof_trajectory::TokenView)).
    /// The trainer refuses a KL by token where nobody would count it.
    fn uses_costs(&self) -> bool {
        false
    }

    /// Learns from a finished step (schedules that follow the entropy). By default nothing.
    fn observe(&mut self, _step: &TokenStep<'_>) {}

    /// What it learned, for a checkpoint; `null` by default.
    fn state(&self) -> Value {
        Value::Null
    }

    /// Continues from what [`state`](Self::state) returned.
    ///
    /// # Errors
    /// [`CreditError::State`] says what does not fit; by default, anything but `null`.
    fn restore(&mut self, state: Value) -> Result<(), CreditError> {
        if state.is_null() {
            return Ok(());
        }
        let problem = format!("it learns nothing, yet the state is {state}");
        Err(CreditError::State { credit: format!("{self:?}"), problem })
    }
}

impl CreditAssignment for Box<dyn CreditAssignment> {
    fn assign(&self, advantages: &[f32], step: &TokenStep<'_>) -> Vec<Vec<f32>> {
        (**self).assign(advantages, step)
    }

    fn uses_costs(&self) -> bool {
        (**self).uses_costs()
    }

    fn observe(&mut self, step: &TokenStep<'_>) {
        (**self).observe(step);
    }

    fn state(&self) -> Value {
        (**self).state()
    }

    fn restore(&mut self, state: Value) -> Result<(), CreditError> {
        (**self).restore(state)
    }
}

/// Every token gets the advantage of its completion: GRPO and most others. Costs are not looked at.
///
/// ```
/// use fireproof_advantage::{CreditAssignment, EveryToken};
/// use fireproof_trajectory::{TokenStep, TokenView};
/// let row = TokenView {
///     group: 0,
///     success_rate: 0.5,
///     correct: true,
///     truncated: false,
///     logprobs: &[-0.1, -0.2],
///     entropies: &[0.5, 0.5],
///     costs: &[],
/// };
/// let step = TokenStep { rows: &[row], step: 0, steps: 1 };
/// assert_eq!(EveryToken.assign(&[-2.0], &step), [[-2.0, -2.0]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct EveryToken;

/// Advantage reweighting: `A_t = (alpha p_t + 1 - alpha) A`, with `p_t` the token's probability
/// under the behaviour policy, so that rare tokens train less.
///
/// Source: arXiv 2505.12929 and its released code (confidence HIGH); alpha 0.2 when used alone, 0.3
/// together with Lopti.
///
/// ```
/// use fireproof_advantage::{CreditAssignment, ProbabilityWeighted};
/// use fireproof_trajectory::{TokenStep, TokenView};
/// let row = TokenView {
///     group: 0,
///     success_rate: 0.5,
///     correct: true,
///     truncated: false,
///     logprobs: &[0.0, f32::NEG_INFINITY],
///     entropies: &[0.0; 2],
///     costs: &[],
/// };
/// let step = TokenStep { rows: &[row], step: 0, steps: 1 };
/// // Probabilities 1 and 0.
/// assert_eq!(ProbabilityWeighted { alpha: 0.25 }.assign(&[2.0], &step), [[2.0, 1.5]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ProbabilityWeighted {
    /// From 0 (every token alike) to 1 (in proportion to the probability).
    pub alpha: f64,
}

impl CreditAssignment for EveryToken {
    fn assign(&self, advantages: &[f32], step: &TokenStep<'_>) -> Vec<Vec<f32>> {
        advantages.iter().zip(step.rows).map(|(a, row)| vec![*a; row.len()]).collect()
    }
}

impl CreditAssignment for ProbabilityWeighted {
    fn assign(&self, advantages: &[f32], step: &TokenStep<'_>) -> Vec<Vec<f32>> {
        let weight = |logprob: &f32| self.alpha * f64::from(*logprob).exp() + 1.0 - self.alpha;
        let row = |(advantage, logprobs): (&f32, &[f32])| {
            let advantage = f64::from(*advantage);
            logprobs.iter().map(|logprob| (weight(logprob) * advantage) as f32).collect()
        };
        advantages.iter().zip(step.rows.iter().map(|row| row.logprobs)).map(row).collect()
    }
}
