//! From the rewards of a group to advantages, prompt weights and token credit.
//!
//! Floor 1: sees `trajectory` only. Plain functions over slices, computed in `f64` and returned in
//! `f32`; no tensors, no knowledge of where rewards come from. An [`AdvantageEstimator`] sees the
//! whole step, so it can use batch statistics, pairs of groups and schedules; [`PerGroup`] lifts a
//! function of one group.
//!
//! | estimator | advantage of completion `i` | source |
//! |---|---|---|
//! | [`RawReward`] | `r_i` | REINFORCE++ 2501.03262, before its whitening |
//! | [`Centered`] | `r_i - mean` | Dr.GRPO 2503.20783 |
//! | [`LeaveOneOut`] | `r_i - mean of the others` | RLOO 2402.14740 |
//! | [`BatchCentered`] | `r_i - mean over the step` | REINFORCE (Williams 1992) |
//! | [`ZScore`] | `(r_i - mean) / (std + epsilon)`, every convention a field | GRPO 2402.03300 |
//! | [`RelativeToMean`] | `(r_i - mean) / mean`, 0 if `mean <= 0` | MaxRL 2602.02710 |
//! | [`PositiveReward`] | `max(r_i, 0)` | RAFT 2504.11343 |
//! | [`RewardIfMixed`] | `r_i` in groups with both outcomes, else 0 | Reinforce-Rej 2504.11343 |
//! | [`PassAtK`] | centred times `q / sqrt(R (1 - R))`, `R` the group's pass@k | 2508.10751 |
//! | [`PromptWeighted`] | `c(rho)/rho` if right, `-c(rho)/(1-rho)` if wrong | 2602.11128 |
//! | [`PairWeighted`] | z-score times `lambda_positive` or `lambda_negative` | WGRPO 2602.03452 |
//! | [`Focal`] | `(1 - rho)^gamma` times a base estimator's | F-GRPO 2602.06717 |
//! | [`OverlongShaped`] | a base estimator's on rewards less a penalty for length | DAPO 2503.14476 |
//!
//! | prompt weighting | `c(rho)` | source |
//! |---|---|---|
//! | [`VarianceR`] | `rho (1 - rho)` | the centred rules: Dr.GRPO, RLOO |
//! | [`DeviationR`] | `sqrt(rho (1 - rho))` | GRPO |
//! | [`LinearR`] | `1 - rho` | 2602.11128 |
//! | [`SqrtR`] | `sqrt(1 - rho)` | 2602.11128 |
//! | [`UniformR`] | `1` | 2602.11128, DERIVED from the name |
//! | [`PlateauR`] | `min(1, (1 - rho)/(1 - knee))` | 2602.11128, DERIVED |
//! | [`FocalR`] | `(1 - rho)^gamma` times a base weighting's | 2602.06717 |
//!
//! | token credit | advantage of token `t` | source |
//! |---|---|---|
//! | [`EveryToken`] | `A` | GRPO |
//! | [`WhitenedReturns`] | return from `t` on, whitened over the step's tokens | REINFORCE++ 2501.03262 |
//! | [`ProbabilityWeighted`] | `(alpha p_t + 1 - alpha) A` | 2505.12929 |
//! | [`PositiveReweighted`] | a base rule's, times `lambda` where positive | 2511.05993 |
//! | [`step_value_advantages`] | `r_k + V(s_{k+1}) - V(s_k)` for the step it stands in | VinePPO 2410.01679 |
//! | [`PotentialCredit`] | `A f(Phi) + xi g(dPhi)`, whitened | SPAE 2601.03823 |
//!
//! The last two are not [`CreditAssignment`]s: they need values that somebody measured by continuing
//! from prefixes, so they are functions of those values. [`theory`] holds what the papers say about
//! weightings.
//!
//! `rho` is the success rate from `correct`, never from shaped rewards. A group whose rewards are all
//! equal has advantage exactly 0 wherever a mean is subtracted; [`checked_advantages`] refuses NaN and
//! infinite rewards before any estimator sees them.
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
//! let population = ZScore { ddof: Ddof::Population, epsilon: 0.0, ..ZScore::default() };
//! let advantages = population.advantages(&step);
//! // mean 1/4, population std sqrt(3)/4: sqrt(3) and -1/sqrt(3)
//! assert!((advantages[0][0] - 3f32.sqrt()).abs() < 1e-6);
//! assert!((advantages[0][1] + 1.0 / 3f32.sqrt()).abs() < 1e-6);
//! ```

mod baseline;
mod credit;
mod estimator;
mod focal;
mod groups;
mod overlong;
mod pair;
mod pass_at_k;
mod reward;
pub mod theory;
mod weighting;
mod z_score;

pub use baseline::BatchCentered;
pub use baseline::Centered;
pub use baseline::LeaveOneOut;
pub use baseline::RawReward;
pub use credit::CreditAssignment;
pub use credit::CreditError;
pub use credit::EveryToken;
pub use credit::PositiveReweighted;
pub use credit::PositiveSchedule;
pub use credit::PotentialCredit;
pub use credit::ProbabilityWeighted;
pub use credit::ProbedSteps;
pub use credit::WhitenedReturns;
pub use credit::checked_credit;
pub use credit::fill_step_values;
pub use credit::probe_confidence;
pub use credit::step_potential;
pub use credit::step_value_advantages;
pub use credit::to_tokens;
pub use estimator::AdvantageError;
pub use estimator::AdvantageEstimator;
pub use estimator::PerGroup;
pub use estimator::checked_advantages;
pub use focal::Focal;
pub use focal::focal_factor;
pub use overlong::OverlongShaped;
pub use overlong::overlong_penalty;
pub use pair::NormScope;
pub use pair::PairWeighted;
pub use pass_at_k::PassAtK;
pub use reward::PositiveReward;
pub use reward::RelativeToMean;
pub use reward::RewardIfMixed;
pub use weighting::DeviationR;
pub use weighting::FocalR;
pub use weighting::LinearR;
pub use weighting::PlateauR;
pub use weighting::PromptWeighted;
pub use weighting::PromptWeighting;
pub use weighting::SqrtR;
pub use weighting::UniformR;
pub use weighting::VarianceR;
pub use weighting::ZeroSuccess;
pub use z_score::AllEqual;
pub use z_score::Arithmetic;
pub use z_score::Baseline;
pub use z_score::Ddof;
pub use z_score::EpsilonPlace;
pub use z_score::Scale;
pub use z_score::Singleton;
pub use z_score::ZScore;
