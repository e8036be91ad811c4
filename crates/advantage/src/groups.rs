//! One row for each group, written in one go: no buffer between rewards and advantages.

use fireproof_trajectory::{GroupView, StepView};

/// One row for each group of the step.
pub(crate) fn each_group(
    step: &StepView<'_>,
    row: impl Fn(&GroupView<'_>) -> Vec<f32>,
) -> Vec<Vec<f32>> {
    step.groups.iter().map(row).collect()
}

/// True if no two rewards differ, compared exactly; true for none and for one.
pub(crate) fn all_equal(rewards: &[f32]) -> bool {
    rewards.iter().all(|reward| *reward == rewards[0])
}

/// The mean of some rewards, in `f64`; NaN for none.
pub(crate) fn mean(rewards: &[f32]) -> f64 {
    rewards.iter().map(|reward| f64::from(*reward)).sum::<f64>() / rewards.len() as f64
}

/// `(r_i - mean) * scale`, exactly 0 where all rewards are equal: up to 2^29 copies of an `f32` sum
/// without rounding in `f64`, and so their mean is that number.
pub(crate) fn deviations(rewards: &[f32], scale: f64) -> Vec<f32> {
    let mean = mean(rewards);
    rewards.iter().map(|reward| ((f64::from(*reward) - mean) * scale) as f32).collect()
}

/// One value for right and one for wrong completions.
pub(crate) fn by_correctness(correct: &[bool], right: f64, wrong: f64) -> Vec<f32> {
    let (right, wrong) = (right as f32, wrong as f32);
    correct.iter().map(|correct| if *correct { right } else { wrong }).collect()
}

/// Success rate in `f64` from the counts (the `f32` rate would round `1 - rho`); 0 for an empty
/// group.
pub(crate) fn success_rate(group: &GroupView<'_>) -> f64 {
    group.successes() as f64 / group.len().max(1) as f64
}
