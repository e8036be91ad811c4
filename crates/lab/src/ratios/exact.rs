//! What is certain about weights, and how the mismatch of ratios grows with drift.

use super::{Comparison, TokenRule, Trained};
use crate::figure::{Axis, Figure, Panel, Series};
use crate::findings::{Block, Criterion, Table};
use crate::statistics::mean;

/// The rules that are drawn.
const RULES: [(&str, TokenRule); 4] = [
    ("grpo", TokenRule::Clipped { low: 0.2, high: 0.2 }),
    ("dapo-clip", TokenRule::Clipped { low: 0.2, high: 0.28 }),
    ("aspo", TokenRule::Aspo { low: 0.2, high: 0.2, cap: 3.0 }),
    ("no-ratio", TokenRule::Unweighted { low: 0.2, high: 0.2 }),
];

/// Ratios of the table, for positive and negative tokens.
const RATIOS: [[f64; 4]; 2] = [[0.2, 0.5, 1.1, 1.9], [4.0, 1.5, 0.9, 0.5]];

/// Table, figure and criterion of the weights themselves.
#[must_use]
pub fn exact_findings() -> Vec<Block> {
    vec![
        Block::Heading("Exact: what a token's gradient weighs".to_owned()),
        Block::Table(table()),
        Block::Figure {
            name: "weights".to_owned(),
            caption: "Weight of a token's gradient against its importance ratio. Left: positive \
                      advantages, where ASPO turns the ratio round. Right: negative ones, where all \
                      but the weightless agree."
                .to_owned(),
            figure: Figure { panels: vec![panel(1.0), panel(-1.0)] },
        },
        Block::Criteria(vec![criterion()]),
    ]
}

fn table() -> Table {
    let [positive, negative] = RATIOS;
    let name = |sign: char| move |ratio: f64| format!("A{sign}0 R={ratio}");
    let mut columns = vec!["rule".to_owned()];
    columns.extend(positive.map(name('>')));
    columns.extend(negative.map(name('<')));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new("Weight of a token's gradient; 0 where it is masked", &columns);
    for (name, rule) in RULES {
        let weights = positive.map(|ratio| rule.weight(ratio, 1.0)).into_iter();
        let weights = weights.chain(negative.map(|ratio| rule.weight(ratio, -1.0)));
        let cells = weights.map(|weight| format!("{weight:.3}"));
        table.row(std::iter::once(name.to_owned()).chain(cells));
    }
    table
}

fn panel(advantage: f64) -> Panel {
    let ratios: Vec<f64> = (0..=600).map(|i| 0.25 * 16f64.powf(f64::from(i) / 600.0)).collect();
    let series = |(name, rule): (&str, TokenRule)| {
        let points = ratios.iter().map(|ratio| (*ratio, rule.weight(*ratio, advantage)));
        Series::line(name, points.collect())
    };
    Panel {
        title: if advantage > 0.0 { "positive advantage" } else { "negative advantage" }.to_owned(),
        x: Axis::named("importance ratio R").logarithmic(),
        y: Axis::named("weight").between(0.0, 4.0),
        series: RULES.map(series).to_vec(),
    }
}

fn criterion() -> Criterion {
    let aspo = RULES[2].1;
    let [positive, negative] = RATIOS;
    let found = [
        positive.map(|ratio| aspo.weight(ratio, 1.0)),
        negative.map(|ratio| aspo.weight(ratio, -1.0)),
    ]
    .concat();
    let expected = [3.0, 2.0, 1.0 / 1.1, 0.0, 3.0, 1.5, 0.9, 0.0];
    let text = |numbers: &[f64]| {
        numbers.iter().map(|number| format!("{number:.3}")).collect::<Vec<String>>().join(" ")
    };
    Criterion {
        rule: "1. ASPO's weights at the eight ratios of the table".to_owned(),
        expected: text(&expected),
        found: text(&found),
        met: found.iter().zip(expected).all(|(found, wanted)| (found - wanted).abs() < 1e-12),
    }
}

