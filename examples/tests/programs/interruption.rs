//! Runs that are stopped, killed and short of disk: nothing is lost but the steps since the last
//! checkpoint, and the end is that of a run never interrupted.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{TINY, metrics, program, quickstart, refused, text_of};
use fireproof::trainer::latest_checkpoint;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Ten steps, a checkpoint every third one.
const MORE: [&str; 4] = ["--set", "trainer.steps=10", "--set", "trainer.checkpoint_every=3"];

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.args(arguments).env_remove("BURN_DEVICE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Starts the run in a folder, or continues it if there is one.
fn start_or_resume(path: &str) -> Child {
    if Path::new(path).join("config.toml").exists() {
        return start(&["--device", "flex", "--resume", path]);
    }
    start(&[&TINY[..], &MORE, &["--out", path]].concat())
}

/// Steps in the last checkpoint, if there is one.
fn checkpointed(path: &str) -> Option<u64> {
    let (checkpoint, damaged) = latest_checkpoint(Path::new(path)).ok()?;
    assert!(damaged.is_empty(), "a kill must not leave a damaged checkpoint: {damaged:?}");
    checkpoint.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()
}

#[track_caller]
fn same_end(one: &Path, other: &Path) {
    assert_eq!(metrics(one), metrics(other));
    for result in ["evaluation-before.json", "evaluation-after.json", "completions.jsonl"] {
        let read = |run: &Path| fs::read_to_string(run.join(result)).expect("a finished run");
        assert_eq!(read(one), read(other), "{result}");
    }
}

#[test]
fn a_run_killed_at_thirty_random_moments_ends_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let began = Instant::now();
    text_of(&start_or_resume(whole.to_str().unwrap()).wait_with_output().unwrap());
    let duration = began.elapsed();

    let mut rng = ChaCha8Rng::seed_from_u64(30);
    let (mut kills, mut runs) = (0, 0);
    while kills < 30 {
        runs += 1;
        let run = folder.path().join(format!("killed-{runs}"));
        let path = run.to_str().unwrap();
        let mut last = None;
        loop {
            let mut child = start_or_resume(path);
            sleep(duration.mul_f64(rng.random_range(0.0..0.9)));
            // Killed unless it was faster; what is left must be whole.
            let finished = child.try_wait().unwrap().is_some();
            if !finished {
                child.kill().unwrap();
                kills += 1;
            }
            let output = child.wait_with_output().unwrap();
            let now = checkpointed(path);
            assert!(now >= last, "kill {kills}: from {last:?} back to {now:?}");
            last = now;
            if finished {
                text_of(&output);
                break;
            }
            if kills == 30 {
                text_of(&start_or_resume(path).wait_with_output().unwrap());
                break;
            }
        }
        same_end(&run, &whole);
    }
    println!("{kills} kills in {runs} runs");
}

#[test]
fn ctrl_c_finishes_the_step_and_the_run_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let path = run.to_str().unwrap();
    let many = ["--set", "trainer.steps=100000", "--set", "trainer.checkpoint_every=0"];
    let mut child = start(&[&TINY[..], &many, &["--out", path]].concat());
    while fs::metadata(run.join("metrics.jsonl")).map_or(0, |file| file.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its first step");
        sleep(Duration::from_millis(10));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let done = metrics(&run).len() as u64;
    assert_eq!(checkpointed(path), Some(done), "the step that ran is in the checkpoint");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let advice = format!("stopped after step {done}; continue with `--resume {path}`");
    assert!(text.contains(&advice), "{text}");
    assert!(run.join("report.html").exists());

    let steps = format!("trainer.steps={}", done + 2);
    text_of(&quickstart(&["--device", "flex", "--resume", path, "--set", &steps]));
    let whole = folder.path().join("whole");
    let out = ["--set", &steps, "--out", whole.to_str().unwrap()];
    text_of(&quickstart(&[&TINY[..], &out].concat()));
    same_end(&run, &whole);
}

/// Runs a program that may write no file of more than so many KiB: what a full disk does to it.
fn with_little_disk(kib: usize, arguments: &[&str]) -> std::process::Output {
    let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", 2 * kib);
    let mut command = Command::new("sh");
    command.args(["-c", &limit, "sh", program().to_str().expect("a plain path")]);
    command.args(arguments).env_remove("BURN_DEVICE").output().expect("sh starts")
}

#[test]
fn a_disk_that_fills_up_is_named_and_the_last_good_checkpoint_stays() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let path = run.to_str().unwrap();
    let all = [&TINY[..], &MORE, &["--out", path]].concat();
    let first = with_little_disk(64, &all);
    refused(&first, &["writing checkpoint ", "step-000000", "too large"]);
    assert_eq!(checkpointed(path), None);

    // Three steps are in a checkpoint; then the disk is full.
    let four = ["--device", "flex", "--resume", path, "--set", "trainer.steps=4"];
    text_of(&quickstart(&four));
    assert_eq!(checkpointed(path), Some(4));
    let ten = ["--device", "flex", "--resume", path, "--set", "trainer.steps=10"];
    refused(&with_little_disk(64, &ten), &["writing checkpoint ", "step-000006", "too large"]);
    assert_eq!(checkpointed(path), Some(4));

    text_of(&quickstart(&ten));
    let whole = folder.path().join("whole");
    text_of(&quickstart(&[&TINY[..], &MORE, &["--out", whole.to_str().unwrap()]].concat()));
    same_end(&run, &whole);
}

#[test]
fn a_checkpoint_of_another_recipe_or_model_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let path = run.to_str().unwrap();
    text_of(&quickstart(&[&TINY[..], &["--out", path]].concat()));
    let resume =
        |more: &[&str]| quickstart(&[&["--device", "flex", "--resume", path], more].concat());
    refused(
        &resume(&["--recipe", "rloo"]),
        &["another recipe", "- ", "ZScore", "+ ", "LeaveOneOut"],
    );
    let wider = resume(&["--set", "model.width=72"]);
    refused(&wider, &["another model", "embed_tokens [12, 64]", "embed_tokens [12, 72]"]);
    refused(&resume(&["--seed", "2"]), &["--seed", "--resume"]);
    // What was refused changed nothing.
    text_of(&resume(&[]));
}
