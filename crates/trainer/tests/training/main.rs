//! The trainer on policies that can be computed by hand, in seconds.

#![allow(clippy::print_stdout, reason = "a failed test shows its device")]

mod common;
mod failures;
mod folder;
mod learning;
mod penalties;
mod recipes;
mod resume;
mod seams;
mod selectors;
mod step;
