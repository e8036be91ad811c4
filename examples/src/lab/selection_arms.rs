//! Tables and figures of the selection rules.

use fireproof::lab::selecting::{
    ForecastBin, Picks, SelectionOutcome, SelectionPoint, SelectionRule,
};
use fireproof::lab::statistics::{mean, median, paired_ratio, quantile};
use fireproof::lab::{Axis, Block, Figure, Panel, Series, Table};
use serde_json::{Value, json};

/// Points along a curve.
const GRID: usize = 60;

/// The outcomes of every rule with every seed.
#[derive(Clone, Debug)]
pub struct SelectionArms {
    /// Rule by rule, as [`SelectionRule::ALL`] has them, seed by seed.
    outcomes: Vec<SelectionOutcome>,
    seeds: usize,
    cap: u64,
    target: f64,
    /// The tuned learning rate of each rule, if it was tuned.
    rates: Vec<f64>,
}

/// The learning rate with the fewest completions to the target, as a geometric mean over runs; a run
/// that misses counts as twice the cap. `runs` has a result for each rate.
#[must_use]
pub fn best_rate(rates: &[f64], runs: &[Vec<Option<u64>>], cap: u64) -> f64 {
    let cost = |rate: usize| -> f64 {
        runs.iter().map(|run| (run[rate].unwrap_or(2 * cap) as f64).ln()).sum()
    };
    let best = (0..rates.len()).min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
    best.map_or(f64::NAN, |best| rates[best])
}

impl SelectionArms {
    /// Outcomes rule by rule, each with so many seeds.
    ///
    /// # Panics
    /// If there are not as many outcomes.
    #[must_use]
    pub fn new(outcomes: Vec<SelectionOutcome>, seeds: u64, cap: u64, target: f64) -> Self {
        let seeds = seeds as usize;
        assert_eq!(outcomes.len(), seeds * SelectionRule::ALL.len(), "every rule with every seed");
        Self { outcomes, seeds, cap, target, rates: Vec::new() }
    }

    /// With the learning rate that each rule was given.
    #[must_use]
    pub fn tuned(self, rates: Vec<f64>) -> Self {
        Self { rates, ..self }
    }

    /// The outcomes of a rule, seed by seed.
    #[must_use]
    pub fn of(&self, rule: SelectionRule) -> &[SelectionOutcome] {
        let place = SelectionRule::ALL.iter().position(|other| *other == rule).unwrap_or(0);
        &self.outcomes[place * self.seeds..(place + 1) * self.seeds]
    }

    /// Completions to the target, seed by seed; a miss counts as twice the cap.
    #[must_use]
    pub fn completions(&self, rule: SelectionRule) -> Vec<f64> {
        let spent = |outcome: &SelectionOutcome| outcome.to_target.unwrap_or(2 * self.cap) as f64;
        self.of(rule).iter().map(spent).collect()
    }

    /// What a rule would have picked in uniform's runs, seed by seed; nothing if it cannot say.
    fn picks(&self, rule: SelectionRule) -> Vec<Picks> {
        let runs = self.of(SelectionRule::Uniform).iter();
        runs.filter_map(|run| run.picks.iter().find(|picks| picks.rule == rule).copied()).collect()
    }

    /// Mean chance that a group of these picks is dead.
    #[must_use]
    pub fn picked_dead(&self, rule: SelectionRule) -> f64 {
        mean(&self.picks(rule).iter().map(|picks| picks.dead).collect::<Vec<f64>>())
    }

    /// Completions to the target as a table, and the curves.
    #[must_use]
    pub fn blocks(&self, name: &str, what: &str) -> [Block; 2] {
        let panel = |title: &str, of: fn(&SelectionPoint) -> f64| Panel {
            title: title.to_owned(),
            x: Axis::named("completions, probes included"),
            y: Axis::named(""),
            series: SelectionRule::ALL.map(|rule| self.curve(rule, of)).to_vec(),
        };
        let figure = Figure {
            panels: vec![panel(what, |p| p.success), panel("dead groups, share", |p| p.dead)],
        };
        let caption = "Median over seeds and its middle half. A run that reached the target is held \
                       at its last value.";
        let name = format!("{name}-curves");
        [self.table(what), Block::Figure { name, caption: caption.to_owned(), figure }]
    }

    fn table(&self, what: &str) -> Block {
        let caption = format!(
            "Completions until {what} is {} ({} seeds; a miss counts as {}); ratio: geometric mean \
             over seeds, 95 % interval",
            self.target,
            self.seeds,
            2 * self.cap
        );
        let columns =
            ["rule", "rate", "reached", "median", "ratio to uniform", "dead groups", "probes"];
        let mut table = Table::new(caption, &columns);
        let uniform = self.completions(SelectionRule::Uniform);
        for (place, rule) in SelectionRule::ALL.into_iter().enumerate() {
            let (runs, spent) = (self.of(rule), self.completions(rule));
            let reached = runs.iter().filter(|run| run.to_target.is_some()).count();
            let over =
                |of: fn(&SelectionOutcome) -> f64| mean(&runs.iter().map(of).collect::<Vec<f64>>());
            let ratio = match rule {
                SelectionRule::Uniform => "1".to_owned(),
                _ => format!("{:.2}", paired_ratio(&uniform, &spent)),
            };
            table.row([
                rule.name().to_owned(),
                self.rates.get(place).map_or("-".to_owned(), f64::to_string),
                format!("{reached}/{}", self.seeds),
                format!("{:.0}", median(&spent)),
                ratio,
                format!("{:.3}", over(|run| run.dead)),
                format!("{:.0}", over(|run| run.probes as f64)),
            ]);
        }
        Block::Table(table)
    }

