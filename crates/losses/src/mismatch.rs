//! Weights against a sampler whose probabilities are not the trainer's.

/// Correction for completions that were sampled by something other than the policy that scores them:
/// another engine, quantised weights, an older policy.
///
/// With `d = logprob of the trainer before the step - logprob of the sampler` of each token:
///
/// ```text
/// TokenTruncated     w_t = min(max(exp(d_t), least), cap)                   TIS
/// TokenMasked        w_t = exp(d_t) within [low, high], else 0              IcePop
/// SequenceTruncated  w = min(max(exp(sum d), least), cap)
/// SequenceMasked     w = exp(sum d) within [low, high], else 0; with `weigh: false`, 1 or 0
/// ```
///
/// The weight multiplies a token's share of the loss, without a gradient, and the loss's own ratio is
/// then against the trainer's log-probabilities. Peers: TRL's default leaves out sequences above
/// `exp(sum d) = 3`; verl truncates tokens or sequences at 2; NeMo-RL's IcePop is 0.5 to 5.
/// Fireproof's own engine is the trainer's model, so there `d` is rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MismatchCorrection {
    /// Truncated importance sampling by token.
    TokenTruncated {
        /// Smallest weight; 0 for none (TRL can set one).
        least: f64,
        /// Largest weight.
        cap: f64,
    },
    /// Tokens outside a band do not train.
    TokenMasked {
        /// Smallest ratio that trains.
        low: f64,
        /// Largest ratio that trains.
        high: f64,
    },
    /// Truncated importance sampling by completion.
    SequenceTruncated {
        /// Smallest weight; 0 for none (TRL can set one).
        least: f64,
        /// Largest weight.
        cap: f64,
    },
    /// Completions outside a band do not train.
    SequenceMasked {
        /// Smallest ratio that trains.
        low: f64,
        /// Largest ratio that trains.
        high: f64,
        /// Whether those inside are weighted by their ratio.
        weigh: bool,
    },
}

impl MismatchCorrection {
    /// The weight of each token of a completion.
    ///
    /// ```
    /// use fireproof_losses::MismatchCorrection;
    /// let (trainer, sampler) = ([0.0, 2f32.ln()], [0.0, 0.0]);
    /// let weights = |rule: MismatchCorrection| rule.weights(&trainer, &sampler);
    /// assert_eq!(weights(MismatchCorrection::TokenTruncated { least: 0.0, cap: 1.5 }), [1.0, 1.5]);
    /// assert_eq!(weights(MismatchCorrection::TokenMasked { low: 0.5, high: 1.5 }), [1.0, 0.0]);
    /// assert_eq!(weights(MismatchCorrection::SequenceTruncated { least: 0.0, cap: 1.5 }), [1.5, 1.5]);
    /// let band = MismatchCorrection::SequenceMasked { low: 0.0, high: 3.0, weigh: false };
    /// assert_eq!(weights(band), [1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the two have other lengths, or a smallest weight is above the largest.
    #[must_use]
    pub fn weights(self, trainer: &[f32], sampler: &[f32]) -> Vec<f32> {
        let (found, expected) = (sampler.len(), trainer.len());
        assert!(
            found == expected,
            "{expected} log-probabilities of the trainer but {found} sampled"
        );
        let log_ratio = |(t, s): (&f32, &f32)| f64::from(*t) - f64::from(*s);
        let log_ratios: Vec<f64> = trainer.iter().zip(sampler).map(log_ratio).collect();
        let sequence = log_ratios.iter().sum::<f64>().exp();
        let inside = |ratio: f64, low: f64, high: f64| (low..=high).contains(&ratio);
        let weight =
            |log_ratio: f64| match self {
                Self::TokenTruncated { least, cap } => log_ratio.exp().clamp(least, cap),
                Self::TokenMasked { low, high } if inside(log_ratio.exp(), low, high) => {
                    log_ratio.exp()
                }
                Self::SequenceTruncated { least, cap } => sequence.clamp(least, cap),
                Self::SequenceMasked { low, high, weigh } if inside(sequence, low, high) => {
                    if weigh { sequence } else { 1.0 }
                }
                Self::TokenMasked { .. } | Self::SequenceMasked { .. } => 0.0,
            };
        log_ratios.into_iter().map(|log_ratio| weight(log_ratio) as f32).collect()
    }
}
