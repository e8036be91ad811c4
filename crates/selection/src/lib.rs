//! Which prompts, groups and tokens a step trains on.
//!
//! Floor 1: sees `trajectory` only. A rule holds no random generator: seeds come in, so the same
//! calls always choose the same prompts. What a selector has learned is its
//! [`state`](PromptSelector::state), which goes into checkpoints. What it wants to know it asks for
//! ([`Need`]); the trainer supplies it.
//!
//! | trait | chooses | rules here |
//! |---|---|---|
//! | [`PromptSelector`] | the prompts of a step | [`UniformWithoutReplacement`], [`InOrder`], [`Curriculum`], [`HighestVariance`], [`AccuracyGreedy`], [`DifficultyPools`], [`Pairing`], [`PosteriorSampling`] (`MoPPS`), [`GradientAligned`] (`GradAlign`), [`RareSuccessReplay`] around any of them |
//! | [`GroupFilter`] | the groups that train | [`KeepAll`], [`MixedOutcomes`] (DAPO, Reinforce-Rej), [`SuccessBand`], [`NotAllTruncated`] |
//! | [`TokenSelector`] | the tokens that train | [`AllTokens`], [`HighEntropy`] (80/20), [`UnlikelyTokens`] and [`LikelyTokens`] (Lopti), [`NotSpurious`] (STAPO), [`NotTruncated`] (overlong filtering), [`AllOf`] |
//!
//! Beside them stand metrics: what another rule [would have chosen](would_have_chosen), the
//! [`success_histogram`], the [`EffectiveNumber`] of prompts and the [`calibration()`] of predictions.
//!
//! ```
//! use fireproof_selection::{PromptSelector, UniformWithoutReplacement};
//! use fireproof_trajectory::PromptId;
//!
//! let mut selector = UniformWithoutReplacement::new((0..10).map(PromptId).collect());
//! let mut seen = selector.select(6, 1).unwrap();
//! seen.extend(selector.select(4, 2).unwrap());
//! seen.sort();
//! assert_eq!(seen, (0..10).map(PromptId).collect::<Vec<_>>(), "each prompt once an epoch");
//! ```

mod accuracy;
mod alignment;
mod counterfactual;
mod curriculum;
mod difficulty;
mod estimates;
mod filter;
mod order;
mod pairing;
mod pool;
mod posterior;
mod rates;
mod replay;
mod selector;
mod setting;
mod token;
mod uniform;
mod variance;

pub use accuracy::AccuracyGreedy;
pub use alignment::Alignment;
pub use alignment::AlignmentSettings;
pub use alignment::GradientAligned;
pub use counterfactual::Calibration;
pub use counterfactual::CalibrationBin;
pub use counterfactual::EffectiveNumber;
pub use counterfactual::Forecast;
pub use counterfactual::Overlap;
pub use counterfactual::SelectionRecord;
pub use counterfactual::calibration;
pub use counterfactual::success_histogram;
pub use counterfactual::would_have_chosen;
pub use curriculum::Curriculum;
pub use curriculum::Pace;
pub use difficulty::DifficultyPools;
pub use difficulty::DifficultyShares;
pub use estimates::Estimation;
pub use estimates::Probe;
pub use filter::GroupFilter;
pub use filter::KeepAll;
pub use filter::MixedOutcomes;
pub use filter::NotAllTruncated;
pub use filter::SuccessBand;
pub use order::InOrder;
pub use pairing::Pairing;
pub use pairing::PairingSettings;
pub use posterior::PosteriorSampling;
pub use posterior::PosteriorSettings;
pub use posterior::Wanted;
pub use rates::SuccessCounts;
pub use rates::SuccessRates;
pub use replay::RareSuccessReplay;
pub use replay::ReplaySettings;
pub use selector::Need;
pub use selector::Observation;
pub use selector::PromptSelector;
pub use selector::SelectError;
pub use token::AllOf;
pub use token::AllTokens;
pub use token::NotTruncated;
pub use token::TokenSelectError;
pub use token::TokenSelector;
pub use token::checked_selection;
pub use token::entropy::HighEntropy;
pub use token::entropy::QuantileScope;
pub use token::likelihood::LikelyTokens;
pub use token::likelihood::UnlikelyTokens;
pub use token::spurious::NotSpurious;
pub use uniform::UniformWithoutReplacement;
pub use variance::Among;
pub use variance::HighestVariance;
