//! What holds for every token loss, in `f64`: masks, permutations, splits, equality on policy, and
//! finite differences on both sides of every kink.

mod batch;
mod kinks;
mod on_policy;
mod splits;

use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, ClippedWeight, CovarianceClipped, CovarianceKl, Divergence,
    DivergenceMasked, GeometricMean, NegativeAware, OffPolicyMasked, PolicyLoss, PrefixMinimum,
    PromptWeight, Reinforce, SequenceGradient, SequenceRatio, SoftGate,
};

type Loss = Box<dyn PolicyLoss>;

/// Clips at 0.8 and 1.2, with a dual clip at 3 and log-ratios within ±2.
const GUARDED: ClippedSurrogate = ClippedSurrogate {
    epsilon_low: 0.2,
    epsilon_high: 0.2,
    dual_clip: Some(3.0),
    log_ratio_limit: Some(2.0),
};

fn sequence(gradient: SequenceGradient) -> SequenceRatio {
    SequenceRatio { epsilon_low: 0.1, epsilon_high: 0.2, gradient, log_ratio_limit: None }
}

/// Losses of which the value is an antiderivative of the gradient.
fn with_a_value() -> Vec<Loss> {
    vec![
        Box::new(ClippedSurrogate::default()),
        Box::new(GUARDED),
        Box::new(SoftGate::default()),
        Box::new(sequence(SequenceGradient::Mean)),
        Box::new(GeometricMean::default()),
        Box::new(CovarianceClipped::default()),
        Box::new(CovarianceKl::default()),
        Box::new(OffPolicyMasked::new(ClippedSurrogate::default())),
    ]
}

/// Losses that on policy pull as `-A logprob` does.
fn surrogates() -> Vec<Loss> {
    let divergence = Divergence::BinaryKl { limit: 0.05 };
    let mut losses = with_a_value();
    losses.extend([
        Box::new(AspoSurrogate::default()) as Loss,
        Box::new(Reinforce),
        Box::new(ClippedWeight::default()),
        Box::new(sequence(SequenceGradient::Token)),
        Box::new(DivergenceMasked::default()),
        Box::new(DivergenceMasked { divergence, ..DivergenceMasked::default() }),
        Box::new(PrefixMinimum::default()),
    ]);
    losses
}

fn all() -> Vec<Loss> {
    let mut losses = surrogates();
    for prompt_weight in [PromptWeight::Even, PromptWeight::Failures, PromptWeight::Odds] {
        losses.push(Box::new(NegativeAware { prompt_weight, ..NegativeAware::default() }));
    }
    losses
}
