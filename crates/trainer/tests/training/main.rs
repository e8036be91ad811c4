//! The trainer on policies that can be computed by hand, in seconds.

mod common;
mod failures;
mod folder;
mod learning;
mod penalties;
mod resume;
mod seams;
mod step;
