//! The settings of a case as our own losses, penalties and reductions.

use fireproof_losses::{
    AspoSurrogate, ClippedSurrogate, ClippedWeight, CountedRows, CovarianceClipped, CovarianceKl,
    Denominators, Divergence, DivergenceMasked, EntropySplit, GeometricMean, Kl, KlGuard, KlPlace,
    MismatchCorrection, NegativeAware, OffPolicyMasked, Penalty, PolicyLoss, PrefixMinimum,
    PromptWeight, RatioLevel, Reduction, Reinforce, SequenceGradient, SequenceRatio, SoftGate,
};

use crate::case::Settings;

type Loss = Box<dyn PolicyLoss>;

/// The loss; `Err` names what we do not have.
pub(crate) fn loss(settings: &Settings) -> Result<Loss, String> {
    let name = settings.text("loss").expect("every case names its loss");
    let Some(limit) = settings.number("off_policy_threshold") else { return plain(name, settings) };
    Ok(Box::new(OffPolicyMasked { limit, base: plain(name, settings)? }))
}

fn plain(name: &str, settings: &Settings) -> Result<Loss, String> {
    let log_ratio_limit = settings.number("log_ratio_limit");
    Ok(match name {
        "none" | "reinforce" => Box::new(Reinforce),
        "clipped" | "gspo" => return by_level(settings),
        "cispo" => Box::new(ClippedWeight {
            lowest: settings.number("ratio_low").unwrap_or(0.0),
            highest: settings.require("ratio_high"),
            log_ratio_limit,
        }),
        "sapo" => Box::new(SoftGate {
            tau_positive: settings.require("temperature_positive"),
            tau_negative: settings.require("temperature_negative"),
            log_ratio_limit,
        }),
        "gmpo" => {
            // Its ratio is a row's by definition.
            settings.text("level");
            Box::new(GeometricMean {
                epsilon_low: settings.require("log_epsilon_low"),
                epsilon_high: settings.require("log_epsilon_high"),
                token_epsilon: settings.require("mean_epsilon"),
            })
        }
        "dppo_tv" | "dppo_kl" => Box::new(divergence(name, settings)),
        "aspo" => Box::new(aspo(settings)),
        "nft" => Box::new(negative_aware(settings)),
        "minpro_clipped" => {
            let [epsilon_low, epsilon_high] = clip(settings);
            Box::new(PrefixMinimum { epsilon_low, epsilon_high })
        }
        "clip_cov" => {
            settings.text("level");
            Box::new(CovarianceClipped {
                surrogate: clipped(settings),
                share: settings.require("fraction"),
                lowest: settings.require("covariance_low"),
                highest: settings.require("covariance_high"),
            })
        }
        "kl_cov" => Box::new(CovarianceKl {
            share: settings.require("fraction"),
            coefficient: settings.require("coefficient"),
            log_ratio_limit,
        }),
        other => return Err(format!("the loss {other}")),
    })
}

fn clip(settings: &Settings) -> [f64; 2] {
    ["epsilon_low", "epsilon_high"].map(|name| settings.require(name))
}

fn clipped(settings: &Settings) -> ClippedSurrogate {
    let [epsilon_low, epsilon_high] = clip(settings);
    // A bound on the ratio is the dual clip, wherever it is not within the clip.
    let ratio_cap = settings.number("ratio_cap").filter(|cap| *cap >= 1.0 + epsilon_high);
    let dual_clip = settings.number("dual_clip").or(ratio_cap);
    let log_ratio_limit = settings.number("log_ratio_limit");
    ClippedSurrogate { epsilon_low, epsilon_high, dual_clip, log_ratio_limit }
}

fn by_level(settings: &Settings) -> Result<Loss, String> {
    let gradient = match settings.text("level").expect("a level") {
        "token" => return Ok(Box::new(clipped(settings))),
        "sequence" => SequenceGradient::Mean,
        "sequence_as_tokens" => SequenceGradient::Token,
        other => return Err(format!("the level {other}")),
    };
    let [epsilon_low, epsilon_high] = clip(settings);
    // From below the limit is out of reach of every batch here.
    let log_ratio_limit = settings.number("log_ratio_upper_limit");
    Ok(Box::new(SequenceRatio { epsilon_low, epsilon_high, gradient, log_ratio_limit }))
}

fn divergence(name: &str, settings: &Settings) -> DivergenceMasked {
    let [low, high] = ["threshold_low", "threshold_high"].map(|name| settings.require(name));
    let divergence = match name {
        "dppo_tv" => Divergence::TotalVariation { low, high },
        _ => {
            assert_eq!(low, high, "one limit in both directions");
            Divergence::BinaryKl { limit: low }
        }
    };
    let cap = settings.require("ratio_cap");
    let log_ratio_limit = settings.number("log_ratio_limit");
    DivergenceMasked { divergence, cap, log_ratio_limit }
}

