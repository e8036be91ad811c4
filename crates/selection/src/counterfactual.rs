//! Metrics of selection: what another rule would have chosen, how the chosen success rates are
//! spread, how many prompts really count, and how good predictions were.

mod calibration;

use std::collections::HashSet;

use fireproof_trajectory::PromptId;

use crate::selector::{Observation, PromptSelector, SelectError};
use crate::setting::{require, require_share};

pub use calibration::Calibration;
pub use calibration::CalibrationBin;
pub use calibration::Forecast;
pub use calibration::calibration;

/// How far two choices agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Prompts in both.
    pub both: usize,
    /// Prompts in the first only.
    pub only_first: usize,
    /// Prompts in the second only.
    pub only_second: usize,
}

impl Overlap {
    /// Compares two choices as sets.
    ///
    /// ```
    /// use fireproof_selection::Overlap;
    /// use fireproof_trajectory::PromptId;
    /// let overlap = Overlap::of(&[1, 2, 3].map(PromptId), &[3, 4].map(PromptId));
    /// assert_eq!((overlap.both, overlap.only_first, overlap.only_second), (1, 2, 1));
    /// assert_eq!(overlap.jaccard(), 0.25); // 1 of 4
    /// ```
    #[must_use]
    pub fn of(first: &[PromptId], second: &[PromptId]) -> Self {
        let first: HashSet<_> = first.iter().collect();
        let second: HashSet<_> = second.iter().collect();
        let both = first.intersection(&second).count();
        Self { both, only_first: first.len() - both, only_second: second.len() - both }
    }

    /// `|both| / |either|`, from 0 to 1; 1 for two empty choices.
    #[must_use]
    pub fn jaccard(&self) -> f64 {
        match self.both + self.only_first + self.only_second {
            0 => 1.0,
            either => self.both as f64 / either as f64,
        }
    }
}

/// What happened in one step, as far as a selector can see.
#[derive(Clone, Copy, Debug)]
pub struct SelectionRecord<'a> {
    /// The step, from 0.
    pub step: u64,
    /// The prompts that were selected.
    pub chosen: &'a [PromptId],
    /// What was observed in the step, probes included.
    pub seen: &'a [Observation<'a>],
    /// Seed for the other rule's choice.
    pub seed: u64,
}

/// What `rule` would have chosen in each step, had it seen what was seen: as many prompts as were.
///
/// In each step the rule is asked for its [`need`](PromptSelector::need), shown the probes, asked to
/// select, and shown the other groups. It never sees the outcomes of prompts that only it would have
/// chosen, and no probe is run for it: a rule that depends on probes finds only those recorded. So
/// the first steps compare rules, and later ones compare them on the recorded rule's experience.
///
/// # Errors
/// What the rule's `select` gives.
///
/// ```
/// use fireproof_selection::{InOrder, Overlap, SelectionRecord, would_have_chosen};
/// use fireproof_trajectory::PromptId;
/// let chosen = [PromptId(2), PromptId(1)];
/// let record = SelectionRecord { step: 0, chosen: &chosen, seen: &[], seed: 7 };
/// let mut rule = InOrder::new((0..4).map(PromptId).collect());
/// let other = would_have_chosen(&mut rule, &[record]).unwrap();
/// assert_eq!(other, [[PromptId(0), PromptId(1)]]);
/// assert_eq!(Overlap::of(&chosen, &other[0]).both, 1);
/// ```
pub fn would_have_chosen(
    rule: &mut dyn PromptSelector,
    steps: &[SelectionRecord<'_>],
) -> Result<Vec<Vec<PromptId>>, SelectError> {
    let mut choices = Vec::with_capacity(steps.len());
    for record in steps {
        let (probes, trained): (Vec<_>, Vec<_>) = record.seen.iter().partition(|o| o.probe);
        rule.need(record.step, record.seed);
        rule.observe(&probes);
        choices.push(rule.select(record.chosen.len(), record.seed)?);
        rule.observe(&trained);
    }
    Ok(choices)
}

/// How many success rates fall into each of `bins` equal intervals of 0 to 1; 1 counts to the last.
///
/// # Errors
/// [`SelectError::Setting`] if there are no bins or a rate is not from 0 to 1.
///
/// ```
/// use fireproof_selection::success_histogram;
/// assert_eq!(success_histogram(&[0.0, 0.1, 0.5, 1.0], 4).unwrap(), [2, 0, 1, 1]);
/// ```
pub fn success_histogram(rates: &[f64], bins: usize) -> Result<Vec<usize>, SelectError> {
    const NAME: &str = "success_histogram";
    require(NAME, "bins", bins, "at least 1", bins > 0)?;
    let mut counts = vec![0; bins];
    for rate in rates {
        require_share(NAME, "a success rate", *rate)?;
        counts[bin(*rate, bins)] += 1;
    }
    Ok(counts)
}

/// The interval of 0 to 1 that a rate falls into.
fn bin(rate: f64, bins: usize) -> usize {
    ((rate * bins as f64) as usize).min(bins - 1)
}

/// Two ways to say how many of several weighted things really count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EffectiveNumber {
    /// `1 / sum w^2` with the weights scaled to sum to 1 (Kish's effective sample size). Large
    /// weights decide.
    pub inverse_square: f64,
    /// `exp(-sum w ln w)`, the perplexity of the weights. Small weights count for more than in the
    /// other.
    pub perplexity: f64,
}

impl EffectiveNumber {
    /// Of these weights: how often each prompt was selected, or how hard each pulls. Both numbers
    /// are `n` for `n` equal weights, at least 1, and 0 if no weight is above 0.
    ///
    /// # Errors
    /// [`SelectError::Setting`] if a weight is negative or not finite.
    ///
    /// ```
    /// use fireproof_selection::EffectiveNumber;
    /// let number = EffectiveNumber::of(&[2.0, 1.0, 1.0]).unwrap();
    /// assert!((number.inverse_square - 8.0 / 3.0).abs() < 1e-12); // 1 / (1/4 + 1/16 + 1/16)
    /// assert!((number.perplexity - 8f64.sqrt()).abs() < 1e-12); // exp(1.5 ln 2)
    /// ```
    pub fn of(weights: &[f64]) -> Result<Self, SelectError> {
        for weight in weights {
            let holds = weight.is_finite() && *weight >= 0.0;
            require("EffectiveNumber", "a weight", weight, "finite and at least 0", holds)?;
        }
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            return Ok(Self { inverse_square: 0.0, perplexity: 0.0 });
        }
        let shares = weights.iter().filter(|weight| **weight > 0.0).map(|weight| weight / sum);
        let squares: f64 = shares.clone().map(|share| share * share).sum();
        let entropy: f64 = shares.map(|share| -share * share.ln()).sum();
        Ok(Self { inverse_square: 1.0 / squares, perplexity: entropy.exp() })
    }
}
