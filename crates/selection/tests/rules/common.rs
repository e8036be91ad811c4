//! Groups, selectors and a world that answers them.

use fireproof_selection::{
    AccuracyGreedy, AlignmentSettings, Among, Curriculum, DifficultyPools, DifficultyShares,
    Estimation, GradientAligned, HighestVariance, InOrder, Need, Observation, Pace, Pairing,
    PairingSettings, PosteriorSampling, PosteriorSettings, Probe, PromptSelector,
    RareSuccessReplay, ReplaySettings, UniformWithoutReplacement,
};
use fireproof_trajectory::{GroupView, PromptId};
use serde_json::Value;

/// Everything a view of a group borrows.
pub(crate) struct Group {
    prompt: PromptId,
    rewards: Vec<f32>,
    correct: Vec<bool>,
    lengths: Vec<usize>,
    gradient: Option<Vec<f32>>,
}

impl Group {
    pub(crate) fn new(id: u64, right: usize, completions: usize) -> Self {
        Self {
            prompt: PromptId(id),
            // Shaped: a success rate taken from here would be wrong.
            rewards: (0..completions).map(|i| i as f32 - 2.5).collect(),
            correct: (0..completions).map(|i| i < right).collect(),
            lengths: vec![1; completions],
            gradient: None,
        }
    }

    pub(crate) fn with_gradient(mut self, gradient: Vec<f32>) -> Self {
        self.gradient = Some(gradient);
        self
    }

    pub(crate) fn observation(&self, probe: bool, step: u64) -> Observation<'_> {
        let group = GroupView {
            prompt: self.prompt,
            rewards: &self.rewards,
            correct: &self.correct,
            lengths: &self.lengths,
            truncated: &[false; 64][..self.lengths.len()],
        };
        Observation { group, gradient: self.gradient.as_deref(), probe, step }
    }
}

/// Shows groups, each as id, right completions and all completions.
pub(crate) fn show(selector: &mut dyn PromptSelector, groups: &[(u64, usize, usize)], probe: bool) {
    for (id, right, completions) in groups {
        selector.observe(&[Group::new(*id, *right, *completions).observation(probe, 0)]);
    }
}

pub(crate) fn ids(prompts: &[PromptId]) -> Vec<u64> {
    prompts.iter().map(|prompt| prompt.0).collect()
}

pub(crate) fn sorted(mut ids: Vec<u64>) -> Vec<u64> {
    ids.sort_unstable();
    ids
}

pub(crate) fn pool(size: u64) -> Vec<PromptId> {
    (0..size).map(PromptId).collect()
}

/// One selector of each name over the same pool of at least 45 consecutive ids from 0.
pub(crate) fn selectors(pool: &[PromptId]) -> Vec<Box<dyn PromptSelector>> {
    let p = || pool.to_vec();
    let levels = pool.iter().map(|prompt| (*prompt, prompt.0 as u32 % 4));
    let learned = Estimation::default();
    let probed = Estimation { discount: 0.0, probe: Some(Probe { samples: 8, every: Some(2) }) };
    let pairs = PairingSettings { refresh: Some(3), ..PairingSettings::default() };
    let aligned = AlignmentSettings {
        candidates: Some(40),
        keep_one_in: 2,
        every: 2,
        samples: 8,
        sketch: 3,
        ..AlignmentSettings::default()
    };
    let posterior = PosteriorSettings { discount: 0.5, ..PosteriorSettings::default() };
    let shares = DifficultyShares::default();
    let inner = DifficultyPools::new(p(), shares, learned).expect("settings in range");
    let pace = Pace::Success { threshold: 0.4, groups: 3 };
    let validation = vec![PromptId(1000), PromptId(1001)];
    vec![
        Box::new(UniformWithoutReplacement::new(p())),
        Box::new(InOrder::new(p())),
        Box::new(Curriculum::new(levels, pace, 0.5).expect("settings in range")),
        Box::new(HighestVariance::new(p(), Among::Share(0.4), learned).expect("in range")),
        Box::new(AccuracyGreedy::new(p(), 0.5, probed).expect("settings in range")),
        Box::new(DifficultyPools::new(p(), shares, learned).expect("settings in range")),
        Box::new(Pairing::new(p(), pairs).expect("settings in range")),
        Box::new(PosteriorSampling::new(p(), posterior).expect("settings in range")),
        Box::new(GradientAligned::new(p(), validation, aligned).expect("settings in range")),
        Box::new(
            RareSuccessReplay::new(Box::new(inner), ReplaySettings::default()).expect("in range"),
        ),
    ]
}

