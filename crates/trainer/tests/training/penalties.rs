//! The divergence from the reference policy, in the reward and in the loss, by hand.

use fireproof_losses::{Kl, KlGuard, KlPlace, Penalty};
use fireproof_model::TabularPolicy;
use fireproof_rollout::ReplayEngine;
use fireproof_trainer::{Recipe, Trainer};
use fireproof_verifier::CheckVerifier;

use crate::common::*;

fn with_kl(estimator: Kl, place: KlPlace) -> Recipe {
    let penalty =
        Penalty::ReferenceKl { estimator, guard: KlGuard::default(), coefficient: 0.5, place };
    Recipe { penalties: vec![penalty], ..centered() }
}

#[test]
fn a_kl_in_the_reward_is_subtracted_as_a_sum_over_tokens() {
    on_every_device(|device| {
        let mut recorded = group('a', &["a", "b"]);
        // As if the behaviour policy had drifted: log-probabilities above the reference's by 0.2
        // and 0.1, so k1 of the first completion is 0.3.
        recorded.completions[0].logprobs[0] += 0.2;
        recorded.completions[0].logprobs[1] += 0.1;
        let recipe = with_kl(Kl::K1, KlPlace::Reward);
        let mut trainer = replay(vec![recorded], recipe, config(1, 2), device);
        let record = trainer.step().unwrap();
        assert_close(record.groups[0].rewards[0], 1.0 - 0.5 * 0.3);
        assert_close(record.groups[0].rewards[1], 0.0);
        assert_close(record.metrics.reward.max, 0.85);
        assert_eq!(record.metrics.pass_at_1, 0.5, "being right does not depend on the penalty");
        assert_eq!(record.metrics.loss, record.metrics.policy_loss, "it is no part of the loss");
    });
}

#[test]
fn a_kl_in_the_loss_compares_with_the_policy_at_the_start() {
    on_every_device(|device| {
        let recorded = vec![group('a', &["a", "b"]), group('a', &["a", "b"])];
        let recipe = with_kl(Kl::K3, KlPlace::Loss);
        let mut selector = centered();
        selector.penalties = recipe.penalties;
        selector.selector = Box::new(fireproof_selection::InOrder::new(vec![prompts()[0]]));
        let mut trainer = replay(recorded, selector, config(1, 2), device);
        let first = trainer.step().unwrap().metrics;
        assert_close(first.loss - first.policy_loss, 0.0);

        // What the second step must find, from the table that the first one left.
        let table: Vec<f64> = values(trainer.policy().table()).into_iter().map(f64::from).collect();
        let logprob = |position: usize, token: usize| {
            let row = &table[(CONTEXT + position) * VOCABULARY..][..VOCABULARY];
            row[token] - row.iter().map(|logit| logit.exp()).sum::<f64>().ln()
        };
        let k3 = |logprob: f64| {
            let difference = logprob + 5f64.ln();
            (-difference).exp() - 1.0 + difference
        };
        // "a" and the stop token, "b" and the stop token; each row's mean, then over rows.
        let rows = [(1, 0), (2, 0)]
            .map(|(first, stop)| f64::midpoint(k3(logprob(0, first)), k3(logprob(1, stop))));
        let expected = 0.5 * f64::midpoint(rows[0], rows[1]);
        assert!(expected > 1e-3, "{expected}");
        let second = trainer.step().unwrap().metrics;
        assert!(
            (f64::from(second.loss - second.policy_loss) - expected).abs() < 1e-6,
            "{} - {} is not {expected}",
            second.loss,
            second.policy_loss
        );
    });
}

#[test]
fn an_entropy_bonus_pulls_a_peaked_policy_flat() {
    on_every_device(|device| {
        let penalties = vec![Penalty::Entropy { coefficient: 1.0 }];
        // "stop" three times as likely as each of the four letters, whatever came before.
        let row = [3f32.ln(), 0.0, 0.0, 0.0, 0.0];
        let table = row.repeat(VOCABULARY * CONTEXT);
        let policy = TabularPolicy::from_logits(&table, VOCABULARY, &device.clone().autodiff());
        let recipe = Recipe { penalties, ..centered() };
        let engine = ReplayEngine::new(vec![group('a', &["a", "a"])]);
        let environment = environment(Box::new(CheckVerifier));
        let mut trainer = Trainer::new(policy, engine, recipe, environment, config(1, 2)).unwrap();
        let metrics = trainer.step().unwrap().metrics;
        // All right, so there is no advantage: the loss is minus the entropy,
        // -(3/7 ln 3/7 + 4/7 ln 1/7).
        let entropy = -(3.0 / 7.0 * (3f32 / 7.0).ln() + 4.0 / 7.0 * (1f32 / 7.0).ln());
        assert_close(metrics.policy_loss, 0.0);
        assert_close(metrics.loss, -entropy);
        // And the update flattens it: Adam moves each logit by the learning rate of 0.1.
        let after = values(trainer.policy().table());
        let after = &after[CONTEXT * VOCABULARY..][..VOCABULARY];
        let expected = [3f32.ln() - 0.1, 0.1, 0.1, 0.1, 0.1];
        for (found, expected) in after.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{after:?} is not {expected:?}");
        }
    });
}
