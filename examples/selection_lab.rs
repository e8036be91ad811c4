//! Six ways to choose prompts, at equal completions: uniform, `MoPPS` (arXiv 2507.04632), pairing
//! (2602.03452), highest variance, a curriculum, dynamic sampling (2503.14476).
//!
//! ```text
//! cargo run --release --example selection_lab -- --quick     # exact part, seconds
//! cargo run --release --example selection_lab                # and the transformer, some minutes
//! ```
//!
//! Probes and dropped groups count as completions: what a rule costs, it pays. Written down before
//! running:
//!
//! 1. `MoPPS` and highest variance have fewer dead groups than uniform, in every seed of the exact
//!    part (sign test at 5 %).
//! 2. They reach the target with fewer completions than uniform in the exact part: the 95 % interval
//!    of the ratio lies below 1.
//! 3. Dynamic sampling does not save completions, because it pays for the groups it drops: the
//!    interval of its ratio does not lie below 1.
//! 4. The posterior's predictions are calibrated to 0.1 (expected calibration error) under uniform
//!    selection, where a policy changes slowly between two visits.
//! 5. On uniform's own history `MoPPS` would have picked groups that are dead less often.
//!
//! Departures: (1) `MoPPS` and DAPO are about language models of billions of parameters; the exact
//! part is a log-linear policy, the confirmation a transformer of 56 thousand parameters. (2) Learning rates are
//! tuned for each rule in the exact part, on other seeds than those reported, and are one for all in
//! the other. (3) Pairing re-probes its pool every 50 steps; the paper chooses one pair once.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use fireproof::lab::selecting::{
    SelectionOutcome, SelectionRule, SelectionSetting, merged_error, run,
};
use fireproof::lab::statistics::{mean, paired_ratio, sign_test};
use fireproof::lab::{Block, Criterion, Findings, Job};
use fireproof_examples::lab::{
    Lab, LabArguments, SelectionArms, SelectionRun, Size, Starts, best_rate, exit, forecasts, watch,
};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compare rules that choose prompts.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    lab: LabArguments,
}

/// Every setting.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    exact: SelectionSetting,
    /// Learning rates tried in the exact part, spaced by 1.5.
    rates: Rates,
    transformer: SelectionRun,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rates {
    tried: Vec<f64>,
    tuning_seeds: u64,
    seeds: u64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { tried: vec![0.15, 0.22, 0.33, 0.5, 0.75, 1.1], tuning_seeds: 6, seeds: 20 }
    }
}

fn main() -> ExitCode {
    exit(experiment(&Arguments::parse().lab))
}

fn experiment(arguments: &LabArguments) -> Result<(), Box<dyn Error>> {
    let settings: Settings = arguments.settings(&Settings::default())?;
    let lab = arguments.open("selection_lab")?;
    let exact = exact_part(&lab, &settings)?;
    let mut blocks = vec![Block::Heading("Exact: a log-linear policy".into())];
    blocks.extend(exact.blocks("exact", "exact mean success"));
    blocks.extend(calibration(&exact));
    blocks.push(exact.counterfactual());
    blocks.push(Block::Criteria(criteria(&exact)));
    let mut arms = vec![exact];
    if lab.size != Size::Quick {
        let seeds = arguments.seeds.unwrap_or(if lab.size == Size::Full { 16 } else { 8 });
        let learned = transformer_part(&lab, &settings.transformer, seeds)?;
        blocks.push(Block::Heading("Confirmation: the small transformer".into()));
        blocks.extend(learned.blocks("transformer", "held-out pass@1"));
        arms.push(learned);
    }
    let findings = Findings {
        title: "Which prompts to train on".into(),
        question:
            "How many completions does each rule need until the policy is good on all prompts, \
                   not only on those it likes to choose?"
                .into(),
        facts: lab.facts(),
        blocks,
    };
    lab.conclude(&findings, &arms.iter().map(SelectionArms::data).collect::<Vec<_>>())
}

