//! Which charts a report shows.

use std::collections::BTreeMap;

use plotters::style::RGBColor;
use serde::Serialize;

use super::chart::{COLORS, Chart, Mark, Series};
use crate::metrics::{StepMetrics, SuccessBin};

/// A chart with its heading.
#[derive(Debug, Serialize)]
pub(super) struct Panel {
    title: &'static str,
    note: &'static str,
    legend: Vec<Legend>,
    pub(super) svg: String,
}

#[derive(Debug, Serialize)]
struct Legend {
    name: String,
    color: String,
}

impl Panel {
    fn new(title: &'static str, note: &'static str, chart: &Chart) -> Self {
        let legend = |series: &Series| {
            let RGBColor(r, g, b) = series.color;
            Legend { name: series.name.clone(), color: format!("#{r:02x}{g:02x}{b:02x}") }
        };
        let legend: Vec<Legend> = chart.series.iter().map(legend).collect();
        let legend = if legend.len() > 1 { legend } else { Vec::new() };
        Self { title, note, legend, svg: chart.svg() }
    }
}

/// A number of each step.
type Of<'a> = dyn Fn(&StepMetrics) -> f64 + 'a;

fn series(metrics: &[StepMetrics], name: &str, color: usize, of: &Of<'_>) -> Series {
    let points = metrics.iter().map(|step| ((step.step + 1) as f64, of(step)));
    Series {
        name: name.to_owned(),
        color: COLORS[color % COLORS.len()],
        mark: Mark::Smoothed,
        points: points.filter(|(_, y)| y.is_finite()).collect(),
    }
}

