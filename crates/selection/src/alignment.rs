//! Prompts whose gradients point where validation points (`GradAlign`, arXiv 2602.21492).

mod shown;

use std::fmt;

use fireproof_trajectory::PromptId;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use self::shown::{Shown, Sketch, defect};
use crate::pool::{Pool, fingerprint};
use crate::selector::{Need, Observation, PromptSelector, SelectError};
use crate::setting::{require, require_pool};
use crate::uniform::UniformWithoutReplacement;

const NAME: &str = "GradientAligned";

/// How the gradient `g` of a prompt is compared with the mean validation gradient `v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// `g . v / (|g| |v|)`, the paper's default; 0 if either is zero.
    Cosine,
    /// `g . v`: what the released single-device helper computes in spite of its name.
    DotProduct,
    /// `cosine * 4 a (1 - a)` with the prompt's success rate `a` in the probe (`SimAcc`).
    CosineTimesVariance,
}

/// How often, among how many and by which score [`GradientAligned`] chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlignmentSettings {
    /// The score; higher is better.
    pub score: Alignment,
    /// Prompts compared in each round, `M`, drawn at random; `None` for the whole pool.
    pub candidates: Option<usize>,
    /// One of so many is kept, `q`, at least 1.
    pub keep_one_in: usize,
    /// Steps of a round, `T`, at least 1.
    pub every: u64,
    /// Completions of each prompt, at least 1.
    pub samples: usize,
    /// Numbers in the sketch of each gradient, at least 1.
    pub sketch: usize,
}

impl Default for AlignmentSettings {
    /// Cosine, `M` 5120, `q` 20, `T` 10 as released. 16 completions (the paper's number for
    /// validation) and the sketch of 4096 numbers are our choice: the error of a cosine is about
    /// `1 / sqrt(sketch)`, 0.016.
    fn default() -> Self {
        Self {
            score: Alignment::Cosine,
            candidates: Some(5120),
            keep_one_in: 20,
            every: 10,
            samples: 16,
            sketch: 4096,
        }
    }
}

