//! What is noted beside a run: forecasts, and what other rules would have chosen.

use fireproof_selection::{Overlap, SelectError, SelectionRecord, would_have_chosen};
use fireproof_trajectory::PromptId;
use serde::{Deserialize, Serialize};

use super::forecaster::{ForecastBin, Forecaster};
use super::run::{Sampled, observations};
use super::{SelectionRule, World};

/// What a rule chose or would have chosen over the steps of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picks {
    /// The rule.
    pub rule: SelectionRule,
    /// Mean share of its picks that were chosen in the run too.
    pub agreement: f64,
    /// Mean exact chance that a group of its picks would be dead: `p^G + (1-p)^G`.
    pub dead: f64,
    /// Mean exact success rate of its picks.
    pub success: f64,
}

/// One step as it was.
#[derive(Debug, Default)]
struct Step {
    step: u64,
    seed: u64,
    chosen: Vec<PromptId>,
    groups: Vec<Sampled>,
    /// Exact success rates of all prompts before the update.
    rates: Vec<f64>,
}

/// Notes of a run.
#[derive(Debug)]
pub(super) struct Tally {
    forecaster: Forecaster,
    steps: Vec<Step>,
}

impl Tally {
    pub(super) fn new(pool: &[(PromptId, u32)]) -> Result<Self, SelectError> {
        Ok(Self { forecaster: Forecaster::new(pool)?, steps: Vec::new() })
    }

    pub(super) fn begin(&mut self, step: u64, seed: u64, world: &World) {
        self.steps.push(Step { step, seed, rates: world.successes(), ..Step::default() });
    }

    pub(super) fn chose(&mut self, prompts: &[PromptId], seed: u64) {
        if let Some(step) = self.steps.last_mut() {
            step.chosen = prompts.to_vec();
            step.seed = seed;
        }
    }

    /// The groups that were generated for training.
    pub(super) fn seen(&mut self, groups: &[Sampled], step: u64) {
        self.forecaster.seen(&observations(groups, step, false));
        if let Some(last) = self.steps.last_mut() {
            last.groups = groups.to_vec();
        }
    }

    /// Calibration, and each rule's picks. Rules that depend on probes have no picks in a run
    /// without them.
    pub(super) fn conclude(
        &self,
        own: SelectionRule,
        pool: &[(PromptId, u32)],
    ) -> Result<(Vec<ForecastBin>, Vec<Picks>), SelectError> {
        let steps: Vec<&Step> = self.steps.iter().filter(|step| !step.chosen.is_empty()).collect();
        let chosen: Vec<Vec<PromptId>> = steps.iter().map(|step| step.chosen.clone()).collect();
        let mut found = vec![picks(own, &steps, &chosen)];
        if own == SelectionRule::Uniform {
            for rule in SelectionRule::ALL {
                if let Some(choices) = counterfactual(rule, &steps, pool)? {
                    found.push(picks(rule, &steps, &choices));
                }
            }
        }
        Ok((self.forecaster.bins()?, found))
    }
}

/// What `rule` would have chosen; `None` if it cannot choose without probes, or is the same rule.
fn counterfactual(
    rule: SelectionRule,
    steps: &[&Step],
    pool: &[(PromptId, u32)],
) -> Result<Option<Vec<Vec<PromptId>>>, SelectError> {
    let same = [SelectionRule::Uniform, SelectionRule::DynamicSampling].contains(&rule);
    if same || rule == SelectionRule::Pairing {
        return Ok(None);
    }
    let seen: Vec<_> = steps.iter().map(|s| observations(&s.groups, s.step, false)).collect();
    let records: Vec<SelectionRecord<'_>> = steps
        .iter()
        .zip(&seen)
        .map(|(step, seen)| SelectionRecord {
            step: step.step,
            chosen: &step.chosen,
            seen,
            seed: step.seed,
        })
        .collect();
    let mut selector = rule.selector(pool)?;
    would_have_chosen(selector.as_mut(), &records).map(Some)
}

/// What the picks of a rule in each step come to.
fn picks(rule: SelectionRule, steps: &[&Step], choices: &[Vec<PromptId>]) -> Picks {
    let mut picks = Picks { rule, agreement: 0.0, dead: 0.0, success: 0.0 };
    for (step, choice) in steps.iter().zip(choices) {
        let share = 1.0 / (steps.len() * choice.len()) as f64;
        let samples = step.groups.first().map_or(0, |group| group.correct.len()) as i32;
        picks.agreement += Overlap::of(choice, &step.chosen).both as f64 * share;
        for prompt in choice {
            let rate = step.rates[prompt.0 as usize];
            picks.success += rate * share;
            picks.dead += (rate.powi(samples) + (1.0 - rate).powi(samples)) * share;
        }
    }
    picks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_by_hand() {
        let world = World::new(&super::super::SelectionSetting::default(), 1);
        let mut tally = Tally::new(&world.pool()).unwrap();
        tally.begin(0, 1, &world);
        tally.chose(&[PromptId(0), PromptId(1)], 2);
        let steps: Vec<&Step> = tally.steps.iter().collect();
        let other = picks(SelectionRule::Mopps, &steps, &[vec![PromptId(1), PromptId(2)]]);
        assert_eq!(other.agreement, 0.5);
        let mean = 0.5 * (world.success(1) + world.success(2));
        assert!((other.success - mean).abs() < 1e-12);
    }
}
