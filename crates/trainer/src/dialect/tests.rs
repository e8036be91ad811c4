//! The golden vectors: what the frameworks' own functions gave, through their dialects.

use burn::tensor::Device;
use fireproof_advantage::{AllEqual, Singleton, ZScore};
use fireproof_losses::{
    ClippedWeight, Kl, KlGuard, RatioLevel, Reduction, SequenceGradient, SequenceRatio, SoftGate,
};

use super::{AdvantageRule, Dialect, DialectBatch, DialectName, Explanation, Rule, TokenLoss};

/// The batch on which verl, TRL 1.16.0, Liger 0.8.5 and OpenRLHF have been compared: its advantages
/// are given, its ratios may move by 0.2 down and 0.28 up.
const HAND: &str = r#"{
    "clip": [0.2, 0.28],
    "max_length": 4,
    "groups": [
        [{"advantage": 1, "logprobs": [-1.69315, -1, -0.59453, -2], "behaviour": [-1, -1, -1, -2.3],
          "reference": [-1.2, -0.9, -1.1, -2]}],
        [{"advantage": -1.5, "logprobs": [-0.5, -1.2, -3, 0], "behaviour": [-1, -1, -1, 0],
          "reference": [-0.7, -1.1, -1.5, 0], "mask": [true, true, true, false]}]
    ]
}"#;

fn flex() -> Device {
    fireproof_kernels::resolve_device(Some("flex")).unwrap().device
}

fn hand(kl_coefficient: f64) -> DialectBatch {
    DialectBatch { kl_coefficient, ..serde_json::from_str(HAND).unwrap() }
}

fn rewards(rewards: &[f32]) -> DialectBatch {
    let completion = |reward: &f32| serde_json::json!({"reward": reward, "logprobs": [-1.0], "behaviour": [-1.0]});
    let group: Vec<serde_json::Value> = rewards.iter().map(completion).collect();
    serde_json::from_value(serde_json::json!({"groups": [group]})).unwrap()
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1.1e-6 * expected.abs().max(1.0),
        "{found} is not {expected}"
    );
}

fn loss(dialect: Dialect, kl_coefficient: f64) -> f64 {
    dialect.explain(&hand(kl_coefficient), &flex()).loss
}

/// Best and worst completion of a group.
fn both(dialect: Dialect, group: &[f32]) -> [f64; 2] {
    let Explanation { completions, .. } = dialect.explain(&rewards(group), &flex());
    [completions[0].advantage, completions[group.len() - 1].advantage]
}