/// Tunes each rule's learning rate on seeds of its own, then runs the seeds that are reported.
fn exact_part(lab: &Lab, settings: &Settings) -> Result<SelectionArms, Box<dyn Error>> {
    let (setting, rates) = (&settings.exact, &settings.rates);
    let jobs = lab.jobs("exact", &(setting, &rates.tried))?;
    let tuning: Vec<Job<_>> = SelectionRule::ALL
        .into_iter()
        .flat_map(|rule| (1001..=1000 + rates.tuning_seeds).map(move |seed| (rule, seed)))
        .map(|(rule, seed)| Job {
            name: format!("tune-{}-{seed}", rule.name()),
            input: (rule, seed),
        })
        .collect();
    let grid = |(rule, seed): &(SelectionRule, u64)| {
        let to_target = |rate: &f64| Ok(run(setting, *rule, *rate, *seed)?.to_target);
        rates
            .tried
            .iter()
            .map(to_target)
            .collect::<Result<Vec<_>, fireproof::selection::SelectError>>()
    };
    let tuned = jobs.run(&tuning, grid, watch("tuning"))?;
    let best: Vec<f64> = tuned
        .chunks(rates.tuning_seeds as usize)
        .map(|runs| best_rate(&rates.tried, runs, setting.cap))
        .collect();
    let arms: Vec<Job<_>> = SelectionRule::ALL
        .into_iter()
        .zip(&best)
        .flat_map(|(rule, rate)| (1..=rates.seeds).map(move |seed| (rule, *rate, seed)))
        .map(|input| Job { name: format!("{}-{}-{}", input.0.name(), input.1, input.2), input })
        .collect();
    let work = |(rule, rate, seed): &(SelectionRule, f64, u64)| run(setting, *rule, *rate, *seed);
    let found = jobs.run(&arms, work, watch("exact"))?;
    Ok(SelectionArms::new(found, rates.seeds, setting.cap, setting.target).tuned(best))
}

fn transformer_part(
    lab: &Lab,
    settings: &SelectionRun,
    seeds: u64,
) -> Result<SelectionArms, Box<dyn Error>> {
    let starts = Starts::default();
    // Seed by seed, so that few warm-started policies are held at a time.
    let jobs: Vec<Job<_>> = (1..=seeds)
        .flat_map(|seed| SelectionRule::ALL.map(|rule| (rule, seed)))
        .map(|(rule, seed)| Job { name: format!("{}-{seed}", rule.name()), input: (rule, seed) })
        .collect();
    let work =
        |(rule, seed): &(SelectionRule, u64)| settings.of(*rule, *seed, &starts, &lab.device);
    let found = lab.jobs("transformer", settings)?.run(&jobs, work, watch("transformer"))?;
    let by_rule = |rule| found.iter().skip(rule).step_by(SelectionRule::ALL.len()).cloned();
    let found: Vec<SelectionOutcome> = (0..SelectionRule::ALL.len()).flat_map(by_rule).collect();
    Ok(SelectionArms::new(found, seeds, settings.cap, settings.target))
}

fn calibration(arms: &SelectionArms) -> [Block; 2] {
    let of = |rule| merged_error(&forecasts(arms.of(rule)));
    [arms.calibration_figure(of), arms.calibration_table(of)]
}

fn criteria(arms: &SelectionArms) -> Vec<Criterion> {
    let uniform = SelectionRule::Uniform;
    let dead = |rule| -> Vec<f64> { arms.of(rule).iter().map(|outcome| outcome.dead).collect() };
    let mut found = Vec::new();
    for rule in [SelectionRule::Mopps, SelectionRule::VarianceTopK] {
        let p = sign_test(&dead(uniform), &dead(rule));
        let (own, other) = (mean(&dead(rule)), mean(&dead(uniform)));
        found.push(Criterion {
            rule: format!("1. dead groups of {} against uniform, sign test", rule.name()),
            expected: "fewer".into(),
            found: format!("{own:.3} against {other:.3}, p = {p:.2e}"),
            met: own < other && p < 0.05,
        });
    }
    let below = [(SelectionRule::Mopps, 2), (SelectionRule::VarianceTopK, 2)];
    for (rule, number) in below.into_iter().chain([(SelectionRule::DynamicSampling, 3)]) {
        let ratio = paired_ratio(&arms.completions(uniform), &arms.completions(rule));
        let expected = if number == 2 { "below 1" } else { "not below 1" };
        found.push(Criterion {
            rule: format!("{number}. completions to target, {} / uniform", rule.name()),
            expected: expected.into(),
            found: format!("{ratio:.2}"),
            met: (ratio.high < 1.0) == (number == 2),
        });
    }
    let (_, error) = merged_error(&forecasts(arms.of(uniform)));
    found.push(Criterion {
        rule: "4. expected calibration error under uniform selection".into(),
        expected: "at most 0.1".into(),
        found: format!("{error:.3}"),
        met: error <= 0.1,
    });
    let (own, mopps) = (arms.picked_dead(uniform), arms.picked_dead(SelectionRule::Mopps));
    found.push(Criterion {
        rule: "5. chance that a pick on uniform's history is dead, mopps against uniform".into(),
        expected: "lower".into(),
        found: format!("{mopps:.3} against {own:.3}"),
        met: mopps < own,
    });
    found
}
