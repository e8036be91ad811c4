//! One run of one rule.

use fireproof_advantage::{AdvantageEstimator, ZScore};
use fireproof_selection::{Need, Observation, PromptSelector, SelectError};
use fireproof_trajectory::{GroupView, PromptId, StepView};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use super::forecaster::ForecastBin;
use super::tally::{Picks, Tally};
use super::{SelectionRule, SelectionSetting, World};
use crate::softmax::{Ascent, draw};

/// What a run of a rule came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionOutcome {
    /// Completions, probes included, until the target was reached; `None` if it was not.
    pub to_target: Option<u64>,
    /// The course of the run.
    pub curve: Vec<SelectionPoint>,
    /// Share of generated training groups with a single outcome.
    pub dead: f64,
    /// Completions spent on probes.
    pub probes: u64,
    /// Predicted against observed success of the groups trained on.
    pub forecasts: Vec<ForecastBin>,
    /// What each rule chose, or would have chosen, in the steps of this run.
    pub picks: Vec<Picks>,
}

/// A moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectionPoint {
    /// Completions so far.
    pub completions: u64,
    /// Exact mean success rate over all prompts.
    pub success: f64,
    /// Share of dead groups among those generated for training since the last moment.
    pub dead: f64,
}

/// A group with its outcomes, owned.
#[derive(Clone, Debug)]
pub(super) struct Sampled {
    prompt: usize,
    actions: Vec<usize>,
    pub(super) correct: Vec<bool>,
    rewards: Vec<f32>,
    lengths: Vec<usize>,
    truncated: Vec<bool>,
}

impl Sampled {
    pub(super) fn view(&self) -> GroupView<'_> {
        GroupView {
            prompt: PromptId(self.prompt as u64),
            rewards: &self.rewards,
            correct: &self.correct,
            lengths: &self.lengths,
            truncated: &self.truncated,
        }
    }

    fn is_dead(&self) -> bool {
        self.correct.iter().all(|correct| *correct == self.correct[0])
    }
}

/// Runs `rule` at a learning rate until the target or the cap.
///
/// # Errors
/// [`SelectError`] if the pool is too small for the rule. Where pairing finds too few pairs for a
/// step, the step has as many as there are; without any the run ends, a miss: nothing is left for it
/// to train on.
pub fn run(
    setting: &SelectionSetting,
    rule: SelectionRule,
    rate: f64,
    seed: u64,
) -> Result<SelectionOutcome, SelectError> {
    let world = World::new(setting, seed);
    let selector = rule.selector(&world.pool())?;
    let tally = Tally::new(&world.pool())?;
    let rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7365_6c65_6374);
    let mut run = Run { setting, world, selector, rng, tally, spent: 0, dead: 0, generated: 0 };
    run.until_target(rule, rate)
}

struct Run<'a> {
    setting: &'a SelectionSetting,
    world: World,
    selector: Box<dyn PromptSelector>,
    rng: ChaCha8Rng,
    tally: Tally,
    /// Completions so far.
    spent: u64,
    dead: usize,
    generated: usize,
}