/// Keeps, every `T` steps, the `ceil(M / q)` prompts whose gradients agree best with the mean
/// gradient of a trusted validation set, and draws from them without replacement.
///
/// ```text
/// g_q  gradient of the GRPO-like loss of prompt q at ratio 1
/// v    mean of g over the validation prompts
/// score(q) = cos(g_q, v);  the ceil(M / q) best are drawn from for T steps
/// ```
///
/// Ties (and a zero `v`, under which all scores are 0) are broken at random. Fewer prompts may be
/// kept when some probes fail.
///
/// Source: arXiv 2602.21492 and its code; confidence HIGH. `AccGreedy` of the same code is
/// [`AccuracyGreedy`](crate::AccuracyGreedy), which needs no gradients. Departures:
/// 1. Gradients are compared as random sketches that keep inner products, not in full.
/// 2. Prompts and validation get equally many completions (128 and 16 there).
/// 3. The validation gradient is the plain mean of the prompts' gradients.
/// 4. `SimAcc` multiplies the cosine; the released code takes whichever similarity was stored.
/// 5. The `M` candidates of a round are drawn at random; there they are the next of the data.
///
/// # Errors
/// `select` gives [`SelectError::NotObserved`] if no gradients of prompts or of validation were
/// shown, [`SelectError::Gradient`] if one has a wrong length or a number that is not finite, and
/// [`SelectError::PoolTooSmall`] if fewer prompts than asked for were kept.
///
/// ```
/// use fireproof_selection::{Alignment, AlignmentSettings, GradientAligned};
/// use fireproof_selection::{Observation, PromptSelector};
/// use fireproof_trajectory::{GroupView, PromptId};
/// let settings = AlignmentSettings {
///     candidates: None, keep_one_in: 2, samples: 2, sketch: 2, ..Default::default()
/// };
/// let (pool, validation) = (vec![PromptId(0), PromptId(1)], vec![PromptId(9)]);
/// let mut selector = GradientAligned::new(pool, validation, settings).unwrap();
/// selector.need(0, 0);
/// for (id, gradient) in [(0, [9.0, 9.0]), (1, [1.0, 0.0]), (9, [2.0, 0.0])] {
///     let group = GroupView {
///         prompt: PromptId(id),
///         rewards: &[0.0; 2],
///         correct: &[true, false],
///         lengths: &[1; 2],
///         truncated: &[false; 2],
///     };
///     let gradient = Some(&gradient[..]);
///     selector.observe(&[Observation { group, gradient, probe: true, step: 0 }]);
/// }
/// // Cosines 1/sqrt(2) and 1; the dot products would be 18 and 2.
/// assert_eq!(selector.select(1, 3).unwrap(), [PromptId(1)]);
/// ```
pub struct GradientAligned {
    pool: Pool,
    validation: Vec<PromptId>,
    settings: AlignmentSettings,
    asked: Option<u64>,
    /// What was shown since the last round began and is not compared yet.
    shown: Shown,
    kept: Option<UniformWithoutReplacement>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Learned {
    validation: PromptId,
    asked: Option<u64>,
    shown: Shown,
    kept: Option<Kept>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    prompts: Vec<PromptId>,
    turns: serde_json::Value,
}

impl GradientAligned {
    /// Selects from `pool` what agrees with `validation`.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if one of the two is empty, a prompt is in both, or a setting is 0.
    pub fn new(
        pool: Vec<PromptId>,
        mut validation: Vec<PromptId>,
        settings: AlignmentSettings,
    ) -> Result<Self, SelectError> {
        let pool = Pool::new(pool);
        require_pool(NAME, pool.len())?;
        validation.sort_unstable();
        validation.dedup();
        let count = validation.len();
        require(NAME, "the number of validation prompts", count, "at least 1", count > 0)?;
        if let Some(shared) = validation.iter().find(|prompt| pool.contains(**prompt)) {
            require(NAME, "a validation prompt", shared, "outside the pool", false)?;
        }
        let AlignmentSettings { candidates, keep_one_in, every, samples, sketch, .. } = settings;
        for (setting, positive) in [
            ("candidates", candidates != Some(0)),
            ("keep_one_in", keep_one_in > 0),
            ("every", every > 0),
            ("samples", samples > 0),
            ("sketch", sketch > 0),
        ] {
            require(NAME, setting, 0, "at least 1", positive)?;
        }
        let shown = Shown::default();
        Ok(Self { pool, validation, settings, asked: None, shown, kept: None })
    }

    /// The prompts that this round draws from; empty before the first.
    #[must_use]
    pub fn kept(&self) -> &[PromptId] {
        self.kept.as_ref().map_or(&[], |kept| kept.prompts())
    }

    /// `M`, at most the pool.
    fn candidates(&self) -> usize {
        self.settings.candidates.unwrap_or(usize::MAX).min(self.pool.len())
    }

    fn is_validation(&self, prompt: PromptId) -> bool {
        self.validation.binary_search(&prompt).is_ok()
    }

    /// Refuses sketches of other prompts, lengths or validation sets.
    fn require_own(&self, learned: &Learned) -> Result<(), SelectError> {
        let refuse = |reason: String| Err(SelectError::State { selector: NAME, reason });
        let Shown { prompts, validation, .. } = &learned.shown;
        if learned.validation != fingerprint(&self.validation) {
            return refuse("it was made with other validation prompts".to_owned());
        }
        self.pool.require_known(NAME, prompts.keys())?;
        if let Some(prompt) = validation.keys().find(|prompt| !self.is_validation(**prompt)) {
            return refuse(format!("prompt {prompt} is not a validation prompt"));
        }
        let sketches = prompts.values().map(|sketch| &sketch.gradient);
        let defects = sketches.chain(validation.values());
        match defects.filter_map(|gradient| defect(gradient, self.settings.sketch)).next() {
            Some(reason) => refuse(format!("a gradient {reason}")),
            None => Ok(()),
        }
    }

