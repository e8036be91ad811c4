//! A recipe: an algorithm as a value.

use std::fmt;
use std::str::FromStr;

use fireproof_advantage::{
    AdvantageEstimator, CreditAssignment, EveryToken, Focal, LinearR, PromptWeighted, ZScore,
};
use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, KlPlace, Needs, Penalty, PolicyLoss, Reduction,
};
use fireproof_selection::{AllTokens, GroupFilter, KeepAll, PromptSelector, TokenSelector};
use serde::{Deserialize, Serialize};

/// An algorithm: one strategy for each decision of a step.
///
/// A new algorithm is a new value; nothing is registered. The named constructors are the built-in
/// ones, each with its formula in its own documentation and a row in the README's table.
pub struct Recipe {
    /// Which prompts a step generates for.
    pub selector: Box<dyn PromptSelector>,
    /// Which groups train.
    pub filter: Box<dyn GroupFilter>,
    /// Rewards to advantages.
    pub estimator: Box<dyn AdvantageEstimator>,
    /// Advantages to tokens.
    pub credit: Box<dyn CreditAssignment>,
    /// The loss of each token.
    pub loss: Box<dyn PolicyLoss>,
    /// The share of each token.
    pub reduction: Reduction,
    /// Terms beside the loss.
    pub penalties: Vec<Penalty>,
    /// One update pass over the step's completions for each entry, on the tokens that it selects.
    pub passes: Vec<Box<dyn TokenSelector>>,
}

impl fmt::Debug for Recipe {
    /// Every setting and nothing learned: the text is the recipe's fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe")
            .field("selector", &self.selector)
            .field("filter", &self.filter)
            .field("estimator", &self.estimator)
            .field("credit", &self.credit)
            .field("loss", &self.loss)
            .field("reduction", &self.reduction)
            .field("penalties", &self.penalties)
            .field("passes", &self.passes)
            .finish()
    }
}

impl Recipe {
    /// GRPO (arXiv 2402.03300): z-score of each group with the sample standard deviation, the
    /// surrogate clipped at 0.2, each completion's mean over its tokens.
    ///
    /// Departures: no KL penalty (add a [`Penalty`]); no dual clip, which verl has on by default.
    #[must_use]
    pub fn grpo(selector: Box<dyn PromptSelector>) -> Self {
        Self {
            selector,
            filter: Box::new(KeepAll),
            estimator: Box::new(ZScore::default()),
            credit: Box::new(EveryToken),
            loss: Box::new(ClippedSurrogate::default()),
            reduction: Reduction::SequenceMean,
            penalties: Vec::new(),
            passes: vec![Box::new(AllTokens)],
        }
    }

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

    /// F-GRPO (arXiv 2602.06717): GRPO's advantage times `(1-rho)^0.5`, so easy prompts pull less.
    ///
    /// Departure: everything else is as in [`Recipe::grpo`], so there is no KL penalty.
    #[must_use]
    pub fn f_grpo(selector: Box<dyn PromptSelector>) -> Self {
        Self { estimator: Box::new(Focal::new(ZScore::default())), ..Self::grpo(selector) }
    }

    /// ASPO (arXiv 2510.06062), paper form with epsilon 0.2 and cap 3: GRPO with the importance
    /// ratio of positive tokens flipped. On policy (one update a step) it equals GRPO.
    ///
    /// Departures: no KL penalty (the released scripts use k3 with 0.001) and no rejection of
    /// constant groups (add the filter `MixedOutcomes`).
    #[must_use]
    pub fn aspo(selector: Box<dyn PromptSelector>) -> Self {
        Self { loss: Box::new(AspoSurrogate::default()), ..Self::grpo(selector) }
    }

    /// Every setting as text. A checkpoint stores it, and resuming compares it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{self:#?}")
    }

    /// What the scoring pass must compute beyond log-probabilities.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let all = self.penalties.iter().map(Penalty::needs).chain([self.loss.needs()]);
        all.fold(Needs::default(), |a, b| Needs {
            entropies: a.entropies || b.entropies,
            reference: a.reference || b.reference,
        })
    }

    /// Penalties that enter the reward: (estimator, coefficient).
    pub(crate) fn reward_penalties(&self) -> Vec<(fireproof_losses::Kl, f32)> {
        let of = |penalty: &Penalty| match *penalty {
            Penalty::ReferenceKl { estimator, coefficient, place: KlPlace::Reward } => {
                Some((estimator, coefficient))
            }
            _ => None,
        };
        self.penalties.iter().filter_map(of).collect()
    }
}

/// The built-in recipes by name, for run files and command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipeName {
    /// [`Recipe::grpo`].
    Grpo,
    /// [`Recipe::linear_r`].
    LinearR,
    /// [`Recipe::f_grpo`].
    FGrpo,
    /// [`Recipe::aspo`].
    Aspo,
}

impl RecipeName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Grpo, Self::LinearR, Self::FGrpo, Self::Aspo];

    /// The recipe.
    #[must_use]
    pub fn build(self, selector: Box<dyn PromptSelector>) -> Recipe {
        match self {
            Self::Grpo => Recipe::grpo(selector),
            Self::LinearR => Recipe::linear_r(selector),
            Self::FGrpo => Recipe::f_grpo(selector),
            Self::Aspo => Recipe::aspo(selector),
        }
    }
}

impl fmt::Display for RecipeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpo => "grpo",
            Self::LinearR => "linear-r",
            Self::FGrpo => "f-grpo",
            Self::Aspo => "aspo",
        })
    }
}

/// A name that is no built-in recipe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no recipe; there are: {known}")]
pub struct UnknownRecipe {
    name: String,
    known: String,
}

impl FromStr for RecipeName {
    type Err = UnknownRecipe;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|recipe| recipe.to_string() == name).ok_or_else(|| {
            let known: Vec<String> = Self::ALL.iter().map(Self::to_string).collect();
            UnknownRecipe { name: name.to_owned(), known: known.join(", ") }
        })
    }
}
