//! A penalty in the surrogate's pass equals one that is added in operations of its own.

use burn::tensor::Device;
use fireproof_losses::{
    AspoSurrogate, BatchConstants, ClippedSurrogate, ClippedWeight, EntropySplit, Kl, KlGuard,
    KlPlace, Penalty, PolicyBatch, PolicyLoss, SoftGate, Surrogate, objective,
};

use crate::{assert_close, matrix, noise, on_every_device, values};

/// A loss that does not say that it is a fused operation.
#[derive(Debug)]
struct Composed(Box<dyn PolicyLoss>);

impl PolicyLoss for Composed {
    fn surrogate(&self, batch: &PolicyBatch) -> Surrogate {
        self.0.surrogate(batch)
    }
}

const ROWS: usize = 5;
const TOKENS: usize = 7;

/// Total, the surrogate's part, statistics, and the gradient.
fn run(loss: &dyn PolicyLoss, penalties: &[Penalty], device: &Device) -> [Vec<f32>; 4] {
    let numbers = |seed: u32, scale: f32| -> Vec<f32> {
        noise(ROWS * TOKENS, seed).iter().map(|x| scale * x - 1.0).collect()
    };
    let flags = |seed| noise(ROWS * TOKENS, seed).iter().map(|x| f32::from(*x > -0.2)).collect();
    let tensor = |data: Vec<f32>| matrix(&data, TOKENS, device);
    let leaf = matrix(&numbers(1, 0.4), TOKENS, &device.clone().autodiff()).require_grad();
    let constants = BatchConstants {
        reference_logprobs: Some(tensor(numbers(3, 1.0))),
        weights: tensor(numbers(5, 0.1)),
        mask: tensor(flags(6)),
        plan: vec![tensor(flags(7))],
        ..BatchConstants::new(tensor(numbers(2, 0.4)), tensor(numbers(4, 2.0)))
    };
    let entropies = Some(tensor(numbers(8, 1.0)));
    let batch = PolicyBatch::new(leaf.clone(), entropies, constants);
    let found = objective(loss, penalties, &batch);
    let gradient = values(leaf.grad(&found.total.backward()).expect("tracked"));
    let stats = values(found.stats.totals(&batch.advantages, &batch.mask));
    [values(found.total), values(found.policy), stats, gradient]
}

fn losses() -> Vec<Box<dyn PolicyLoss>> {
    let split =
        AspoSurrogate { entropy_split: Some(EntropySplit::default()), ..AspoSurrogate::default() };
    vec![
        Box::new(ClippedSurrogate { dual_clip: Some(1.5), ..ClippedSurrogate::default() }),
        Box::new(AspoSurrogate::default()),
        Box::new(split),
        Box::new(ClippedWeight::default()),
        Box::new(SoftGate::default()),
    ]
}

#[test]
fn a_penalty_in_the_pass_equals_one_beside_it() {
    let limits =
        KlGuard { exponent_limit: Some(0.8), value_limit: Some(0.5), ..KlGuard::default() };
    on_every_device(|device| {
        for (fused, composed) in losses().into_iter().zip(losses().into_iter().map(Composed)) {
            for estimator in [Kl::K1, Kl::Absolute, Kl::K2, Kl::K3] {
                for guard in [KlGuard::default(), limits] {
                    let place = KlPlace::Loss;
                    let kl = Penalty::ReferenceKl { estimator, guard, coefficient: 0.3, place };
                    let penalties = [Penalty::Entropy { coefficient: 0.1 }, kl];
                    let found = run(&fused, &penalties, device);
                    let expected = run(&composed, &penalties, device);
                    assert_eq!(found[2], expected[2], "statistics");
                    for (found, expected) in found.iter().zip(&expected) {
                        assert_close(found, expected, 2e-6);
                    }
                    let alone = run(&fused, &[], device);
                    assert!((alone[0][0] - found[0][0]).abs() > 1e-3, "the penalty counts");
                }
            }
        }
    });
}
