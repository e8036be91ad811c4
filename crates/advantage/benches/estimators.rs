//! A million rewards in groups of eight through each estimator on one core, beside what numpy, torch
//! and verl need for the z-score of the same rewards in the same run.
//!
//! ```sh
//! cargo bench --package fireproof-advantage --bench estimators -- --python path/to/python
//! ```
//!
//! Times are those of whole calls, allocation of the result included: the fastest of several, so that
//! another program on the machine does not count, and the median; ratios are those of medians. The
//! interpreter (python3 if none is named) runs `rivals.py`, which says what to install; rivals that
//! are missing are named.

#![allow(clippy::print_stdout, reason = "it prints what it measures")]

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use fireproof_advantage::{
    AdvantageEstimator, BatchCentered, Centered, Ddof, Focal, LeaveOneOut, LinearR, OverlongShaped,
    PairWeighted, PassAtK, PlateauR, PositiveReward, PromptWeighted, RawReward, RelativeToMean,
    RewardIfMixed, Scale, SqrtR, UniformR, ZScore,
};
use fireproof_trajectory::{GroupView, PromptId, StepView};

/// As in the programs: the system's allocator gives the memory back after each call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GROUP: usize = 8;
const GROUPS: usize = 125_000;
const REPETITIONS: usize = 25;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let named = arguments.iter().position(|argument| argument == "--python");
    let python = named.and_then(|at| arguments.get(at + 1)).map_or("python3", String::as_str);
    let (rewards, correct) = step();
    let (lengths, truncated) = ([1; GROUP], [false; GROUP]);
    let groups = rewards.chunks(GROUP).zip(correct.chunks(GROUP)).zip(0..);
    let views: Vec<GroupView<'_>> = groups
        .map(|((rewards, correct), prompt)| GroupView {
            prompt: PromptId(prompt),
            rewards,
            correct,
            lengths: &lengths,
            truncated: &truncated,
        })
        .collect();
    let step = StepView { groups: &views, step: 0, steps: 1 };
    println!("{GROUPS} groups of {GROUP}");
    let mut z_score = 0.0;
    for (name, estimator) in estimators() {
        let (fastest, median, size) = measure(&estimator, &step);
        let (shortest, middle) = (fastest * 1e3, median * 1e3);
        println!("{name}: {shortest:.2} ms (median {middle:.2}), sum of sizes {size:.0}");
        z_score = if name == "z-score" { median } else { z_score };
    }
    rivals(python, &rewards, z_score)
}

fn estimators() -> Vec<(&'static str, Box<dyn AdvantageEstimator>)> {
    let population = ZScore { ddof: Ddof::Population, ..ZScore::DEFAULT };
    let overlong = OverlongShaped { base: Box::new(Centered), limit: 8, buffer: 4, factor: 1.0 };
    vec![
        ("raw reward", Box::new(RawReward)),
        ("centred", Box::new(Centered)),
        ("leave-one-out", Box::new(LeaveOneOut)),
        ("batch-centred", Box::new(BatchCentered)),
        ("z-score", Box::new(ZScore::DEFAULT)),
        ("z-score, population", Box::new(population)),
        ("z-score, step deviation", Box::new(ZScore { scale: Scale::Step, ..ZScore::DEFAULT })),
        (
            "z-score, centred step deviation",
            Box::new(ZScore { scale: Scale::StepCentered, ..ZScore::DEFAULT }),
        ),
        (
            "z-score, leave-one-out deviation",
            Box::new(ZScore { scale: Scale::LeaveOneOut, ..ZScore::DEFAULT }),
        ),
        ("relative to mean", Box::new(RelativeToMean)),
        ("positive reward", Box::new(PositiveReward)),
        ("reward if mixed", Box::new(RewardIfMixed)),
        ("pass@4", Box::new(PassAtK { k: 4 })),
        ("Linear-R", Box::new(PromptWeighted::new(LinearR))),
        ("Sqrt-R", Box::new(PromptWeighted::new(SqrtR))),
        ("Uniform-R", Box::new(PromptWeighted::new(UniformR))),
        ("Plateau-R", Box::new(PromptWeighted::new(PlateauR::default()))),
        ("pair-weighted", Box::new(PairWeighted::default())),
        ("focal z-score", Box::new(Focal::new(ZScore::DEFAULT))),
        ("overlong-shaped centred", Box::new(overlong)),
    ]
}

/// Rewards between 0 and 1, right above 1/2, with all success rates: scrambled multiples of a
/// constant, the same on every machine.
fn step() -> (Vec<f32>, Vec<bool>) {
    let reward = |index: u32| {
        let scrambled = (index + 1).wrapping_mul(2_654_435_761) >> 8;
        let noise = scrambled as f32 / (1 << 24) as f32;
        let difficulty = (index / GROUP as u32 % 9) as f32 / 8.0;
        (noise + difficulty) / 2.0
    };
    let rewards: Vec<f32> = (0..(GROUPS * GROUP) as u32).map(reward).collect();
    let correct = rewards.iter().map(|reward| *reward > 0.5).collect();
    (rewards, correct)
}

/// Fastest and median seconds of a call, and the sum of the absolute advantages.
fn measure(estimator: &dyn AdvantageEstimator, step: &StepView<'_>) -> (f64, f64, f64) {
    let mut size = 0.0;
    let mut seconds: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            let advantages = estimator.advantages(black_box(step));
            let seconds = start.elapsed().as_secs_f64();
            size = advantages.iter().flatten().map(|a| f64::from(a.abs())).sum();
            seconds
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    (seconds[0], seconds[REPETITIONS / 2], size)
}

/// Runs the script beside this file on the same rewards.
fn rivals(python: &str, rewards: &[f32], z_score: f64) -> Result<(), Box<dyn Error>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rivals.py");
    let mut command = Command::new(python);
    command.arg(script).args(["--group", &GROUP.to_string()]);
    let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("rivals are not measured: {python}: {error}");
            return Ok(());
        }
    };
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let bytes: Vec<u8> = rewards.iter().flat_map(|reward| reward.to_le_bytes()).collect();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer failed")??;
    for line in String::from_utf8(output.stdout)?.lines() {
        let rival: serde_json::Value = serde_json::from_str(line)?;
        let number = |key: &str| rival[key].as_f64().ok_or(format!("no {key} in {line}"));
        let (fastest, median, size) = (number("fastest")?, number("median")?, number("size")?);
        let (shortest, middle, ratio) = (fastest * 1e3, median * 1e3, median / z_score);
        let name = rival["name"].as_str().unwrap_or_default();
        println!(
            "{name}: {shortest:.2} ms (median {middle:.2}), sum of sizes {size:.0}: {ratio:.1} times \
             our z-score"
        );
    }
    Ok(())
}
