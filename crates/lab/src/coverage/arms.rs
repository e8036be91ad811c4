//! What coverage is measured by, and arms beside a baseline at equal pass@1.

use serde::{Deserialize, Serialize};

use crate::figure::Series;
use crate::findings::Table;
use crate::statistics::{Paired, mean, median, paired};

/// Levels of pass@1 at which coverage is noted.
pub const LEVELS: [f64; 13] =
    [0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98];

/// A policy at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Steps made; a fraction between two evaluations.
    pub step: f64,
    /// Mean probability of a right answer.
    pub pass_at_1: f64,
    /// Mean share of right answers among 256 completions.
    pub distinct: f64,
    /// Mean retained mass of right answers.
    pub retained: f64,
}

/// A policy when its pass@1 first passed each of [`LEVELS`], between two evaluations where it did;
/// none for levels that it never reached or began above.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Crossings {
    at: [Option<Seen>; LEVELS.len()],
}

/// The runs of one arm, one a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmRuns {
    /// The arm.
    pub name: String,
    /// Its learning rate.
    pub rate: f64,
    /// When its runs passed the levels.
    pub crossings: Vec<Crossings>,
    /// Its runs at equal completions.
    pub fixed: Vec<Seen>,
}

impl Seen {
    /// The line between two moments at the share `share` of the way.
    fn between(a: &Self, b: &Self, share: f64) -> Self {
        let mix = |a: f64, b: f64| a + share * (b - a);
        Self {
            step: mix(a.step, b.step),
            pass_at_1: mix(a.pass_at_1, b.pass_at_1),
            distinct: mix(a.distinct, b.distinct),
            retained: mix(a.retained, b.retained),
        }
    }
}

impl Crossings {
    /// Takes note of two moments, one after the other.
    pub fn passed(&mut self, before: &Seen, now: &Seen) {
        for (level, at) in LEVELS.iter().zip(&mut self.at) {
            if at.is_none() && before.pass_at_1 < *level && now.pass_at_1 >= *level {
                let share = (level - before.pass_at_1) / (now.pass_at_1 - before.pass_at_1);
                *at = Some(Seen::between(before, now, share));
            }
        }
    }

    /// At one of [`LEVELS`].
    ///
    /// # Panics
    /// If it is none of them.
    #[must_use]
    pub fn at(&self, level: f64) -> Option<Seen> {
        let place = LEVELS.iter().position(|known| *known == level);
        self.at[place.unwrap_or_else(|| panic!("{level} is none of {LEVELS:?}"))]
    }
}

impl ArmRuns {
    /// Runs that passed a level, as they were then.
    #[must_use]
    pub fn at(&self, level: f64) -> Vec<Seen> {
        self.crossings.iter().filter_map(|crossings| crossings.at(level)).collect()
    }

    /// Share of runs that passed a level.
    #[must_use]
    pub fn reach(&self, level: f64) -> f64 {
        self.at(level).len() as f64 / self.crossings.len() as f64
    }

    /// What `of` gains over a baseline at equal pass@1, over the seeds in which both arms passed the
    /// level; `None` for fewer than two such seeds.
    #[must_use]
    pub fn gain_at(&self, baseline: &Self, level: f64, of: fn(&Seen) -> f64) -> Option<Paired> {
        let both = self.crossings.iter().zip(&baseline.crossings);
        let pairs: Vec<(f64, f64)> =
            both.filter_map(|(a, b)| Some((of(&b.at(level)?), of(&a.at(level)?)))).collect();
        let (base, own): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        (base.len() > 1).then(|| paired(&base, &own))
    }

    /// What `of` gains over a baseline at equal completions.
    #[must_use]
    pub fn gain(&self, baseline: &Self, of: fn(&Seen) -> f64) -> Paired {
        let each = |runs: &[Seen]| runs.iter().map(of).collect::<Vec<f64>>();
        paired(&each(&baseline.fixed), &each(&self.fixed))
    }

    /// What `of` gains over a baseline against pass@1, with its interval, at levels that most seeds
    /// of both passed.
    #[must_use]
    pub fn series(&self, baseline: &Self, of: fn(&Seen) -> f64) -> Series {
        let mut points = Vec::new();
        let mut ends = Vec::new();
        let most = |level: &f64| self.reach(*level).min(baseline.reach(*level)) > 0.5;
        for level in LEVELS.into_iter().filter(most) {
            if let Some(gain) = self.gain_at(baseline, level, of) {
                points.push((level, gain.difference.value));
                ends.push((gain.difference.low, gain.difference.high));
            }
        }
        Series::line(self.name.clone(), points).within(ends)
    }
}