const GROUPS: [&[f32]; 4] = [
    &[1.0, 0.0, 0.0, 0.0],
    &[1.0, 1.0, 1.0, 0.0],
    &[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    &[0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.35, 0.95],
];

/// AReaL with baseline and deviation of the group.
const AREAL_BY_GROUP: Dialect = Dialect {
    advantage: AdvantageRule::ZScore(ZScore {
        epsilon: 1e-5,
        singleton: Singleton::Reward,
        all_equal: AllEqual::Divide,
        ..ZScore::DEFAULT
    }),
    ..Dialect::AREAL
};

/// First and last advantage of each of the groups, as the frameworks' own functions gave them.
const ADVANTAGES: [(Dialect, [[f64; 2]; 4]); 11] = [
    (
        Dialect::VERL,
        [
            [1.499997, -0.499999],
            [0.499999, -1.499997],
            [1.620182, -0.540061],
            [-0.353552, 2.474862],
        ],
    ),
    (
        Dialect::SLIME,
        [
            [1.499997, -0.499999],
            [0.499999, -1.499997],
            [1.620182, -0.540061],
            [-0.353552, 2.474862],
        ],
    ),
    (
        Dialect::TRL,
        [[1.4997, -0.4999], [0.4999, -1.4997], [1.619835, -0.539945], [-0.353387, 2.473707]],
    ),
    (Dialect::OPENRLHF, [[1.5, -0.5], [0.5, -1.5], [1.620185, -0.540062], [-0.353553, 2.474874]]),
    (
        AREAL_BY_GROUP,
        [[1.49997, -0.49999], [0.49999, -1.49997], [1.62015, -0.54005], [-0.353537, 2.474757]],
    ),
    (
        Dialect::NANO_AHA,
        [
            [1.731651, -0.577217],
            [0.577217, -1.731651],
            [1.731651, -0.577217],
            [-0.377774, 2.644419],
        ],
    ),
    (
        Dialect::OPEN_INSTRUCT_STANDARD,
        [[1.732051, -0.57735], [0.57735, -1.732051], [1.732051, -0.57735], [-0.377964, 2.645751]],
    ),
    (
        Dialect::NEMO_RL,
        [[1.0, -0.577349], [0.577349, -1.0], [2.267781, -0.585539], [-0.377963, 3692.675]],
    ),
    (Dialect::RLOO, [[1.0, -0.333333], [0.333333, -1.0], [0.857143, -0.285714], [-0.085714, 0.6]]),
    (Dialect::dr_grpo(1), [[0.75, -0.25], [0.25, -0.75], [0.75, -0.25], [-0.075, 0.525]]),
    (Dialect::PRIME_RL_MAX_RL, [[3.0, -1.0], [0.333333, -1.0], [3.0, -1.0], [-0.176471, 1.235294]]),
];

#[test]
fn advantages_are_those_of_the_table_of_frameworks() {
    for (dialect, expected) in ADVANTAGES {
        for (group, expected) in GROUPS.iter().zip(expected) {
            for (found, expected) in both(dialect, group).into_iter().zip(expected) {
                // The table has six digits, and where it has four, four.
                let digits = if expected.abs() > 2.0 { 2e-6 * expected.abs() } else { 6e-6 };
                assert!(
                    (found - expected).abs() <= digits,
                    "{dialect:?} {group:?}: {found} is not {expected}"
                );
            }
        }
    }
}

/// With another reduction.
fn by(dialect: Dialect, reduction: Reduction) -> Dialect {
    Dialect { reduction, ..dialect }
}

const PLAIN: KlGuard =
    KlGuard { exponent_limit: None, value_limit: None, times_ratio: None, gradient: None };

/// TRL before the KL was multiplied by the ratio.
const TRL_UNCORRECTED: Dialect = Dialect { kl_guard: PLAIN, ..Dialect::TRL };

#[test]
fn reductions_are_those_of_the_table_of_losses() {
    let constant = |per_sequence| Reduction::Constant { length: 4, per_sequence };
    let four = [Dialect::VERL, Dialect::TRL, Dialect::LIGER, Dialect::OPENRLHF];
    for dialect in four {
        close(loss(by(dialect, Reduction::TokenMean), 0.0), 0.120168);
        close(loss(by(dialect, Reduction::SequenceMean), 0.0), 0.309363);
    }
    for dialect in [Dialect::VERL, Dialect::TRL, Dialect::LIGER] {
        close(loss(by(dialect, constant(true)), 0.0), 0.105147);
    }
    close(loss(by(Dialect::VERL, Reduction::SequenceSum), 0.0), 0.420590);
    // verl's sum-norm until August 2026.
    close(loss(by(Dialect::VERL, constant(false)), 0.0), 0.210295);
    // The defaults of others, from the same two numbers: a sum of seven tokens, a mean of means.
    close(loss(Dialect::TINKER, 0.0) / 7.0, 0.120168);
    for dialect in [Dialect::FIREPROOF, Dialect::SLIME] {
        close(loss(dialect, 0.0), 0.309363);
    }
    for dialect in [Dialect::NEMO_RL, Dialect::SKYRL, Dialect::AREAL] {
        close(loss(dialect, 0.0), 0.120168);
    }
    close(loss(Dialect::dr_grpo(4), 0.0), 0.105147);
}

#[test]
fn kl_terms_are_those_of_the_table_of_losses() {
    let constant = Reduction::Constant { length: 4, per_sequence: true };
    for dialect in [Dialect::LIGER, TRL_UNCORRECTED] {
        close(loss(by(dialect, Reduction::SequenceMean), 0.04), 0.324025);
        close(loss(dialect, 0.04), 0.133104);
    }
    close(loss(by(Dialect::TRL, Reduction::SequenceMean), 0.04), 0.312587);
    close(loss(Dialect::TRL, 0.04), 0.123275);
    close(loss(by(Dialect::TRL, constant), 0.04), 0.107866);
    let term = |dialect| loss(dialect, 1.0) - loss(dialect, 0.0);
    for dialect in [Dialect::VERL, Dialect::NEMO_RL, TRL_UNCORRECTED] {
        for (kl, expected) in [(Kl::K1, -0.212526), (Kl::K2, 0.200621), (Kl::K3, 0.323396)] {
            close(term(Dialect { kl, ..dialect }), expected);
        }
    }
    close(term(Dialect::TRL), 0.077668);
}

#[test]
fn other_losses_are_those_of_the_table_of_losses() {
    let sequence = |gradient| {
        TokenLoss::Sequence(SequenceRatio {
            epsilon_low: 0.2,
            epsilon_high: 0.28,
            gradient,
            log_ratio_limit: None,
        })
    };
    for dialect in [TRL_UNCORRECTED, Dialect::LIGER] {
        let with = |loss, reduction| Dialect { loss, ..by(dialect, reduction) };
        let cispo = TokenLoss::ClippedWeight(ClippedWeight::default());
        let sapo = TokenLoss::SoftGate(SoftGate::default());
        for (loss_of, reduction, plain, penalised) in [
            (cispo, Reduction::TokenMean, 0.302689, 0.315625),
            (sapo, Reduction::SequenceMean, 0.293838, 0.308500),
        ] {
            close(loss(with(loss_of, reduction), 0.0), plain);
            close(loss(with(loss_of, reduction), 0.04), penalised);
        }
        for gradient in [SequenceGradient::Mean, SequenceGradient::Token] {
            close(loss(with(sequence(gradient), Reduction::SequenceMean), 0.0), 0.098458);
        }
        // luspo
        close(loss(with(sequence(SequenceGradient::Mean), Reduction::SequenceSum), 0.0), -0.206169);
    }
    let luspo = Dialect {
        loss: sequence(SequenceGradient::Mean),
        ..by(TRL_UNCORRECTED, Reduction::SequenceSum)
    };
    // Liger 0.8.5 gives -0.170922 here: it counts the masked place as a token.
    close(loss(luspo, 0.04), -0.160894);
    // TRL 1.16.0 with its default, the completion's ratio.
    let kl_guard = KlGuard { times_ratio: Some(RatioLevel::Completion), ..PLAIN };
    close(loss(Dialect { kl_guard, ..luspo }, 0.04), -0.178230);
}

#[test]
fn statistics_are_those_of_the_table_of_losses() {
    for dialect in [Dialect::VERL, Dialect::OPENRLHF, Dialect::TRL] {
        let explanation = dialect.explain(&hand(0.0), &flex());
        let tokens: Vec<_> =
            explanation.completions.iter().flat_map(|c| &c.tokens).flatten().collect();
        assert_eq!(tokens.len(), 7);
        let share = |name| tokens.iter().filter(|t| t.clip == Some(name)).count() as f64 / 7.0;
        close(share("low"), 0.142857);
        close(share("high"), 0.285714);
        close(tokens.iter().map(|token| -token.ratio.ln()).sum::<f64>() / 7.0, 0.241097);
        // The parts make up the whole.
        let weight = |c: &super::ExplainedCompletion| {
            c.tokens.iter().flatten().map(|t| c.weight * (t.policy + t.penalty)).sum::<f64>()
        };
        close(explanation.completions.iter().map(weight).sum(), explanation.loss);
        assert_eq!(explanation.completions[1].tokens[3], None);
    }
}

#[test]
fn gradients_by_ratio_are_aspos_table_and_verls() {
    let row = |advantage: f64, ratios: [f64; 4]| {
        serde_json::json!([{
            "advantage": advantage,
            "logprobs": ratios.map(|ratio: f64| ratio.ln() - 3.0),
            "behaviour": ([-3.0; 4]),
        }])
    };
    let groups = [row(1.0, [0.2, 0.5, 1.1, 1.9]), row(-1.0, [4.0, 1.5, 0.9, 0.5])];
    let batch: DialectBatch =
        serde_json::from_value(serde_json::json!({"groups": groups})).unwrap();
    for (dialect, expected) in [
        (Dialect::ARCHER, [-3.0, -2.0, -0.909091, 0.0, 3.0, 1.5, 0.9, 0.0]),
        (Dialect::VERL, [-0.2, -0.5, -1.1, 0.0, 0.0, 1.5, 0.9, 0.0]),
    ] {
        let explanation = dialect.explain(&batch, &flex());
        let tokens = explanation.completions.iter().flat_map(|c| &c.tokens).flatten();
        for (token, expected) in tokens.zip(expected) {
            close(8.0 * token.gradient, expected);
        }
    }
}

#[test]
fn noise_on_constant_rewards_shows_where_frameworks_divide_it() {
    // torch.std of eight 0.7 in f32 is 6.37e-8: verl's own function gives 0.0560341 (0.9.1).
    let constant = [0.7f32; 8];
    assert!((both(Dialect::VERL, &constant)[0] - 0.0560341).abs() < 1e-6);
    assert_eq!(both(Dialect::FIREPROOF, &constant), [0.0; 2]);
    // A floor of 1e-6 on the variance makes it a thousandth.
    assert!(both(Dialect::VERL_VECTORIZED, &constant)[0].abs() < 1e-4);
    // One completion alone: its reward over 1 + 1e-6, or nothing.
    assert!((both(Dialect::VERL, &[0.5])[0] - 0.5 / (1.0 + 1e-6)).abs() < 1e-7);
    assert_eq!(both(Dialect::TRL, &[0.5])[0], 0.0);
}

#[test]
fn the_squared_log_ratio_of_prime_rl_is_added_by_hand() {
    let without = Dialect { drift: 0.0, ..Dialect::PRIME_RL };
    let differences = [1.0 - 1.69315, 0.0, 1.0 - 0.59453, 0.3, 0.5, -0.2, -2.0];
    let expected = differences.iter().map(|d: &f64| d * d).sum::<f64>() * 1e-3 / 7.0;
    close(loss(Dialect::PRIME_RL, 0.0) - loss(without, 0.0), expected);
}

#[test]
fn adopting_every_differing_rule_makes_two_dialects_the_same() {
    let all = DialectName::ALL.map(|name| name.build(8));
    for one in all {
        for other in all {
            let mut adopted = one;
            // The kind of a rule first, then what it holds.
            for rule in Rule::differing(&one, &other) {
                rule.adopt(&mut adopted, &other);
            }
            assert_eq!(format!("{adopted:?}"), format!("{other:?}"), "from {one:?}");
        }
    }
}

#[test]
fn a_name_is_the_same_on_the_command_line_and_in_a_file() {
    for name in DialectName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!(serde_json::to_value(name).unwrap(), name.to_string().as_str());
    }
    let error = "ferl".parse::<DialectName>().unwrap_err().to_string();
    assert!(error.starts_with("`ferl` is no dialect; there are: fireproof, verl,"), "{error}");
}

