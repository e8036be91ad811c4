//! All arms in one simulation, or with one network.

use serde::Serialize;

use super::{Arm, ArmResult, Point, Trained};
use crate::findings::Table;
use crate::statistics::{Estimate, Paired, bootstrap, mean, median, paired, paired_ratio};

/// All arms on the same seeds.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What they were compared in.
    pub name: String,
    /// The arms and their runs.
    pub arms: Vec<(Arm, ArmResult)>,
    /// pass@1 to be reached.
    pub target: f64,
}

/// A number of a policy.
pub(super) type Measure = fn(&Point) -> f64;

/// What policies are judged by.
pub(super) const MEASURES: [(&str, Measure); 4] = [
    ("pass@1", |point| point.pass[0]),
    ("pass@8", |point| point.pass[1]),
    ("pass@64", |point| point.pass[2]),
    ("entropy", |point| point.entropy),
];

impl Comparison {
    /// The runs of an arm, one a seed.
    ///
    /// # Panics
    /// If the arm was not run.
    pub(super) fn runs(&self, arm: Arm) -> &[Trained] {
        let found = self.arms.iter().find(|(run, _)| *run == arm);
        let (_, result) = found.unwrap_or_else(|| panic!("{} was not run", arm.name()));
        &result.seeds
    }

    /// Completions of a run of several epochs.
    pub(super) fn budget(&self) -> usize {
        let last = self.runs(Arm::Grpo).first().and_then(|run| run.points.last());
        last.map_or(0, |point| point.completions)
    }

    /// A number of each run after the same number of completions.
    pub(super) fn at_budget(&self, arm: Arm, of: Measure) -> Vec<f64> {
        let budget = self.budget();
        let last = |run: &Trained| {
            let within = run.points.iter().rfind(|point| point.completions <= budget);
            within.map_or(f64::NAN, of)
        };
        self.runs(arm).iter().map(last).collect()
    }

    /// A number of each run at its end: after the same number of updates.
    fn at_end(&self, arm: Arm, of: Measure) -> Vec<f64> {
        self.runs(arm).iter().map(|run| run.points.last().map_or(f64::NAN, of)).collect()
    }

    /// Where each run first had the wanted pass@1, within the budget of completions.
    fn reached(&self, arm: Arm) -> Vec<Option<Point>> {
        let budget = self.budget();
        let first = |run: &Trained| {
            let within = |point: &&Point| point.completions <= budget;
            let mut points = run.points.iter().filter(within);
            points.find(|point| point.pass[0] >= self.target).copied()
        };
        self.runs(arm).iter().map(first).collect()
    }

    /// Completions to the wanted pass@1; twice the budget for a run that did not reach it.
    fn completions(&self, arm: Arm) -> Vec<f64> {
        let missed = 2 * self.budget();
        let taken = |point: Option<Point>| point.map_or(missed, |point| point.completions);
        self.reached(arm).into_iter().map(|point| taken(point) as f64).collect()
    }

    /// `arm - grpo` after the same completions.
    pub(super) fn difference(&self, arm: Arm, of: Measure) -> Paired {
        paired(&self.at_budget(Arm::Grpo, of), &self.at_budget(arm, of))
    }

    /// `arm - grpo` at the same pass@1, over the seeds where both reached it; none if fewer than two
    /// did.
    fn difference_at_target(&self, arm: Arm, of: Measure) -> Option<Paired> {
        let both = self.reached(Arm::Grpo).into_iter().zip(self.reached(arm));
        let both = both.filter_map(|(base, own)| Some((of(&base?), of(&own?))));
        let (base, own): (Vec<f64>, Vec<f64>) = both.unzip();
        (base.len() >= 2).then(|| paired(&base, &own))
    }

    /// A mean over the runs of an arm.
    pub(super) fn over_runs(&self, arm: Arm, of: impl Fn(&Trained) -> f64) -> Estimate {
        bootstrap(&self.runs(arm).iter().map(of).collect::<Vec<f64>>(), mean)
    }

