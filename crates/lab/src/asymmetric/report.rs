//! Tables, figures and criteria of the exact part on prompt weights.

use super::race::{Lane, table};
use super::{
    Arm, Challenge, Scheme, Start, budget, by_quadrature, by_steps, challenge, closed_form,
};
use crate::figure::{Axis, Figure, Panel, Series};
use crate::findings::{Block, Criterion, Table};
use crate::statistics::{Estimate, bootstrap, mean};

/// Where trajectories end.
const END: f64 = 0.9;
/// Where the theory begins: from scratch, and after a good warm start.
const BEGINNINGS: [f64; 2] = [0.01, 0.4];

/// The part on one prompt in the population limit: times three ways, random rivals, figures.
#[must_use]
pub fn theory(steps: usize, rivals: usize) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("One prompt in the population limit".to_owned())];
    let mut worst: f64 = 0.0;
    for from in BEGINNINGS {
        let (table, off) = times(from, steps);
        worst = worst.max(off);
        blocks.push(Block::Table(table));
    }
    let challenges = BEGINNINGS.map(|from| (from, challenge(from, END, rivals, 1)));
    blocks.push(Block::Table(challenge_table(&challenges)));
    blocks.push(weights_figure());
    blocks.push(trajectories_figure());
    blocks.push(Block::Criteria(theory_criteria(worst, &challenges)));
    blocks
}

/// Times of all schemes from one beginning, and the largest relative disagreement with the closed
/// forms.
fn times(from: f64, steps: usize) -> (Table, f64) {
    let caption = format!("Times from {from} to {END} under the same budget, `int omega = 1`");
    let columns = [
        "scheme",
        "T closed form",
        "T quadrature",
        "T by steps",
        "Teff closed form",
        "Teff quadrature",
        "Teff by steps",
    ];
    let mut table = Table::new(caption, &columns);
    let mut worst: f64 = 0.0;
    for scheme in Scheme::ALL {
        let exact = closed_form(scheme, from, END);
        let quadrature = by_quadrature(scheme, from, END);
        let stepped = by_steps(scheme, from, END, steps).last().expect("a path has a start").0;
        for found in [quadrature, stepped] {
            let off = (found.regular / exact.regular - 1.0).abs();
            worst = worst.max(off).max((found.effective / exact.effective - 1.0).abs());
        }
        let numbers = [
            [exact.regular, quadrature.regular, stepped.regular],
            [exact.effective, quadrature.effective, stepped.effective],
        ];
        let cells = numbers.concat().into_iter().map(|time| format!("{time:.4}"));
        table.row(std::iter::once(scheme.name().to_owned()).chain(cells));
    }
    (table, worst)
}

fn challenge_table(challenges: &[(f64, Challenge)]) -> Table {
    let columns = ["from", "weightings", "least T / T of GRPO", "least Teff / Teff of Sqrt-R"];
    let mut table = Table::new("Random weightings of the same budget against the optima", &columns);
    for (from, found) in challenges {
        table.row([
            from.to_string(),
            found.tried.to_string(),
            format!("{:.6}", found.regular),
            format!("{:.6}", found.effective),
        ]);
    }
    table
}

fn theory_criteria(worst: f64, challenges: &[(f64, Challenge)]) -> Vec<Criterion> {
    let ratios = challenges.iter().flat_map(|(_, found)| [found.regular, found.effective]);
    let least = ratios.fold(f64::INFINITY, f64::min);
    let tried: usize = challenges.iter().map(|(_, found)| 2 * found.tried).sum();
    vec![
        Criterion {
            rule: "1. T and Teff by quadrature and by steps agree with the closed forms".into(),
            expected: "to 4 digits: relative difference below 5e-5".into(),
            found: format!("largest relative difference {worst:.1e}"),
            met: worst < 5e-5,
        },
        Criterion {
            rule: "2. random weightings of the same budget against GRPO on the regular and Sqrt-R \
                   on the effective clock"
                .into(),
            expected: "none is faster: every ratio at least 1 (rounding: 1 - 1e-9)".into(),
            found: format!("least ratio {least:.6} of {tried} weightings"),
            met: least >= 1.0 - 1e-9,
        },
    ]
}

