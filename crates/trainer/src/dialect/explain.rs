//! What a dialect computes for a batch, by the parts of this library alone.

use burn::tensor::{DType, Device, Tensor, TensorData};
use fireproof_kernels::{CLIP_DUAL, CLIP_HIGH, CLIP_LOW};
use fireproof_losses::{
    BatchConstants, Kl, KlGuard, KlPlace, Penalty, PolicyBatch, RowShape, objective,
};
use fireproof_trajectory::{GroupView, PromptId, StepView};

use super::{Dialect, DialectBatch, DialectCompletion, RatioAgainst};

/// A batch as a dialect computes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Each completion, group after group.
    pub completions: Vec<ExplainedCompletion>,
    /// The surrogate's part of the loss.
    pub policy: f64,
    /// The whole loss.
    pub loss: f64,
}

/// A completion as a dialect computes it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedCompletion {
    /// Its advantage.
    pub advantage: f64,
    /// Share of each of its tokens in the loss.
    pub weight: f64,
    /// Its tokens; `None` where one does not train.
    pub tokens: Vec<Option<ExplainedToken>>,
}

/// A token as a dialect computes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExplainedToken {
    /// Importance ratio.
    pub ratio: f64,
    /// What was clipped: nothing, `low`, `high` or `dual`.
    pub clip: Option<&'static str>,
    /// Its policy loss, before its share.
    pub policy: f64,
    /// What penalties add to it (KL and drift), before its share.
    pub penalty: f64,
    /// Gradient of the whole loss by its log-probability.
    pub gradient: f64,
}

impl Dialect {
    /// Computes a batch in `f64` on a device that has it (flex).
    ///
    /// # Panics
    /// If the device has no `f64`.
    #[must_use]
    pub fn explain(&self, batch: &DialectBatch, device: &Device) -> Explanation {
        let advantages = self.advantages(batch);
        let weights = self.weights(batch);
        let grid = Grid::new(batch, device);
        let tracked = device.clone().autodiff();
        let logprobs = grid.on(&tracked, |completion| &completion.logprobs).require_grad();
        let behaviour = match self.against {
            RatioAgainst::Behaviour => grid.of(|completion| &completion.behaviour),
            RatioAgainst::Current => grid.of(|completion| &completion.logprobs),
        };
        let has_reference = batch.completions().all(|completion| completion.reference.is_some());
        let reference = has_reference.then(|| grid.of(reference_of));
        let constants = BatchConstants {
            behaviour_logprobs: behaviour.clone(),
            reference_logprobs: reference,
            advantages: grid.each_row(&advantages),
            weights: grid.each_row(&weights),
            mask: grid.mask(),
            plan: Vec::new(),
        };
        let loss = batch.clip.map_or(self.loss, |clip| self.loss.with_clip(clip));
        let scored = PolicyBatch::new(logprobs.clone(), None, constants);
        let objective = objective(loss.policy_loss(), &self.penalties(batch), &scored);
        let drift = KlGuard::default().estimate(Kl::K2, logprobs.clone(), behaviour);
        let drift = drift.mask_fill(grid.mask().lower_equal_scalar(0.0), 0.0) * (2.0 * self.drift);
        let total = objective.total + (drift.clone() * scored.weights.clone()).sum();
        let policy = loss.policy_loss().surrogate(&scored).loss;
        let gradient = logprobs.grad(&total.backward());
        let found = Found {
            ratio: numbers(objective.stats.ratio),
            clip: numbers(objective.stats.clip),
            penalty: numbers(objective.tokens + drift.detach() - policy.clone().detach()),
            policy: numbers(policy),
            gradient: gradient.map_or_else(|| vec![0.0; grid.cells()], numbers),
        };
        let completion = |(row, completion): (usize, &DialectCompletion)| ExplainedCompletion {
            advantage: advantages[row],
            weight: weights[row],
            tokens: found.tokens(completion, row * grid.width),
        };
        Explanation {
            completions: batch.completions().enumerate().map(completion).collect(),
            policy: numbers(objective.policy)[0],
            loss: numbers(total)[0],
        }
    }

