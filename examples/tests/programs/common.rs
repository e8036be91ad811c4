//! The programs as a person starts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fireproof::trainer::{StepMetrics, StepTimes};

/// The quickstart.
pub(crate) fn program() -> PathBuf {
    example("quickstart")
}

/// An example that Cargo builds beside this test.
pub(crate) fn example(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("a running test has a path");
    let folder = this.ancestors().nth(2).expect("target/debug/deps/test");
    let path = folder.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not built: run `cargo test --workspace`", path.display());
    path
}

pub(crate) fn quickstart(arguments: &[&str]) -> Output {
    run("quickstart", arguments)
}

/// Runs an example to its end.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(example(name));
    command.args(arguments).env_remove("BURN_DEVICE");
    command.output().expect("the program starts")
}

/// A run of a second.
pub(crate) const TINY: [&str; 17] = [
    "--device",
    "flex",
    "--quick",
    "--set",
    "warm_start.steps=3",
    "--set",
    "warm_start.demonstrations_per_step=8",
    "--set",
    "trainer.steps=4",
    "--set",
    "trainer.prompts_per_step=4",
    "--set",
    "trainer.prompts_per_update=2",
    "--set",
    "evaluation.prompts=8",
    "--set",
    "trainer.checkpoint_every=2",
];

pub(crate) fn tiny(out: &Path, more: &[&str]) -> Output {
    let out = out.to_str().expect("a plain path");
    quickstart(&[&TINY[..], &["--out", out], more].concat())
}

#[track_caller]
pub(crate) fn refused(output: &Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it should have failed");
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[track_caller]
pub(crate) fn text_of(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The metrics of a run without its clock.
pub(crate) fn metrics(run: &Path) -> Vec<StepMetrics> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("a run writes metrics");
    let parse = |line: &str| serde_json::from_str(line).expect("a line of metrics");
    let timeless = |metrics| StepMetrics { time: StepTimes::default(), ..metrics };
    text.lines().map(parse).map(timeless).collect()
}