/// Runs at several learning rates under one plan of epochs and mini-batches.
pub type Scan = (String, Vec<(f64, Vec<Trained>)>);

/// How mean ratios part with the drift, and how they depend on the behaviour probability.
///
/// # Panics
/// If a scan has no learning rate.
#[must_use]
pub fn mismatch_findings(scans: &[Scan], comparison: &Comparison, number: u32) -> Vec<Block> {
    let panels = vec![drift_panel(scans), behaviour_panel(comparison)];
    let criteria = scans.iter().map(|scan| drift_criterion(scan, number)).collect();
    vec![
        Block::Figure {
            name: "ratios".to_owned(),
            caption: "Left: mean ratio of positive and of negative tokens under GRPO's loss, at \
                      learning rates 1.5 apart (four seeds each), against the mean |R - 1|. Right: \
                      mean ratio against the probability a token was sampled with, at the tuned rate \
                      (all seeds)."
                .to_owned(),
            figure: Figure { panels },
        },
        Block::Criteria(criteria),
    ]
}

/// Drift and mean ratio of positive and of negative tokens, by learning rate.
fn drifts(scan: &Scan) -> Vec<[f64; 3]> {
    let over = |runs: &[Trained], of: fn(&Trained) -> f64| {
        mean(&runs.iter().map(of).collect::<Vec<f64>>())
    };
    let point = |(_, runs): &(f64, Vec<Trained>)| {
        [
            over(runs, |run| run.drift),
            over(runs, |run| run.positive.ratio),
            over(runs, |run| run.negative.ratio),
        ]
    };
    scan.1.iter().map(point).collect()
}

fn drift_panel(scans: &[Scan]) -> Panel {
    let series = scans.iter().flat_map(|scan| {
        let points = drifts(scan);
        ["positive", "negative"].into_iter().zip([1, 2]).map(move |(sign, place)| {
            let line = points.iter().map(|point| (point[0], point[place])).collect();
            Series::line(format!("{sign}, {}", scan.0), line)
        })
    });
    Panel {
        title: "mean ratio against drift".to_owned(),
        x: Axis::named("mean |R - 1|").logarithmic(),
        y: Axis::named("mean R"),
        series: series.collect(),
    }
}

fn behaviour_panel(comparison: &Comparison) -> Panel {
    let series = comparison.arms.iter().take(1).flat_map(|(arm, result)| {
        ["positive", "negative"].into_iter().enumerate().map(move |(side, sign)| {
            let runs = &result.seeds;
            let bins = runs.first().map_or(0, |run| run.bins.len());
            let points = (0..bins).map(|bin| {
                let ratios: Vec<f64> =
                    runs.iter().filter_map(|run| run.bins[bin].ratio[side]).collect();
                (runs[0].bins[bin].probability, mean(&ratios))
            });
            Series::dots(format!("{sign}, {}", arm.name()), points.collect())
        })
    });
    Panel {
        title: "mean ratio against behaviour probability".to_owned(),
        x: Axis::named("probability when sampled").logarithmic(),
        y: Axis::named("mean R"),
        series: series.collect(),
    }
}

fn drift_criterion(scan: &Scan, number: u32) -> Criterion {
    let points = drifts(scan);
    let gap = |point: &[f64; 3]| point[1] - point[2];
    let (first, last) = (&points[0], &points[points.len() - 1]);
    Criterion {
        rule: format!(
            "{number}. {}: gap between the mean ratios of positive and negative tokens, at the \
             lowest and the highest learning rate",
            scan.0
        ),
        expected: "above 0 at both, and larger at the larger drift".to_owned(),
        found: format!(
            "{:.4} at drift {:.4}, {:.4} at drift {:.4}",
            gap(first),
            first[0],
            gap(last),
            last[0]
        ),
        met: gap(first) > 0.0 && gap(last) > gap(first) && last[0] > first[0],
    }
}