    /// One advantage a completion: the batch's own, or this dialect's from the rewards.
    fn advantages(&self, batch: &DialectBatch) -> Vec<f64> {
        let given: Option<Vec<f64>> = batch.completions().map(|c| c.advantage).collect();
        if let Some(given) = given {
            return given;
        }
        let of = |group: &Vec<DialectCompletion>| {
            let rewards: Vec<f32> = group.iter().map(|completion| completion.reward).collect();
            let lengths: Vec<usize> = group.iter().map(DialectCompletion::tokens).collect();
            // None of a dialect's estimators looks at correctness.
            (rewards, vec![false; group.len()], lengths)
        };
        let groups: Vec<(Vec<f32>, Vec<bool>, Vec<usize>)> = batch.groups.iter().map(of).collect();
        let views: Vec<GroupView<'_>> = groups
            .iter()
            .enumerate()
            .map(|(prompt, (rewards, flags, lengths))| GroupView {
                prompt: PromptId(prompt as u64),
                rewards,
                correct: flags,
                lengths,
                truncated: flags,
            })
            .collect();
        let step = StepView { groups: &views, step: 0, steps: 1 };
        let advantages = self.advantage.estimator().advantages(&step).concat();
        advantages.into_iter().map(f64::from).collect()
    }

    /// The share of each completion's tokens.
    fn weights(&self, batch: &DialectBatch) -> Vec<f64> {
        let rows = batch.groups.iter().enumerate().flat_map(|(prompt, group)| {
            group.iter().map(move |completion| RowShape { prompt, tokens: completion.tokens() })
        });
        self.reduction.weights_by(&rows.collect::<Vec<_>>(), self.denominators)
    }

    fn penalties(&self, batch: &DialectBatch) -> Vec<Penalty> {
        if batch.kl_coefficient == 0.0 {
            return Vec::new();
        }
        vec![Penalty::ReferenceKl {
            estimator: self.kl,
            guard: self.kl_guard,
            coefficient: batch.kl_coefficient,
            place: KlPlace::Loss,
        }]
    }
}

fn reference_of(completion: &DialectCompletion) -> &Vec<f64> {
    completion.reference.as_ref().expect("asked for where all have one")
}

/// The rows of a batch as tensors, padded to the longest.
struct Grid<'a> {
    batch: &'a DialectBatch,
    device: &'a Device,
    rows: usize,
    width: usize,
}

impl<'a> Grid<'a> {
    fn new(batch: &'a DialectBatch, device: &'a Device) -> Self {
        let width = batch.completions().map(|c| c.logprobs.len()).max().unwrap_or(0).max(1);
        Self { batch, device, rows: batch.completions().count(), width }
    }

    fn cells(&self) -> usize {
        self.rows * self.width
    }

    fn tensor(
        &self,
        device: &Device,
        cell: impl Fn(usize, &DialectCompletion, usize) -> f64,
    ) -> Tensor<2> {
        let row = |(row, completion)| {
            let cell = &cell;
            (0..self.width).map(move |token| cell(row, completion, token))
        };
        let data: Vec<f64> = self.batch.completions().enumerate().flat_map(row).collect();
        let data = TensorData::new(data, [self.rows, self.width]);
        Tensor::from_data(data, (device, DType::F64))
    }

    fn on(&self, device: &Device, field: impl Fn(&DialectCompletion) -> &Vec<f64>) -> Tensor<2> {
        self.tensor(device, |_, completion, token| {
            field(completion).get(token).copied().unwrap_or(0.0)
        })
    }

    fn of(&self, field: impl Fn(&DialectCompletion) -> &Vec<f64>) -> Tensor<2> {
        self.on(self.device, field)
    }

    fn each_row(&self, values: &[f64]) -> Tensor<2> {
        self.tensor(self.device, |row, _, _| values[row])
    }

    fn mask(&self) -> Tensor<2> {
        self.tensor(self.device, |_, completion, token| {
            f64::from(token < completion.logprobs.len() && completion.trains(token))
        })
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_to_vec_as().expect("float data")
}

/// What the tensors hold, row after row.
struct Found {
    ratio: Vec<f64>,
    clip: Vec<f64>,
    policy: Vec<f64>,
    penalty: Vec<f64>,
    gradient: Vec<f64>,
}

impl Found {
    fn tokens(&self, completion: &DialectCompletion, start: usize) -> Vec<Option<ExplainedToken>> {
        let token = |token| {
            let at = start + token;
            completion.trains(token).then(|| ExplainedToken {
                ratio: self.ratio[at],
                clip: clip_name(self.clip[at]),
                policy: self.policy[at],
                penalty: self.penalty[at],
                gradient: self.gradient[at],
            })
        };
        (0..completion.logprobs.len()).map(token).collect()
    }
}

fn clip_name(code: f64) -> Option<&'static str> {
    let names = [(CLIP_LOW, "low"), (CLIP_HIGH, "high"), (CLIP_DUAL, "dual")];
    names.into_iter().find(|(known, _)| f64::from(*known) == code).map(|(_, name)| name)
}