fn aspo(settings: &Settings) -> AspoSurrogate {
    let epsilon = settings.require("epsilon");
    let split = settings.number("epsilon_high_entropy").map(|wide| EntropySplit {
        quantile: settings.require("entropy_quantile"),
        epsilon_low: wide,
        epsilon_high: wide,
    });
    AspoSurrogate {
        epsilon_low: epsilon,
        epsilon_high: epsilon,
        cap: settings.require("cap"),
        log_ratio_limit: settings.number("log_ratio_limit"),
        entropy_split: split,
    }
}

fn negative_aware(settings: &Settings) -> NegativeAware {
    // The constants that NFT has no settings for.
    for (name, expected) in [
        ("success_rate_low", 0.02),
        ("success_rate_high", 0.98),
        ("floor", 1.0),
        ("log_ratio_upper_limit", 10.0),
    ] {
        assert_eq!(settings.require(name), expected, "{name}");
    }
    let prompt_weight = match settings.text("prompt_weight").expect("a weight") {
        "none" => PromptWeight::Even,
        "linear" => PromptWeight::Failures,
        "root" => PromptWeight::Odds,
        other => panic!("{other}"),
    };
    NegativeAware { prompt_weight, negative_weight: settings.require("negative_weight") }
}

/// Terms beside the loss.
pub(crate) fn penalties(settings: &Settings) -> Vec<Penalty> {
    let kl = settings.text("kl").map(|name| {
        let completion = settings.text("level") == Some("sequence");
        let level = if completion { RatioLevel::Completion } else { RatioLevel::Token };
        let times_ratio = settings.flag("kl_times_ratio").unwrap_or(false);
        let guard = KlGuard {
            exponent_limit: settings.number("kl_exponent_limit"),
            value_limit: settings.number("kl_limit"),
            times_ratio: times_ratio.then_some(level),
            gradient: settings.text("kl_gradient").map(estimator),
        };
        let coefficient = settings.require("kl_coefficient");
        Penalty::ReferenceKl {
            estimator: estimator(name),
            guard,
            coefficient,
            place: KlPlace::Loss,
        }
    });
    let entropy = settings.number("entropy_coefficient");
    let entropy = entropy.map(|coefficient| Penalty::Entropy { coefficient });
    kl.into_iter().chain(entropy).collect()
}

fn estimator(name: &str) -> Kl {
    match name {
        "k1" => Kl::K1,
        "abs" => Kl::Absolute,
        "k2" => Kl::K2,
        "k3" => Kl::K3,
        other => panic!("{other}"),
    }
}

/// The reduction with its denominators.
pub(crate) fn reduction(settings: &Settings) -> Result<(Reduction, Denominators), String> {
    let length = |name| settings.number(name).map_or(1, |length| length as usize);
    let reduction = match settings.text("reduction").expect("a reduction") {
        "token_mean" => Reduction::TokenMean,
        "token_sum" => Reduction::Constant { length: length("divisor"), per_sequence: false },
        "sequence_mean" => Reduction::SequenceMean,
        "sequence_sum" => Reduction::SequenceSum,
        "constant" => Reduction::Constant { length: length("length"), per_sequence: true },
        other => return Err(format!("the reduction {other}")),
    };
    let rows = match settings.text("rows") {
        Some("all") => CountedRows::All,
        Some("non_empty") | None => CountedRows::Filled,
        Some(other) => return Err(format!("the rows {other}")),
    };
    // GMPO takes the mean over a row's advantages with the same epsilon as over its log-ratios.
    let epsilon = ["denominator_epsilon", "mean_epsilon"].map(|name| settings.number(name));
    let token_epsilon = epsilon.into_iter().flatten().sum();
    Ok((reduction, Denominators { rows, token_epsilon, row_epsilon: 0.0 }))
}

/// The correction for a sampler that is not the trainer.
pub(crate) fn mismatch(settings: &Settings) -> Option<MismatchCorrection> {
    let sequence = settings.text("mismatch_level")? == "sequence";
    let low = settings.number("mismatch_low").unwrap_or(0.0);
    let high = settings.require("mismatch_high");
    let cap = settings.text("mismatch_outside").expect("what happens outside") == "cap";
    Some(match (sequence, cap) {
        (false, true) => MismatchCorrection::TokenTruncated { least: low, cap: high },
        (false, false) => MismatchCorrection::TokenMasked { low, high },
        (true, true) => MismatchCorrection::SequenceTruncated { least: low, cap: high },
        (true, false) => MismatchCorrection::SequenceMasked { low, high, weigh: true },
    })
}
