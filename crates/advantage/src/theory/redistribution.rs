//! Where the probability of a softmax policy goes after one step (F-GRPO, arXiv 2602.06717).

/// An action of a categorical policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Action {
    /// Its probability.
    pub probability: f64,
    /// Whether it is right.
    pub correct: bool,
    /// How often it was sampled.
    pub count: u32,
}

impl Action {
    fn pick(&self, right: f64, wrong: f64) -> f64 {
        if self.correct { right } else { wrong }
    }

    /// `right` or `wrong` if it was sampled, else 0.
    fn reward(&self, right: f64, wrong: f64) -> f64 {
        if self.count > 0 { self.pick(right, wrong) } else { 0.0 }
    }
}

/// Changes of the logits when *distinct* sampled actions count once, weighted by their probability:
/// `dz_i = rate p_i (R_i - S)`, with `S = sum of p_j R_j`, `R` 0 for what was not sampled.
///
/// `rate` is `eta / N`; `right` and `wrong` are the rewards. Source: arXiv 2602.06717, Prop. 3.2
/// (confidence HIGH). It is the gradient of `sum of p_i R_i` over the sampled actions.
///
/// ```
/// use fireproof_advantage::theory::{Action, distinct_logit_changes};
/// let action = |correct, count| Action { probability: 0.5, correct, count };
/// // S = 1/2: the sampled action gains 1/2 (1 - 1/2), the other loses 1/2 1/2.
/// let changes = distinct_logit_changes(&[action(true, 3), action(true, 0)], 1.0, 0.0, 1.0);
/// assert_eq!(changes, [0.25, -0.25]);
/// ```
#[must_use]
pub fn distinct_logit_changes(actions: &[Action], right: f64, wrong: f64, rate: f64) -> Vec<f64> {
    let reward = |action: &Action| action.reward(right, wrong);
    let mean: f64 = actions.iter().map(|action| action.probability * reward(action)).sum();
    actions.iter().map(|action| rate * action.probability * (reward(action) - mean)).collect()
}

/// Changes of the logits of the usual policy gradient, where every sample counts:
/// `dz_i = rate (n_i A_i - p_i sum of n_j A_j)`.
///
/// `rate` is `eta / N`; `right` and `wrong` are the advantages. It is the gradient of
/// `sum of n_i A_i ln p_i`. With advantages that sum to 0 over the group, what was not sampled keeps
/// its logit.
///
/// ```
/// use fireproof_advantage::theory::{Action, count_logit_changes};
/// let action = |correct, count| Action { probability: 0.5, correct, count };
/// // sum n A = 3: 3 - 3/2 and 0 - 3/2.
/// let changes = count_logit_changes(&[action(true, 3), action(true, 0)], 1.0, 0.0, 1.0);
/// assert_eq!(changes, [1.5, -1.5]);
/// ```
#[must_use]
pub fn count_logit_changes(actions: &[Action], right: f64, wrong: f64, rate: f64) -> Vec<f64> {
    let pull = |action: &Action| f64::from(action.count) * action.pick(right, wrong);
    let sum: f64 = actions.iter().map(pull).sum();
    actions.iter().map(|action| rate * (pull(action) - action.probability * sum)).collect()
}

/// First-order change of the mass of some actions: `sum over them of p_i (dz_i - sum of p_j dz_j)`.
///
/// # Panics
/// If the lengths differ.
///
/// ```
/// use fireproof_advantage::theory::{Action, mass_change};
/// let action = |correct| Action { probability: 0.5, correct, count: 0 };
/// let actions = [action(true), action(false)];
/// // 1/2 (1 - 1/2)
/// assert_eq!(mass_change(&actions, &[1.0, 0.0], |action| action.correct), 0.25);
/// ```
#[must_use]
pub fn mass_change(actions: &[Action], logit_changes: &[f64], of: impl Fn(&Action) -> bool) -> f64 {
    assert_eq!(actions.len(), logit_changes.len(), "actions and changes of logits");
    let pairs = || actions.iter().zip(logit_changes);
    let mean: f64 = pairs().map(|(action, change)| action.probability * change).sum();
    let chosen = pairs().filter(|(action, _)| of(action));
    chosen.map(|(action, change)| action.probability * (change - mean)).sum()
}

/// Prop. 3.2 of arXiv 2602.06717 (confidence HIGH): the change of the mass of right actions that were
/// not sampled, for [`distinct_logit_changes`]:
///
/// ```text
/// S = R_c P_pos + R_w P_neg
/// dQ = rate [ -S U_pos2 - Q ((R_c - S) A_2 + (R_w - S) B_2 - S U_2) ]
/// ```
///
/// with `P_pos`, `P_neg` the masses of the sampled right and wrong actions, `A_2`, `B_2` and `U_2` the
/// sums of squared probabilities of the sampled right, sampled wrong and other actions, `U_pos2` and
/// `Q` those of the right among the others. So `dQ` can be negative while right actions gain as a
/// whole.
///
/// ```
/// use fireproof_advantage::theory::{Action, unsampled_right_change};
/// let action = |correct, count| Action { probability: 0.5, correct, count };
/// // S = 1/2, U_pos2 = U_2 = A_2 = 1/4, Q = 1/2: -1/8 - 1/2 (1/8 - 1/8).
/// let change = unsampled_right_change(&[action(true, 3), action(true, 0)], 1.0, 0.0, 1.0);
/// assert_eq!(change, -0.125);
/// ```
#[must_use]
pub fn unsampled_right_change(actions: &[Action], right: f64, wrong: f64, rate: f64) -> f64 {
    let sum = |power: i32, of: &dyn Fn(&Action) -> bool| -> f64 {
        actions.iter().filter(|a| of(a)).map(|a| a.probability.powi(power)).sum()
    };
    let sampled_right = |action: &Action| action.count > 0 && action.correct;
    let sampled_wrong = |action: &Action| action.count > 0 && !action.correct;
    let unsampled = |action: &Action| action.count == 0;
    let unsampled_right = |action: &Action| action.count == 0 && action.correct;
    let mean = right * sum(1, &sampled_right) + wrong * sum(1, &sampled_wrong);
    let spread = (right - mean) * sum(2, &sampled_right) + (wrong - mean) * sum(2, &sampled_wrong)
        - mean * sum(2, &unsampled);
    rate * (-mean * sum(2, &unsampled_right) - sum(1, &unsampled_right) * spread)
}
