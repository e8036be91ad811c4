//! Tables, figures and criteria of the exact part on focal scaling.

use fireproof_advantage::theory::{likeliest_miss, tail_miss_probability};

use super::arms::{ArmRuns, Seen, equal_pass_table, equal_steps_table};
use super::{CategoricalRun, Form, tail_miss_by_sampling};
use crate::figure::{Axis, Figure, Panel, Series};
use crate::findings::{Block, Criterion, Table};
use crate::statistics::{Estimate, bootstrap, mean, paired};

/// Probability of a right and of a rare right completion, as in the published figure's range.
const TAILS: [(f64, f64); 3] = [(0.5, 0.05), (0.8, 0.02), (0.3, 0.01)];
/// Group sizes of the table and the figure.
const SIZES: [u32; 8] = [2, 4, 8, 16, 32, 64, 128, 256];
/// A standard error means something in cells of at least so many expected misses.
const FEWEST: f64 = 10.0;
/// The level of pass@1 at which the categorical policy is compared.
const EQUAL: f64 = 0.9;

/// How often groups that train miss the rare right answers: formula and sampling.
#[must_use]
pub fn tail(groups: u32) -> Vec<Block> {
    let columns: Vec<String> = ["right, rare".to_owned()]
        .into_iter()
        .chain(SIZES.map(|size| format!("N = {size}")))
        .chain(["largest at".to_owned()])
        .collect();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let caption = format!("Tail-miss probability: formula, and below it {groups} sampled groups");
    let mut table = Table::new(caption, &columns);
    let mut worst: f64 = 0.0;
    let mut series = Vec::new();
    for (number, (right, rare)) in TAILS.into_iter().enumerate() {
        let exact = SIZES.map(|size| tail_miss_probability(right, rare, size));
        let seed = |size: u32| u64::from(size) << 8 | number as u64;
        let found = SIZES.map(|size| tail_miss_by_sampling(right, rare, size, groups, seed(size)));
        let expected = |exact: &f64| exact * f64::from(groups);
        let judged = exact.iter().zip(&found).filter(|(exact, _)| expected(exact) >= FEWEST);
        for (exact, found) in judged {
            let error = (exact * (1.0 - exact) / f64::from(groups)).sqrt();
            worst = worst.max((found - exact).abs() / error);
        }
        let cells = |values: [f64; 8]| values.map(|value| format!("{value:.4}"));
        let name = format!("{right}, {rare}");
        let most = likeliest_miss(right, rare, 256);
        table.row([vec![name.clone()], cells(exact).to_vec(), vec![most.to_string()]].concat());
        let sampled = cells(found).to_vec();
        table.row([vec!["sampled".to_owned()], sampled, vec![String::new()]].concat());
        let line = (1..=256).map(|n| (f64::from(n), tail_miss_probability(right, rare, n)));
        series.push(Series::line(name.clone(), line.collect()));
        let dots = SIZES.iter().zip(found).map(|(size, found)| (f64::from(*size), found));
        series.push(Series::dots(name, dots.collect()));
    }
    vec![
        Block::Heading("Groups that train and miss the rare right answers".to_owned()),
        Block::Table(table),
        tail_figure(series),
        Block::Criteria(vec![tail_criterion(worst)]),
    ]
}

fn tail_criterion(worst: f64) -> Criterion {
    Criterion {
        rule: format!("1. sampled groups against the formula, cells of at least {FEWEST} expected"),
        expected: "every cell within four standard errors".into(),
        found: format!("the farthest is {worst:.1} standard errors away"),
        met: worst < 4.0,
    }
}

fn tail_figure(series: Vec<Series>) -> Block {
    let panel = Panel {
        title: "mixed groups without a rare right answer".to_owned(),
        x: Axis::named("completions of a group, N").logarithmic(),
        y: Axis::named("probability").between(0.0, 1.0),
        series,
    };
    Block::Figure {
        name: "tail-miss".to_owned(),
        caption: "Probability that a group has right and wrong completions, and so trains, but none \
                  of the rare right ones; named by the probabilities of a right and of a rare right \
                  completion. Lines: formula; dots: sampled groups."
            .to_owned(),
        figure: Figure { panels: vec![panel] },
    }
}

/// Runs of the categorical policy under one form, group size and exponent, one a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Form of the update.
    pub form: Form,
    /// Completions of a group.
    pub size: usize,
    /// Focal exponent.
    pub gamma: f64,
    /// The runs.
    pub runs: Vec<CategoricalRun>,
}

