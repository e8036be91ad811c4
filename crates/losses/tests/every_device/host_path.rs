//! From rewards to the loss: the device path equals the host path that the trainer takes
//! (`advantage` estimators and reduction weights on the host), in value and gradient.

use burn::tensor::Device;
use fireproof_advantage::{
    AdvantageEstimator, Centered, Ddof, Focal, LeaveOneOut, LinearR, PromptWeighted, SqrtR, ZScore,
};
use fireproof_kernels::{GroupEstimator, GroupNormalization};
use fireproof_losses::{
    AspoSurrogate, BatchConstants, ClippedSurrogate, GroupBatch, PolicyBatch, PolicyLoss,
    Reduction, RowShape, aspo, weighted_grpo,
};
use fireproof_trajectory::{GroupView, PromptId, StepView};

use crate::{assert_close, matrix, noise, on_every_device, values};

const PROMPTS: usize = 5;
const GROUP: usize = 4;
const ROWS: usize = PROMPTS * GROUP;
const TOKENS: usize = 6;

/// The host's and the device's names of the same estimators.
fn pairs() -> Vec<(Box<dyn AdvantageEstimator>, GroupNormalization)> {
    let z = ZScore { ddof: Ddof::Sample, epsilon: 1e-6, ..ZScore::DEFAULT };
    let z_device = GroupEstimator::ZScore { ddof: 1, epsilon: 1e-6 };
    let population = ZScore { ddof: Ddof::Population, epsilon: 1e-4, ..ZScore::DEFAULT };
    let population_device = GroupEstimator::ZScore { ddof: 0, epsilon: 1e-4 };
    vec![
        (Box::new(Centered), GroupEstimator::Centered.into()),
        (Box::new(LeaveOneOut), GroupEstimator::LeaveOneOut.into()),
        (Box::new(z), z_device.into()),
        (Box::new(population), population_device.into()),
        (Box::new(PromptWeighted::new(LinearR)), GroupEstimator::LinearR.into()),
        (Box::new(PromptWeighted::new(SqrtR)), GroupEstimator::SqrtR.into()),
        (
            Box::new(Focal { gamma: 0.5, base: Box::new(z) }),
            GroupNormalization { estimator: z_device, focal_gamma: 0.5 },
        ),
    ]
}

const REDUCTIONS: [Reduction; 6] = [
    Reduction::TokenMean,
    Reduction::SequenceMean,
    Reduction::SequenceSum,
    Reduction::PromptMean,
    Reduction::Constant { length: 8, per_sequence: true },
    Reduction::Constant { length: 8, per_sequence: false },
];

struct Data {
    logprobs: Vec<f32>,
    behaviour: Vec<f32>,
    lengths: Vec<usize>,
    rewards: Vec<f32>,
}

impl Data {
    /// Ragged rows, one of them empty; groups of every success rate.
    fn new() -> Self {
        let lengths: Vec<usize> = (0..ROWS).map(|row| (row * 5 + 3) % (TOKENS + 1)).collect();
        assert!(lengths.contains(&0) && lengths.contains(&TOKENS));
        let behaviour: Vec<f32> = noise(ROWS * TOKENS, 3).iter().map(|x| -1.5 - x).collect();
        let shift = noise(ROWS * TOKENS, 4);
        let logprobs = behaviour.iter().zip(&shift).map(|(b, s)| b + 0.6 * s).collect();
        let rewards = (0..ROWS).map(|row| f32::from(row % GROUP < row / GROUP)).collect();
        Self { logprobs, behaviour, lengths, rewards }
    }

    fn mask(&self) -> Vec<f32> {
        let row = |length: &usize| {
            let length = *length;
            (0..TOKENS).map(move |token| f32::from(token < length))
        };
        self.lengths.iter().flat_map(row).collect()
    }
}

