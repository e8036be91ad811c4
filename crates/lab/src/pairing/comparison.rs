//! All arms under one kind of sharing, or with one network.

use serde::Serialize;

use super::{Arm, ArmResult, Trained};
use crate::findings::Table;
use crate::statistics::{Estimate, Paired, bootstrap, mean, median, paired};

/// All arms on the same prompts.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What they were compared in.
    pub name: String,
    /// The arms and their runs.
    pub arms: Vec<(Arm, ArmResult)>,
    /// Completions from one evaluation to the next.
    pub completions: usize,
    /// Held-out pass@1 to be reached.
    pub target: f64,
}

/// A number that a run is judged by.
pub(super) type Measure = fn(&Trained) -> f64;

/// Held-out pass@1, pass@8 and pass@64 at the end.
pub(super) const PASS: [(&str, Measure); 3] = [
    ("pass@1", |run| run.pass.last().map_or(f64::NAN, |pass| pass[0])),
    ("pass@8", |run| run.pass.last().map_or(f64::NAN, |pass| pass[1])),
    ("pass@64", |run| run.pass.last().map_or(f64::NAN, |pass| pass[2])),
];

impl Comparison {
    /// The runs of an arm, seed by seed.
    ///
    /// # Panics
    /// If the arm was not run.
    pub(super) fn seeds(&self, arm: Arm) -> &[Vec<Trained>] {
        let found = self.arms.iter().find(|(run, _)| *run == arm);
        let (_, result) = found.unwrap_or_else(|| panic!("{} was not run", arm.name()));
        &result.seeds
    }

    /// A number of each seed: the mean over its choices of prompts, which would otherwise count as
    /// independent.
    pub(super) fn by_seed(&self, arm: Arm, of: Measure) -> Vec<f64> {
        let over = |runs: &Vec<Trained>| mean(&runs.iter().map(of).collect::<Vec<f64>>());
        self.seeds(arm).iter().map(over).collect()
    }

    /// A mean over seeds with its interval.
    pub(super) fn estimate(&self, arm: Arm, of: Measure) -> Estimate {
        bootstrap(&self.by_seed(arm, of), mean)
    }

    /// `a - b` over seeds.
    pub(super) fn difference(&self, a: Arm, b: Arm, of: Measure) -> Paired {
        paired(&self.by_seed(b, of), &self.by_seed(a, of))
    }

    /// Share of runs that reached the target, and the median of the completions it took them; a run
    /// that did not counts as twice the completions of a whole run.
    pub(super) fn reach(&self, arm: Arm) -> (f64, f64) {
        let runs: Vec<&Trained> = self.seeds(arm).iter().flatten().collect();
        let first = |run: &&Trained| run.pass.iter().position(|pass| pass[0] >= self.target);
        let reached: Vec<Option<usize>> = runs.iter().map(first).collect();
        let share = reached.iter().flatten().count() as f64 / runs.len() as f64;
        let missed = |run: &Trained| 2 * (run.pass.len() - 1);
        let evaluations = reached.iter().zip(&runs).map(|(r, run)| r.unwrap_or(missed(run)));
        let taken: Vec<f64> = evaluations.map(|n| (n * self.completions) as f64).collect();
        (share, median(&taken))
    }

    /// One row for each arm.
    pub(super) fn table(&self) -> Table {
        let target = format!("reach {:.2}", self.target);
        let columns =
            ["arm", "rate", "pass@1", "pass@8", "pass@64", "dead at end", &target, "completions"];
        let caption = format!(
            "{}: held-out means at the end [95 % over seeds]; share of runs that reach pass@1 {:.2} \
             and median completions to it (a miss counts as twice a run)",
            self.name, self.target
        );
        let mut table = Table::new(caption, &columns);
        for (arm, result) in &self.arms {
            let (share, completions) = self.reach(*arm);
            let [one, eight, many] = PASS.map(|(_, of)| self.estimate(*arm, of));
            let dead = self.estimate(*arm, Trained::dead_at_end).value;
            table.row([
                arm.name().to_owned(),
                format!("{:.2e}", result.rate),
                one.to_string(),
                format!("{:.3}", eight.value),
                format!("{:.3}", many.value),
                format!("{dead:.2}"),
                format!("{share:.2}"),
                format!("{completions:.0}"),
            ]);
        }
        table
    }

    /// Means over all runs: of each evaluation, or of each update.
    pub(super) fn curve(&self, arm: Arm, of: impl Fn(&Trained) -> Vec<f64>) -> Vec<Vec<f64>> {
        let rows: Vec<Vec<Vec<f64>>> =
            self.seeds(arm).iter().map(|runs| runs.iter().map(&of).collect()).collect();
        let length = rows.iter().flatten().map(Vec::len).min().unwrap_or(0);
        let at = |place: usize| {
            let seed = |runs: &Vec<Vec<f64>>| {
                mean(&runs.iter().map(|run| run[place]).collect::<Vec<f64>>())
            };
            rows.iter().map(seed).collect()
        };
        (0..length).map(at).collect()
    }
}
