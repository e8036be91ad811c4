//! Tables, figures and criteria of a comparison of arms.

use super::comparison::{Comparison, Measure, PASS};
use super::{Arm, Trained};
use crate::figure::{Axis, Figure, Panel, Series};
use crate::findings::{Block, Criterion, Table};
use crate::statistics::{bootstrap, mean};

/// What the pair is compared with.
const RIVALS: [Arm; 5] =
    [Arm::HighestVariance, Arm::TwoHard, Arm::TwoRandom, Arm::FreshPairs, Arm::FreshRandom];

/// Updates that one point of the curve of constant groups stands for.
const WINDOW: usize = 5;

/// Tables, figures and criteria of some comparisons; `name` begins the names of the figures and
/// `number` those of the criteria.
#[must_use]
pub fn findings(comparisons: &[Comparison], name: &str, number: u32) -> Vec<Block> {
    let mut blocks: Vec<Block> =
        comparisons.iter().map(|comparison| Block::Table(comparison.table())).collect();
    blocks.push(Block::Table(differences(comparisons)));
    let figure = |part: &str, caption: &str, figure: Figure| Block::Figure {
        name: format!("{name}-{part}"),
        caption: caption.to_owned(),
        figure,
    };
    blocks.push(figure(
        "differences",
        "The pair minus each other choice at the end of the same number of completions, with 95 % \
         intervals over seeds. Above 0 the pair is better.",
        difference_figure(comparisons),
    ));
    blocks.push(figure(
        "dead",
        "Share of constant groups, which teach nothing, over updates (means of five; bands: 95 % \
         over seeds).",
        dead_figure(comparisons),
    ));
    blocks.push(figure(
        "pass",
        "Held-out pass@1 over completions trained on (bands: 95 % over seeds).",
        pass_figure(comparisons),
    ));
    blocks.push(Block::Criteria(criteria(comparisons, number)));
    blocks
}

fn differences(comparisons: &[Comparison]) -> Table {
    let columns = ["pair minus", "in", "pass@1", "p", "pass@8", "pass@64"];
    let mut table = Table::new(
        "The pair minus each other choice, at the end [95 % over seeds]; p: sign-flip test, not \
         corrected for the number of comparisons",
        &columns,
    );
    for rival in RIVALS {
        for comparison in comparisons {
            let found = PASS.map(|(_, of)| comparison.difference(Arm::Pair, rival, of));
            let [one, eight, many] = found;
            table.row([
                rival.name().to_owned(),
                comparison.name.clone(),
                one.difference.to_string(),
                format!("{:.3}", one.p_value),
                eight.difference.to_string(),
                many.difference.to_string(),
            ]);
        }
    }
    table
}

fn difference_figure(comparisons: &[Comparison]) -> Figure {
    let names: Vec<String> = comparisons.iter().map(|c| c.name.clone()).collect();
    let panel = |(measure, of): &(&str, Measure)| {
        let series = RIVALS.iter().enumerate().map(|(index, rival)| {
            // Side by side around the place of the comparison.
            let shift = 0.14 * (index as f64 - 2.0);
            let found = comparisons.iter().map(|c| c.difference(Arm::Pair, *rival, *of).difference);
            let found: Vec<_> = found.collect();
            let points = found.iter().enumerate().map(|(x, e)| (x as f64 + shift, e.value));
            let series = Series::dots(rival.name(), points.collect());
            series.within(found.iter().map(|e| (e.low, e.high)).collect())
        });
        let (left, right) = (-0.6, comparisons.len() as f64 - 0.4);
        let mut all = vec![Series::dashed("no difference", vec![(left, 0.0), (right, 0.0)])];
        all.extend(series);
        Panel {
            title: format!("pair minus others, {measure}"),
            x: Axis::of_names(&names),
            y: Axis::named("difference"),
            series: all,
        }
    };
    Figure { panels: PASS.iter().map(panel).collect() }
}