#[test]
fn a_batch_that_cannot_be_meant_is_refused_with_field_and_value() {
    for (text, parts) in [
        (r#"{"groups": []}"#, &["`groups` holds no completion"][..]),
        (
            r#"{"groups": [[{"reward": 1, "logprobs": [-1, -2], "behaviour": [-1]}]]}"#,
            &["`behaviour` has 1 entries, but `logprobs` has 2", "line 1 column"],
        ),
        (
            "{\"groups\": [[{\"reward\": 1, \"logprobs\": [-1, 0.5],\n\"behaviour\": [-1, -1]}]]}",
            &["`logprobs` has 0.5 at token 1", "line 2 column"],
        ),
        (
            r#"{"groups": [[{"logprobs": [-1], "behaviour": [-1]}]]}"#,
            &["needs a `reward` or an `advantage`"],
        ),
        (
            r#"{"kl_coefficient": 0.1, "groups": [[{"reward": 1, "logprobs": [-1], "behaviour": [-1]}]]}"#,
            &["`kl_coefficient` is 0.1, but a completion has no `reference`"],
        ),
        (r#"{"groups": [[{"rewards": 1}]]}"#, &["unknown field `rewards`"]),
    ] {
        let error = serde_json::from_str::<DialectBatch>(text).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part} is missing: {error}");
        }
    }
}
