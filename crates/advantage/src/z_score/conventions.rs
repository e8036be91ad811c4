//! What frameworks disagree about, one choice each.

/// Which variance a z-score divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ddof {
    /// Divide the sum of squares by `G` (ddof 0; NumPy's default).
    Population,
    /// Divide the sum of squares by `G - 1` (ddof 1; PyTorch's default, TRL, verl).
    Sample,
}

impl Ddof {
    /// The number subtracted from `G`.
    #[must_use]
    pub fn value(self) -> usize {
        match self {
            Self::Population => 0,
            Self::Sample => 1,
        }
    }
}

/// What a z-score subtracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// The mean of the group.
    Group,
    /// The mean of the other completions of the group (NeMo-RL).
    LeaveOneOut,
    /// The mean of the step (AReaL's default).
    Step,
}

/// What a z-score divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The standard deviation of the group.
    Group,
    /// The standard deviation of the other completions of the group; where that is 0, nothing is
    /// divided. That is NeMo-RL's rule: the only right completion of a group keeps `r - baseline`
    /// while the wrong ones are normalised.
    LeaveOneOut,
    /// The standard deviation of all rewards of the step (TRL's `scale_rewards="batch"`, AReaL).
    Step,
    /// The standard deviation over the step of what is left after the baseline of each group
    /// (REINFORCE++-baseline for whole completions, as ms-swift does it).
    StepCentered,
}

/// Where `epsilon` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpsilonPlace {
    /// `std + epsilon`: all frameworks for groups.
    AfterRoot,
    /// `sqrt(variance + epsilon)`: the whitening of verl and OpenRLHF.
    UnderRoot,
}

/// What a group of one completion gets, unless both baseline and scale are those of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Singleton {
    /// 0 (TRL, NeMo-RL).
    Zero,
    /// `r / (1 + epsilon)`: mean 0 and standard deviation 1 (verl, AReaL).
    Reward,
}

/// What happens where all rewards behind the baseline or behind the scale are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllEqual {
    /// Exactly 0, by comparing the rewards.
    Zero,
    /// Whatever the division gives: 0 with [`Arithmetic::Double`] and a positive epsilon, rounding
    /// noise over epsilon with the others, NaN with epsilon 0.
    Divide,
}

/// How means and variances are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// In `f64`, deviations from the mean squared.
    Double,
    /// As [`Self::Double`], but each operation rounded to `f32`, sums from left to right: what
    /// `torch.std` gives for short groups.
    Single,
    /// Each operation rounded to `f32`, and the variance as `E r^2 - (E r)^2`: NeMo-RL.
    SingleOnePass,
}
