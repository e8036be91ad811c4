//! Every recipe of the README on one task, at an equal budget of completions, ranked with intervals.
//!
//! ```text
//! cargo run --release --example leaderboard -- --quick    # a table of logits, seconds
//! cargo run --release --example leaderboard               # and the small transformer
//! ```
//!
//! Each recipe gets the learning rate that is best on seeds which are not reported, out of a grid
//! spaced by 1.5; a recipe whose best is at the grid's end might do better beyond it. Groups that a
//! filter drops count: dynamic sampling makes fewer steps. Written down before running:
//!
//! 1. Every recipe learns: the mean gain in pass@1 over the start is above 0.
//! 2. The start is low (about 1/16 in the table, 1/3 for the transformer), so Linear-R and Sqrt-R
//!    (arXiv 2602.11128) end above GRPO: the interval of the difference lies above 0.
//! 3. F-GRPO at gamma 1/2 (2602.06717) and ASPO (2510.06062) end within 0.05 of GRPO in pass@1: both
//!    papers promise something else.
//!
//! Departures: (1) the papers train language models of billions of parameters on mathematics, this
//! is a table and a transformer of 56 thousand parameters on `sort`. (2) One budget and one start: another one
//! may rank otherwise. (3) Recipes made for several epochs or long completions (ASPO, GSPO, MinPRO,
//! DPPO) are run like all others, two updates a step, where they hardly differ from GRPO.

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use fireproof::lab::statistics::mean;
use fireproof::lab::{Block, Criterion, Findings, Job};
use fireproof::trainer::RecipeName;
use fireproof_examples::lab::{
    Finish, Lab, LabArguments, LettersRun, RankedRun, Ranking, Size, Starts, exit, watch,
};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rank every recipe on one task.
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
    letters: Part<LettersRun>,
    transformer: Part<RankedRun>,
}

/// A part with its learning rates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Part<R> {
    /// Learning rates tried, spaced by 1.5.
    rates: Vec<f64>,
    tuning_seeds: u64,
    seeds: u64,
    run: R,
}

impl Default for Part<LettersRun> {
    fn default() -> Self {
        let run = LettersRun::default();
        Self { rates: vec![0.33, 0.5, 0.75, 1.1, 1.65, 2.5], tuning_seeds: 2, seeds: 10, run }
    }
}

impl Default for Part<RankedRun> {
    fn default() -> Self {
        let run = RankedRun::default();
        Self { rates: vec![5e-4, 7.5e-4, 1.1e-3, 1.65e-3], tuning_seeds: 1, seeds: 3, run }
    }
}

/// A recipe at a learning rate, or nothing but the start; and a seed.
type Arm = (Option<(RecipeName, f64)>, u64);

fn main() -> ExitCode {
    exit(experiment(&Arguments::parse().lab))
}

fn experiment(arguments: &LabArguments) -> Result<(), Box<dyn Error>> {
    let mut settings: Settings = arguments.settings(&Settings::default())?;
    let lab = arguments.open("leaderboard")?;
    if lab.size == Size::Full {
        settings.transformer.seeds = 8;
        settings.transformer.tuning_seeds = 3;
    }
    settings.transformer.seeds = arguments.seeds.unwrap_or(settings.transformer.seeds);
    let part = &settings.letters;
    let letters =
        ranking(&lab, "letters", part, |(arm, seed)| part.run.of(*arm, *seed, &lab.device))?;
    let mut blocks = vec![Block::Heading("Exact: a table of logits".into())];
    blocks.extend(letters.blocks("letters", "pass@1 on the sixteen prompts"));
    blocks.push(Block::Criteria(criteria(&letters)));
    let mut data = vec![letters];
    if lab.size != Size::Quick {
        let (part, starts) = (&settings.transformer, Starts::default());
        let work = |(arm, seed): &Arm| part.run.of(*arm, *seed, &starts, &lab.device);
        let sort = ranking(&lab, "transformer", part, work)?;
        blocks.push(Block::Heading("The small transformer".into()));
        blocks.extend(sort.blocks("transformer", "pass@1 on held-out prompts of `sort`"));
        blocks.push(Block::Criteria(criteria(&sort)));
        data.push(sort);
    }
    let findings = Findings {
        title: "Every recipe on one task".into(),
        question:
            "Which recipe gets furthest with the same number of completions, each at a learning \
                   rate of its own?"
                .into(),
        facts: lab.facts(),
        blocks,
    };
    lab.conclude(&findings, &data)
}