    /// What became of the tokens.
    pub(super) fn token_table(&self) -> Table {
        let columns =
            ["arm", "rate", "mean |R-1|", "R, A>0", "R, A<0", "clipped, A>0", "clipped, A<0"];
        let caption = format!(
            "{}: tokens of all updates, means over seeds [95 %]; clipped: share without a gradient",
            self.name
        );
        let mut table = Table::new(caption, &columns);
        for (arm, result) in &self.arms {
            let ratio = |of: fn(&Trained) -> f64| format!("{:.4}", self.over_runs(*arm, of));
            let share = |of: fn(&Trained) -> f64| format!("{:.4}", self.over_runs(*arm, of).value);
            table.row([
                arm.name().to_owned(),
                format!("{:.2e}", result.rate),
                share(|run| run.drift),
                ratio(|run| run.positive.ratio),
                ratio(|run| run.negative.ratio),
                share(|run| run.positive.clipped),
                share(|run| run.negative.clipped),
            ]);
        }
        table
    }

    /// What became of the policies.
    pub(super) fn outcome_table(&self) -> Table {
        let target = format!("reach {:.2}", self.target);
        let columns =
            ["arm", "pass@1", "pass@8", "pass@64", "entropy", &target, "completions to it"];
        let caption = format!(
            "{}: after {} completions, means over seeds [95 %]; share of seeds that reach pass@1 \
             {:.2} by then and median completions to it (a miss counts as twice all)",
            self.name,
            self.budget(),
            self.target
        );
        let mut table = Table::new(caption, &columns);
        let cells = |[one, eight, many, entropy]: [Vec<f64>; 4]| {
            let mut cells = vec![bootstrap(&one, mean).to_string()];
            cells.extend([eight, many].map(|numbers| format!("{:.3}", mean(&numbers))));
            cells.push(bootstrap(&entropy, mean).to_string());
            cells
        };
        for (arm, _) in &self.arms {
            let share = self.reached(*arm).iter().flatten().count() as f64;
            let reach = format!("{:.2}", share / self.runs(*arm).len() as f64);
            let taken = format!("{:.0}", median(&self.completions(*arm)));
            let numbers = cells(MEASURES.map(|(_, of)| self.at_budget(*arm, of)));
            table.row([vec![arm.name().to_owned()], numbers, vec![reach, taken]].concat());
        }
        if self.arms.iter().any(|(arm, _)| *arm == Arm::OneEpoch) {
            let numbers = cells(MEASURES.map(|(_, of)| self.at_end(Arm::OneEpoch, of)));
            let name = "one-epoch, equal updates".to_owned();
            table.row([vec![name], numbers, vec![String::new(); 2]].concat());
        }
        table
    }

    /// What each arm gains over GRPO.
    pub(super) fn difference_table(&self) -> Table {
        let columns =
            ["minus grpo", "pass@1", "p", "pass@64", "entropy", "at equal pass@1", "completions"];
        let caption = format!(
            "{}: difference to GRPO after the same completions, seed by seed [95 %]; then that of \
             the entropy at pass@1 {:.2}, and the ratio of completions to it. p: sign-flip test of \
             pass@1, not corrected for the number of arms",
            self.name, self.target
        );
        let mut table = Table::new(caption, &columns);
        for (arm, _) in self.arms.iter().filter(|(arm, _)| *arm != Arm::Grpo) {
            let [one, _, many, entropy] = MEASURES.map(|(_, of)| self.difference(*arm, of));
            let at_target = self.difference_at_target(*arm, MEASURES[3].1);
            let ratio = paired_ratio(&self.completions(Arm::Grpo), &self.completions(*arm));
            table.row([
                arm.name().to_owned(),
                one.difference.to_string(),
                format!("{:.3}", one.p_value),
                many.difference.to_string(),
                entropy.difference.to_string(),
                at_target.map_or_else(|| "-".to_owned(), |found| found.difference.to_string()),
                format!("{ratio:.2}"),
            ]);
        }
        table
    }
}
