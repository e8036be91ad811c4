//! The built-in recipes by name, for run files and command lines.

use std::fmt;
use std::str::FromStr;

use fireproof_selection::PromptSelector;
use serde::{Deserialize, Serialize};

use super::Recipe;

/// The table of names: variant, name, constructor.
macro_rules! recipes {
    ($($variant:ident $name:literal $constructor:ident $(($($extra:tt)+))?,)+) => {
        /// The built-in recipes by name, for run files and command lines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum RecipeName {
            $(
                #[doc = concat!("[`Recipe::", stringify!($constructor), "`].")]
                #[serde(rename = $name)]
                $variant,
            )+
        }

        impl RecipeName {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The recipe. `max_new_tokens` is the constant that [`Recipe::dr_grpo`] and
            /// [`Recipe::nft`] divide by; the others do not look at it.
            #[must_use]
            pub fn build(
                self,
                selector: Box<dyn PromptSelector>,
                max_new_tokens: usize,
            ) -> Recipe {
                let length = max_new_tokens;
                match self {
                    $(Self::$variant => recipes!(@build selector length $constructor $(($($extra)+))?),)+
                }
            }
        }
    };
    (@build $selector:ident $length:ident $constructor:ident) => {
        Recipe::$constructor($selector)
    };
    (@build $selector:ident $length:ident $constructor:ident (length)) => {
        Recipe::$constructor($selector, $length)
    };
    (@build $selector:ident $length:ident $constructor:ident ($value:literal)) => {
        Recipe::$constructor($selector, $value)
    };
}

recipes! {
    Grpo "grpo" grpo,
    DrGrpo "dr-grpo" dr_grpo (length),
    Dapo "dapo" dapo,
    Rloo "rloo" rloo,
    Reinforce "reinforce" reinforce,
    ReinforcePp "reinforce-pp" reinforce_pp,
    ReinforcePpBaseline "reinforce-pp-baseline" reinforce_pp_baseline,
    MaxRl "max-rl" max_rl,
    Raft "raft" raft,
    RaftPp "raft-pp" raft_pp,
    ReinforceRej "reinforce-rej" reinforce_rej,
    PassAt4 "pass-at-4" pass_at_k (4),
    LinearR "linear-r" linear_r,
    SqrtR "sqrt-r" sqrt_r,
    UniformR "uniform-r" uniform_r,
    PlateauR "plateau-r" plateau_r,
    FGrpo "f-grpo" f_grpo,
    Wgrpo "wgrpo" wgrpo,
    PositiveReweighting "positive-reweighting" positive_reweighting,
    Aspo "aspo" aspo,
    AspoReleased "aspo-released" aspo_released,
    Cispo "cispo" cispo,
    Gspo "gspo" gspo,
    GspoToken "gspo-token" gspo_token,
    Gmpo "gmpo" gmpo,
    Sapo "sapo" sapo,
    Dppo "dppo" dppo,
    DppoKl "dppo-kl" dppo_kl,
    MinPro "minpro" minpro,
    Nft "nft" nft (length),
    ClipCov "clip-cov" clip_cov,
    KlCov "kl-cov" kl_cov,
    AdvantageReweighting "advantage-reweighting" advantage_reweighting,
    Lopti "lopti" lopti,
    HighEntropy "high-entropy" high_entropy,
    Stapo "stapo" stapo,
    Rlpt "rlpt" rlpt (32),
}

impl fmt::Display for RecipeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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
        Self::ALL.iter().copied().find(|recipe| recipe.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|recipe| recipe.name()).collect();
            UnknownRecipe { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

#[cfg(test)]
mod tests {
    use fireproof_selection::InOrder;

    use super::*;

    #[test]
    fn a_name_is_the_same_on_the_command_line_and_in_a_run_file() {
        for recipe in RecipeName::ALL {
            let name = recipe.to_string();
            assert_eq!(name.parse(), Ok(*recipe));
            assert_eq!(serde_json::to_value(recipe).unwrap(), name.as_str());
        }
        let error = "gprpo".parse::<RecipeName>().unwrap_err().to_string();
        assert!(
            error.starts_with("`gprpo` is no recipe; there are: grpo, dr-grpo, dapo"),
            "{error}"
        );
    }

    #[test]
    fn no_two_recipes_are_the_same() {
        let recipe = |name: &RecipeName| name.build(Box::new(InOrder::new(Vec::new())), 16);
        let mut prints: Vec<String> =
            RecipeName::ALL.iter().map(|name| recipe(name).fingerprint()).collect();
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), RecipeName::ALL.len());
    }
}
