//! The presets by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Dialect;

/// A preset by name, for command lines and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialectName {
    /// [`Dialect::FIREPROOF`].
    Fireproof,
    /// [`Dialect::VERL`].
    Verl,
    /// [`Dialect::VERL_VECTORIZED`].
    VerlVectorized,
    /// [`Dialect::TRL`].
    Trl,
    /// [`Dialect::LIGER`].
    Liger,
    /// [`Dialect::OPENRLHF`].
    Openrlhf,
    /// [`Dialect::ARCHER`].
    Archer,
    /// [`Dialect::SLIME`].
    Slime,
    /// [`Dialect::NEMO_RL`].
    NemoRl,
    /// [`Dialect::SKYRL`].
    Skyrl,
    /// [`Dialect::AREAL`].
    Areal,
    /// [`Dialect::OPEN_INSTRUCT`].
    OpenInstruct,
    /// [`Dialect::OPEN_INSTRUCT_STANDARD`].
    OpenInstructStandard,
    /// [`Dialect::PRIME_RL`].
    PrimeRl,
    /// [`Dialect::PRIME_RL_MAX_RL`].
    PrimeRlMaxRl,
    /// [`Dialect::TINKER`].
    Tinker,
    /// [`Dialect::TORCHFORGE`].
    Torchforge,
    /// [`Dialect::NANO_AHA`].
    NanoAha,
    /// [`Dialect::NANOCHAT`].
    Nanochat,
    /// [`Dialect::RLOO`].
    Rloo,
    /// [`Dialect::dr_grpo`].
    DrGrpo,
}

impl DialectName {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Fireproof,
        Self::Verl,
        Self::VerlVectorized,
        Self::Trl,
        Self::Liger,
        Self::Openrlhf,
        Self::Archer,
        Self::Slime,
        Self::NemoRl,
        Self::Skyrl,
        Self::Areal,
        Self::OpenInstruct,
        Self::OpenInstructStandard,
        Self::PrimeRl,
        Self::PrimeRlMaxRl,
        Self::Tinker,
        Self::Torchforge,
        Self::NanoAha,
        Self::Nanochat,
        Self::Rloo,
        Self::DrGrpo,
    ];

    /// The preset. `length` is the constant that [`Dialect::dr_grpo`] divides by; the others do not
    /// look at it.
    #[must_use]
    pub fn build(self, length: usize) -> Dialect {
        match self {
            Self::Fireproof => Dialect::FIREPROOF,
            Self::Verl => Dialect::VERL,
            Self::VerlVectorized => Dialect::VERL_VECTORIZED,
            Self::Trl => Dialect::TRL,
            Self::Liger => Dialect::LIGER,
            Self::Openrlhf => Dialect::OPENRLHF,
            Self::Archer => Dialect::ARCHER,
            Self::Slime => Dialect::SLIME,
            Self::NemoRl => Dialect::NEMO_RL,
            Self::Skyrl => Dialect::SKYRL,
            Self::Areal => Dialect::AREAL,
            Self::OpenInstruct => Dialect::OPEN_INSTRUCT,
            Self::OpenInstructStandard => Dialect::OPEN_INSTRUCT_STANDARD,
            Self::PrimeRl => Dialect::PRIME_RL,
            Self::PrimeRlMaxRl => Dialect::PRIME_RL_MAX_RL,
            Self::Tinker => Dialect::TINKER,
            Self::Torchforge => Dialect::TORCHFORGE,
            Self::NanoAha => Dialect::NANO_AHA,
            Self::Nanochat => Dialect::NANOCHAT,
            Self::Rloo => Dialect::RLOO,
            Self::DrGrpo => Dialect::dr_grpo(length),
        }
    }
}

impl fmt::Display for DialectName {
    /// As in files: kebab-case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // serde writes a unit variant as its name.
        self.serialize(f)
    }
}

/// A name that is no dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no dialect; there are: {known}")]
pub struct UnknownDialect {
    name: String,
    known: String,
}

impl FromStr for DialectName {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|dialect| dialect.to_string() == name).ok_or_else(|| {
            let known = Self::ALL.map(|dialect| dialect.to_string()).join(", ");
            UnknownDialect { name: name.to_owned(), known }
        })
    }
}
