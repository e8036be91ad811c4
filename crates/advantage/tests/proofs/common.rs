//! Groups, steps and rows for the tests.

use fireproof_advantage::{
    AdvantageEstimator, Baseline, BatchCentered, Centered, Ddof, DeviationR, Focal, FocalR,
    LeaveOneOut, LinearR, NormScope, OverlongShaped, PairWeighted, PassAtK, PlateauR,
    PositiveReward, PromptWeighted, RawReward, RelativeToMean, RewardIfMixed, Scale, SqrtR,
    UniformR, VarianceR, ZScore, checked_advantages,
};
use fireproof_trajectory::{GroupView, PromptId, StepView, TokenView};

/// Reward and correctness of each completion of a group.
pub(crate) type Group = Vec<(f32, bool)>;

/// An estimator and what it claims.
pub(crate) type Claimed = (Box<dyn AdvantageEstimator>, Claims);

/// What an estimator claims.
#[derive(Clone, Copy, Default)]
pub(crate) struct Claims {
    /// The same for rewards that all have the same number added.
    pub(crate) shift: bool,
    /// The same for rewards that are all multiplied by a positive number.
    pub(crate) scale: bool,
    /// 0 for a group of equal completions.
    pub(crate) zero_if_constant: bool,
    /// Sums to 0 over each group.
    pub(crate) group_sum: bool,
    /// Sums to 0 over the step.
    pub(crate) step_sum: bool,
    /// A group's advantages do not depend on the other groups.
    pub(crate) own_group: bool,
    /// Correctness alone decides.
    pub(crate) blind: bool,
    /// Neighbouring groups belong together.
    pub(crate) paired: bool,
}

const CENTRED: Claims = Claims {
    shift: true,
    scale: false,
    zero_if_constant: true,
    group_sum: true,
    step_sum: true,
    own_group: true,
    blind: false,
    paired: false,
};
/// Rules that look at nothing but correctness are the same for any rewards.
const BLIND: Claims =
    Claims { shift: true, scale: true, zero_if_constant: false, blind: true, ..RAW };
const RAW: Claims = Claims {
    shift: false,
    scale: false,
    zero_if_constant: false,
    group_sum: false,
    step_sum: false,
    own_group: true,
    blind: false,
    paired: false,
};

/// Every estimator with what it claims.
pub(crate) fn estimators() -> Vec<Claimed> {
    let bare = ZScore { epsilon: 0.0, ..ZScore::DEFAULT };
    let z = Claims { scale: true, ..CENTRED };
    let step = Claims { own_group: false, ..CENTRED };
    let balanced = Claims { zero_if_constant: true, group_sum: true, step_sum: true, ..BLIND };
    let mut all = basic_estimators();
    all.extend([
        (boxed(ZScore::DEFAULT), CENTRED),
        (boxed(bare), z),
        (boxed(ZScore { ddof: Ddof::Population, ..bare }), z),
        (boxed(ZScore { baseline: Baseline::LeaveOneOut, ..bare }), z),
        (boxed(ZScore { scale: Scale::Step, ..bare }), Claims { scale: true, ..step }),
        (boxed(ZScore { scale: Scale::StepCentered, ..bare }), Claims { scale: true, ..step }),
        (
            boxed(ZScore { scale: Scale::LeaveOneOut, ..ZScore::DEFAULT }),
            Claims { group_sum: false, step_sum: false, ..CENTRED },
        ),
        (
            boxed(ZScore { baseline: Baseline::Step, scale: Scale::Step, ..bare }),
            Claims { zero_if_constant: false, group_sum: false, scale: true, ..step },
        ),
        (boxed(PassAtK { k: 3 }), balanced),
        (boxed(PromptWeighted::new(VarianceR)), balanced),
        (boxed(PromptWeighted::new(DeviationR)), balanced),
        (boxed(PromptWeighted::new(FocalR { gamma: 0.5, base: DeviationR })), balanced),
        (boxed(PromptWeighted::new(LinearR)), BLIND),
        (boxed(PromptWeighted::new(SqrtR)), BLIND),
        (boxed(PromptWeighted::new(UniformR)), BLIND),
        (boxed(PromptWeighted::new(PlateauR::default())), BLIND),
        (boxed(PairWeighted::default()), balanced),
        (
            boxed(PairWeighted { scope: NormScope::GroupMeanOnly, ..PairWeighted::default() }),
            balanced,
        ),
        (
            boxed(PairWeighted { scope: NormScope::Pair, ..PairWeighted::default() }),
            Claims {
                group_sum: false,
                own_group: false,
                paired: true,
                zero_if_constant: false,
                ..balanced
            },
        ),
        (
            boxed(PairWeighted { lambda_negative: 0.5, ..PairWeighted::default() }),
            Claims { group_sum: false, step_sum: false, ..balanced },
        ),
    ]);
    all
}

