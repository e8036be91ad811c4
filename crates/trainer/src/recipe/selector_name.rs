//! The built-in prompt selectors by name, for run files and command lines.

use std::fmt;
use std::str::FromStr;

use fireproof_selection::{
    AccuracyGreedy, Alignment, AlignmentSettings, Among, Curriculum, DifficultyPools,
    DifficultyShares, Estimation, GradientAligned, HighestVariance, Pace, Pairing, PairingSettings,
    PosteriorSampling, PosteriorSettings, PromptSelector, RareSuccessReplay, ReplaySettings,
    SelectError, UniformWithoutReplacement,
};
use fireproof_trajectory::PromptId;
use serde::{Deserialize, Serialize};

/// Validation prompts of [`SelectorName::GradientAligned`], taken from the pool.
const VALIDATION: usize = 16;

/// The built-in prompt selectors by name, each with settings for runs of some hundred steps; for
/// others make the selector itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectorName {
    /// [`UniformWithoutReplacement`].
    #[default]
    Uniform,
    /// [`Curriculum`] by level: the next level opens when the newest one is right in half of 64
    /// groups; half of a step comes from the newest.
    Curriculum,
    /// [`HighestVariance`] among the half of the pool with the highest estimated `rho (1 - rho)`.
    HighestVariance,
    /// [`AccuracyGreedy`]: nearest to an estimated success rate of one half.
    AccuracyGreedy,
    /// [`DifficultyPools`] with their default shares.
    DifficultyPools,
    /// [`Pairing`]: rarely right beside rarely wrong, probed again every 50 steps.
    Pairing,
    /// [`PosteriorSampling`] (`MoPPS`) with discount 0.5.
    Mopps,
    /// [`GradientAligned`] (`GradAlign`): every 10 steps the better half of 256 candidates by their
    /// gradient's cosine with that of 16 prompts, which are taken out of the pool.
    GradAlign,
    /// [`RareSuccessReplay`] around uniform selection.
    Replay,
}

impl SelectorName {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Uniform,
        Self::Curriculum,
        Self::HighestVariance,
        Self::AccuracyGreedy,
        Self::DifficultyPools,
        Self::Pairing,
        Self::Mopps,
        Self::GradAlign,
        Self::Replay,
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Curriculum => "curriculum",
            Self::HighestVariance => "highest-variance",
            Self::AccuracyGreedy => "accuracy-greedy",
            Self::DifficultyPools => "difficulty-pools",
            Self::Pairing => "pairing",
            Self::Mopps => "mopps",
            Self::GradAlign => "grad-align",
            Self::Replay => "replay",
        }
    }

    /// The selector over a pool of prompts with their levels (0 where a prompt has none).
    ///
    /// # Errors
    /// [`SelectError`] if the pool is too small for it.
    pub fn build(self, pool: &[(PromptId, u32)]) -> Result<Box<dyn PromptSelector>, SelectError> {
        let mut prompts: Vec<PromptId> = pool.iter().map(|(prompt, _)| *prompt).collect();
        let known = Estimation::default();
        Ok(match self {
            Self::Uniform => Box::new(UniformWithoutReplacement::new(prompts)),
            Self::Curriculum => {
                let pace = Pace::Success { threshold: 0.5, groups: 64 };
                Box::new(Curriculum::new(pool.iter().copied(), pace, 0.5)?)
            }
            Self::HighestVariance => {
                Box::new(HighestVariance::new(prompts, Among::Share(0.5), known)?)
            }
            Self::AccuracyGreedy => Box::new(AccuracyGreedy::new(prompts, 0.5, known)?),
            Self::DifficultyPools => {
                Box::new(DifficultyPools::new(prompts, DifficultyShares::default(), known)?)
            }
            Self::Pairing => {
                let settings = PairingSettings { refresh: Some(50), ..Default::default() };
                Box::new(Pairing::new(prompts, settings)?)
            }
            Self::Mopps => {
                let settings = PosteriorSettings { discount: 0.5, ..Default::default() };
                Box::new(PosteriorSampling::new(prompts, settings)?)
            }
            Self::GradAlign => {
                let validation = prompts.split_off(prompts.len().saturating_sub(VALIDATION));
                Box::new(GradientAligned::new(prompts, validation, gradient_settings())?)
            }
            Self::Replay => {
                let inner = Box::new(UniformWithoutReplacement::new(prompts));
                Box::new(RareSuccessReplay::new(inner, ReplaySettings::default())?)
            }
        })
    }
}

fn gradient_settings() -> AlignmentSettings {
    AlignmentSettings {
        score: Alignment::Cosine,
        candidates: Some(256),
        keep_one_in: 2,
        every: 10,
        samples: 8,
        ..AlignmentSettings::default()
    }
}

impl fmt::Display for SelectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no built-in selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no selector; there are: {known}")]
pub struct UnknownSelector {
    name: String,
    known: String,
}

impl FromStr for SelectorName {
    type Err = UnknownSelector;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|selector| selector.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|selector| selector.name()).collect();
            UnknownSelector { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_on_the_command_line_and_in_a_run_file() {
        for selector in SelectorName::ALL {
            let name = selector.to_string();
            assert_eq!(name.parse(), Ok(selector));
            assert_eq!(serde_json::to_value(selector).unwrap(), name.as_str());
        }
        let error = "best".parse::<SelectorName>().unwrap_err().to_string();
        assert!(error.starts_with("`best` is no selector; there are: uniform, curric"), "{error}");
    }

    #[test]
    fn every_name_makes_a_selector_of_its_own() {
        let pool: Vec<(PromptId, u32)> = (0..600).map(|id| (PromptId(id), id as u32 % 3)).collect();
        let made = SelectorName::ALL.map(|name| format!("{:?}", name.build(&pool).unwrap()));
        let mut different = made.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), made.len(), "{made:?}");
        assert!(SelectorName::GradAlign.build(&pool[..10]).is_err());
    }
}
