//! Tables, figures and criteria of a comparison of arms.

use super::comparison::{Comparison, MEASURES, Measure};
use super::{Arm, Point, Trained};
use crate::figure::{Axis, Figure, Panel, Series};
use crate::findings::{Block, Criterion};
use crate::statistics::{bootstrap, mean};

/// Differences this small count as none, whatever their interval.
const SMALL: f64 = 0.02;

/// Tables, figure and criteria of a comparison; `name` names the figure and `number` begins the
/// numbers of the criteria. `rounding` is what the mean |R - 1| of one epoch may be.
#[must_use]
pub fn findings(comparison: &Comparison, name: &str, number: u32, rounding: f64) -> Vec<Block> {
    vec![
        Block::Table(comparison.token_table()),
        Block::Table(comparison.outcome_table()),
        Block::Table(comparison.difference_table()),
        Block::Figure {
            name: format!("{name}-learning"),
            caption: "pass@1 and entropy over completions (bands: 95 % over seeds), and the \
                      difference to GRPO after the same completions. The one-epoch arm goes on for \
                      as many updates as the others make."
                .to_owned(),
            figure: figure(comparison),
        },
        Block::Criteria(criteria(comparison, number, rounding)),
    ]
}

fn figure(comparison: &Comparison) -> Figure {
    let budget = comparison.budget();
    let curve = |title: &str, label: &str, of: Measure| Panel {
        title: title.to_owned(),
        x: Axis::named("completions").between(0.0, 2.0 * budget as f64),
        y: Axis::named(label),
        series: comparison
            .arms
            .iter()
            .map(|(arm, _)| line(arm.name(), comparison.runs(*arm), of, 2 * budget))
            .collect(),
    };
    let name = &comparison.name;
    let pass = curve(&format!("pass@1, {name}"), "pass@1", MEASURES[0].1);
    let entropy = curve(&format!("entropy, {name}"), "nats a token", MEASURES[3].1);
    Figure { panels: vec![pass, entropy, differences(comparison)] }
}

/// Means over seeds of the points up to a number of completions, with a band.
fn line(name: &str, runs: &[Trained], of: Measure, until: usize) -> Series {
    let points: Vec<&[Point]> = runs.iter().map(|run| run.points.as_slice()).collect();
    let length = points.iter().map(|points| points.len()).min().unwrap_or(0);
    let places = (0..length).filter(|place| points[0][*place].completions <= until);
    let found: Vec<(f64, _)> = places
        .map(|place| {
            let numbers: Vec<f64> = points.iter().map(|points| of(&points[place])).collect();
            (points[0][place].completions as f64, bootstrap(&numbers, mean))
        })
        .collect();
    let line = Series::line(name, found.iter().map(|(x, e)| (*x, e.value)).collect());
    line.within(found.iter().map(|(_, e)| (e.low, e.high)).collect())
}

fn differences(comparison: &Comparison) -> Panel {
    let names = MEASURES.map(|(name, _)| name.to_owned());
    let others = comparison.arms.iter().map(|(arm, _)| *arm).filter(|arm| *arm != Arm::Grpo);
    let others: Vec<Arm> = others.collect();
    let middle = (others.len() as f64 - 1.0) / 2.0;
    let series = others.iter().enumerate().map(|(index, arm)| {
        let shift = 0.15 * (index as f64 - middle);
        let found = MEASURES.map(|(_, of)| comparison.difference(*arm, of).difference);
        let points = found.iter().enumerate().map(|(x, e)| (x as f64 + shift, e.value)).collect();
        Series::dots(arm.name(), points).within(found.map(|e| (e.low, e.high)).to_vec())
    });
    let zero = Series::dashed("grpo", vec![(-0.6, 0.0), (3.6, 0.0)]);
    Panel {
        title: "minus GRPO, equal completions".to_owned(),
        x: Axis::of_names(&names),
        y: Axis::named("difference"),
        series: std::iter::once(zero).chain(series).collect(),
    }
}

/// The criteria that stand at the head of the experiment, in its order.
fn criteria(comparison: &Comparison, number: u32, rounding: f64) -> Vec<Criterion> {
    let [pass, entropy] = [MEASURES[0].1, MEASURES[3].1];
    vec![
        mismatch(comparison, number),
        on_policy(comparison, number + 1, rounding),
        none(comparison, Arm::Aspo, ("pass@1", pass), number + 2),
        none(comparison, Arm::Unweighted, ("pass@1", pass), number + 3),
        none(comparison, Arm::Aspo, ("entropy", entropy), number + 4),
        no_loss(comparison, number + 5),
    ]
}

fn mismatch(comparison: &Comparison, number: u32) -> Criterion {
    let positive = comparison.over_runs(Arm::Grpo, |run| run.positive.ratio);
    let negative = comparison.over_runs(Arm::Grpo, |run| run.negative.ratio);
    Criterion {
        rule: format!(
            "{number}. {}: mean ratio of positive and of negative tokens under GRPO",
            comparison.name
        ),
        expected: "above 1 and below 1, with their intervals".to_owned(),
        found: format!("{positive:.4} and {negative:.4}"),
        met: positive.low > 1.0 && negative.high < 1.0,
    }
}

fn on_policy(comparison: &Comparison, number: u32, rounding: f64) -> Criterion {
    let runs = comparison.runs(Arm::OneEpoch).iter();
    let largest = runs.map(|run| run.drift).fold(0.0, f64::max);
    Criterion {
        rule: format!("{number}. {}: mean |R - 1| with one epoch, the control", comparison.name),
        expected: format!("at most {rounding:.0e}: there is no mismatch without reuse"),
        found: format!("{largest:.1e} in the worst seed"),
        met: largest <= rounding,
    }
}

/// An effect that is expected not to be there.
fn none(comparison: &Comparison, arm: Arm, (name, of): (&str, Measure), number: u32) -> Criterion {
    let found = comparison.difference(arm, of).difference;
    Criterion {
        rule: format!(
            "{number}. {}: {} minus grpo, {name} after the same completions",
            comparison.name,
            arm.name()
        ),
        expected: format!("none: the interval holds 0, or the difference is within {SMALL}"),
        found: found.to_string(),
        met: !found.excludes(0.0) || found.value.abs() <= SMALL,
    }
}

fn no_loss(comparison: &Comparison, number: u32) -> Criterion {
    let found = comparison.difference(Arm::Dapo, MEASURES[0].1).difference;
    Criterion {
        rule: format!(
            "{number}. {}: dapo-clip minus grpo, pass@1 after the same completions",
            comparison.name
        ),
        expected: "no loss: the interval holds 0 or lies above it".to_owned(),
        found: found.to_string(),
        met: found.high >= 0.0,
    }
}