fn basic_estimators() -> Vec<Claimed> {
    let overlong = OverlongShaped { base: boxed(Centered), limit: 8, buffer: 4, factor: 1.0 };
    vec![
        (boxed(RawReward), RAW),
        (boxed(Centered), CENTRED),
        (boxed(LeaveOneOut), CENTRED),
        (
            boxed(BatchCentered),
            Claims { zero_if_constant: false, group_sum: false, own_group: false, ..CENTRED },
        ),
        (boxed(RelativeToMean), Claims { scale: true, shift: false, ..CENTRED }),
        (boxed(PositiveReward), RAW),
        (boxed(RewardIfMixed), Claims { zero_if_constant: true, ..RAW }),
        (boxed(Focal::new(Centered)), CENTRED),
        (boxed(overlong), Claims { zero_if_constant: true, ..CENTRED }),
    ]
}

pub(crate) fn boxed(estimator: impl AdvantageEstimator + 'static) -> Box<dyn AdvantageEstimator> {
    Box::new(estimator)
}

/// Runs an estimator on groups of completions of one token each.
pub(crate) fn run(estimator: &dyn AdvantageEstimator, groups: &[Group]) -> Vec<Vec<f32>> {
    run_at(estimator, groups, 3)
}

/// Runs an estimator at a step of a hundred.
pub(crate) fn run_at(
    estimator: &dyn AdvantageEstimator,
    groups: &[Group],
    step: u64,
) -> Vec<Vec<f32>> {
    let unzipped: Vec<(Vec<f32>, Vec<bool>)> =
        groups.iter().map(|group| group.iter().copied().unzip()).collect();
    let (lengths, truncated) = (vec![1; 64], vec![false; 64]);
    let views: Vec<GroupView<'_>> = unzipped
        .iter()
        .zip(0..)
        .map(|((rewards, correct), prompt)| GroupView {
            prompt: PromptId(prompt),
            rewards,
            correct,
            lengths: &lengths[..rewards.len()],
            truncated: &truncated[..rewards.len()],
        })
        .collect();
    checked_advantages(estimator, &StepView { groups: &views, step, steps: 100 })
        .expect("valid advantages")
}

/// Binary rewards: `successes` right of `completions`, the right ones first.
pub(crate) fn mixed(successes: usize, completions: usize) -> Group {
    (0..completions).map(|i| (f32::from(i < successes), i < successes)).collect()
}

/// Rewards whose correctness is a reward above 1/2.
pub(crate) fn rewarded(rewards: &[f32]) -> Group {
    rewards.iter().map(|reward| (*reward, *reward > 0.5)).collect()
}

#[track_caller]
pub(crate) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{found:?} is not {expected:?}");
    for (a, b) in found.iter().zip(expected) {
        let error = (a - b).abs();
        assert!(error <= tolerance * b.abs().max(1.0), "{found:?} is not {expected:?}");
    }
}

/// A completion with these log-probabilities and costs, and an entropy of 1/2 everywhere.
pub(crate) fn row<'a>(logprobs: &'a [f32], costs: &'a [f32]) -> TokenView<'a> {
    const ENTROPIES: [f32; 64] = [0.5; 64];
    TokenView {
        group: 0,
        success_rate: 0.5,
        correct: true,
        truncated: false,
        logprobs,
        entropies: &ENTROPIES[..logprobs.len()],
        costs,
    }
}
