//! Which tokens does an importance ratio favour, and does it matter? (ASPO, arXiv 2510.06062)
//!
//! ```text
//! cargo run --release --example aspo -- --quick      # exact and simulated, seconds
//! cargo run --release --example aspo                 # and the small transformer, minutes
//! cargo run --release --example aspo -- --seeds 16 --set transformer.run.trainer.epochs_per_step=8
//! ```
//!
//! **Claim.** When completions are trained on several times, the ratio weighs positive tokens that are
//! likely already more and more and those that lag behind less and less, while it holds back the
//! negative ones. Turning it round for positive tokens (weight 1/R) keeps entropy and gives better
//! rewards; leaving it out altogether changes little.
//!
//! **Written down before running** (a null is an expectation too):
//!
//! 1. Exact: ASPO's weights at R = .2, .5, 1.1, 1.9 for A > 0 are 3, 2, .909, 0, and at R = 4, 1.5,
//!    .9, .5 for A < 0 they are 3, 1.5, .9, 0.
//! 2. Simulated, GRPO's loss at learning rates 1.5 apart under 1 x 4, 4 x 2 and 8 x 4 epochs x
//!    updates: the mean ratio of positive tokens is above that of negative ones at the lowest and the
//!    highest rate, and by more at the higher drift.
//! 3. At the tuned rate (mean |R - 1| of .03 to .1) GRPO's mean ratio is above 1 for positive tokens
//!    and below 1 for negative ones. Met if the 95 % intervals over seeds lie there.
//! 4. The control: with one epoch, sampling anew for each of as many updates, R is 1.
//! 5. ASPO minus GRPO in pass@1 after the same completions: **none**. Met if the interval holds 0 or
//!    the difference is within .02.
//! 6. No ratio (GRPO's mask alone) minus GRPO: none, as 5.
//! 7. ASPO minus GRPO in entropy: none, as 5.
//! 8. DAPO's wider upper clip minus GRPO in pass@1: no loss. Met if the interval holds 0 or lies above.
//! 9. to 14. The transformer: 3 to 8 again, on held-out prompts.
//!
//! Learning rates are tuned for each arm on other seeds, 1.5 apart, among those whose drift is in that
//! range (the one-epoch arm has none). Comparisons are at equal completions and at equal pass@1, for
//! the one-epoch arm at equal updates too.
//!
//! **Departures from the paper.**
//!
//! 1. `aspo` is the paper form, not the released code: no wider range for uncertain tokens. No KL
//!    penalty, no rejection of constant groups.
//! 2. `dapo-clip` is DAPO's clip alone (.2, .28): its filter, its token mean and its overlong shaping
//!    would be differences of another kind.
//! 3. Whether the paper's ablation without ratios keeps the mask was not found; `no-ratio` keeps it,
//!    so that the weight alone differs.
//! 4. The cap 3 is the released code's; the paper prints none.
//! 5. The simulation has three tokens of 8 symbols, a log-linear policy and exact success rates; the
//!    transformer has 0.1M parameters and sorts digits. The paper trains 1.5B on answers of up to 32k
//!    tokens, over thousands of updates: its gains are at sizes that this does not reach.
//! 6. The transformer's entropy is that of the last step's own samples.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use fireproof::lab::ratios::{
    Arm, ArmResult, Comparison, Scan, Setting, Trained, exact_findings, findings,
    mismatch_findings, scan, study,
};
use fireproof::lab::{Block, Findings, Job};
use fireproof_examples::lab::ratios::{RatiosSetting, ratios_study};
use fireproof_examples::lab::{Lab, LabArguments, Size, watch};
use serde::{Deserialize, Serialize};

/// An allocator that keeps freed memory: with one that returns it, a third of a training step is
/// the kernel mapping the same pages again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What several epochs' importance ratios do, and what turning them round changes.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    lab: LabArguments,
}

/// All settings.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The simulation.
    exact: Setting,
    /// The transformer.
    transformer: RatiosSetting,
}

/// Rounding of the simulation's and of the transformer's ratios.
const ROUNDING: [f64; 2] = [1e-9, 1e-4];

