//! Tasks whose answers a program can check: made by procedural families, or read from files.
//!
//! Floor 1, beside `verifier`, `advantage` and `selection`: no tensors, no network, and nothing that
//! judges; the judgement is data in the task ([`fireproof_trajectory::CheckSpec`]).
//!
//! # Families
//!
//! A [`TaskFamily`] makes instances of a difficulty level from a random number generator that the
//! caller supplies.
//!
//! | family | prompt → an answer | levels | right answers |
//! |---|---|---|---|
//! | [`Copying`] | `31465>` → `31465` | 1-16 digits | 1 |
//! | [`Reverse`] | `31465>` → `56413` | 1-16 digits | 1 |
//! | [`Sort`] | `3141>` → `1134` | 1-12 digits | 1 |
//! | [`Parity`] | `10110>` → `1` | 1-32 bits | 1 |
//! | [`Majority`] | `10110>` → `1` | 1-31 bits | 1 |
//! | [`Counting`] | `30313:3>` → `3` | 1-16 digits | 1 |
//! | [`Addition`] | `57+68>` → `125` | 1-6 digits | 1 |
//! | [`Modular`] | `5*4%7>` → `6` | moduli 5 to 97 | 1 |
//! | [`Gcd`] | `12,18>` → `6` | up to 9801 | 1 |
//! | [`Base`] | `13:2>` → `1101` | size, base | 1 |
//! | [`Equation`] | `3x+5=20>` → `5` | signs, both sides, fractions | 1 |
//! | [`Split`] | `57:2-4>` → `38+19` | terms, size, forbidden digit | counted |
//! | [`Factors`] | `24>` → `4*6` | up to 9801 | counted |
//! | [`Countdown`] | `3,5,8=16>` → `8+5+3` | 2-4 numbers | counted |
//! | [`Make24`] | `4,7,8,8>` → `(7-8/8)*4` | 3-4 numbers | counted |
//! | [`SubsetSum`] | `2,3,5,8=10>` → `2+8` | 3-8 numbers | counted |
//! | [`Coins`] | `2,5,7:4=19>` → `5+7+7` | values, coins at most | counted |
//! | [`GraphPath`] | `ab,cb,cd,ad:ac>` → `adc` | 3-8 nodes | counted |
//! | [`Brackets`] | `()[]6:([>` → `])[]` | 2-6 pairs | counted |
//! | [`Queens`] | `6:24>` → `6135` | 4-8 rows | counted |
//! | [`Word`] | `ab4:2a-bb>` → `abab` | 3-9 letters | counted |
//! | [`RareModes`] | `3:57>` → `04` | 2-8 accepted texts | stated |
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
//!
//! # Files
//!
//! A [`TaskReader`] reads JSONL (and Parquet, with the feature `parquet`) row by row, in the
//! [`Layout`] of GSM8K, MATH, DAPO or of a user's own [`Fields`]; [`write_jsonl`] writes tasks that
//! [`Layout::Tasks`] reads back. A bad row is an error with file, line and value, and the rows after
//! it still come.

mod families;
mod family;
mod generate;
mod readers;

pub use families::Addition;
pub use families::Base;
pub use families::Brackets;
pub use families::Coins;
pub use families::Copying;
pub use families::Countdown;
pub use families::Counting;
pub use families::Equation;
pub use families::Factors;
pub use families::Gcd;
pub use families::GraphPath;
pub use families::Majority;
pub use families::Make24;
pub use families::Modular;
pub use families::Parity;
pub use families::Queens;
pub use families::RareModes;
pub use families::Reverse;
pub use families::Sort;
pub use families::Split;
pub use families::SubsetSum;
pub use families::Word;
pub use family::FAMILIES;
pub use family::Instance;
pub use family::TaskFamily;
pub use family::family;
pub use generate::Partition;
pub use generate::generate;
pub use readers::Answer;
pub use readers::Fields;
pub use readers::Judge;
pub use readers::LONGEST_LINE;
pub use readers::Layout;
pub use readers::ReadError;
pub use readers::ReadProblem;
pub use readers::ReadReport;
pub use readers::Record;
pub use readers::Rows;
pub use readers::TaskReader;
pub use readers::write_jsonl;