    /// Compares what was shown, once, and gives the best of it.
    fn compare(&mut self, seed: u64) -> Result<UniformWithoutReplacement, SelectError> {
        if let Some((prompt, reason)) = &self.shown.refused {
            return Err(SelectError::Gradient { prompt: *prompt, reason: reason.clone() });
        }
        let missing = |what| SelectError::NotObserved { selector: NAME, what };
        if self.shown.prompts.is_empty() {
            return Err(missing("gradients of its prompts"));
        }
        if self.shown.validation.is_empty() {
            return Err(missing("gradients of its validation prompts"));
        }
        let mean = self.shown.mean(self.settings.sketch);
        let score = |sketch: &Sketch| sketch.score(&mean, self.settings.score);
        let mut ranked: Vec<(f64, PromptId)> =
            self.shown.prompts.iter().map(|(prompt, s)| (score(s), *prompt)).collect();
        ranked.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        ranked.truncate(self.candidates().div_ceil(self.settings.keep_one_in));
        let best = ranked.into_iter().map(|(_, prompt)| prompt).collect();
        self.shown = Shown::default();
        Ok(UniformWithoutReplacement::new(best))
    }
}

impl PromptSelector for GradientAligned {
    fn need(&mut self, step: u64, seed: u64) -> Need {
        if let Some(kept) = &mut self.kept {
            kept.need(step, seed);
        }
        let round = self.asked.is_some_and(|a| step < a.saturating_add(self.settings.every));
        if round && self.kept.is_some() {
            return Need::None;
        }
        self.asked = Some(step);
        (self.shown, self.kept) = (Shown::default(), None);
        let mut prompts = self.pool.shuffled(&mut ChaCha8Rng::seed_from_u64(seed));
        prompts.truncate(self.candidates());
        let AlignmentSettings { samples, sketch, .. } = self.settings;
        Need::Gradients { prompts, validation: self.validation.clone(), samples, sketch }
    }

    fn observe(&mut self, seen: &[Observation<'_>]) {
        // Outside of a round's comparison there is nothing to learn.
        if self.asked.is_none() || self.kept.is_some() {
            return;
        }
        for observation in seen.iter().filter(|o| o.probe) {
            let Some(gradient) = observation.gradient else { continue };
            let prompt = observation.group.prompt;
            let is_validation = self.is_validation(prompt);
            match defect(gradient, self.settings.sketch) {
                _ if !is_validation && !self.pool.contains(prompt) => {}
                None => self.shown.learn(observation.group, gradient, is_validation),
                Some(reason) => self.shown.refused = Some((prompt, reason)),
            }
        }
    }

    fn select(&mut self, count: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        let kept = match self.kept.take() {
            Some(kept) => kept,
            None => self.compare(seed)?,
        };
        self.kept.insert(kept).select(count, seed)
    }

    fn state(&self) -> serde_json::Value {
        let kept = self.kept.as_ref();
        let learned = Learned {
            validation: fingerprint(&self.validation),
            asked: self.asked,
            shown: self.shown.clone(),
            kept: kept.map(|k| Kept { prompts: k.prompts().to_vec(), turns: k.state() }),
        };
        self.pool.pack(NAME, &learned)
    }

    fn restore(&mut self, state: serde_json::Value) -> Result<(), SelectError> {
        let unpacked = self.pool.unpack::<Learned>(NAME, state)?;
        self.require_own(&unpacked.learned)?;
        let kept = unpacked.learned.kept.as_ref().map(|kept| {
            self.pool.require_known(NAME, kept.prompts.iter())?;
            let mut turns = UniformWithoutReplacement::new(kept.prompts.clone());
            turns.restore(kept.turns.clone()).map(|()| turns)
        });
        let kept = kept.transpose()?;
        let learned = self.pool.accept(unpacked);
        (self.asked, self.shown, self.kept) = (learned.asked, learned.shown, kept);
        Ok(())
    }
}

impl fmt::Debug for GradientAligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(NAME).field(&self.settings).finish()
    }
}