/// Loss and gradient by the host path.
fn by_host(
    data: &Data,
    estimator: &dyn AdvantageEstimator,
    loss: &dyn PolicyLoss,
    reduction: Reduction,
    device: &Device,
) -> (f32, Vec<f32>) {
    let correct: Vec<bool> = data.rewards.iter().map(|r| *r > 0.5).collect();
    let truncated = [false; GROUP];
    let groups: Vec<GroupView<'_>> = (0..PROMPTS)
        .map(|p| {
            let range = p * GROUP..(p + 1) * GROUP;
            GroupView {
                prompt: PromptId(p as u64),
                rewards: &data.rewards[range.clone()],
                correct: &correct[range.clone()],
                lengths: &data.lengths[range],
                truncated: &truncated,
            }
        })
        .collect();
    let step = StepView { groups: &groups, step: 0, steps: 1 };
    let advantages: Vec<f32> = estimator.advantages(&step).concat();
    let rows: Vec<RowShape> = data
        .lengths
        .iter()
        .enumerate()
        .map(|(row, tokens)| RowShape { prompt: row / GROUP, tokens: *tokens })
        .collect();
    let spread = |per_row: &[f32]| -> Vec<f32> {
        per_row.iter().flat_map(|value| [*value; TOKENS]).collect()
    };
    let tensor = |data: &[f32]| matrix(data, TOKENS, device);
    let logprobs = matrix(&data.logprobs, TOKENS, &device.clone().autodiff()).require_grad();
    let constants = BatchConstants {
        behaviour_logprobs: tensor(&data.behaviour),
        reference_logprobs: None,
        advantages: tensor(&spread(&advantages)),
        weights: tensor(&spread(&reduction.weights(&rows))),
        mask: tensor(&data.mask()),
        plan: Vec::new(),
    };
    let batch = PolicyBatch::new(logprobs.clone(), None, constants);
    let total = (loss.surrogate(&batch).loss * batch.weights).sum();
    let gradient = logprobs.grad(&total.backward()).expect("tracked");
    (total.into_scalar(), values(gradient))
}

#[test]
fn weighted_grpo_and_aspo_equal_the_host_path() {
    let data = Data::new();
    let clipped = ClippedSurrogate { dual_clip: Some(3.0), ..ClippedSurrogate::default() };
    let flipped = AspoSurrogate::default();
    on_every_device(|device| {
        for (estimator, weighting) in pairs() {
            for reduction in REDUCTIONS {
                for use_aspo in [false, true] {
                    let tracked = &device.clone().autodiff();
                    let logprobs = matrix(&data.logprobs, TOKENS, tracked).require_grad();
                    let batch = GroupBatch {
                        logprobs: logprobs.clone(),
                        behaviour_logprobs: matrix(&data.behaviour, TOKENS, device),
                        mask: matrix(&data.mask(), TOKENS, device),
                        rewards: matrix(&data.rewards, GROUP, device),
                        correct: matrix(&data.rewards, GROUP, device),
                    };
                    let (total, loss): (_, &dyn PolicyLoss) = match use_aspo {
                        true => (aspo(batch, weighting, flipped, reduction), &flipped),
                        false => (weighted_grpo(batch, weighting, clipped, reduction), &clipped),
                    };
                    let gradient = logprobs.grad(&total.backward()).expect("tracked");
                    let (expected, expected_gradient) =
                        by_host(&data, &*estimator, loss, reduction, device);
                    assert_close(&values(total), &[expected], 2e-6);
                    assert_close(&values(gradient), &expected_gradient, 2e-6);
                    assert!(expected_gradient.iter().any(|g| g.abs() > 1e-3));
                }
            }
        }
    });
}

#[test]
#[should_panic(expected = "20 rows are not 4 prompts of 4 completions")]
fn rows_that_are_no_groups_are_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let data = Data::new();
    let batch = GroupBatch {
        logprobs: matrix(&data.logprobs, TOKENS, device),
        behaviour_logprobs: matrix(&data.behaviour, TOKENS, device),
        mask: matrix(&data.mask(), TOKENS, device),
        rewards: matrix(&data.rewards[..16], GROUP, device),
        correct: matrix(&data.rewards[..16], GROUP, device),
    };
    let rule = GroupEstimator::Centered;
    let _ = weighted_grpo(batch, rule, ClippedSurrogate::default(), Reduction::TokenMean);
}
