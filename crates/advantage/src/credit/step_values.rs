//! Credit from the value of each reasoning step (VinePPO, arXiv 2410.01679).
//!
//! A completion is cut into `K` steps. Values come from outside: whoever can continue from a prefix
//! measures them, here they are plain numbers.

/// `A_k = r_k + V(s_{k+1}) - V(s_k)` with `V = 0` after the last step: VinePPO (arXiv 2410.01679,
/// confidence HIGH: released code), gamma and lambda 1.
///
/// `rewards[k]` is what step `k` earned (usually 0 but for the last, which earns the completion's
/// reward); `values[k]` is the value before step `k`: the mean return of fresh completions from that
/// prefix (the paper draws 9). So the advantages sum to the reward minus `values[0]`.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use fireproof_advantage::step_value_advantages;
/// // Three steps; the second is the one that finds the way.
/// let found = step_value_advantages(&[0.0, 0.0, 1.0], &[0.25, 0.25, 1.0]);
/// assert_eq!(found, [0.0, 0.75, 0.0]);
/// ```
#[must_use]
pub fn step_value_advantages(rewards: &[f32], values: &[f32]) -> Vec<f32> {
    assert_eq!(rewards.len(), values.len(), "rewards and values of steps");
    let after = values.iter().skip(1).copied().chain([0.0]);
    let steps = rewards.iter().zip(values).zip(after);
    steps.map(|((r, v), next)| (f64::from(*r) + f64::from(next) - f64::from(*v)) as f32).collect()
}

/// Fills values that were not measured with the step's reward plus the next value, so that the step
/// gets advantage 0: VinePPO's released code for late steps (arXiv 2410.01679, confidence HIGH).
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use fireproof_advantage::fill_step_values;
/// let found = fill_step_values(&[0.0, 0.0, 1.0], &[Some(0.25), None, None]);
/// assert_eq!(found, [0.25, 1.0, 1.0]);
/// ```
#[must_use]
pub fn fill_step_values(rewards: &[f32], values: &[Option<f32>]) -> Vec<f32> {
    assert_eq!(rewards.len(), values.len(), "rewards and values of steps");
    let mut next = 0.0;
    let mut filled: Vec<f32> = rewards
        .iter()
        .zip(values)
        .rev()
        .map(|(reward, value)| {
            next = value.unwrap_or(reward + next);
            next
        })
        .collect();
    filled.reverse();
    filled
}

/// Gives every token of a step the step's number; `lengths[k]` is how many tokens step `k` has.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use fireproof_advantage::to_tokens;
/// assert_eq!(to_tokens(&[0.5, -1.0], &[2, 1]), [0.5, 0.5, -1.0]);
/// ```
#[must_use]
pub fn to_tokens(steps: &[f32], lengths: &[usize]) -> Vec<f32> {
    assert_eq!(steps.len(), lengths.len(), "numbers and lengths of steps");
    steps
        .iter()
        .zip(lengths)
        .flat_map(|(step, length)| std::iter::repeat_n(*step, *length))
        .collect()
}
