//! Does a pair of a rarely right and a rarely wrong prompt train as well as the paper says?
//! (*Beyond Variance*, arXiv 2602.03452)
//!
//! ```text
//! cargo run --release --example pairing -- --quick      # exact and simulated, seconds
//! cargo run --release --example pairing                 # and the small transformer, minutes
//! cargo run --release --example pairing -- --seeds 16 --set transformer.draws=4
//! ```
//!
//! **Claim.** Two prompts, one rarely right and one rarely wrong, trained again and again, do better
//! than the two prompts whose outcomes vary most, because a z-score makes rare outcomes loud.
//!
//! **Written down before running** (a null is an expectation too):
//!
//! 1. Exact: in groups of 8 a single right completion has the advantage 2.475 (sample standard
//!    deviation), but its prompt pulls with c = .331 where one at 4 of 8 pulls with .5, and its
//!    groups are mixed with chance .656 against .992.
//! 2. Held-out pass@1 after the same completions, pair minus the two of highest variance: **no
//!    gain**, with each kind of sharing. Met if the 95 % interval over seeds holds 0 or lies below it.
//! 3. The same for pair minus two hard prompts: no gain.
//! 4. Fresh pairs minus the fixed pair, where prompts share something but not everything (`weak`,
//!    `partial`): a gain. Met if the interval lies above 0.
//! 5. Share of constant groups in the last quarter of the updates, fixed pair minus fresh pairs,
//!    there too: more. Met if the interval lies above 0.
//! 6. to 9. The transformer: 2 to 5 again.
//!
//! Six choices of two prompts an update: `pair`, `highest-variance`, `two-hard` and `two-random`,
//! each chosen once; `fresh-pairs` and `fresh-random`, chosen for each update. All see the same
//! number of completions; the probe that all but the random ones need is not counted, in their
//! favour. Learning rates are tuned for each arm on other seeds, 1.5 apart. Each seed has several
//! choices of prompts, and counts once.
//!
//! **Departures from the paper.**
//!
//! 1. Its prompts come from an easy pool (`DeepScaleR`) and a hard one (AIME 2025); here one pool has
//!    both.
//! 2. Its bound c on "rarely" was not found: 2 of 16. Nor was its weight of wrong completions: 1,
//!    so that weighted GRPO is GRPO.
//! 3. The arms `two-hard`, `two-random`, `fresh-pairs` and `fresh-random` are ours.
//! 4. Adam at a constant rate; one update for each batch of completions, so that nothing is clipped.
//! 5. The simulation is a log-linear policy over 30 actions, the transformer has 0.1M parameters and
//!    sorts digits. The paper trains a model of 7B on mathematics.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs talk to people")]

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use fireproof::lab::pairing::{
    Arm, ArmResult, Comparison, SHARINGS, Setting, Sharing, exact_findings, findings, study,
};
use fireproof::lab::{Block, Findings, Job};
use fireproof_examples::lab::pairing::{PairingSetting, pairing_study};
use fireproof_examples::lab::{Lab, LabArguments, Size, watch};
use serde::{Deserialize, Serialize};

/// An allocator that keeps freed memory: with one that returns it, a third of a training step is
/// the kernel mapping the same pages again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Pairs of a rarely right and a rarely wrong prompt, against other choices of two.
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
    transformer: PairingSetting,
}

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
    let lab = arguments.open("pairing")?;
    let seeds = arguments.seeds.unwrap_or(if lab.size == Size::Full { 16 } else { 8 });

    let simulated = simulated(&lab, &settings.exact)?;
    let mut blocks = exact_findings();
    blocks.push(Block::Heading("Simulated: prompts that share nothing to everything".to_owned()));
    blocks.push(Block::Text(format!(
        "A log-linear policy, exact held-out success rates; {} seeds with {} choices of prompts each, \
         {} updates of 2 x {} completions. The probe of {} x {} completions is not counted.",
        settings.exact.seeds,
        settings.exact.draws,
        settings.exact.updates,
        settings.exact.samples,
        settings.exact.pool,
        settings.exact.samples,
    )));
    blocks.extend(findings(&simulated, "simulated", 2));

    let mut facts = lab.facts();
    facts.push(("seeds simulated".to_owned(), settings.exact.seeds.to_string()));
    let mut trained = None;
    if lab.size != Size::Quick {
        let comparison = pairing_study(&lab, &settings.transformer, seeds)?;
        blocks.push(Block::Heading("The small transformer".to_owned()));
        blocks.push(Block::Text(about(&settings.transformer, seeds)));
        blocks.extend(findings(std::slice::from_ref(&comparison), "transformer", 6));
        facts.push(("seeds of the transformer".to_owned(), seeds.to_string()));
        trained = Some(comparison);
    }

    let findings = Findings {
        title: "Pairing".to_owned(),
        question:
            "Two prompts, one rarely right and one rarely wrong, trained again and again: do \
                   they do better than the two whose outcomes vary most, than two hard ones, and \
                   than two fresh ones for each update?"
                .to_owned(),
        facts,
        blocks,
    };
    lab.conclude(&findings, &serde_json::json!({ "simulated": simulated, "trained": trained }))
}

/// All arms under each kind of sharing.
fn simulated(lab: &Lab, setting: &Setting) -> Result<Vec<Comparison>, Box<dyn Error>> {
    let cases = SHARINGS.iter().flat_map(|sharing| Arm::ALL.map(|arm| (*sharing, arm)));
    let jobs: Vec<Job<(Sharing, Arm)>> = cases
        .map(|(sharing, arm)| Job {
            name: format!("{}-{}", sharing.name, arm.name()),
            input: (sharing, arm),
        })
        .collect();
    let work = |(sharing, arm): &(Sharing, Arm)| study(setting, *sharing, *arm);
    let results: Vec<ArmResult> =
        lab.jobs("exact", setting)?.run(&jobs, work, watch("simulated"))?;
    let mut results = results.into_iter();
    let comparison = |sharing: &Sharing| Comparison {
        name: sharing.name.to_owned(),
        arms: Arm::ALL.into_iter().zip(results.by_ref()).collect(),
        completions: setting.every * 2 * setting.samples,
        target: setting.target,
    };
    Ok(SHARINGS.iter().map(comparison).collect())
}

fn about(setting: &PairingSetting, seeds: u64) -> String {
    let PairingSetting { run, draws, .. } = setting;
    let task = &run.task;
    let levels = (task.hardest - task.easiest + 1) as usize;
    format!(
        "`{}` of {} to {} digits; a pool of {} prompts, probed with {} completions each after {} \
         supervised steps. {seeds} seeds with {draws} choices of prompts each, {} updates of {} x {} \
         completions; {} held-out prompts x {} completions.",
        task.family,
        task.easiest,
        task.hardest,
        levels * task.prompts_per_level,
        run.trainer.samples_per_prompt,
        run.warm_start.steps,
        run.trainer.steps,
        run.trainer.prompts_per_step,
        run.trainer.samples_per_prompt,
        run.evaluation.prompts,
        run.evaluation.samples,
    )
}