impl Cell {
    /// The runs that passed the level of equal pass@1.
    fn equal(&self) -> Vec<Seen> {
        self.runs.iter().filter_map(|run| run.crossings.at(EQUAL)).collect()
    }

    fn fixed(&self) -> Vec<Seen> {
        self.runs.iter().map(|run| run.fixed[2]).collect()
    }
}

fn estimate(seen: &[Seen], of: fn(&Seen) -> f64) -> Option<Estimate> {
    let values: Vec<f64> = seen.iter().map(of).collect();
    (!values.is_empty()).then(|| bootstrap(&values, mean))
}

fn shown(found: Option<Estimate>) -> String {
    found.map_or("-".to_owned(), |found| format!("{:.3}", found.value))
}

/// The part on one categorical policy: one table and one figure a form, criteria.
#[must_use]
pub fn categorical(cells: &[Cell]) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("One prompt with thousands of actions".to_owned())];
    for form in [Form::Count, Form::Distinct] {
        let cells: Vec<&Cell> = cells.iter().filter(|cell| cell.form == form).collect();
        if !cells.is_empty() {
            blocks.push(Block::Table(categorical_table(form, &cells)));
            blocks.push(categorical_figure(form, &cells));
        }
    }
    blocks.push(Block::Criteria(categorical_criteria(cells)));
    blocks
}

fn categorical_table(form: Form, cells: &[&Cell]) -> Table {
    let steps = cells[0].runs[0].fixed[2].step;
    let columns = [
        "G, gamma".to_owned(),
        format!("pass@1 after {steps:.0}"),
        "retained".to_owned(),
        "distinct".to_owned(),
        format!("reached {EQUAL}"),
        "in steps".to_owned(),
        "retained then".to_owned(),
        "distinct then".to_owned(),
    ];
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let caption =
        format!("{}: means of {} seeds; distinct@256 as a share", form.name(), cells[0].runs.len());
    let mut table = Table::new(caption, &columns);
    for cell in cells {
        let (fixed, equal) = (cell.fixed(), cell.equal());
        let at = |seen: &[Seen], of: fn(&Seen) -> f64| shown(estimate(seen, of));
        let steps = estimate(&equal, |seen| seen.step);
        table.row([
            format!("{}, {}", cell.size, cell.gamma),
            at(&fixed, |seen| seen.pass_at_1),
            at(&fixed, |seen| seen.retained),
            at(&fixed, |seen| seen.distinct),
            format!("{} of {}", equal.len(), cell.runs.len()),
            steps.map_or("-".to_owned(), |steps| format!("{:.0}", steps.value)),
            at(&equal, |seen| seen.retained),
            at(&equal, |seen| seen.distinct),
        ]);
    }
    table
}

fn categorical_figure(form: Form, cells: &[&Cell]) -> Block {
    let mut gammas: Vec<f64> = cells.iter().map(|cell| cell.gamma).collect();
    gammas.sort_by(f64::total_cmp);
    gammas.dedup();
    let lines = |of: &dyn Fn(&Cell) -> Option<Estimate>| -> Vec<Series> {
        let line = |gamma: &f64| {
            let own = cells.iter().filter(|cell| cell.gamma == *gamma);
            let found: Vec<(f64, Estimate)> =
                own.filter_map(|cell| Some((cell.size as f64, of(cell)?))).collect();
            let points = found.iter().map(|(x, found)| (*x, found.value)).collect();
            let ends = found.iter().map(|(_, found)| (found.low, found.high)).collect();
            Series::line(format!("gamma {gamma}"), points).within(ends)
        };
        gammas.iter().map(line).collect()
    };
    let panel = |title: String, series: Vec<Series>| Panel {
        title,
        x: Axis::named("completions of a group, G").logarithmic(),
        y: Axis::named("retained mass").between(0.0, 1.02),
        series,
    };
    let retained = |seen: &Seen| seen.retained;
    let steps = cells[0].runs[0].fixed[2].step;
    let fixed = lines(&|cell| estimate(&cell.fixed(), retained));
    let equal = lines(&|cell| estimate(&cell.equal(), retained));
    let title = format!("after {steps:.0} steps");
    let panels = vec![panel(title, fixed), panel(format!("at pass@1 {EQUAL}"), equal)];
    Block::Figure {
        name: format!("retained-{}", if form == Form::Count { "count" } else { "distinct" }),
        caption: format!(
            "Retained mass of right answers, {}. Left, at equal steps, small groups keep mass \
             because they have not learned. Right, at equal pass@1, without the group sizes that \
             never got there.",
            form.name()
        ),
        figure: Figure { panels },
    }
}

