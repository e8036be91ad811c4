//! Checks of settings, so that a wrong one is refused where it is made.

use std::fmt::Debug;

use crate::selector::SelectError;

/// Refuses `value` unless `holds`.
pub(crate) fn require(
    rule: &'static str,
    setting: &'static str,
    value: impl Debug,
    wanted: &'static str,
    holds: bool,
) -> Result<(), SelectError> {
    let value = || format!("{value:?}");
    if holds { Ok(()) } else { Err(SelectError::Setting { rule, setting, value: value(), wanted }) }
}

/// Refuses what is not from 0 to 1; NaN is refused too.
pub(crate) fn require_share(
    rule: &'static str,
    setting: &'static str,
    value: f64,
) -> Result<(), SelectError> {
    require(rule, setting, value, "from 0 to 1", (0.0..=1.0).contains(&value))
}

/// Refuses a pool without prompts.
pub(crate) fn require_pool(rule: &'static str, prompts: usize) -> Result<(), SelectError> {
    require(rule, "the number of prompts", prompts, "at least 1", prompts > 0)
}

/// `count` divided in the given shares by largest remainders; of equal remainders the first wins.
///
/// The shares sum to 1, and so do the parts to `count`.
pub(crate) fn quotas(shares: &[f64], count: usize) -> Vec<usize> {
    let exact = shares.iter().map(|share| share * count as f64);
    let mut parts: Vec<usize> = exact.clone().map(|part| part as usize).collect();
    let remainders: Vec<f64> = exact.map(f64::fract).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| remainders[*b].total_cmp(&remainders[*a]));
    let missing = count.saturating_sub(parts.iter().sum());
    order.iter().take(missing).for_each(|part| parts[*part] += 1);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_by_largest_remainders() {
        for (shares, count, expected) in [
            (&[0.25, 0.5, 0.25][..], 8, &[2, 4, 2][..]),
            (&[0.25, 0.5, 0.25], 3, &[1, 1, 1]), // 0.75, 1.5, 0.75
            (&[0.5, 0.5], 3, &[2, 1]),
            (&[1.0, 0.0], 5, &[5, 0]),
            (&[0.3, 0.7], 0, &[0, 0]),
        ] {
            assert_eq!(quotas(shares, count), expected, "{shares:?} of {count}");
        }
    }
}
