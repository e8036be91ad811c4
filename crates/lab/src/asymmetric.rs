//! Asymmetric prompt weighting (arXiv 2602.11128) in the exact and in the small.
//!
//! | part | what it does |
//! |---|---|
//! | [`Scheme`] | the five weightings that are compared |
//! | [`closed_form`], [`by_quadrature`], [`by_steps`] | the time from one success rate to another, three ways |
//! | [`challenge`] | random weightings of equal budget against the two optima |
//! | [`Shared`] | many prompts that share the parameters of a log-linear policy, trained by sampled groups |
//! | [`report`] | tables, figures and criteria of these |
//! | [`race`] | arms beside a baseline: completions to a target, reach, success at equal completions |

pub mod race;
pub mod report;
mod shared;
mod theory;

use fireproof_advantage::{
    AdvantageEstimator, DeviationR, LeaveOneOut, LinearR, PromptWeighted, PromptWeighting, SqrtR,
    UniformR, VarianceR, ZScore, ZeroSuccess,
};
use serde::{Deserialize, Serialize};

pub use shared::Optimizer;
pub use shared::Shared;
pub use shared::Start;
pub use shared::Tuned;
pub use theory::Challenge;
pub use theory::Durations;
pub use theory::RandomWeighting;
pub use theory::budget;
pub use theory::by_quadrature;
pub use theory::by_steps;
pub use theory::challenge;
pub use theory::closed_form;

/// A prompt weighting of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The z-score of each group.
    Grpo,
    /// The mean of the other completions as baseline.
    Rloo,
    /// `c = 1 - rho`.
    LinearR,
    /// `c = sqrt(1 - rho)`.
    SqrtR,
    /// `c = 1`; the formula is DERIVED from the name.
    UniformR,
}

impl Scheme {
    /// All of them, the baseline of every comparison first.
    pub const ALL: [Self; 5] = [Self::Grpo, Self::Rloo, Self::LinearR, Self::SqrtR, Self::UniformR];

    /// As tables and legends call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpo => "GRPO",
            Self::Rloo => "RLOO",
            Self::LinearR => "Linear-R",
            Self::SqrtR => "Sqrt-R",
            Self::UniformR => "Uniform-R",
        }
    }

    /// Its weighting in the population limit.
    #[must_use]
    pub fn weighting(self) -> &'static dyn PromptWeighting {
        match self {
            Self::Grpo => &DeviationR,
            Self::Rloo => &VarianceR,
            Self::LinearR => &LinearR,
            Self::SqrtR => &SqrtR,
            Self::UniformR => &UniformR,
        }
    }

    /// True if a group that is all wrong pushes its completions down; the others give it 0.
    #[must_use]
    pub fn has_all_wrong_term(self) -> bool {
        matches!(self, Self::LinearR | Self::SqrtR | Self::UniformR)
    }
}

/// What trains: a scheme, with or without what it says about groups that are all wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// The weighting.
    pub scheme: Scheme,
    /// Groups without a right completion contribute nothing.
    pub drop: bool,
}

impl Arm {
    /// Every scheme as it is, then those with an all-wrong term without it.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let whole = Scheme::ALL.map(|scheme| Self { scheme, drop: false });
        let dropped = Scheme::ALL.into_iter().filter(|scheme| scheme.has_all_wrong_term());
        whole.into_iter().chain(dropped.map(|scheme| Self { scheme, drop: true })).collect()
    }

    /// As tables call it.
    #[must_use]
    pub fn name(self) -> String {
        format!("{}{}", self.scheme.name(), if self.drop { ", drop" } else { "" })
    }

    /// For names of files.
    #[must_use]
    pub fn slug(self) -> String {
        self.name().to_lowercase().replace(", ", "-")
    }

    /// The advantages of sampled groups: `fireproof_advantage`'s own, with GRPO's sample deviation
    /// and RLOO's other completions.
    #[must_use]
    pub fn estimator(self) -> Box<dyn AdvantageEstimator> {
        match self.scheme {
            Scheme::Grpo => Box::new(ZScore::default()),
            Scheme::Rloo => Box::new(LeaveOneOut),
            Scheme::LinearR => self.weighted(LinearR),
            Scheme::SqrtR => self.weighted(SqrtR),
            Scheme::UniformR => self.weighted(UniformR),
        }
    }

    fn weighted(self, weighting: impl PromptWeighting + 'static) -> Box<dyn AdvantageEstimator> {
        let zero_success = if self.drop { ZeroSuccess::Drop } else { ZeroSuccess::Weighted };
        Box::new(PromptWeighted { zero_success, ..PromptWeighted::new(weighting) })
    }
}

#[cfg(test)]
mod tests {
    use fireproof_advantage::theory::effective_weight;

    use super::*;

    #[test]
    fn arms_weigh_groups_as_their_schemes_say() {
        for arm in Arm::all() {
            // Sample statistics of 8: sqrt(7/8) for the deviation, 8/7 for the other completions.
            let scale = match arm.scheme {
                Scheme::Grpo => (7.0f64 / 8.0).sqrt(),
                Scheme::Rloo => 8.0 / 7.0,
                _ => 1.0,
            };
            let found = effective_weight(arm.estimator().as_ref(), 2, 8);
            let expected = scale * arm.scheme.weighting().weight(0.25);
            assert!((found - expected).abs() < 1e-4, "{}: {found}, {expected}", arm.name());
        }
        let names: Vec<String> = Arm::all().iter().map(|arm| arm.slug()).collect();
        assert_eq!(names.len(), 8);
        assert_eq!((names[0].as_str(), names[5].as_str()), ("grpo", "linear-r-drop"));
    }
}
