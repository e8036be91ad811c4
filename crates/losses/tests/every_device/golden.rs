//! One batch on which verl, TRL 1.16, Liger 0.8.5 and OpenRLHF were run: their numbers.

use burn::tensor::{Device, Tensor};
use fireproof_losses::{
    AspoSurrogate, BatchConstants, ClippedSurrogate, Kl, KlGuard, KlPlace, Penalty, PolicyBatch,
    Reduction, Reinforce, RowShape, SurrogateStats, objective,
};

use crate::{assert_close, matrix, on_every_device, values};

const LOGPROBS: [f32; 8] = [-1.69315, -1.0, -0.59453, -2.0, -0.5, -1.2, -3.0, 0.0];
const BEHAVIOUR: [f32; 8] = [-1.0, -1.0, -1.0, -2.3, -1.0, -1.0, -1.0, 0.0];
const REFERENCE: [f32; 8] = [-1.2, -0.9, -1.1, -2.0, -0.7, -1.1, -1.5, 0.0];
const MASK: [f32; 8] = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0];
const ADVANTAGES: [f32; 8] = [1.0, 1.0, 1.0, 1.0, -1.5, -1.5, -1.5, -1.5];
const ROWS: [RowShape; 2] = [RowShape { prompt: 0, tokens: 4 }, RowShape { prompt: 1, tokens: 3 }];

const DAPO: ClippedSurrogate = ClippedSurrogate {
    epsilon_low: 0.2,
    epsilon_high: 0.28,
    dual_clip: None,
    log_ratio_limit: None,
};

fn batch(reduction: Reduction, device: &Device) -> PolicyBatch {
    let tensor = |data: &[f32]| matrix(data, 4, device);
    let weights: Vec<f32> = reduction.weights(&ROWS).iter().flat_map(|w| [*w; 4]).collect();
    let constants = BatchConstants {
        behaviour_logprobs: tensor(&BEHAVIOUR),
        reference_logprobs: Some(tensor(&REFERENCE)),
        advantages: tensor(&ADVANTAGES),
        weights: tensor(&weights),
        mask: tensor(&MASK),
        plan: Vec::new(),
    };
    PolicyBatch::new(tensor(&LOGPROBS), None, constants)
}

fn loss(reduction: Reduction, penalties: &[Penalty], device: &Device) -> f32 {
    let objective = objective(&DAPO, penalties, &batch(reduction, device));
    objective.total.into_scalar()
}

#[test]
fn reductions_give_the_losses_of_verl_trl_liger_and_openrlhf() {
    let constant = |per_sequence| Reduction::Constant { length: 4, per_sequence };
    on_every_device(|device| {
        for (reduction, expected) in [
            (Reduction::TokenMean, 0.120168),
            (Reduction::SequenceMean, 0.309363),
            (Reduction::PromptMean, 0.309363),
            (Reduction::SequenceSum, 0.420590),
            (constant(true), 0.105147),
            (constant(false), 0.210295),
        ] {
            assert_close(&[loss(reduction, &[], device)], &[expected], 2e-6);
        }
    });
}

#[test]
fn the_kl_penalty_in_the_loss_is_that_of_trl_and_liger() {
    let k3 = Penalty::reference_kl(Kl::K3, 0.04);
    let in_reward = Penalty::ReferenceKl {
        estimator: Kl::K3,
        guard: KlGuard::default(),
        coefficient: 0.04,
        place: KlPlace::Reward,
    };
    on_every_device(|device| {
        assert_close(&[loss(Reduction::SequenceMean, &[k3], device)], &[0.324025], 2e-6);
        assert_close(&[loss(Reduction::TokenMean, &[k3], device)], &[0.133104], 2e-6);
        assert_close(&[loss(Reduction::TokenMean, &[in_reward], device)], &[0.120168], 2e-6);
    });
}

#[test]
fn kl_estimators_average_as_in_verl_nemo_and_trl() {
    on_every_device(|device| {
        for (estimator, expected) in [(Kl::K1, -0.212526), (Kl::K2, 0.200621), (Kl::K3, 0.323396)] {
            let [logprobs, reference] =
                [&LOGPROBS, &REFERENCE].map(|data| matrix(&data[..], 4, device));
            let estimates = values(estimator.estimate(logprobs, reference));
            let mean = estimates[..7].iter().sum::<f32>() / 7.0;
            assert_close(&[mean], &[expected], 2e-6);
            let host: f32 = (0..7).map(|i| estimator.of(LOGPROBS[i], REFERENCE[i])).sum();
            assert_close(&[host / 7.0], &[expected], 2e-6);
        }
    });
}

#[test]
fn statistics_are_those_of_trl_and_verl() {
    on_every_device(|device| {
        let batch = batch(Reduction::TokenMean, device);
        let stats = objective(&DAPO, &[], &batch).stats;
        let totals = values(stats.totals(&batch.advantages, &batch.mask));
        let totals: Vec<f32> = totals.iter().map(|total| total / 7.0).collect();
        assert_eq!(SurrogateStats::TOTALS[..3], ["tokens", "clip_low", "clip_high"]);
        assert_close(&totals[..4], &[1.0, 0.142857, 0.285714, 0.0], 1e-6);
        assert_eq!(SurrogateStats::TOTALS[5], "kl_behaviour_k1");
        assert_close(&totals[5..6], &[0.241097], 2e-6);
    });
}