fn weights_figure() -> Block {
    let rates: Vec<f64> = (1..=196).map(|i| f64::from(i) * 0.005).collect();
    let panel = |title: &str, y: &str, of: &dyn Fn(Scheme, f64) -> f64| Panel {
        title: title.to_owned(),
        x: Axis::named("success rate"),
        y: Axis::named(y).logarithmic(),
        series: Scheme::ALL
            .map(|scheme| {
                let points = rates.iter().map(|rho| (*rho, of(scheme, *rho))).collect();
                Series::line(scheme.name(), points)
            })
            .to_vec(),
    };
    let size = |scheme: Scheme| budget(scheme.weighting(), BEGINNINGS[0], END);
    let weight = |scheme: Scheme, rho: f64| scheme.weighting().weight(rho) / size(scheme);
    let pull = |scheme: Scheme, rho: f64| scheme.weighting().coefficient(rho) / size(scheme);
    Block::Figure {
        name: "weights".to_owned(),
        caption: format!(
            "The same budget from {} to {END} spent five ways. Left: weight of the gap between right \
             and wrong completions. Right: how hard a prompt pulls, c = omega rho (1 - rho).",
            BEGINNINGS[0]
        ),
        figure: Figure {
            panels: vec![
                panel("weight", "omega, same budget", &weight),
                panel("pull", "c, same budget", &pull),
            ],
        },
    }
}

fn trajectories_figure() -> Block {
    let paths = Scheme::ALL.map(|scheme| (scheme, by_steps(scheme, BEGINNINGS[0], END, 20_000)));
    let panel = |title: &str, x: Axis, of: &dyn Fn(&super::Durations) -> f64| Panel {
        title: title.to_owned(),
        x,
        y: Axis::named("success rate").between(0.0, 1.0),
        series: paths
            .iter()
            .map(|(scheme, path)| {
                let points = thinned(path).map(|(time, rho)| (of(time), *rho)).collect();
                Series::line(scheme.name(), points)
            })
            .collect(),
    };
    Block::Figure {
        name: "trajectories".to_owned(),
        caption: format!(
            "From {} to {END} under the same budget. On the regular clock GRPO is first; on the \
             effective one, which charges 1/rho for a step, Sqrt-R.",
            BEGINNINGS[0]
        ),
        figure: Figure {
            panels: vec![
                panel("regular clock", Axis::named("T"), &|time| time.regular),
                panel("effective clock", Axis::named("Teff"), &|time| time.effective),
            ],
        },
    }
}

/// Points of a path at least 0.005 apart in the success rate, and its end.
fn thinned<T>(path: &[(T, f64)]) -> impl Iterator<Item = &(T, f64)> {
    let mut last = f64::NEG_INFINITY;
    path.iter().enumerate().filter_map(move |(index, point)| {
        let far = point.1 - last >= 0.005 || index + 1 == path.len();
        far.then(|| last = point.1).map(|()| point)
    })
}

/// All arms from one start, GRPO first.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// The start.
    pub start: Start,
    /// The arms in the order of [`Arm::all`].
    pub lanes: Vec<Lane>,
}

impl Heat {
    fn lane(&self, scheme: Scheme, drop: bool) -> &Lane {
        let name = Arm { scheme, drop }.name();
        self.lanes.iter().find(|lane| lane.name == name).unwrap_or(&self.lanes[0])
    }

    /// An arm's completions to the target relative to GRPO's.
    fn ratio(&self, scheme: Scheme, drop: bool) -> Estimate {
        self.lane(scheme, drop).ratio(&self.lanes[0])
    }
}