/// One row an arm, the baseline first: coverage at two levels of pass@1, `levels[1]` the higher.
///
/// # Panics
/// If there are no arms, arms of different numbers of seeds, or a level is none of [`LEVELS`].
#[must_use]
pub fn equal_pass_table(caption: &str, arms: &[ArmRuns], levels: [f64; 2]) -> Table {
    let [low, high] = levels;
    let named = [
        "arm".to_owned(),
        "rate".to_owned(),
        format!("steps to {high}"),
        "reached".to_owned(),
        format!("distinct at {low}"),
        format!("distinct at {high}"),
        format!("retained at {high}"),
    ];
    let columns: Vec<&str> = named.iter().map(String::as_str).collect();
    let mut table = Table::new(caption, &columns);
    let baseline = &arms[0];
    for (number, arm) in arms.iter().enumerate() {
        let steps: Vec<f64> = arm.at(high).iter().map(|seen| seen.step).collect();
        let at = |level: f64, of: fn(&Seen) -> f64| {
            if number > 0 {
                let gain = arm.gain_at(baseline, level, of);
                return gain.map_or("-".to_owned(), |gain| format!("{:+.3}", gain.difference));
            }
            let found: Vec<f64> = arm.at(level).iter().map(of).collect();
            if found.is_empty() { "-".to_owned() } else { format!("{:.3}", mean(&found)) }
        };
        table.row([
            arm.name.clone(),
            format!("{:.2e}", arm.rate),
            if steps.is_empty() { "-".to_owned() } else { format!("{:.0}", median(&steps)) },
            format!("{:.0} %", 100.0 * arm.reach(high)),
            at(low, |seen| seen.distinct),
            at(high, |seen| seen.distinct),
            at(high, |seen| seen.retained),
        ]);
    }
    table
}

/// One row an arm, the baseline first: pass@1 and coverage at equal completions.
///
/// # Panics
/// If there are no arms, or arms of different numbers of seeds.
#[must_use]
pub fn equal_steps_table(caption: &str, arms: &[ArmRuns]) -> Table {
    let mut table = Table::new(caption, &["arm", "pass@1", "distinct", "retained"]);
    for (number, arm) in arms.iter().enumerate() {
        let fixed = |of: fn(&Seen) -> f64| {
            let found = mean(&arm.fixed.iter().map(of).collect::<Vec<f64>>());
            match number {
                0 => format!("{found:.3}"),
                _ => format!("{:+.3}", arm.gain(&arms[0], of).difference),
            }
        };
        table.row([
            arm.name.clone(),
            fixed(|seen| seen.pass_at_1),
            fixed(|seen| seen.distinct),
            fixed(|seen| seen.retained),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(step: f64, pass_at_1: f64, distinct: f64) -> Seen {
        Seen { step, pass_at_1, distinct, retained: 1.0 }
    }

    #[test]
    fn a_crossing_lies_between_two_moments() {
        let mut crossings = Crossings::default();
        crossings.passed(&seen(0.0, 0.7, 0.9), &seen(10.0, 0.85, 0.6));
        crossings.passed(&seen(10.0, 0.85, 0.6), &seen(20.0, 0.75, 0.5));
        crossings.passed(&seen(20.0, 0.75, 0.5), &seen(30.0, 0.85, 0.4));
        let at = crossings.at(0.8).unwrap();
        assert!((at.step - 20.0 / 3.0).abs() < 1e-9 && (at.distinct - 0.7).abs() < 1e-9);
        assert_eq!((crossings.at(0.6), crossings.at(0.9)), (None, None));
    }

    #[test]
    fn arms_are_compared_where_both_passed() {
        let run = |distinct: f64, end: f64| {
            let mut crossings = Crossings::default();
            crossings.passed(&seen(0.0, 0.2, distinct), &seen(1.0, end, distinct));
            crossings
        };
        let arm = |name: &str, crossings: Vec<Crossings>| ArmRuns {
            name: name.into(),
            rate: 0.1,
            fixed: vec![seen(1.0, 0.5, 0.5); crossings.len()],
            crossings,
        };
        let base = arm("base", vec![run(0.5, 0.99), run(0.6, 0.99), run(0.7, 0.7)]);
        let other = arm("other", vec![run(0.6, 0.99), run(0.7, 0.99), run(0.9, 0.99)]);
        let gain = other.gain_at(&base, 0.9, |seen| seen.distinct).unwrap();
        assert!((gain.difference.value - 0.1).abs() < 1e-12);
        assert!((base.reach(0.9) - 2.0 / 3.0).abs() < 1e-12);
        let arms = [base, other];
        let shown = equal_pass_table("caption", &arms, [0.8, 0.9]);
        assert_eq!(shown.rows[1][5], "+0.100 [+0.100, +0.100]");
        assert_eq!(equal_steps_table("caption", &arms).rows[0][1], "0.500");
        // At 0.65 all three pass: gains 0.1, 0.1 and 0.2.
        let line = arms[1].series(&arms[0], |seen| seen.distinct);
        let at = line.points.iter().find(|(level, _)| *level == 0.65).unwrap();
        assert!((at.1 - 0.4 / 3.0).abs() < 1e-12, "{line:?}");
    }
}