#[test]
fn the_eight_gradients_of_aspo() {
    // By hand, A = 1 and then A = -1: minus A times the flipped ratio or the ratio, at most 3, and
    // nothing beyond the range from 0.8 to 1.2; each token has an eighth of the loss.
    let ratios = [0.2f32, 0.5, 1.1, 1.9, 4.0, 1.5, 0.9, 0.5];
    let expected = [-3.0, -2.0, -1.0 / 1.1, 0.0, 3.0, 1.5, 0.9, 0.0].map(|gradient| gradient / 8.0);
    let advantages = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0];
    on_every_device(|device| {
        let leaf = matrix(&ratios.map(f32::ln), 4, &device.clone().autodiff()).require_grad();
        let constants = BatchConstants {
            weights: matrix(&[0.125; 8], 4, device),
            ..BatchConstants::new(matrix(&[0.0; 8], 4, device), matrix(&advantages, 4, device))
        };
        let batch = PolicyBatch::new(leaf.clone(), None, constants);
        let objective = objective(&AspoSurrogate::default(), &[], &batch);
        let gradient = values(leaf.grad(&objective.total.backward()).expect("tracked"));
        assert_close(&gradient, &expected, 2e-6);
        let totals = values(objective.stats.totals(&batch.advantages, &batch.mask));
        // Clipped low and high once each, by the dual clip twice.
        assert_close(&totals[..4], &[8.0, 1.0, 1.0, 2.0], 1e-6);
    });
}

#[test]
fn reinforce_has_the_gradient_of_the_unclipped_ratio_by_hand() {
    // R of the seven tokens: exp of the differences -ln 2, 0, ln 1.5, 0.3, 0.5, -0.2 and -2.
    let ratios = [0.5, 1.0, 1.5, 1.349_859, 1.648_721, 0.818_731, 0.135_335];
    on_every_device(|device| {
        let logprobs = matrix(&LOGPROBS, 4, &device.clone().autodiff()).require_grad();
        let batch =
            PolicyBatch { logprobs: logprobs.clone(), ..batch(Reduction::TokenMean, device) };
        let objective = objective(&Reinforce, &[], &batch);
        let gradient = values(logprobs.grad(&objective.total.backward()).expect("tracked"));
        let expected = ratios.iter().zip(ADVANTAGES).map(|(ratio, a)| -a * ratio / 7.0);
        assert_close(&gradient[..7], &expected.collect::<Vec<f32>>(), 2e-6);
        assert_eq!(gradient[7], 0.0);
        let totals = values(objective.stats.totals(&batch.advantages, &batch.mask));
        assert_close(&totals[..5], &[7.0, 0.0, 0.0, 0.0, ratios.iter().sum()], 2e-6);
    });
}

#[test]
fn ratios_are_summed_by_the_sign_of_the_advantage() {
    assert_eq!(
        SurrogateStats::TOTALS[7..],
        [
            "ratio_distance",
            "positive_tokens",
            "positive_ratio",
            "negative_tokens",
            "negative_ratio"
        ]
    );
    on_every_device(|device| {
        // The last token is masked and the one before has no advantage.
        let ratios = matrix(&[1.5, 0.5, 3.0, 0.25, 1.0, 1.0], 3, device);
        let mask = matrix(&[1.0, 1.0, 1.0, 1.0, 1.0, 0.0], 3, device);
        let advantages = matrix(&[2.0, 0.5, -1.0, -0.5, 0.0, 0.0], 3, device);
        let totals = values(SurrogateStats::unclipped(ratios).totals(&advantages, &mask));
        assert_eq!(totals[0], 5.0);
        // 0.5 + 0.5 + 2 + 0.75
        assert_close(&totals[7..], &[3.75, 2.0, 2.0, 2.0, 3.25], 1e-6);
    });
}

#[test]
fn an_entropy_bonus_lowers_the_loss_and_has_its_gradient() {
    on_every_device(|device| {
        let tracked = device.clone().autodiff();
        let entropies = matrix(&[1.0; 8], 4, &tracked).require_grad();
        let mut batch = batch(Reduction::TokenMean, device);
        batch.entropies = Some(entropies.clone());
        let bonus = Penalty::Entropy { coefficient: 0.5 };
        let total = objective(&DAPO, &[bonus], &batch).total;
        assert_close(&values(total.clone()), &[0.120168 - 0.5], 2e-6);
        let gradient = values(entropies.grad(&total.backward()).expect("tracked"));
        let expected: Vec<f32> = MASK.iter().map(|m| -0.5 * m / 7.0).collect();
        assert_close(&gradient, &expected, 1e-6);
    });
}

#[test]
fn a_nan_at_a_masked_place_reaches_neither_loss_nor_gradient() {
    on_every_device(|device| {
        let k3 = Penalty::reference_kl(Kl::K3, 1.0);
        let tensor = |device: &Device| {
            let mut data = LOGPROBS;
            data[7] = f32::NAN;
            matrix(&data, 4, device)
        };
        let logprobs = tensor(&device.clone().autodiff()).require_grad();
        let constants = BatchConstants {
            behaviour_logprobs: tensor(device),
            reference_logprobs: Some(tensor(device)),
            advantages: tensor(device),
            weights: tensor(device),
            mask: matrix(&MASK, 4, device),
            plan: Vec::new(),
        };
        let batch = PolicyBatch::new(logprobs.clone(), None, constants);
        let total = objective(&DAPO, &[k3], &batch).total;
        let gradient: Tensor<2> = logprobs.grad(&total.backward()).expect("tracked");
        let gradient = values(gradient);
        assert!(total.into_scalar::<f32>().is_finite());
        assert!(gradient.iter().all(|g| g.is_finite()) && gradient[7] == 0.0, "{gradient:?}");
    });
}
