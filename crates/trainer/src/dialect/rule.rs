//! The single rules of a dialect: what each says, where two dialects differ, and taking one over.

use fireproof_advantage::ZScore;
use fireproof_losses::{ClippedSurrogate, KlGuard};

use super::{AdvantageRule, Dialect, TokenLoss};

/// One rule of a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The kind of advantage.
    Advantage,
    /// What a z-score subtracts.
    Baseline,
    /// What a z-score divides by.
    Scale,
    /// Which variance.
    Ddof,
    /// What is added to the deviation.
    Epsilon,
    /// Where it is added.
    EpsilonPlace,
    /// The least variance.
    VarianceFloor,
    /// What a group of one gets.
    Singleton,
    /// What constant rewards get.
    AllEqual,
    /// The precision and formula of mean and variance.
    Arithmetic,
    /// What the ratio is against.
    Against,
    /// The kind of token loss.
    Loss,
    /// How far a ratio may move.
    Clip,
    /// The cap under negative advantages.
    DualClip,
    /// The limit on log-ratios.
    RatioGuard,
    /// The squared log-ratio beside the loss.
    Drift,
    /// How tokens become one number.
    Reduction,
    /// Which completions count in a denominator.
    CountedRows,
    /// What is added to denominators.
    DenominatorEpsilon,
    /// Estimator of the KL.
    Kl,
    /// Clamps of the KL.
    KlLimits,
    /// Ratio that multiplies the KL.
    KlRatio,
    /// Whose gradient the KL has.
    KlGradient,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Advantage,
        Self::Baseline,
        Self::Scale,
        Self::Ddof,
        Self::Epsilon,
        Self::EpsilonPlace,
        Self::VarianceFloor,
        Self::Singleton,
        Self::AllEqual,
        Self::Arithmetic,
        Self::Against,
        Self::Loss,
        Self::Clip,
        Self::DualClip,
        Self::RatioGuard,
        Self::Drift,
        Self::Reduction,
        Self::CountedRows,
        Self::DenominatorEpsilon,
        Self::Kl,
        Self::KlLimits,
        Self::KlRatio,
        Self::KlGradient,
    ];

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Advantage => "advantage",
            Self::Baseline => "baseline",
            Self::Scale => "scale",
            Self::Ddof => "ddof",
            Self::Epsilon => "epsilon",
            Self::EpsilonPlace => "epsilon's place",
            Self::VarianceFloor => "variance floor",
            Self::Singleton => "group of one",
            Self::AllEqual => "all equal",
            Self::Arithmetic => "arithmetic",
            Self::Against => "ratio against",
            Self::Loss => "loss",
            Self::Clip => "clip",
            Self::DualClip => "dual clip",
            Self::RatioGuard => "log-ratio limit",
            Self::Drift => "squared log-ratio",
            Self::Reduction => "reduction",
            Self::CountedRows => "counted rows",
            Self::DenominatorEpsilon => "denominator epsilon",
            Self::Kl => "KL estimator",
            Self::KlLimits => "KL clamps",
            Self::KlRatio => "KL times ratio",
            Self::KlGradient => "KL gradient",
        }
    }

    /// What a dialect says; `None` where the rule does not apply to it.
    #[must_use]
    pub fn text(self, dialect: &Dialect) -> Option<String> {
        match self {
            Self::Advantage => Some(match &dialect.advantage {
                AdvantageRule::ZScore(_) => "ZScore".to_owned(),
                other => format!("{other:?}"),
            }),
            Self::Loss => Some(match &dialect.loss {
                TokenLoss::Clipped(_) => "Clipped".to_owned(),
                other => format!("{other:?}"),
            }),
            Self::Clip | Self::DualClip | Self::RatioGuard => {
                clipped(dialect).map(|loss| self.of_clip(loss))
            }
            Self::Against => Some(format!("{:?}", dialect.against)),
            Self::Drift => Some(dialect.drift.to_string()),
            Self::Reduction => Some(format!("{:?}", dialect.reduction)),
            Self::CountedRows => Some(format!("{:?}", dialect.denominators.rows)),
            Self::DenominatorEpsilon => {
                let denominators = dialect.denominators;
                let [tokens, rows] =
                    [denominators.token_epsilon, denominators.row_epsilon].map(small);
                Some(format!("tokens {tokens}, rows {rows}"))
            }
            Self::Kl => Some(format!("{:?}", dialect.kl)),
            Self::KlLimits | Self::KlRatio | Self::KlGradient => {
                Some(self.of_kl(&dialect.kl_guard))
            }
            _ => z_score(dialect).map(|z_score| self.of_z_score(z_score)),
        }
    }

    fn of_z_score(self, z: &ZScore) -> String {
        match self {
            Self::Baseline => format!("{:?}", z.baseline),
            Self::Scale => format!("{:?}", z.scale),
            Self::Ddof => z.ddof.value().to_string(),
            Self::Epsilon => small(z.epsilon),
            Self::EpsilonPlace => format!("{:?}", z.epsilon_place),
            Self::VarianceFloor => small(z.variance_floor),
            Self::Singleton => format!("{:?}", z.singleton),
            Self::AllEqual => format!("{:?}", z.all_equal),
            _ => format!("{:?}", z.arithmetic),
        }
    }

    fn of_clip(self, loss: &ClippedSurrogate) -> String {
        match self {
            Self::Clip => format!("-{}, +{}", loss.epsilon_low, loss.epsilon_high),
            Self::DualClip => or_none(loss.dual_clip),
            _ => or_none(loss.log_ratio_limit),
        }
    }

    fn of_kl(self, guard: &KlGuard) -> String {
        match self {
            Self::KlLimits => {
                let [exponent, value] = [guard.exponent_limit, guard.value_limit].map(or_none);
                format!("exponent {exponent}, value {value}")
            }
            Self::KlRatio => {
                guard.times_ratio.map_or_else(|| "no".to_owned(), |level| format!("{level:?}"))
            }
            _ => guard.gradient.map_or_else(|| "its own".to_owned(), |kl| format!("{kl:?}")),
        }
    }

    /// Takes this rule over from another dialect. Nothing happens where it does not apply to both.
    pub fn adopt(self, dialect: &mut Dialect, from: &Dialect) {
        match self {
            Self::Advantage => dialect.advantage = from.advantage,
            Self::Against => dialect.against = from.against,
            Self::Loss => dialect.loss = from.loss,
            Self::Drift => dialect.drift = from.drift,
            Self::Reduction => dialect.reduction = from.reduction,
            Self::CountedRows => dialect.denominators.rows = from.denominators.rows,
            Self::DenominatorEpsilon => {
                let rows = dialect.denominators.rows;
                dialect.denominators = from.denominators;
                dialect.denominators.rows = rows;
            }
            Self::Kl => dialect.kl = from.kl,
            Self::KlLimits => {
                dialect.kl_guard.exponent_limit = from.kl_guard.exponent_limit;
                dialect.kl_guard.value_limit = from.kl_guard.value_limit;
            }
            Self::KlRatio => dialect.kl_guard.times_ratio = from.kl_guard.times_ratio,
            Self::KlGradient => dialect.kl_guard.gradient = from.kl_guard.gradient,
            Self::Clip | Self::DualClip | Self::RatioGuard => {
                if let (TokenLoss::Clipped(own), Some(other)) = (&mut dialect.loss, clipped(from)) {
                    self.adopt_clip(own, other);
                }
            }
            _ => {
                if let (AdvantageRule::ZScore(own), Some(other)) =
                    (&mut dialect.advantage, z_score(from))
                {
                    self.adopt_z_score(own, other);
                }
            }
        }
    }

    fn adopt_clip(self, own: &mut ClippedSurrogate, other: &ClippedSurrogate) {
        match self {
            Self::Clip => {
                (own.epsilon_low, own.epsilon_high) = (other.epsilon_low, other.epsilon_high);
            }
            Self::DualClip => own.dual_clip = other.dual_clip,
            _ => own.log_ratio_limit = other.log_ratio_limit,
        }
    }

    fn adopt_z_score(self, own: &mut ZScore, other: &ZScore) {
        match self {
            Self::Baseline => own.baseline = other.baseline,
            Self::Scale => own.scale = other.scale,
            Self::Ddof => own.ddof = other.ddof,
            Self::Epsilon => own.epsilon = other.epsilon,
            Self::EpsilonPlace => own.epsilon_place = other.epsilon_place,
            Self::VarianceFloor => own.variance_floor = other.variance_floor,
            Self::Singleton => own.singleton = other.singleton,
            Self::AllEqual => own.all_equal = other.all_equal,
            _ => own.arithmetic = other.arithmetic,
        }
    }

    /// The rules in which two dialects differ.
    ///
    /// ```
    /// use fireproof_trainer::{Dialect, Rule};
    /// assert_eq!(Rule::differing(&Dialect::TRL, &Dialect::LIGER), [Rule::KlRatio]);
    /// ```
    #[must_use]
    pub fn differing(one: &Dialect, other: &Dialect) -> Vec<Self> {
        let differ = |rule: &Self| match (rule.text(one), rule.text(other)) {
            (Some(one), Some(other)) => one != other,
            // The kind differs, and is said to.
            _ => false,
        };
        Self::ALL.into_iter().filter(differ).collect()
    }
}

fn z_score(dialect: &Dialect) -> Option<&ZScore> {
    match &dialect.advantage {
        AdvantageRule::ZScore(z_score) => Some(z_score),
        AdvantageRule::Centered | AdvantageRule::LeaveOneOut | AdvantageRule::RelativeToMean => {
            None
        }
    }
}

fn clipped(dialect: &Dialect) -> Option<&ClippedSurrogate> {
    match &dialect.loss {
        TokenLoss::Clipped(loss) => Some(loss),
        _ => None,
    }
}

fn or_none(limit: Option<f64>) -> String {
    limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())
}

fn small(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value:e}") }
}
