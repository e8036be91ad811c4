//! Which two prompts an update trains on.

use fireproof_selection::{
    Among, Estimation, HighestVariance, InOrder, Observation, Pairing, PairingSettings,
    PromptSelector, SelectError, UniformWithoutReplacement,
};
use fireproof_trajectory::{GroupView, PromptId};
use serde::{Deserialize, Serialize};

/// A way to choose two prompts an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// One rarely right and one rarely wrong prompt, chosen once: the paper's.
    Pair,
    /// The two whose outcomes vary most in the probe, chosen once: the paper's baseline.
    HighestVariance,
    /// Two rarely right prompts, chosen once; the first is the pair's.
    TwoHard,
    /// Any two, chosen once.
    TwoRandom,
    /// Another rarely right and another rarely wrong prompt in each update.
    FreshPairs,
    /// Another two of all prompts in each update; needs no probe.
    FreshRandom,
}

impl Arm {
    /// All of them, the paper's first.
    pub const ALL: [Self; 6] = [
        Self::Pair,
        Self::HighestVariance,
        Self::TwoHard,
        Self::TwoRandom,
        Self::FreshPairs,
        Self::FreshRandom,
    ];

    /// Its name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::HighestVariance => "highest-variance",
            Self::TwoHard => "two-hard",
            Self::TwoRandom => "two-random",
            Self::FreshPairs => "fresh-pairs",
            Self::FreshRandom => "fresh-random",
        }
    }

    /// Whether the same two prompts train all the time.
    #[must_use]
    pub fn is_fixed(self) -> bool {
        !matches!(self, Self::FreshPairs | Self::FreshRandom)
    }
}

/// What a probe of a pool saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Completions of each prompt.
    pub samples: usize,
    /// Right ones among them.
    pub right: Vec<(PromptId, usize)>,
}

impl Probe {
    fn pool(&self) -> Vec<PromptId> {
        self.right.iter().map(|(prompt, _)| *prompt).collect()
    }

    /// Shows the probe to a selector.
    fn show(&self, selector: &mut dyn PromptSelector) {
        let (rewards, lengths) = (vec![0.0; self.samples], vec![1; self.samples]);
        let truncated = vec![false; self.samples];
        for (prompt, right) in &self.right {
            let correct: Vec<bool> = (0..self.samples).map(|sample| sample < *right).collect();
            let group = GroupView {
                prompt: *prompt,
                rewards: &rewards,
                correct: &correct,
                lengths: &lengths,
                truncated: &truncated,
            };
            selector.observe(&[Observation { group, gradient: None, probe: true, step: 0 }]);
        }
    }
}

/// The selector of an arm that has seen the probe: over two prompts for a fixed choice, over the
/// pool for a fresh one. It asks for no further probe.
///
/// `pair` and `two-hard` take the first and the second prompt, and the first and the third, of the
/// same draw of two pairs, so they share the hard one.
///
/// # Errors
/// If the probe found too few prompts of a kind.
pub fn selector(
    arm: Arm,
    probe: &Probe,
    c: usize,
    seed: u64,
) -> Result<Box<dyn PromptSelector>, SelectError> {
    let fixed = |prompts: &[PromptId]| -> Box<dyn PromptSelector> {
        Box::new(InOrder::new(prompts.to_vec()))
    };
    let pairing = || -> Result<Pairing, SelectError> {
        let settings = PairingSettings { c, samples: probe.samples, refresh: None };
        let mut pairing = Pairing::new(probe.pool(), settings)?;
        pairing.need(0, seed);
        probe.show(&mut pairing);
        Ok(pairing)
    };
    Ok(match arm {
        Arm::Pair => fixed(&pairing()?.select(4, seed)?[..2]),
        Arm::TwoHard => {
            let two_pairs = pairing()?.select(4, seed)?;
            fixed(&[two_pairs[0], two_pairs[2]])
        }
        Arm::HighestVariance => {
            let among = Among::Top(2);
            let mut highest = HighestVariance::new(probe.pool(), among, Estimation::default())?;
            probe.show(&mut highest);
            fixed(&highest.select(2, seed)?)
        }
        Arm::TwoRandom => fixed(&UniformWithoutReplacement::new(probe.pool()).select(2, seed)?),
        Arm::FreshPairs => Box::new(pairing()?),
        Arm::FreshRandom => Box::new(UniformWithoutReplacement::new(probe.pool())),
    })
}
