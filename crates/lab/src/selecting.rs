//! Selection rules on prompts of mixed difficulty, in a policy small enough to be exact.
//!
//! | thing | here |
//! |---|---|
//! | prompts | [`World`]: random directions of four lengths; a short one is a hard prompt |
//! | policy | [`LogLinear`](crate::LogLinear) over all prompts, started at a mean success rate |
//! | learning | GRPO's z-scores ([`ZScore`](fireproof_advantage::ZScore)), on-policy, Adam |
//! | rules | the selectors of `fireproof-selection` themselves, probes counted as completions |
//! | score | completions until the exact mean success rate over *all* prompts reaches a target |
//!
//! [`run`] is a pure function of setting, rule, learning rate and seed.

mod forecaster;
mod recorded;
mod run;
mod tally;
mod world;

use fireproof_selection::{
    Among, Curriculum, Estimation, HighestVariance, Pace, Pairing, PairingSettings,
    PosteriorSampling, PosteriorSettings, PromptSelector, SelectError, UniformWithoutReplacement,
};
use fireproof_trajectory::PromptId;
use serde::{Deserialize, Serialize};

pub use forecaster::ForecastBin;
pub use forecaster::merged_error;
pub use recorded::Counts;
pub use recorded::Notes;
pub use recorded::Recorded;
pub use run::SelectionOutcome;
pub use run::SelectionPoint;
pub use run::run;
pub use tally::Picks;
pub use world::World;

/// Sizes of the simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectionSetting {
    /// Prompts, evenly over four levels.
    pub prompts: usize,
    /// Actions, one of them right for each prompt.
    pub actions: usize,
    /// Features of a prompt.
    pub features: usize,
    /// Mean success rate before training.
    pub start: f64,
    /// Mean success rate to reach.
    pub target: f64,
    /// Prompts a step.
    pub prompts_per_step: usize,
    /// Completions a prompt, `G`.
    pub samples: usize,
    /// A run ends after so many completions.
    pub cap: u64,
}

impl Default for SelectionSetting {
    fn default() -> Self {
        Self {
            prompts: 256,
            actions: 30,
            features: 16,
            start: 0.3,
            target: 0.7,
            prompts_per_step: 16,
            samples: 8,
            cap: 40_000,
        }
    }
}

/// The rules compared, each with the settings that the command line gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectionRule {
    /// Every prompt once an epoch.
    Uniform,
    /// `MoPPS` (arXiv 2507.04632), discount 0.5.
    Mopps,
    /// Rarely right beside rarely wrong (arXiv 2602.03452), the whole pool probed every 50 steps.
    Pairing,
    /// Among the half of the pool with the highest estimated `rho (1 - rho)`.
    VarianceTopK,
    /// The next level opens when the newest one is right in half of 64 groups.
    Curriculum,
    /// Uniform, and dead groups are replaced in up to ten batches (DAPO, arXiv 2503.14476).
    DynamicSampling,
}

impl SelectionRule {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Uniform,
        Self::Mopps,
        Self::Pairing,
        Self::VarianceTopK,
        Self::Curriculum,
        Self::DynamicSampling,
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Mopps => "mopps",
            Self::Pairing => "pairing",
            Self::VarianceTopK => "variance-top-k",
            Self::Curriculum => "curriculum",
            Self::DynamicSampling => "dynamic-sampling",
        }
    }

    /// Batches that a step may generate until enough groups have both outcomes.
    #[must_use]
    pub fn batches(self) -> usize {
        if self == Self::DynamicSampling { 10 } else { 1 }
    }

    /// The selector over a pool of prompts with their levels.
    ///
    /// # Errors
    /// [`SelectError`] if the pool is too small.
    pub fn selector(
        self,
        pool: &[(PromptId, u32)],
    ) -> Result<Box<dyn PromptSelector>, SelectError> {
        let prompts = pool.iter().map(|(prompt, _)| *prompt).collect();
        Ok(match self {
            Self::Uniform | Self::DynamicSampling => {
                Box::new(UniformWithoutReplacement::new(prompts))
            }
            Self::Mopps => Box::new(PosteriorSampling::new(prompts, forecasting())?),
            Self::Pairing => {
                let settings = PairingSettings { refresh: Some(50), ..Default::default() };
                Box::new(Pairing::new(prompts, settings)?)
            }
            Self::VarianceTopK => {
                Box::new(HighestVariance::new(prompts, Among::Share(0.5), Estimation::default())?)
            }
            Self::Curriculum => {
                let pace = Pace::Success { threshold: 0.5, groups: 64 };
                Box::new(Curriculum::new(pool.iter().copied(), pace, 0.5)?)
            }
        })
    }
}

/// The posterior that selects under [`SelectionRule::Mopps`], and that forecasts beside every rule.
pub(crate) fn forecasting() -> PosteriorSettings {
    PosteriorSettings { discount: 0.5, ..PosteriorSettings::default() }
}
