//! From the rewards of a group to advantages, prompt weights and token credit.
//!
//! Floor 1: sees `trajectory` only. Plain functions over slices, computed in `f64` and returned in
//! `f32`; no tensors, no knowledge of where rewards come from. An [`AdvantageEstimator`] sees the
//! whole step, so it can use batch statistics, pairs of groups and schedules; [`PerGroup`] lifts a
//! function of one group.
//!
//! | estimator | advantage of completion `i` | source |
//! |---|---|---|
//! | [`Centered`] | `r_i - mean` | Dr.GRPO 2503.20783 |
//! | [`ZScore`] | `(r_i - mean) / (std + epsilon)` | GRPO 2402.03300 |
//! | [`LeaveOneOut`] | `r_i - mean of the others` | RLOO 2402.14740 |
//! | [`BatchCentered`] | `r_i - mean over the step` | REINFORCE (Williams 1992) |
//! | [`PromptWeighted`] | `c(rho)/rho` if right, `-c(rho)/(1-rho)` if wrong | 2602.11128 |
//! | [`Focal`] | `(1 - rho)^gamma` times a base estimator's | F-GRPO 2602.06717 |
//! | [`PairWeighted`] | z-score times `lambda_positive` or `lambda_negative` | WGRPO 2602.03452 |
//!
//! `rho` is the success rate from `correct`, never from shaped rewards. A group whose rewards are
//! all equal has advantage exactly 0 in the first three, by an exact comparison and not by a
//! threshold on the deviation.
//!
//! ```
//! use fireproof_advantage::{AdvantageEstimator, Ddof, ZScore};
//! use fireproof_trajectory::{GroupView, PromptId, StepView};
//!
//! let group = GroupView {
//!     prompt: PromptId(1),
//!     rewards: &[1.0, 0.0, 0.0, 0.0],
//!     correct: &[true, false, false, false],
//!     lengths: &[3, 3, 3, 3],
//!     truncated: &[false; 4],
//! };
//! let step = StepView { groups: &[group], step: 0, steps: 100 };
//! let advantages = ZScore { ddof: Ddof::Population, epsilon: 0.0 }.advantages(&step);
//! // mean 1/4, population std sqrt(3)/4: sqrt(3) and -1/sqrt(3)
//! assert!((advantages[0][0] - 3f32.sqrt()).abs() < 1e-6);
//! assert!((advantages[0][1] + 1.0 / 3f32.sqrt()).abs() < 1e-6);
//! ```

mod baseline;
mod credit;
mod estimator;
mod focal;
mod pair;
mod weighting;

pub use baseline::BatchCentered;
pub use baseline::Centered;
pub use baseline::Ddof;
pub use baseline::LeaveOneOut;
pub use baseline::ZScore;
pub use credit::CreditAssignment;
pub use credit::EveryToken;
pub use credit::ProbabilityWeighted;
pub use estimator::AdvantageError;
pub use estimator::AdvantageEstimator;
pub use estimator::PerGroup;
pub use estimator::checked_advantages;
pub use focal::Focal;
pub use focal::focal_factor;
pub use pair::NormScope;
pub use pair::PairWeighted;
pub use weighting::LinearR;
pub use weighting::PromptWeighted;
pub use weighting::PromptWeighting;
pub use weighting::SqrtR;
pub use weighting::ZeroSuccess;
