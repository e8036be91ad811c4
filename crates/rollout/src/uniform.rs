//! Uniform numbers by address instead of by order.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// The uniform numbers of one completion: number `i` belongs to position `i`.
///
/// The key of a ChaCha8 generator is (run seed, step, prompt, sample) and its counter the position,
/// so every number has an address and none depends on what was drawn before.
///
/// ```
/// use fireproof_rollout::UniformStream;
/// let numbers = |sample| {
///     let mut stream = UniformStream::new(1, 0, 42, sample, 0);
///     [stream.next_uniform(), stream.next_uniform()]
/// };
/// assert_eq!(numbers(3), numbers(3));
/// assert_ne!(numbers(3), numbers(4));
/// // Position 1 can be addressed directly.
/// assert_eq!(UniformStream::new(1, 0, 42, 3, 1).next_uniform(), numbers(3)[1]);
/// ```
#[derive(Debug)]
pub struct UniformStream {
    rng: ChaCha8Rng,
}

impl UniformStream {
    /// The numbers of one completion from `position` on.
    #[must_use]
    pub fn new(seed: u64, step: u64, prompt: u64, sample: u64, position: u64) -> Self {
        let mut key = [0u8; 32];
        for (part, value) in key.chunks_exact_mut(8).zip([seed, step, prompt, sample]) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_word_pos(u128::from(position));
        Self { rng }
    }

    /// The next number, at least 0 and below 1: a multiple of 2^-24.
    pub fn next_uniform(&mut self) -> f32 {
        (self.rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }
}
