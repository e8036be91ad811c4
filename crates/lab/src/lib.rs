//! What an experiment over arms and seeds needs besides training itself.
//!
//! Floor 2: sees `trajectory`, `advantage` and `selection`; no tensors, so it tests in seconds.
//!
//! | part | what it does |
//! |---|---|
//! | [`Jobs`] | runs arms × seeds in parallel; what is done already is not done again |
//! | [`statistics`] | pass@k, bootstrap intervals, paired tests |
//! | [`Figure`] | lines with bands and points with intervals, as SVG |
//! | [`LogLinear`], [`Ascent`] | policies small enough for exact success rates, with shared parameters |
//! | [`selecting`] | selection rules on such policies |
//! | [`asymmetric`], [`coverage`] | the exact parts of the experiments on prompt weights and on focal scaling |
//! | [`rates`] | learning rates to choose from |
//! | [`pairing`], [`ratios`] | experiments on such policies: two prompts an update (arXiv 2602.03452), importance ratios (ASPO, arXiv 2510.06062) |
//! | [`Findings`] | tables, figures and criteria: to the terminal, `report.html`, `summary.json` |
//!
//! ```
//! use fireproof_lab::statistics::{median, paired};
//!
//! // Four seeds, two arms, the same seeds: the difference is taken seed by seed.
//! let (base, method) = ([0.50, 0.60, 0.55, 0.70], [0.58, 0.66, 0.60, 0.79]);
//! let found = paired(&base, &method);
//! assert!((found.difference.value - 0.07).abs() < 1e-12);
//! // All four differ in one direction; of the 16 ways to sign them, 2 are as extreme.
//! assert!((found.p_value - 2.0 / 16.0).abs() < 1e-12);
//! assert_eq!(median(&base), 0.575);
//! ```

pub mod asymmetric;
pub mod coverage;
mod error;
mod figure;
mod findings;
mod jobs;
pub mod pairing;
pub mod ratios;
pub mod selecting;
mod softmax;
pub mod statistics;
mod tuning;

pub use error::LabError;
pub use figure::Axis;
pub use figure::Figure;
pub use figure::Panel;
pub use figure::Series;
pub use figure::Shape;
pub use findings::Block;
pub use findings::Criterion;
pub use findings::Findings;
pub use findings::Table;
pub use jobs::Job;
pub use jobs::Jobs;
pub use jobs::Progress;
pub use softmax::Ascent;
pub use softmax::LogLinear;
pub use softmax::draw;
pub use softmax::softmax;
pub use tuning::rates;