impl Run<'_> {
    fn until_target(
        &mut self,
        rule: SelectionRule,
        rate: f64,
    ) -> Result<SelectionOutcome, SelectError> {
        let mut ascent = Ascent::adam(rate);
        let mut to_target = None;
        let mut probes = 0;
        let mut curve = vec![self.point(0, 0)];
        for step in 0.. {
            if to_target.is_some() || self.spent >= self.setting.cap {
                break;
            }
            let (dead, generated) = (self.dead, self.generated);
            let before = self.spent;
            self.probe(step);
            probes += self.spent - before;
            let trained = match self.collect(step, rule.batches()) {
                Err(SelectError::TooFewPairs { .. }) => break,
                other => other?,
            };
            self.learn(&trained, step, &mut ascent);
            let point = self.point(dead, generated);
            if point.success >= self.setting.target {
                to_target = Some(point.completions);
            }
            curve.push(point);
        }
        let dead = self.dead as f64 / self.generated.max(1) as f64;
        let (forecasts, picks) = self.tally.conclude(rule, &self.world.pool())?;
        Ok(SelectionOutcome { to_target, curve, dead, probes, forecasts, picks })
    }

    fn point(&self, dead: usize, generated: usize) -> SelectionPoint {
        let (dead, generated) = (self.dead - dead, self.generated - generated);
        SelectionPoint {
            completions: self.spent,
            success: self.world.mean_success(),
            dead: dead as f64 / generated.max(1) as f64,
        }
    }

    /// Answers the selector's need.
    fn probe(&mut self, step: u64) {
        let seed = self.rng.random();
        if let Need::Rollouts { prompts, samples } = self.selector.need(step, seed) {
            let groups: Vec<Sampled> =
                prompts.iter().map(|prompt| self.sample(*prompt, samples)).collect();
            self.selector.observe(&observations(&groups, step, true));
        }
        self.tally.begin(step, seed, &self.world);
    }

    /// Groups to train on; all that were generated are observed.
    fn collect(&mut self, step: u64, batches: usize) -> Result<Vec<Sampled>, SelectError> {
        let wanted = self.setting.prompts_per_step;
        let mut trained: Vec<Sampled> = Vec::new();
        let mut all: Vec<Sampled> = Vec::new();
        for batch in 0..batches {
            let seed = self.rng.random();
            let prompts = self.select(wanted, seed)?;
            if batch == 0 {
                self.tally.chose(&prompts, seed);
            }
            let samples = self.setting.samples;
            let groups: Vec<Sampled> = prompts.iter().map(|p| self.sample(*p, samples)).collect();
            // With a single batch dead groups stay: nothing replaces them.
            let alive = |group: &&Sampled| batches == 1 || !group.is_dead();
            trained.extend(groups.iter().filter(alive).cloned());
            all.extend(groups);
            if trained.len() >= wanted {
                break;
            }
        }
        trained.truncate(wanted);
        self.generated += all.len();
        self.dead += all.iter().filter(|group| group.is_dead()).count();
        self.tally.seen(&all, step);
        self.selector.observe(&observations(&all, step, false));
        Ok(trained)
    }

    /// As many prompts as are wanted; of pairs, as many as there are.
    fn select(&mut self, wanted: usize, seed: u64) -> Result<Vec<PromptId>, SelectError> {
        match self.selector.select(wanted, seed) {
            Err(SelectError::TooFewPairs { positive, negative, .. })
                if positive.min(negative) > 0 =>
            {
                self.selector.select((2 * positive.min(negative)).min(wanted), seed)
            }
            selected => selected,
        }
    }

    fn sample(&mut self, prompt: PromptId, samples: usize) -> Sampled {
        let prompt = prompt.0 as usize;
        let probabilities = self.world.policy.probabilities(&self.world.features[prompt]);
        let actions: Vec<usize> =
            (0..samples).map(|_| draw(&probabilities, self.rng.random())).collect();
        let correct: Vec<bool> = actions.iter().map(|a| *a == self.world.right[prompt]).collect();
        self.spent += samples as u64;
        Sampled {
            prompt,
            rewards: correct.iter().map(|correct| f32::from(*correct)).collect(),
            lengths: vec![1; samples],
            truncated: vec![false; samples],
            actions,
            correct,
        }
    }

    /// One on-policy update: the mean over groups and completions of `A grad log p`.
    fn learn(&mut self, groups: &[Sampled], step: u64, ascent: &mut Ascent) {
        let views: Vec<GroupView<'_>> = groups.iter().map(Sampled::view).collect();
        let advantages =
            ZScore::default().advantages(&StepView { groups: &views, step, steps: u64::MAX });
        let mut gradient = vec![0.0; self.world.policy.weights.len()];
        let share = 1.0 / (self.setting.prompts_per_step * self.setting.samples) as f64;
        for (group, advantages) in groups.iter().zip(&advantages) {
            let x = &self.world.features[group.prompt];
            let sum: f64 = advantages.iter().map(|a| f64::from(*a)).sum();
            let mut pull = self.world.policy.probabilities(x);
            pull.iter_mut().for_each(|p| *p *= -sum * share);
            for (action, advantage) in group.actions.iter().zip(advantages) {
                pull[*action] += f64::from(*advantage) * share;
            }
            self.world.policy.add_gradient(&mut gradient, &pull, x);
        }
        ascent.step(&mut self.world.policy.weights, &gradient);
    }
}

/// Groups as a selector sees them.
pub(super) fn observations(groups: &[Sampled], step: u64, probe: bool) -> Vec<Observation<'_>> {
    let seen = |group| Observation { group, gradient: None, probe, step };
    groups.iter().map(|group| seen(group.view())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> SelectionSetting {
        SelectionSetting { prompts: 64, actions: 8, cap: 12_000, ..SelectionSetting::default() }
    }

    #[test]
    fn every_rule_learns_and_the_same_seed_gives_the_same_run() {
        for rule in SelectionRule::ALL {
            let found = run(&small(), rule, 0.03, 1).unwrap();
            let (first, last) = (found.curve[0], found.curve[found.curve.len() - 1]);
            assert!(last.success > first.success + 0.1, "{rule:?}: {first:?} {last:?}");
            assert_eq!(run(&small(), rule, 0.03, 1).unwrap(), found);
            assert_ne!(run(&small(), rule, 0.03, 2).unwrap(), found);
            let probing = rule == SelectionRule::Pairing;
            assert_eq!(found.probes > 0, probing, "{rule:?}");
            assert!(last.completions >= found.probes);
        }
    }

    #[test]
    fn a_target_that_is_reached_ends_the_run_and_one_that_is_not_is_a_miss() {
        let easy = SelectionSetting { target: 0.35, ..small() };
        let found = run(&easy, SelectionRule::Uniform, 0.03, 1).unwrap();
        assert_eq!(found.to_target, found.curve.last().map(|point| point.completions));
        let hopeless = SelectionSetting { target: 0.999, ..small() };
        assert_eq!(run(&hopeless, SelectionRule::Uniform, 0.03, 1).unwrap().to_target, None);
    }

    #[test]
    fn dynamic_sampling_pays_for_the_groups_it_drops() {
        let found = run(&small(), SelectionRule::DynamicSampling, 0.03, 1).unwrap();
        let step = found.curve[1].completions;
        assert!(step > 16 * 8 && step.is_multiple_of(16 * 8), "{step} completions in a step");
    }
}
