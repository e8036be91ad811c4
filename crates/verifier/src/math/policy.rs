//! What may be left open by a prediction.

use serde::{Deserialize, Serialize};

/// What is demanded of a prediction beyond the gold answer's own form.
///
/// The gold answer's form always decides what kind of thing is wanted (a set, a tuple, an equation);
/// these switches are for what data sets disagree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// `15` and `15%` are equal where the number is above 1, so that it cannot be meant as a share:
    /// the question asked for a percentage. `0.15` and `15%` are always equal.
    pub bare_percent: bool,
    /// A unit or currency may be missing on one side. Two units must always agree.
    pub missing_unit: bool,
    /// A gold interval accepts an inequality (`x > 3` for `(3, oo)`). Off, because an inequality is
    /// often the question itself; the other direction is always accepted.
    pub inequality_for_interval: bool,
    /// A gold numeral in another base accepts its digits alone (`1010` for `1010_2`).
    pub bare_base: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            bare_percent: true,
            missing_unit: true,
            inequality_for_interval: false,
            bare_base: true,
        }
    }
}
