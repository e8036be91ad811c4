//! The built-in recipes by name, for run files and command lines.

use std::fmt;
use std::str::FromStr;

use fireproof_selection::PromptSelector;
use serde::{Deserialize, Serialize};

use super::Recipe;

/// The built-in recipes by name, for run files and command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipeName {
    /// [`Recipe::grpo`].
    Grpo,
    /// [`Recipe::dr_grpo`].
    DrGrpo,
    /// [`Recipe::dapo`].
    Dapo,
    /// [`Recipe::rloo`].
    Rloo,
    /// [`Recipe::reinforce`].
    Reinforce,
    /// [`Recipe::aspo`].
    Aspo,
    /// [`Recipe::f_grpo`].
    FGrpo,
    /// [`Recipe::linear_r`].
    LinearR,
    /// [`Recipe::sqrt_r`].
    SqrtR,
    /// [`Recipe::wgrpo`].
    Wgrpo,
}

impl RecipeName {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Grpo,
        Self::DrGrpo,
        Self::Dapo,
        Self::Rloo,
        Self::Reinforce,
        Self::Aspo,
        Self::FGrpo,
        Self::LinearR,
        Self::SqrtR,
        Self::Wgrpo,
    ];

    /// The recipe. `max_new_tokens` is the constant that [`Recipe::dr_grpo`] divides by; the others
    /// do not look at it.
    #[must_use]
    pub fn build(self, selector: Box<dyn PromptSelector>, max_new_tokens: usize) -> Recipe {
        match self {
            Self::Grpo => Recipe::grpo(selector),
            Self::DrGrpo => Recipe::dr_grpo(selector, max_new_tokens),
            Self::Dapo => Recipe::dapo(selector),
            Self::Rloo => Recipe::rloo(selector),
            Self::Reinforce => Recipe::reinforce(selector),
            Self::Aspo => Recipe::aspo(selector),
            Self::FGrpo => Recipe::f_grpo(selector),
            Self::LinearR => Recipe::linear_r(selector),
            Self::SqrtR => Recipe::sqrt_r(selector),
            Self::Wgrpo => Recipe::wgrpo(selector),
        }
    }
}

impl fmt::Display for RecipeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpo => "grpo",
            Self::DrGrpo => "dr-grpo",
            Self::Dapo => "dapo",
            Self::Rloo => "rloo",
            Self::Reinforce => "reinforce",
            Self::Aspo => "aspo",
            Self::FGrpo => "f-grpo",
            Self::LinearR => "linear-r",
            Self::SqrtR => "sqrt-r",
            Self::Wgrpo => "wgrpo",
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

#[cfg(test)]
mod tests {
    use fireproof_selection::InOrder;

    use super::*;

    #[test]
    fn a_name_is_the_same_on_the_command_line_and_in_a_run_file() {
        for recipe in RecipeName::ALL {
            let name = recipe.to_string();
            assert_eq!(name.parse(), Ok(recipe));
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
        let recipe = |name: RecipeName| name.build(Box::new(InOrder::new(Vec::new())), 16);
        let mut prints: Vec<String> =
            RecipeName::ALL.map(|name| recipe(name).fingerprint()).to_vec();
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), RecipeName::ALL.len());
    }
}
