//! Procedural tasks whose answers a program can check.
//!
//! Floor 1, beside `verifier`, `advantage` and `selection`: no tensors, and nothing that judges. A
//! [`TaskFamily`] makes instances of a difficulty level from a random number generator that the
//! caller supplies; the judgement is data in the task ([`fireproof_trajectory::CheckSpec`]).
//!
//! | family | prompt → an answer | levels | right answers |
//! |---|---|---|---|
//! | [`Reverse`] | `31465>` → `56413` | 1-16 digits | 1 |
//! | [`Sort`] | `3141>` → `1134` | 1-12 digits | 1 |
//! | [`Addition`] | `57+68>` → `125` | 1-6 digits | 1 |
//! | [`Modular`] | `5*4%7>` → `6` | moduli 5 to 97 | 1 |
//! | [`Split`] | `57:2-4>` → `38+19` | terms, size, forbidden digit | counted |
//! | [`Countdown`] | `3,5,8=16>` → `8+5+3` | 2-4 numbers | counted |
//!
//! Training and held-out tasks are disjoint because a task belongs to a [`Partition`] by the hash
//! of its content alone.
//!
//! ```
//! use fireproof_tasks::{Partition, Split, TaskFamily, generate};
//!
//! let train = generate(&Split, 1..=3, 50, Partition::Train, 1);
//! let held_out = generate(&Split, 1..=3, 50, Partition::HeldOut, 1);
//! assert!(train.iter().all(|t| held_out.iter().all(|h| h.task.id != t.task.id)));
//! ```

mod countdown;
mod family;
mod generate;
mod number;
mod sequence;
mod split;

pub use countdown::Countdown;
pub use family::FAMILIES;
pub use family::Instance;
pub use family::TaskFamily;
pub use family::family;
pub use generate::Partition;
pub use generate::generate;
pub use number::Addition;
pub use number::Modular;
pub use sequence::Reverse;
pub use sequence::Sort;
pub use split::Split;
