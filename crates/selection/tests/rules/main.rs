//! What every rule of this crate promises.

mod common;
mod contract;
mod filters;
mod gradients;
mod metrics;
mod pairs;
mod posteriors;
mod prompts;
mod refusals;
mod replay;
mod tokens;