fn categorical_criteria(cells: &[Cell]) -> Vec<Criterion> {
    let forms = [Form::Count, Form::Distinct];
    let size = forms.into_iter().filter_map(|form| size_criterion(form, cells));
    let gamma = forms.into_iter().filter_map(|form| gamma_criterion(form, cells));
    size.chain(gamma).collect()
}

/// Larger groups keep more at equal pass@1.
fn size_criterion(form: Form, cells: &[Cell]) -> Option<Criterion> {
    let mut arrived: Vec<(usize, Estimate)> = cells
        .iter()
        .filter(|cell| cell.form == form && cell.gamma == 0.0)
        .filter_map(|cell| Some((cell.size, estimate(&cell.equal(), |seen| seen.retained)?)))
        .collect();
    arrived.sort_by_key(|(size, _)| *size);
    let ((small, low), (large, high)) = (arrived.first().copied()?, arrived.last().copied()?);
    Some(Criterion {
        rule: format!(
            "2. {}, gamma 0: retained mass at pass@1 {EQUAL}, smallest and largest group that got \
             there",
            form.name()
        ),
        expected: "more with the larger group, intervals apart".into(),
        found: format!("G {small}: {low:.2}; G {large}: {high:.2}"),
        met: large > small && high.low > low.high,
    })
}

/// Gamma 1 keeps no more than gamma 0 at equal pass@1, over all sizes at which both arrived.
fn gamma_criterion(form: Form, cells: &[Cell]) -> Option<Criterion> {
    let of = |size: usize, gamma: f64| {
        cells.iter().find(|cell| (cell.form, cell.size, cell.gamma) == (form, size, gamma))
    };
    let mut pairs = Vec::new();
    for base in cells.iter().filter(|cell| cell.form == form && cell.gamma == 0.0) {
        let Some(focal) = of(base.size, 1.0) else { continue };
        for (base, focal) in base.runs.iter().zip(&focal.runs) {
            let both = (base.crossings.at(EQUAL), focal.crossings.at(EQUAL));
            pairs.extend(both.0.zip(both.1).map(|(a, b)| (a.retained, b.retained)));
        }
    }
    let (base, focal): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let found = (!base.is_empty()).then(|| paired(&base, &focal).difference)?;
    Some(Criterion {
        rule: format!(
            "3. {}: retained mass at pass@1 {EQUAL}, gamma 1 minus gamma 0, over sizes and seeds",
            form.name()
        ),
        expected: "no effect above 0.05: the interval lies within -0.05 and 0.05".into(),
        found: format!("{found:+.3}"),
        met: found.low > -0.05 && found.high < 0.05,
    })
}

/// Arms of the task with many answers at one group size. The first is the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Completions of a group.
    pub size: usize,
    /// The arms.
    pub arms: Vec<ArmRuns>,
}

/// The part on prompts of mixed difficulty: one table a group size, one figure, criteria.
///
/// # Panics
/// If there are no group sizes, or one without arms.
#[must_use]
pub fn many_answers(fields: &[Field]) -> Vec<Block> {
    let heading = "Prompts of mixed difficulty with many right answers".to_owned();
    let mut blocks = vec![Block::Heading(heading)];
    for Field { size, arms } in fields {
        blocks.extend(coverage_tables(&format!("G = {size}"), arms));
    }
    blocks.push(coverage_figure("coverage", &fields[0].arms, fields[0].size));
    let criteria = fields.iter().flat_map(|field| criteria(field.size, &field.arms, 4));
    blocks.push(Block::Criteria(criteria.collect()));
    blocks
}

/// Coverage at equal pass@1, and at equal steps.
///
/// # Panics
/// If there are no arms, or arms of different numbers of seeds.
#[must_use]
pub fn coverage_tables(what: &str, arms: &[ArmRuns]) -> [Block; 2] {
    let below = "below the first row, differences to it with their intervals";
    let pass = format!("{what}: coverage at equal pass@1; {below}");
    let steps = format!("{what}: the same runs at equal steps; {below}");
    let tables = [equal_pass_table(&pass, arms, [0.8, 0.9]), equal_steps_table(&steps, arms)];
    tables.map(Block::Table)
}