/// The part on prompts that share parameters: one table a start, two figures, criteria.
///
/// # Panics
/// If there are no starts, or a start without arms.
#[must_use]
pub fn shared(heats: &[Heat], target: f64) -> Vec<Block> {
    let heading = "Many prompts that share the parameters of a log-linear policy".to_owned();
    let mut blocks = vec![Block::Heading(heading)];
    for heat in heats {
        let Start { success, budget, .. } = heat.start;
        let caption = format!(
            "From {success} to {target}: median completions, ratio to GRPO, success after {budget} \
             completions and what it gains over GRPO"
        );
        blocks.push(Block::Table(table(&caption, &heat.lanes)));
    }
    blocks.push(ratios_figure(heats, target));
    blocks.push(curves_figure(heats, target));
    blocks.push(Block::Criteria(shared_criteria(heats)));
    blocks
}

fn ratios_figure(heats: &[Heat], target: f64) -> Block {
    let arms = Arm::all();
    let places = heats.iter().map(|heat| heat.start.success);
    let (low, high) = places.fold((1.0f64, 0.0f64), |(a, b), s| (a.min(s), b.max(s)));
    let line = vec![(low / 1.3, 1.0), (high * 1.3, 1.0)];
    let mut series = vec![Series::dashed("GRPO", line)];
    for (number, arm) in arms.iter().enumerate().skip(1) {
        // Beside each other, not on top of each other.
        let shift = 1.05f64.powf(number as f64 - arms.len() as f64 / 2.0);
        let found = |heat: &Heat| (heat.start.success * shift, heat.ratio(arm.scheme, arm.drop));
        let found: Vec<(f64, Estimate)> = heats.iter().map(found).collect();
        let points = found.iter().map(|(x, ratio)| (*x, ratio.value)).collect();
        let ends = found.iter().map(|(_, ratio)| (ratio.low, ratio.high)).collect();
        series.push(Series::dots(arm.name(), points).within(ends));
    }
    let panel = Panel {
        title: format!("completions to {target}, relative to GRPO"),
        x: Axis::named("success at the start").logarithmic(),
        y: Axis::named("ratio"),
        series,
    };
    Block::Figure {
        name: "ratios".to_owned(),
        caption: "Geometric mean over seeds with its 95 % interval; below the line an arm needs \
                  fewer completions than GRPO."
            .to_owned(),
        figure: Figure { panels: vec![panel] },
    }
}

fn curves_figure(heats: &[Heat], target: f64) -> Block {
    let shown = [(Scheme::Grpo, false), (Scheme::LinearR, false), (Scheme::SqrtR, false)];
    let panel = |heat: &Heat| {
        // As far as the slowest of the arms shown has a full set of seeds.
        let end = 2.0 * heat.start.budget as f64;
        let cut = |series: Series| {
            let count = series.points.iter().take_while(|(at, _)| *at <= end).count();
            let Series { points, ends, .. } = &series;
            Series { points: points[..count].to_vec(), ends: ends[..count].to_vec(), ..series }
        };
        let lines = shown.map(|(scheme, drop)| cut(heat.lane(scheme, drop).series()));
        let goal = Series::dashed("target", vec![(0.0, target), (end, target)]);
        Panel {
            title: format!("from {}", heat.start.success),
            x: Axis::named("completions"),
            y: Axis::named("mean success").between(0.0, 1.0),
            series: lines.into_iter().chain([goal]).collect(),
        }
    };
    // More than two panels would be too small to read.
    let (lowest, highest) = (heats.iter().take(1), heats.iter().skip(1).next_back().into_iter());
    Block::Figure {
        name: "curves".to_owned(),
        caption: "From the lowest and the highest start: exact mean success over the completions \
                  spent, median of the seeds, with the middle half of them around it. A run that has \
                  arrived stays where it was."
            .to_owned(),
        figure: Figure { panels: lowest.chain(highest).map(panel).collect() },
    }
}

/// Starts at or below this are low.
const LOW: f64 = 0.15;