/// The group that a prompt gives in a step: of nine consecutive prompts each has another number of
/// right completions.
fn group(prompt: PromptId, step: u64, completions: usize) -> Group {
    let right = (prompt.0 * 5 + step) as usize % (completions + 1);
    Group::new(prompt.0, right, completions)
}

/// One call of a trainer.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Need(u64),
    Probe(u64),
    Select(usize, u64),
    Train(u64),
}

/// The calls of some steps; each selects several times.
pub(crate) fn calls(steps: u64, counts: &[usize], seed: u64) -> Vec<Call> {
    let of_step = |step: u64| {
        let selections = counts.iter().zip(0..).map(move |(count, n)| {
            Call::Select(*count, seed ^ (step * 100 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15))
        });
        [Call::Need(step), Call::Probe(step)]
            .into_iter()
            .chain(selections)
            .chain([Call::Train(step)])
    };
    (0..steps).flat_map(of_step).collect()
}

/// A trainer without a model: it answers what a selector wants to know from [`group`].
#[derive(Clone)]
pub(crate) struct World {
    need: Need,
    /// What the present step selected.
    pub(crate) step: Vec<PromptId>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { need: Need::None, step: Vec::new() }
    }

    /// Makes one call; a selection comes back.
    pub(crate) fn call(&mut self, selector: &mut dyn PromptSelector, call: &Call) -> Vec<PromptId> {
        match *call {
            Call::Need(step) => {
                self.need = selector.need(step, step ^ 77);
                self.step.clear();
            }
            Call::Probe(step) => self.answer(selector, step),
            Call::Select(count, seed) => {
                let selected = selector.select(count, seed).expect("the pool is large enough");
                self.step.extend(&selected);
                return selected;
            }
            Call::Train(step) => {
                let groups: Vec<Group> = self.step.iter().map(|p| group(*p, step, 8)).collect();
                let seen: Vec<_> = groups.iter().map(|g| g.observation(false, step)).collect();
                selector.observe(&seen);
            }
        }
        Vec::new()
    }

    fn answer(&self, selector: &mut dyn PromptSelector, step: u64) {
        let groups: Vec<Group> = match &self.need {
            Need::Rollouts { prompts, samples } => {
                prompts.iter().map(|prompt| group(*prompt, step, *samples)).collect()
            }
            Need::Gradients { prompts, validation, samples, sketch } => {
                let gradient = |prompt: &PromptId| {
                    (0..*sketch)
                        .map(|i| ((prompt.0 + step) as f32 * (i as f32 + 0.3)).sin())
                        .collect()
                };
                let all = prompts.iter().chain(validation);
                all.map(|p| group(*p, step, *samples).with_gradient(gradient(p))).collect()
            }
            _ => Vec::new(),
        };
        let seen: Vec<_> = groups.iter().map(|group| group.observation(true, step)).collect();
        selector.observe(&seen);
    }
}

/// Makes all calls and gives the selections.
pub(crate) fn run(selector: &mut dyn PromptSelector, calls: &[Call]) -> Vec<Vec<PromptId>> {
    let mut world = World::new();
    let all = calls.iter().map(|call| world.call(selector, call));
    all.filter(|selected| !selected.is_empty()).collect()
}

/// A state through text, as a checkpoint would.
pub(crate) fn through_text(selector: &dyn PromptSelector) -> Value {
    serde_json::from_str(&selector.state().to_string()).expect("a state is JSON")
}