/// Tunes each recipe's learning rate, then runs the seeds that are reported.
fn ranking<R: Serialize>(
    lab: &Lab,
    name: &'static str,
    part: &Part<R>,
    work: impl Fn(&Arm) -> Result<Finish, Box<dyn Error>> + Sync,
) -> Result<Ranking, Box<dyn Error>> {
    let jobs = lab.jobs(name, &part.run)?;
    let job = |input: Arm| match input {
        (Some((recipe, rate)), seed) => Job { name: format!("{recipe}-{rate}-{seed}"), input },
        (None, seed) => Job { name: format!("start-{seed}"), input },
    };
    // Seed by seed, so that few warm-started policies are held at a time.
    let mut tuning = Vec::new();
    for seed in 1001..=1000 + part.tuning_seeds {
        for recipe in RecipeName::ALL {
            tuning.extend(part.rates.iter().map(|rate| job((Some((*recipe, *rate)), seed))));
        }
    }
    let tuned = jobs.run(&tuning, &work, watch("tuning"))?;
    let size = RecipeName::ALL.len() * part.rates.len();
    let score = |arm: usize| {
        mean(&tuned.iter().skip(arm).step_by(size).map(Finish::score).collect::<Vec<_>>())
    };
    let best = |recipe: usize| {
        let arms = 0..part.rates.len();
        let rate = arms.max_by(|a, b| {
            let of = |rate: &usize| score(recipe * part.rates.len() + rate);
            of(a).total_cmp(&of(b))
        });
        part.rates[rate.expect("there is a rate")]
    };
    let arms: Vec<(RecipeName, f64)> = RecipeName::ALL
        .iter()
        .enumerate()
        .map(|(number, recipe)| (*recipe, best(number)))
        .collect();
    let starts: Vec<Job<Arm>> = (1..=part.seeds).map(|seed| job((None, seed))).collect();
    let before = jobs.run(&starts, &work, |_| {})?;
    let all: Vec<Job<Arm>> = (1..=part.seeds)
        .flat_map(|seed| arms.iter().map(move |arm| (Some(*arm), seed)))
        .map(job)
        .collect();
    let found = jobs.run(&all, &work, watch(name))?;
    let of = |arm: usize| found.iter().skip(arm).step_by(arms.len()).cloned().collect();
    let finishes: Vec<Vec<Finish>> = (0..arms.len()).map(of).collect();
    Ok(Ranking::new(&before, &arms, &finishes))
}

fn criteria(ranking: &Ranking) -> Vec<Criterion> {
    let idle: Vec<String> = ranking
        .places
        .iter()
        .filter(|place| place.gain.value <= 0.0)
        .map(|place| place.recipe.to_string())
        .collect();
    let mut found = vec![Criterion {
        rule: "1. mean gain in pass@1 over the start".into(),
        expected: "above 0 for every recipe".into(),
        found: match idle.as_slice() {
            [] => "above 0 for every recipe".into(),
            names => format!("not for {}", names.join(", ")),
        },
        met: idle.is_empty(),
    }];
    for (recipe, above) in [
        (RecipeName::LinearR, true),
        (RecipeName::SqrtR, true),
        (RecipeName::FGrpo, false),
        (RecipeName::Aspo, false),
    ] {
        let gap = ranking.of(recipe).against_grpo;
        found.push(Criterion {
            rule: format!("{}. pass@1, {recipe} less grpo", if above { 2 } else { 3 }),
            expected: if above { "above 0" } else { "within 0.05 of 0" }.into(),
            found: gap.to_string(),
            met: if above { gap.low > 0.0 } else { gap.value.abs() <= 0.05 },
        });
    }
    found
}
