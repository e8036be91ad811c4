//! What is certain about rare outcomes: how loud they are, and how hard they pull.

use fireproof_advantage::theory::amplification;
use fireproof_advantage::{Ddof, DeviationR, PromptWeighting};

use crate::figure::{Axis, Figure, Panel, Series};
use crate::findings::{Block, Criterion, Table};

/// Chance that a group has both outcomes: `1 - p^G - (1 - p)^G`.
///
/// ```
/// // A prompt that is right once in eight: 1 - (1/8)^8 - (7/8)^8.
/// assert!((fireproof_lab::pairing::mixed_group(0.125, 8) - 0.6564).abs() < 1e-4);
/// ```
#[must_use]
pub fn mixed_group(success: f64, samples: i32) -> f64 {
    1.0 - success.powi(samples) - (1.0 - success).powi(samples)
}

/// How hard a prompt of success rate `p` pulls under GRPO, in expectation over its groups of `G`:
/// the mean of `c(k/G) = sqrt(k (G - k)) / G` over `k ~ Binomial(G, p)`.
///
/// ```
/// use fireproof_lab::pairing::expected_pull;
/// // Groups of two: mixed with chance 1/2, and then c = 1/2.
/// assert!((expected_pull(0.5, 2) - 0.25).abs() < 1e-12);
/// ```
#[must_use]
pub fn expected_pull(success: f64, samples: i32) -> f64 {
    let odds = success / (1.0 - success);
    // C(G, k) p^k (1 - p)^(G - k), one after the other.
    let mut chance = (1.0 - success).powi(samples);
    let mut pull = 0.0;
    for k in 0..=samples {
        pull += chance * DeviationR.coefficient(f64::from(k) / f64::from(samples));
        chance *= odds * f64::from(samples - k) / f64::from(k + 1);
    }
    pull
}

/// Table, figure and criterion of the exact part, for groups of 8.
#[must_use]
pub fn exact_findings() -> Vec<Block> {
    vec![
        Block::Heading("Exact: rare outcomes are loud, and pull little".to_owned()),
        Block::Table(table()),
        Block::Figure {
            name: "amplification".to_owned(),
            caption: "Left: the z-scores of a group of 8. Right: how hard a prompt pulls, by its \
                      success rate, if one of its groups is k = 8p, and in expectation."
                .to_owned(),
            figure: figure(),
        },
        Block::Criteria(vec![criterion()]),
    ]
}

fn table() -> Table {
    let columns = ["right of 8", "A(right)", "A(wrong)", "pull c", "mixed", "expected pull"];
    let caption = "Groups of 8, standard deviation with 7 in the denominator; success rate k/8";
    let mut table = Table::new(caption, &columns);
    for right in [1, 2, 4, 6, 7] {
        let (of_right, of_wrong) = amplification(right, 8, Ddof::Sample);
        let success = right as f64 / 8.0;
        let numbers = [
            of_right,
            of_wrong,
            DeviationR.coefficient(success),
            mixed_group(success, 8),
            expected_pull(success, 8),
        ];
        let cells = numbers.map(|number| format!("{number:.4}"));
        table.row([vec![right.to_string()], cells.to_vec()].concat());
    }
    table
}

fn figure() -> Figure {
    let counts = 1..8usize;
    let advantages: Vec<(f64, (f64, f64))> =
        counts.map(|k| (k as f64, amplification(k, 8, Ddof::Sample))).collect();
    let rates: Vec<f64> = (1..200).map(|i| f64::from(i) / 200.0).collect();
    let curve = |of: &dyn Fn(f64) -> f64| rates.iter().map(|p| (*p, of(*p))).collect();
    let loud = Panel {
        title: "how loud: z-scores of 8".to_owned(),
        x: Axis::named("right completions k"),
        y: Axis::named("|advantage|").between(0.0, 2.6),
        series: vec![
            Series::line("right ones", advantages.iter().map(|(k, a)| (*k, a.0)).collect()),
            Series::line("wrong ones", advantages.iter().map(|(k, a)| (*k, -a.1)).collect()),
        ],
    };
    let pull = Panel {
        title: "how hard a prompt pulls".to_owned(),
        x: Axis::named("success rate p"),
        y: Axis::named("").between(0.0, 1.0),
        series: vec![
            Series::line("pull c(p)", curve(&|p| DeviationR.coefficient(p))),
            Series::line("expected pull", curve(&|p| expected_pull(p, 8))),
            Series::dashed("chance of a mixed group", curve(&|p| mixed_group(p, 8))),
        ],
    };
    Figure { panels: vec![loud, pull] }
}

fn criterion() -> Criterion {
    let (loud, _) = amplification(1, 8, Ddof::Sample);
    let [rare, even] = [1.0 / 8.0, 0.5].map(|p| {
        let pull = DeviationR.coefficient(p);
        (pull, mixed_group(p, 8))
    });
    let close = |found: f64, expected: f64| (found - expected).abs() < 5e-4;
    Criterion {
        rule: "1. z-scores, pull and chance of a mixed group of 8, to three digits".to_owned(),
        expected:
            "one right of 8 has advantage 2.475; it pulls with .331 against .5 at four of 8, \
                   and is mixed with chance .656 against .992"
                .to_owned(),
        found: format!(
            "{loud:.3}; {:.3} against {:.3}; {:.3} against {:.3}",
            rare.0, even.0, rare.1, even.1
        ),
        met: close(loud, 2.4749)
            && close(rare.0, 0.3307)
            && close(even.0, 0.5)
            && close(rare.1, 0.6564)
            && close(even.1, 0.9922),
    }
}