/// What arms gain over the first in distinct share and retained mass, against pass@1.
///
/// # Panics
/// If there are no arms, or arms of different numbers of seeds.
#[must_use]
pub fn coverage_figure(name: &str, arms: &[ArmRuns], size: usize) -> Block {
    let panel = |title: &str, of: fn(&Seen) -> f64| {
        let lines: Vec<Series> = arms[1..].iter().map(|arm| arm.series(&arms[0], of)).collect();
        let places = lines.iter().flat_map(|line| line.points.iter().map(|(level, _)| *level));
        let (low, high) = places.fold((0.9f64, 0.9f64), |(a, b), x| (a.min(x), b.max(x)));
        let zero = Series::dashed(arms[0].name.clone(), vec![(low, 0.0), (high, 0.0)]);
        Panel {
            title: title.to_owned(),
            x: Axis::named("pass@1"),
            y: Axis::named("gain over GRPO"),
            series: std::iter::once(zero).chain(lines).collect(),
        }
    };
    Block::Figure {
        name: name.to_owned(),
        caption: format!(
            "What arms gain in coverage over GRPO at equal pass@1, G = {size}: mean over seeds with \
             its 95 % interval, at levels that most seeds passed."
        ),
        figure: Figure {
            panels: vec![
                panel("share of right answers among 256 completions", |seen| seen.distinct),
                panel("retained mass", |seen| seen.retained),
            ],
        },
    }
}

/// What is expected of the arms of [`ARMS`]; numbered from `first`.
#[must_use]
pub fn criteria(size: usize, arms: &[ArmRuns], first: usize) -> Vec<Criterion> {
    let of = |name: &str| arms.iter().find(|arm| arm.name == name);
    let distinct = |seen: &Seen| seen.distinct;
    let gain = |name: &str, level: f64| {
        of(name).and_then(|arm| arm.gain_at(&arms[0], level, distinct)).map(|gain| gain.difference)
    };
    let text = |found: Option<Estimate>| found.map_or("not reached".into(), |f| format!("{f:+.3}"));
    let mut criteria = Vec::new();
    for (name, why) in [
        (GAMMA_HALF, "small and above 0: the interval excludes 0"),
        (GAMMA_HALF_MATCHED, "above 0 without the smaller step: the interval excludes 0"),
    ] {
        let found = gain(name, 0.9);
        criteria.push(Criterion {
            rule: format!(
                "{}. G = {size}: distinct@256 at pass@1 0.9, {name} minus GRPO",
                first + criteria.len()
            ),
            expected: why.into(),
            found: text(found),
            met: found.is_some_and(|found| found.low > 0.0),
        });
    }
    let (naive, matched, control) =
        (gain(GAMMA_HALF, 0.9), gain(GAMMA_HALF_MATCHED, 0.9), gain(GRPO_MATCHED, 0.9));
    criteria.push(Criterion {
        rule: format!(
            "{}. G = {size}: distinct@256 at pass@1 0.9, GRPO with the smaller step minus GRPO (the \
             control)",
            first + criteria.len()
        ),
        expected: "about half of what gamma 0.5 gains: between a quarter and three quarters".into(),
        found: format!("{}; gamma 0.5 {}, matched {}", text(control), text(naive), text(matched)),
        met: naive.zip(control).is_some_and(|(naive, control)| {
            (0.25..0.75).contains(&(control.value / naive.value))
        }),
    });
    criteria
}

/// The baseline.
pub const GRPO: &str = "GRPO";
/// The baseline with a learning rate so low that it takes as many steps as gamma 0.5.
pub const GRPO_MATCHED: &str = "GRPO, slower";
/// Gamma 0.5 with the baseline's learning rate.
pub const GAMMA_HALF: &str = "gamma 0.5";
/// Gamma 0.5 with a learning rate so high that it takes as many steps as the baseline.
pub const GAMMA_HALF_MATCHED: &str = "gamma 0.5, faster";
/// Gamma 1 with the baseline's learning rate.
pub const GAMMA_ONE: &str = "gamma 1";
/// Names, exponents and matching of the arms.
pub const ARMS: [(&str, f64, super::Matching); 5] = [
    (GRPO, 0.0, super::Matching::Own),
    (GRPO_MATCHED, 0.0, super::Matching::Steps { of: 0.5 }),
    (GAMMA_HALF, 0.5, super::Matching::Own),
    (GAMMA_HALF_MATCHED, 0.5, super::Matching::Steps { of: 0.0 }),
    (GAMMA_ONE, 1.0, super::Matching::Own),
];