fn curve(metrics: &[StepMetrics], y_range: Option<(f64, f64)>, lines: &[(&str, &Of<'_>)]) -> Chart {
    let lines = lines.iter().enumerate();
    let series = lines.map(|(color, (name, of))| series(metrics, name, color, of)).collect();
    Chart { x_label: "step", y_range, series }
}

const SHARE: Option<(f64, f64)> = Some((0.0, 1.0));

/// Success over the run.
pub(super) fn learning_curve(metrics: &[StepMetrics]) -> Panel {
    let chart = curve(metrics, SHARE, &[("pass@1", &|m| f64::from(m.pass_at_1))]);
    Panel::new("pass@1 in training", "share of right completions among those sampled", &chart)
}

/// The charts over steps.
pub(super) fn panels(metrics: &[StepMetrics]) -> Vec<Panel> {
    let shaped = metrics.iter().any(|m| m.reward.mean != m.pass_at_1);
    let mut all = vec![learning_curve(metrics)];
    let levels = by_level(metrics);
    if levels.series.len() > 1 {
        let note = "share of right completions at each level of difficulty";
        all.push(Panel::new("pass@1 by level", note, &levels));
    }
    if shaped {
        let reward = curve(metrics, None, &[("reward", &|m| f64::from(m.reward.mean))]);
        all.push(Panel::new("reward", "mean over completions, shaping included", &reward));
    }
    all.extend(group_and_text_panels(metrics));
    all.extend(update_panels(metrics));
    all
}

fn group_and_text_panels(metrics: &[StepMetrics]) -> Vec<Panel> {
    let groups = curve(
        metrics,
        SHARE,
        &[
            ("all right", &|m| f64::from(m.all_right)),
            ("all wrong", &|m| f64::from(m.all_wrong)),
            ("mixed", &|m| f64::from(1.0 - m.all_right - m.all_wrong)),
        ],
    );
    let entropy = curve(metrics, None, &[("entropy", &|m| f64::from(m.entropy))]);
    let length = curve(metrics, None, &[("length", &|m| f64::from(m.length.mean))]);
    vec![
        Panel::new(
            "groups",
            "share of prompts by the outcomes of their completions; under a centred estimator only \
             mixed ones train",
            &groups,
        ),
        Panel::new("entropy", "nats, mean over sampled tokens", &entropy),
        Panel::new("length", "tokens of a completion, stop token included", &length),
    ]
}

fn update_panels(metrics: &[StepMetrics]) -> Vec<Panel> {
    let clip = curve(
        metrics,
        None,
        &[
            ("low", &|m| f64::from(m.clip.low)),
            ("high", &|m| f64::from(m.clip.high)),
            ("dual", &|m| f64::from(m.clip.dual)),
        ],
    );
    let kl = curve(metrics, None, &[("k3", &|m| f64::from(m.kl_behaviour.k3))]);
    let norm = curve(metrics, None, &[("norm", &|m| f64::from(m.grad_norm))]);
    let ratio = curve(metrics, None, &[("ratio", &|m| f64::from(m.ratio))]);
    vec![
        Panel::new("clipped", "share of trained tokens, over all updates of a step", &clip),
        Panel::new("drift", "KL(behaviour || policy) by k3, mean over updates", &kl),
        Panel::new("importance ratio", "mean over trained tokens", &ratio),
        Panel::new("gradient norm", "before the clip, mean over updates", &norm),
    ]
}

/// One line for each level.
fn by_level(metrics: &[StepMetrics]) -> Chart {
    let mut levels: Vec<u32> = metrics.iter().flat_map(|m| m.levels.keys().copied()).collect();
    levels.sort_unstable();
    levels.dedup();
    let line = |(color, level): (usize, &u32)| {
        let of = |m: &StepMetrics| m.levels.get(level).map_or(f64::NAN, |share| f64::from(*share));
        series(metrics, &format!("level {level}"), color, &of)
    };
    let series = levels.iter().enumerate().map(line).collect();
    Chart { x_label: "step", y_range: SHARE, series }
}

/// The charts over the success rate of a group.
pub(super) fn success_panels(metrics: &[StepMetrics]) -> Vec<Panel> {
    let quarter = metrics.len().div_ceil(4);
    let early = counts(&metrics[..quarter]);
    let late = counts(&metrics[metrics.len() - quarter..]);
    let bars = |name: &str, color: usize, points| Series {
        name: name.to_owned(),
        color: COLORS[color],
        mark: Mark::Bars,
        points,
    };
    let x_label = "success rate of the group";
    let spread = Chart {
        x_label,
        y_range: None,
        series: vec![bars("first quarter", 1, early), bars("last quarter", 0, late)],
    };
    let worth = worth(metrics);
    let dots = |name: &str, color: usize, of: &dyn Fn(&Worth) -> Option<f64>| Series {
        name: name.to_owned(),
        color: COLORS[color],
        mark: Mark::Dotted,
        points: worth.iter().filter_map(|w| Some((w.rate, of(w)?))).collect(),
    };
    let (right, wrong) = (dots("right", 2, &|w| w.right), dots("wrong", 1, &|w| w.wrong));
    let advantages = Chart { x_label, y_range: None, series: vec![right, wrong] };
    let pull =
        dots("pull", 0, &|w| Some(w.right.map_or(-w.wrong? * (1.0 - w.rate), |a| a * w.rate)));
    let pull = Chart { x_label, y_range: None, series: vec![pull] };
    vec![
        Panel::new(
            "advantage by success rate",
            "mean advantage that right and wrong completions got, over the whole run",
            &advantages,
        ),
        Panel::new(
            "pull of a prompt",
            "effective coefficient c(ρ) = ρ A(right): how hard prompts of each success rate pulled",
            &pull,
        ),
        Panel::new("where the groups were", "share of groups at each success rate", &spread),
    ]
}

/// What a success rate was worth over the run.
struct Worth {
    rate: f64,
    right: Option<f64>,
    wrong: Option<f64>,
}

/// Means over all groups of a success rate that trained.
fn worth(metrics: &[StepMetrics]) -> Vec<Worth> {
    let mut bins: BTreeMap<(usize, usize), (f64, f64, f64)> = BTreeMap::new();
    for bin in metrics.iter().flat_map(|m| &m.by_successes).filter(|bin| bin.trained > 0) {
        let sum = bins.entry((bin.samples, bin.successes)).or_default();
        let count = bin.trained as f64;
        sum.0 += count;
        sum.1 += count * f64::from(bin.right);
        sum.2 += count * f64::from(bin.wrong);
    }
    let worth = |((samples, successes), (count, right, wrong)): (_, (f64, f64, f64))| {
        let (samples, successes): (usize, usize) = (samples, successes);
        Worth {
            rate: successes as f64 / samples as f64,
            right: (successes > 0).then_some(right / count),
            wrong: (successes < samples).then_some(wrong / count),
        }
    };
    let mut all: Vec<Worth> = bins.into_iter().map(worth).collect();
    all.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    all
}

/// Share of groups at each success rate.
fn counts(metrics: &[StepMetrics]) -> Vec<(f64, f64)> {
    let bins = || metrics.iter().flat_map(|m| &m.by_successes);
    let total: usize = bins().map(|bin| bin.groups).sum();
    let mut counts: Vec<(f64, f64)> = Vec::new();
    let rate = |bin: &SuccessBin| bin.successes as f64 / bin.samples.max(1) as f64;
    for bin in bins() {
        let share = bin.groups as f64 / total as f64;
        match counts.iter_mut().find(|(x, _)| *x == rate(bin)) {
            Some((_, sum)) => *sum += share,
            None => counts.push((rate(bin), share)),
        }
    }
    counts.sort_by(|a, b| a.0.total_cmp(&b.0));
    counts
}
