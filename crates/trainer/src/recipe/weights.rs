//! Recipes that differ in how hard a prompt pulls, by its success rate.

use fireproof_advantage::{
    EveryToken, Focal, LinearR, PairWeighted, PlateauR, PositiveReweighted, PositiveSchedule,
    PromptWeighted, SqrtR, UniformR, ZScore,
};
use fireproof_selection::PromptSelector;

use super::Recipe;

impl Recipe {
    /// Linear-R prompt weighting (arXiv 2602.11128): a right completion gets `(1-rho)/rho`, a wrong
    /// one -1, so prompts with rare successes pull hardest. All-wrong groups are pushed down from
    /// the first step; see [`PromptWeighted`] for dropping or warming them up.
    ///
    /// Departures: the surrogate is clipped at 0.2 as in [`Recipe::grpo`], which matters from the
    /// second update of a step on; the paper's analysis is of one on-policy update a step.
    #[must_use]
    pub fn linear_r(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(PromptWeighted::new(LinearR)), ..Self::grpo(selector) }
    }

    /// Sqrt-R prompt weighting (arXiv 2602.11128): a right completion gets `sqrt(1-rho)/rho`, a wrong
    /// one `-1/sqrt(1-rho)`: between GRPO and [`Recipe::linear_r`].
    ///
    /// Departure: the clip, as in [`Recipe::linear_r`].
    #[must_use]
    pub fn sqrt_r(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(PromptWeighted::new(SqrtR)), ..Self::grpo(selector) }
    }

    /// Uniform-R prompt weighting (arXiv 2602.11128; DERIVED from the name, its definition is NOT
    /// FOUND): every prompt pulls alike, `1/rho` and `-1/(1-rho)`.
    ///
    /// Departure: the clip, as in [`Recipe::linear_r`].
    #[must_use]
    pub fn uniform_r(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(PromptWeighted::new(UniformR)), ..Self::grpo(selector) }
    }

    /// Plateau-R prompt weighting (arXiv 2602.11128; formula NOT FOUND, ours is DERIVED): flat up to
    /// a success rate of one half, then falling to 0.
    ///
    /// Departure: the clip, as in [`Recipe::linear_r`].
    #[must_use]
    pub fn plateau_r(selector: Box<dyn PromptSelector>) -> Self {
        let weighted = PromptWeighted::new(PlateauR::default());
        Self { estimator: Box::new(weighted), ..Self::grpo(selector) }
    }

    /// Weighted GRPO (arXiv 2602.03452): the z-score of each group, right completions times 1 and
    /// wrong ones times 1/2.
    ///
    /// The paper's weight of wrong completions is NOT FOUND; 1/2 is our choice, so that the recipe
    /// differs from [`Recipe::grpo`] at all ([`PairWeighted`] says why the weight acts after the
    /// normalisation). Departure: the paper draws positive-negative pairs of prompts; here the
    /// selector is whatever is given.
    #[must_use]
    pub fn wgrpo(selector: Box<dyn PromptSelector>) -> Self {
        let weighted = PairWeighted { lambda_negative: 0.5, ..PairWeighted::default() };
        Self { estimator: Box::new(weighted), ..Self::grpo(selector) }
    }

    /// F-GRPO (arXiv 2602.06717): GRPO's advantage times `(1-rho)^0.5`, so easy prompts pull less.
    ///
    /// Departure: everything else is as in [`Recipe::grpo`], so there is no KL penalty.
    #[must_use]
    pub fn f_grpo(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(Focal::new(ZScore::default())), ..Self::grpo(selector) }
    }

    /// Positive-advantage reweighting (arXiv 2511.05993, "Revisiting entropy"; confidence MED):
    /// tokens of positive advantage do not train in the first half of the run, then count more and
    /// more until they count in full at its end. [`PositiveSchedule`] has the other two schedules.
    #[must_use]
    pub fn positive_reweighting(selector: Box<dyn PromptSelector>) -> Self {
        let credit = PositiveReweighted::new(EveryToken, PositiveSchedule::Stage);
        Self { credit: Box::new(credit), ..Self::grpo(selector) }
    }
}