fn main() -> ExitCode {
    match run(&Arguments::parse().lab) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &LabArguments) -> Result<(), Box<dyn Error>> {
    let settings: Settings = arguments.settings(&Settings::default())?;
    let lab = arguments.open("aspo")?;
    let seeds = arguments.seeds.unwrap_or(if lab.size == Size::Full { 16 } else { 8 });

    let (comparison, scans) = simulated(&lab, &settings.exact)?;
    let mut blocks = exact_findings();
    blocks.push(Block::Heading("Simulated: three tokens, exact success rates".to_owned()));
    blocks.push(Block::Text(format!(
        "{} seeds; {} steps of {} prompts x {} completions, {} epochs of {} updates.",
        settings.exact.seeds,
        settings.exact.steps,
        settings.exact.prompts_per_step,
        settings.exact.samples,
        settings.exact.epochs,
        settings.exact.minibatches,
    )));
    blocks.extend(mismatch_findings(&scans, &comparison, 2));
    blocks.extend(findings(&comparison, "simulated", 3, ROUNDING[0]));

    let mut facts = lab.facts();
    facts.push(("seeds simulated".to_owned(), settings.exact.seeds.to_string()));
    let mut trained = None;
    if lab.size != Size::Quick {
        let comparison = ratios_study(&lab, &settings.transformer, seeds)?;
        blocks.push(Block::Heading("The small transformer".to_owned()));
        blocks.push(Block::Text(about(&settings.transformer, seeds)));
        blocks.extend(findings(&comparison, "transformer", 9, ROUNDING[1]));
        facts.push(("seeds of the transformer".to_owned(), seeds.to_string()));
        trained = Some(comparison);
    }

    let findings = Findings {
        title: "ASPO".to_owned(),
        question:
            "When completions are trained on several times, which tokens does the importance \
                   ratio favour? And does it matter for success and entropy whether it is clipped \
                   wider, turned round for positive tokens, or left out?"
                .to_owned(),
        facts,
        blocks,
    };
    lab.conclude(&findings, &serde_json::json!({ "simulated": comparison, "trained": trained }))
}

/// All arms, and GRPO under fewer epochs.
fn simulated(lab: &Lab, setting: &Setting) -> Result<(Comparison, Vec<Scan>), Box<dyn Error>> {
    let jobs = lab.jobs("exact", setting)?;
    let job = |arm: &Arm| Job { name: arm.name().to_owned(), input: *arm };
    // The longest first.
    let arms: Vec<Job<Arm>> = Arm::ALL.iter().rev().map(job).collect();
    let infallible = |arm: &Arm| Ok::<_, String>(study(setting, *arm));
    let mut found: Vec<ArmResult> = jobs.run(&arms, infallible, watch("simulated"))?;
    found.reverse();
    let arms: Vec<(Arm, ArmResult)> = Arm::ALL.into_iter().zip(found).collect();

    let plans = [(1, 4), (4, 2)].map(|(epochs, minibatches)| Job {
        name: format!("scan-{epochs}x{minibatches}"),
        input: Setting { epochs, minibatches, ..setting.clone() },
    });
    let work = |plan: &Setting| Ok::<_, String>(scan(plan, Arm::Grpo));
    let found: Vec<Vec<(f64, Vec<Trained>)>> = jobs.run(&plans, work, watch("drift"))?;
    let name = |plan: &Setting| format!("{} x {}", plan.epochs, plan.minibatches);
    let mut scans: Vec<Scan> = plans.iter().map(|plan| name(&plan.input)).zip(found).collect();
    scans.push((name(setting), arms[0].1.tried.clone()));
    Ok((Comparison { name: "simulated".to_owned(), arms, target: setting.target }, scans))
}

fn about(setting: &RatiosSetting, seeds: u64) -> String {
    let run = &setting.run;
    let trainer = &run.trainer;
    format!(
        "`{}` of {} to {} digits after {} supervised steps. {seeds} seeds; {} steps of {} prompts x {} \
         completions, {} epochs in updates of {} prompts; {} held-out prompts x {} completions.",
        run.task.family,
        run.task.easiest,
        run.task.hardest,
        run.warm_start.steps,
        trainer.steps,
        trainer.prompts_per_step,
        trainer.samples_per_prompt,
        trainer.epochs_per_step,
        trainer.update_size(),
        run.evaluation.prompts,
        run.evaluation.samples,
    )
}
