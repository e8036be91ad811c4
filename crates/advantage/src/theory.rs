//! What the papers say about prompt weightings, as functions to plot and to test against.
//!
//! For one prompt of success rate `rho`, in the population limit, with binary rewards:
//!
//! | question | function | source |
//! |---|---|---|
//! | how hard does a rule pull? | [`effective_weight`], [`effective_coefficient`] | 2602.11128 |
//! | how long from one success rate to another? | [`regular_time`], [`effective_time`] | 2602.11128 |
//! | where is the success rate after a step? | [`next_success_rate`], [`success_rates`] | 2602.11128 |
//! | what does a weighting maximise? | [`Objective`] | 2602.11128, 2510.13651 |
//! | how much louder is a rare outcome? | [`amplification`] | 2602.03452 |
//! | how often does a group miss the rare right answers? | [`tail_miss_probability`] | 2602.06717 |
//! | where does the probability go? | [`distinct_logit_changes`], [`count_logit_changes`] | 2602.06717 |
//!
//! ```
//! use fireproof_advantage::theory::{effective_time, regular_time};
//! use fireproof_advantage::{DeviationR, SqrtR};
//!
//! // From 1 % to 90 % under the same budget: GRPO's weights are the fastest by the plain clock,
//! // Sqrt-R's by the clock that charges for waiting for a success.
//! assert!(regular_time(&DeviationR, 0.01, 0.9, 1.0) < regular_time(&SqrtR, 0.01, 0.9, 1.0));
//! assert!(effective_time(&DeviationR, 0.01, 0.9, 1.0) > effective_time(&SqrtR, 0.01, 0.9, 1.0));
//! ```

mod amplification;
mod duration;
mod dynamics;
mod effective;
mod objective;
mod quadrature;
mod redistribution;
mod tail;

pub use self::amplification::amplification;
pub use self::duration::effective_time;
pub use self::duration::regular_time;
pub use self::dynamics::logit;
pub use self::dynamics::next_success_rate;
pub use self::dynamics::success_rates;
pub use self::effective::effective_coefficient;
pub use self::effective::effective_weight;
pub use self::objective::Objective;
pub use self::quadrature::integral;
pub use self::redistribution::Action;
pub use self::redistribution::count_logit_changes;
pub use self::redistribution::distinct_logit_changes;
pub use self::redistribution::mass_change;
pub use self::redistribution::unsampled_right_change;
pub use self::tail::likeliest_miss;
pub use self::tail::tail_miss_probability;
