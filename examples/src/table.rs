//! Tables for the terminal.

use std::fmt::Write;

use fireproof::trainer::{Evaluation, Interval};

/// Two evaluations of the same prompts side by side: pass@1 and pass@8 over all, and pass@1 by
/// level.
#[must_use]
pub fn before_after(before: &Evaluation, after: &Evaluation) -> String {
    let mut text = format!("{:<18}{:<18}{:<18}{}\n", "", "before", "after", "change");
    let mut row = |name: String, before: Interval, after: Interval| {
        let change = after.mean - before.mean;
        let (before, after) = (before.to_string(), after.to_string());
        writeln!(text, "{name:<18}{before:<18}{after:<18}{change:+.3}")
            .expect("writing to a string cannot fail");
    };
    for k in [1, 8] {
        row(format!("pass@{k}"), before.pass_at(k), after.pass_at(k));
    }
    let (before, after) = (before.by_level(), after.by_level());
    for (level, evaluation) in &before {
        let name = format!("  pass@1 level {level}");
        row(name, evaluation.pass_at(1), after[level].pass_at(1));
    }
    text
}