fn shared_criteria(heats: &[Heat]) -> Vec<Criterion> {
    let low = |heat: &&Heat| heat.start.success < LOW;
    let mut criteria = Vec::new();
    for heat in heats.iter().filter(low) {
        for scheme in [Scheme::LinearR, Scheme::SqrtR] {
            let ratio = heat.ratio(scheme, false);
            let (name, from) = (scheme.name(), heat.start.success);
            criteria.push(Criterion {
                rule: format!("3. {name} against GRPO from {from}: ratio of completions to target"),
                expected: "below 1, and the interval excludes 1".into(),
                found: format!("{ratio:.2}"),
                met: ratio.high < 1.0,
            });
        }
        let ratio = heat.lane(Scheme::LinearR, true).ratio(heat.lane(Scheme::LinearR, false));
        criteria.push(Criterion {
            rule: format!(
                "5. Linear-R without its all-wrong term against Linear-R from {}",
                heat.start.success
            ),
            expected: "no large effect: the interval lies within 0.67 and 1.5".into(),
            found: format!("{ratio:.2}"),
            met: ratio.low > 0.67 && ratio.high < 1.5,
        });
    }
    let last = heats.iter().rfind(low);
    if let (Some(low), Some(high)) = (last, heats.iter().find(|heat| heat.start.success > LOW)) {
        for scheme in [Scheme::LinearR, Scheme::SqrtR] {
            criteria.push(shrinks(low, high, scheme));
        }
    }
    criteria
}

/// Whether an arm's gain is smaller from the high start: the ratio of both ratios.
fn shrinks(low: &Heat, high: &Heat, scheme: Scheme) -> Criterion {
    let logarithms = |heat: &Heat| -> Vec<f64> {
        let (own, base) = (heat.lane(scheme, false).completions(), heat.lanes[0].completions());
        own.iter().zip(&base).map(|(own, base)| (own / base).ln()).collect()
    };
    let pairs = logarithms(high).into_iter().zip(logarithms(low));
    let differences: Vec<f64> = pairs.map(|(high, low)| high - low).collect();
    let found = bootstrap(&differences, mean).map(f64::exp);
    let (name, a, b) = (scheme.name(), high.start.success, low.start.success);
    Criterion {
        rule: format!("4. {name}'s ratio from {a} divided by its ratio from {b}"),
        expected: "above 1: the gain shrinks, and the interval excludes 1".into(),
        found: format!("{found:.2}"),
        met: found.low > 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::race::Run;
    use super::*;

    fn heat(success: f64, factor: f64) -> Heat {
        let run = |completions: f64| {
            let mut run = Run::begun(success);
            run.saw(completions, 0.8, 0.7, 100.0);
            run.ended(1e6)
        };
        let lane = |arm: Arm| {
            let fast = arm == Arm { scheme: Scheme::LinearR, drop: false };
            let speed = if fast { factor } else { 1.0 };
            let runs = [100.0, 120.0, 130.0].map(|completions| run(completions * speed)).to_vec();
            Lane { name: arm.name(), rate: 0.1, runs }
        };
        let start = Start { success, check_every: 1, budget: 100 };
        Heat { start, lanes: Arm::all().into_iter().map(lane).collect() }
    }

    #[test]
    fn criteria_follow_the_runs() {
        let heats = [heat(0.05, 0.5), heat(0.4, 0.9)];
        let found = shared_criteria(&heats);
        let met: Vec<bool> = found.iter().map(|criterion| criterion.met).collect();
        // Linear-R is faster, Sqrt-R as slow as GRPO; dropping doubles; only Linear-R's gain shrinks.
        assert_eq!(met, [true, false, false, true, false], "{found:?}");
        assert!(found[3].found.starts_with("1.80"), "{found:?}");
    }

    #[test]
    fn all_blocks_can_be_written() {
        let blocks = [theory(300_000, 6), shared(&[heat(0.05, 0.5), heat(0.4, 0.9)], 0.7)].concat();
        for block in &blocks {
            if let Block::Figure { name, figure, .. } = block {
                assert!(figure.svg(name).unwrap().contains("GRPO"), "{name}");
            }
        }
        let criteria = blocks.iter().filter_map(|block| match block {
            Block::Criteria(criteria) => Some(criteria.len()),
            _ => None,
        });
        assert_eq!(criteria.collect::<Vec<_>>(), [2, 5]);
    }
}
