//! Seeds for different purposes of one run.

/// What a seed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Asking a selector what it needs.
    Need = 1,
    /// Selecting prompts.
    Select = 2,
    /// Sampling completions that only a selector sees.
    Probe = 3,
    /// Selecting and sampling in a later batch of a step.
    Refill = 4,
    /// Projecting gradients.
    Sketch = 5,
    /// What a loss draws at random in an update.
    Update = 6,
}

/// An independent seed for a purpose at a step: the finaliser of `SplitMix64` over all three.
pub(crate) fn seed_for(run: u64, step: u64, purpose: Purpose) -> u64 {
    let mut z = run
        .wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_add((purpose as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
