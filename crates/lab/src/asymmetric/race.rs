//! Arms beside a baseline on the same seeds: completions to a target, and success at equal
//! completions.

use serde::{Deserialize, Serialize};

use crate::figure::Series;
use crate::findings::Table;
use crate::statistics::{Estimate, Paired, median, paired, paired_ratio, quantile};

/// One training run on its way to a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Completions to the target; for a run that missed, what the experiment says misses count.
    pub completions: f64,
    /// Whether the target was reached.
    pub reached: bool,
    /// Success at the budget of equal completions: the first evaluation at or after it.
    pub at_budget: Option<f64>,
    /// `(completions, success)` at each evaluation, the start first.
    pub curve: Vec<(f64, f64)>,
}

impl Run {
    /// At the start.
    #[must_use]
    pub fn begun(success: f64) -> Self {
        Self { completions: 0.0, reached: false, at_budget: None, curve: vec![(0.0, success)] }
    }

    /// Takes note of an evaluation.
    pub fn saw(&mut self, completions: f64, success: f64, target: f64, budget: f64) {
        self.curve.push((completions, success));
        if success >= target && !self.reached {
            (self.reached, self.completions) = (true, completions);
        }
        if completions >= budget && self.at_budget.is_none() {
            self.at_budget = Some(success);
        }
    }

    /// Ends it: a run that missed counts `missed` completions.
    #[must_use]
    pub fn ended(mut self, missed: f64) -> Self {
        if !self.reached {
            self.completions = missed;
        }
        self
    }

    /// Success after so many completions: the last evaluation that is not later.
    #[must_use]
    pub fn success_after(&self, completions: f64) -> f64 {
        let seen = self.curve.iter().take_while(|(at, _)| *at <= completions);
        seen.last().map_or(f64::NAN, |(_, success)| *success)
    }
}

/// The runs of one arm, one a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// The arm.
    pub name: String,
    /// Its learning rate.
    pub rate: f64,
    /// Its runs, in the order of seeds.
    pub runs: Vec<Run>,
}

impl Lane {
    fn each(&self, of: impl Fn(&Run) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }

    /// Completions to the target of each run.
    #[must_use]
    pub fn completions(&self) -> Vec<f64> {
        self.each(|run| run.completions)
    }

    /// Share of runs that reached the target.
    #[must_use]
    pub fn reach(&self) -> f64 {
        self.runs.iter().filter(|run| run.reached).count() as f64 / self.runs.len() as f64
    }

    /// Success of each run at the budget; NaN if a run ended before.
    #[must_use]
    pub fn at_budget(&self) -> Vec<f64> {
        self.each(|run| run.at_budget.unwrap_or(f64::NAN))
    }

    /// Completions to the target relative to a baseline, seed by seed: the geometric mean, below 1
    /// is better.
    #[must_use]
    pub fn ratio(&self, baseline: &Self) -> Estimate {
        paired_ratio(&baseline.completions(), &self.completions())
    }

    /// Success at the budget minus the baseline's, seed by seed.
    #[must_use]
    pub fn gain(&self, baseline: &Self) -> Paired {
        paired(&baseline.at_budget(), &self.at_budget())
    }

    /// Median success over completions with the middle half of the seeds around it.
    #[must_use]
    pub fn series(&self) -> Series {
        let mut places: Vec<f64> =
            self.runs.iter().flat_map(|run| run.curve.iter().map(|(at, _)| *at)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let at =
            |place: f64, share: f64| quantile(&self.each(|run| run.success_after(place)), share);
        let points = places.iter().map(|place| (*place, at(*place, 0.5))).collect();
        let ends = places.iter().map(|place| (at(*place, 0.25), at(*place, 0.75))).collect();
        Series::line(self.name.clone(), points).within(ends)
    }
}

/// One row a lane, the baseline first: learning rate, median completions to the target, share of
/// runs that reached it, ratio of completions to the baseline's, median success at the budget, what
/// that gains over the baseline, and the p-value of the gain.
///
/// # Panics
/// If there are no lanes, or lanes of different numbers of seeds.
#[must_use]
pub fn table(caption: &str, lanes: &[Lane]) -> Table {
    let columns = ["arm", "rate", "completions", "reached", "ratio", "at budget", "gain", "p"];
    let mut table = Table::new(caption, &columns);
    let baseline = &lanes[0];
    for (number, lane) in lanes.iter().enumerate() {
        let gain = lane.gain(baseline);
        let compared = |text: String| if number == 0 { "-".to_owned() } else { text };
        table.row([
            lane.name.clone(),
            format!("{:.2e}", lane.rate),
            format!("{:.0}", median(&lane.completions())),
            format!("{:.0} %", 100.0 * lane.reach()),
            compared(format!("{:.2}", lane.ratio(baseline))),
            format!("{:.3}", median(&lane.at_budget())),
            compared(format!("{:+.3}", gain.difference)),
            compared(format!("{:.3}", gain.p_value)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[(f64, f64)]) -> Run {
        let mut run = Run::begun(0.1);
        values.iter().for_each(|(at, success)| run.saw(*at, *success, 0.5, 20.0));
        run.ended(400.0)
    }

    #[test]
    fn a_run_is_timed_at_its_first_arrival() {
        let arrived = run(&[(10.0, 0.3), (20.0, 0.6), (30.0, 0.4), (40.0, 0.9)]);
        assert_eq!((arrived.completions, arrived.reached), (20.0, true));
        assert_eq!((arrived.at_budget, arrived.success_after(35.0)), (Some(0.6), 0.4));
        let missed = run(&[(10.0, 0.3)]);
        assert_eq!((missed.completions, missed.at_budget), (400.0, None));
    }

    #[test]
    fn lanes_are_compared_seed_by_seed() {
        let lane = |name: &str, runs: Vec<Run>| Lane { name: name.into(), rate: 0.1, runs };
        let slow = [(20.0, 0.2), (80.0, 0.6)];
        let fast = [(20.0, 0.4), (40.0, 0.6)];
        let base = lane("base", vec![run(&slow), run(&slow)]);
        let other = lane("other", vec![run(&fast), run(&fast)]);
        assert!((other.ratio(&base).value - 0.5).abs() < 1e-12);
        assert!((other.gain(&base).difference.value - 0.2).abs() < 1e-12);
        let shown = table("caption", &[base, other]);
        assert_eq!(shown.rows[0][4], "-");
        assert_eq!(shown.rows[1][2..5], ["40", "100 %", "0.50 [0.50, 0.50]"]);
    }
}