    /// Median and quartiles over seeds on a grid of completions.
    fn curve(&self, rule: SelectionRule, of: fn(&SelectionPoint) -> f64) -> Series {
        let runs = self.of(rule);
        let last = |run: &SelectionOutcome| run.curve.last().map_or(0, |point| point.completions);
        let end = runs.iter().map(last).max().unwrap_or(0) as f64;
        let at = |run: &SelectionOutcome, place: f64| {
            let before = run.curve.iter().rev().find(|point| point.completions as f64 <= place);
            before.or(run.curve.first()).map_or(f64::NAN, of)
        };
        let mut points = Vec::new();
        let mut ends = Vec::new();
        for step in 0..=GRID {
            let place = end * step as f64 / GRID as f64;
            let values: Vec<f64> = runs.iter().map(|run| at(run, place)).collect();
            points.push((place, median(&values)));
            ends.push((quantile(&values, 0.25), quantile(&values, 0.75)));
        }
        Series::line(rule.name(), points).within(ends)
    }

    /// What each rule would have picked in uniform's runs.
    #[must_use]
    pub fn counterfactual(&self) -> Block {
        let caption = "What each rule would have picked in the steps of uniform's runs, means over \
                       steps and seeds. Pairing needs probes of its own, and dynamic sampling picks \
                       as uniform does.";
        let columns =
            ["rule", "picks shared with uniform", "chance of a dead group", "success rate"];
        let mut table = Table::new(caption, &columns);
        for rule in SelectionRule::ALL {
            let picks = self.picks(rule);
            if picks.is_empty() {
                continue;
            }
            let over = |of: fn(&Picks) -> f64| mean(&picks.iter().map(of).collect::<Vec<f64>>());
            table.row([
                rule.name().to_owned(),
                format!("{:.3}", over(|p| p.agreement)),
                format!("{:.3}", over(|p| p.dead)),
                format!("{:.3}", over(|p| p.success)),
            ]);
        }
        Block::Table(table)
    }

    /// Predicted against observed success under each rule.
    #[must_use]
    pub fn calibration_figure(
        &self,
        of: impl Fn(SelectionRule) -> (Vec<ForecastBin>, f64),
    ) -> Block {
        let mut series = vec![Series::dashed("perfect", vec![(0.0, 0.0), (1.0, 1.0)])];
        for rule in SelectionRule::ALL {
            let bins = of(rule).0;
            let seen = bins.iter().filter(|bin| bin.completions >= 100);
            let points = seen.map(|bin| (bin.predicted, bin.observed)).collect();
            series.push(Series::line(rule.name(), points));
        }
        let panel = Panel {
            title: "What the posterior of MoPPS expects, and what happens".to_owned(),
            x: Axis::named("predicted success rate").between(0.0, 1.0),
            y: Axis::named("observed").between(0.0, 1.0),
            series,
        };
        Block::Figure {
            name: "calibration".to_owned(),
            caption:
                "Predictions in ten bins, those with at least 100 completions. Above the dashed \
                      line the policy is better than it was when the prompt was last seen."
                    .to_owned(),
            figure: Figure { panels: vec![panel] },
        }
    }

    /// The calibration error under each rule.
    #[must_use]
    pub fn calibration_table(
        &self,
        of: impl Fn(SelectionRule) -> (Vec<ForecastBin>, f64),
    ) -> Block {
        let caption = "Expected calibration error of the posterior's mean, over all seeds";
        let mut table = Table::new(caption, &["prompts chosen by", "forecasts", "error"]);
        for rule in SelectionRule::ALL {
            let (bins, error) = of(rule);
            let completions: u64 = bins.iter().map(|bin| bin.completions).sum();
            table.row([rule.name().to_owned(), completions.to_string(), format!("{error:.3}")]);
        }
        Block::Table(table)
    }

    /// Completions to the target, dead shares and rates, for programs to read.
    #[must_use]
    pub fn data(&self) -> Value {
        let rule = |(place, rule): (usize, SelectionRule)| {
            let runs = self.of(rule);
            json!({
                "rule": rule,
                "rate": self.rates.get(place),
                "to_target": runs.iter().map(|run| run.to_target).collect::<Vec<_>>(),
                "dead": runs.iter().map(|run| run.dead).collect::<Vec<_>>(),
                "probes": runs.iter().map(|run| run.probes).collect::<Vec<_>>(),
            })
        };
        let rules: Vec<Value> = SelectionRule::ALL.into_iter().enumerate().map(rule).collect();
        json!({ "target": self.target, "cap": self.cap, "seeds": self.seeds, "rules": rules })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_rate_misses_least() {
        let runs = [vec![Some(100), Some(80), None], vec![Some(100), Some(120), Some(10)]];
        // 100 * 100, 80 * 120, 2000 * 10.
        assert_eq!(best_rate(&[0.1, 0.2, 0.3], &runs, 1000), 0.2);
    }
}