fn dead_figure(comparisons: &[Comparison]) -> Figure {
    let panel = |comparison: &Comparison| {
        let windows = |run: &Trained| run.dead.chunks_exact(WINDOW).map(mean).collect();
        let x = |point: usize| ((point * WINDOW) as f64) + WINDOW as f64 / 2.0;
        Panel {
            title: format!("constant groups, {}", comparison.name),
            x: Axis::named("update"),
            y: Axis::named("share").between(0.0, 1.0),
            series: curves(comparison, windows, x),
        }
    };
    Figure { panels: shown(comparisons).map(panel).collect() }
}

fn pass_figure(comparisons: &[Comparison]) -> Figure {
    let panel = |comparison: &Comparison| {
        let pass = |run: &Trained| run.pass.iter().map(|pass| pass[0]).collect();
        let x = |point: usize| (point * comparison.completions) as f64;
        Panel {
            title: format!("held-out pass@1, {}", comparison.name),
            x: Axis::named("completions"),
            y: Axis::named("pass@1"),
            series: curves(comparison, pass, x),
        }
    };
    Figure { panels: shown(comparisons).map(panel).collect() }
}

/// Those where prompts share something, but not everything.
fn shown(comparisons: &[Comparison]) -> impl Iterator<Item = &Comparison> {
    comparisons.iter().filter(|comparison| !["none", "strong"].contains(&&*comparison.name))
}

fn curves(
    comparison: &Comparison,
    of: impl Fn(&Trained) -> Vec<f64>,
    x: impl Fn(usize) -> f64,
) -> Vec<Series> {
    let series = |(arm, _): &(Arm, _)| {
        let found: Vec<_> =
            comparison.curve(*arm, &of).iter().map(|seeds| bootstrap(seeds, mean)).collect();
        let points = found.iter().enumerate().map(|(point, e)| (x(point), e.value)).collect();
        let ends = found.iter().map(|e| (e.low, e.high)).collect();
        Series::line(arm.name(), points).within(ends)
    };
    comparison.arms.iter().map(series).collect()
}

/// The criteria that stand at the head of the experiment, in its order.
fn criteria(comparisons: &[Comparison], number: u32) -> Vec<Criterion> {
    let mut found = Vec::new();
    for (place, rival) in [(number, Arm::HighestVariance), (number + 1, Arm::TwoHard)] {
        found.extend(comparisons.iter().map(|comparison| no_gain(comparison, rival, place)));
    }
    found.extend(shown(comparisons).map(|comparison| fresh_gain(comparison, number + 2)));
    found.extend(shown(comparisons).map(|comparison| dead(comparison, number + 3)));
    found
}

fn no_gain(comparison: &Comparison, rival: Arm, number: u32) -> Criterion {
    let found = comparison.difference(Arm::Pair, rival, PASS[0].1).difference;
    let name = &comparison.name;
    Criterion {
        rule: format!("{number}. {name}: pair minus {}, held-out pass@1", rival.name()),
        expected: "no gain: the interval holds 0 or lies below it".to_owned(),
        found: found.to_string(),
        met: found.low <= 0.0,
    }
}

fn fresh_gain(comparison: &Comparison, number: u32) -> Criterion {
    let found = comparison.difference(Arm::FreshPairs, Arm::Pair, PASS[0].1).difference;
    Criterion {
        rule: format!("{number}. {}: fresh-pairs minus pair, held-out pass@1", comparison.name),
        expected: "a gain: the interval lies above 0".to_owned(),
        found: found.to_string(),
        met: found.low > 0.0,
    }
}

fn dead(comparison: &Comparison, number: u32) -> Criterion {
    let of = Trained::dead_at_end;
    let found = comparison.difference(Arm::Pair, Arm::FreshPairs, of).difference;
    Criterion {
        rule: format!(
            "{number}. {}: share of constant groups in the last quarter, pair minus fresh-pairs",
            comparison.name
        ),
        expected: "more of them: the interval lies above 0".to_owned(),
        found: found.to_string(),
        met: found.low > 0.0,
    }
}
