//! Settings that make no sense are refused with their names and values.

use fireproof_selection::{
    AccuracyGreedy, AlignmentSettings, Among, Curriculum, DifficultyPools, DifficultyShares,
    EffectiveNumber, Estimation, Forecast, GradientAligned, HighEntropy, HighestVariance, InOrder,
    LikelyTokens, NotSpurious, Pace, Pairing, PairingSettings, PosteriorSampling,
    PosteriorSettings, Probe, RareSuccessReplay, ReplaySettings, SelectError, SuccessBand,
    SuccessRates, UnlikelyTokens, Wanted, calibration, success_histogram,
};
use fireproof_trajectory::PromptId;

use crate::common::{pool, selectors, through_text};

/// Checks what each attempt was refused with.
fn refused<T>(attempts: impl IntoIterator<Item = (Result<T, SelectError>, &'static str)>) {
    for (attempt, expected) in attempts {
        match attempt {
            Ok(_) => panic!("not refused: {expected}"),
            Err(error) => assert_eq!(error.to_string(), expected),
        }
    }
}

#[test]
fn estimates_and_what_is_built_on_them() {
    let learned = Estimation::default();
    let estimation = |discount, probe| Estimation { discount, probe };
    refused([
        (SuccessRates::new(-0.5), "SuccessRates: discount is -0.5, but must be from 0 to 1"),
        (SuccessRates::new(f64::NAN), "SuccessRates: discount is NaN, but must be from 0 to 1"),
    ]);
    let greedy = |target, estimation| AccuracyGreedy::new(pool(3), target, estimation);
    let (no_samples, no_steps) =
        (Probe { samples: 0, every: None }, Probe { samples: 1, every: Some(0) });
    refused([
        (
            AccuracyGreedy::new(pool(0), 0.5, learned),
            "AccuracyGreedy: the number of prompts is 0, but must be at least 1",
        ),
        (greedy(1.5, learned), "AccuracyGreedy: target is 1.5, but must be from 0 to 1"),
        (
            greedy(0.5, estimation(2.0, None)),
            "AccuracyGreedy: discount is 2.0, but must be from 0 to 1",
        ),
        (
            greedy(0.5, estimation(1.0, Some(no_samples))),
            "AccuracyGreedy: samples is 0, but must be at least 1",
        ),
        (
            greedy(0.5, estimation(1.0, Some(no_steps))),
            "AccuracyGreedy: every is Some(0), but must be at least 1 step",
        ),
    ]);
    let variance = |among| HighestVariance::new(pool(3), among, learned);
    refused([
        (variance(Among::Top(0)), "HighestVariance: k is 0, but must be at least 1"),
        (variance(Among::Share(1.1)), "HighestVariance: p is 1.1, but must be from 0 to 1"),
    ]);
    let even = DifficultyShares::default();
    let pools = |shares| DifficultyPools::new(pool(3), shares, learned);
    refused([
        (
            pools(DifficultyShares { easy: 0.5, ..even }),
            "DifficultyPools: the sum of the shares is 1.25, but must be 1",
        ),
        (
            pools(DifficultyShares { hard: -0.25, ..even }),
            "DifficultyPools: hard is -0.25, but must be from 0 to 1",
        ),
        (
            pools(DifficultyShares { hard_up_to: 0.75, ..even }),
            "DifficultyPools: the pair of borders is (0.75, 0.75), but must be \
             hard_up_to < easy_from",
        ),
    ]);
}

#[test]
fn curricula_and_pairs() {
    let curriculum = |pace, share| Curriculum::new([(PromptId(1), 1)], pace, share);
    refused([
        (
            Curriculum::new([], Pace::Steps(1), 0.5),
            "Curriculum: the number of prompts is 0, but must be at least 1",
        ),
        (
            curriculum(Pace::Steps(1), 2.0),
            "Curriculum: newest_share is 2.0, but must be from 0 to 1",
        ),
        (curriculum(Pace::Steps(0), 0.5), "Curriculum: steps is 0, but must be at least 1"),
        (
            curriculum(Pace::Success { threshold: 1.5, groups: 1 }, 0.5),
            "Curriculum: threshold is 1.5, but must be from 0 to 1",
        ),
        (
            curriculum(Pace::Success { threshold: 0.5, groups: 0 }, 0.5),
            "Curriculum: groups is 0, but must be at least 1",
        ),
    ]);
    let pairing =
        |c, samples, refresh| Pairing::new(pool(3), PairingSettings { c, samples, refresh });
    let c = "Pairing: c is 4, but must be at least 1 and less than half of the samples";
    refused([
        (pairing(4, 8, None), c),
        (
            pairing(0, 8, None),
            "Pairing: c is 0, but must be at least 1 and less than half of the samples",
        ),
        (pairing(1, 0, None), "Pairing: samples is 0, but must be at least 1"),
        (pairing(1, 8, Some(0)), "Pairing: every is Some(0), but must be at least 1 step"),
        (
            Pairing::new(pool(0), PairingSettings::default()),
            "Pairing: the number of prompts is 0, but must be at least 1",
        ),
    ]);
}

#[test]
fn posteriors() {
    let even = PosteriorSettings::default();
    let wanted = |wanted| PosteriorSampling::new(pool(3), PosteriorSettings { wanted, ..even });
    let made = |settings| PosteriorSampling::new(pool(3), settings);
    refused([
        (
            made(PosteriorSettings { prior_alpha: 0.0, ..even }),
            "PosteriorSampling: prior_alpha is 0.0, but must be finite and above 0",
        ),
        (
            made(PosteriorSettings { prior_beta: f64::INFINITY, ..even }),
            "PosteriorSampling: prior_beta is inf, but must be finite and above 0",
        ),
        (
            made(PosteriorSettings { discount: -1.0, ..even }),
            "PosteriorSampling: discount is -1.0, but must be from 0 to 1",
        ),
        (
            made(PosteriorSettings { candidates: Some(0), ..even }),
            "PosteriorSampling: candidates is Some(0), but must be at least 1 for each prompt",
        ),
        (
            wanted(Wanted::Nearest(1.5)),
            "PosteriorSampling: the target is 1.5, but must be from 0 to 1",
        ),
        (
            wanted(Wanted::Within { low: 0.7, high: 0.3 }),
            "PosteriorSampling: the interval is (0.7, 0.3), but must be low <= high",
        ),
        (
            made(even).and_then(|selector| selector.with_earlier([], -1.0)),
            "PosteriorSampling: weight is -1.0, but must be finite and at least 0",
        ),
        (
            PosteriorSampling::new(pool(0), even),
            "PosteriorSampling: the number of prompts is 0, but must be at least 1",
        ),
    ]);
}

#[test]
fn gradients_and_replay() {
    let even = AlignmentSettings::default();
    let made = |settings| GradientAligned::new(pool(3), vec![PromptId(9)], settings);
    refused([
        (
            GradientAligned::new(pool(3), Vec::new(), even),
            "GradientAligned: the number of validation prompts is 0, but must be at least 1",
        ),
        (
            GradientAligned::new(pool(0), vec![PromptId(9)], even),
            "GradientAligned: the number of prompts is 0, but must be at least 1",
        ),
        (
            GradientAligned::new(pool(3), vec![PromptId(9), PromptId(2)], even),
            "GradientAligned: a validation prompt is PromptId(0000000000000002), but must be \
             outside the pool",
        ),
        (
            made(AlignmentSettings { candidates: Some(0), ..even }),
            "GradientAligned: candidates is 0, but must be at least 1",
        ),
        (
            made(AlignmentSettings { keep_one_in: 0, ..even }),
            "GradientAligned: keep_one_in is 0, but must be at least 1",
        ),
        (
            made(AlignmentSettings { every: 0, ..even }),
            "GradientAligned: every is 0, but must be at least 1",
        ),
        (
            made(AlignmentSettings { samples: 0, ..even }),
            "GradientAligned: samples is 0, but must be at least 1",
        ),
        (
            made(AlignmentSettings { sketch: 0, ..even }),
            "GradientAligned: sketch is 0, but must be at least 1",
        ),
    ]);
    let even = ReplaySettings::default();
    let replay = |settings| RareSuccessReplay::new(Box::new(InOrder::new(pool(3))), settings);
    refused([
        (
            replay(ReplaySettings { share: 1.5, ..even }),
            "RareSuccessReplay: share is 1.5, but must be from 0 to 1",
        ),
        (
            replay(ReplaySettings { threshold: f64::NAN, ..even }),
            "RareSuccessReplay: threshold is NaN, but must be from 0 to 1",
        ),
        (
            replay(ReplaySettings { discount: -0.1, ..even }),
            "RareSuccessReplay: discount is -0.1, but must be from 0 to 1",
        ),
    ]);
}

#[test]
fn filters_tokens_and_metrics() {
    refused([
        (
            SuccessBand::new(0.5, 0.2),
            "SuccessBand: the band is (0.5, 0.2), but must be low <= high",
        ),
        (SuccessBand::new(-0.5, 0.2), "SuccessBand: low is -0.5, but must be from 0 to 1"),
    ]);
    refused([(HighEntropy::new(20.0), "HighEntropy: share is 20.0, but must be from 0 to 1")]);
    refused([(LikelyTokens::new(1.5), "LikelyTokens: threshold is 1.5, but must be from 0 to 1")]);
    refused([(
        UnlikelyTokens::new(f64::NAN),
        "UnlikelyTokens: threshold is NaN, but must be from 0 to 1",
    )]);
    refused([
        (NotSpurious::new(2.0, 0.8), "NotSpurious: probability is 2.0, but must be from 0 to 1"),
        (
            NotSpurious::new(0.002, 80.0),
            "NotSpurious: entropy_quantile is 80.0, but must be from 0 to 1",
        ),
    ]);
    refused([
        (success_histogram(&[], 0), "success_histogram: bins is 0, but must be at least 1"),
        (
            success_histogram(&[1.5], 4),
            "success_histogram: a success rate is 1.5, but must be from 0 to 1",
        ),
    ]);
    refused([(
        EffectiveNumber::of(&[1.0, -1.0]),
        "EffectiveNumber: a weight is -1.0, but must be finite and at least 0",
    )]);
    let forecast = |predicted, right| Forecast { predicted, right, completions: 2 };
    refused([
        (
            calibration(&[], 4),
            "calibration: the number of completions is 0, but must be at least 1",
        ),
        (calibration(&[], 0), "calibration: bins is 0, but must be at least 1"),
        (
            calibration(&[forecast(-0.1, 1)], 4),
            "calibration: a prediction is -0.1, but must be from 0 to 1",
        ),
        (
            calibration(&[forecast(0.5, 3)], 4),
            "calibration: the number of right completions is 3, but must be no more than the \
             completions",
        ),
    ]);
}

/// Parts of fresh states and what they must not be.
const IMPOSSIBLE: [(&str, &str); 6] = [
    (r#""counts":{}"#, r#""counts":{"0000000000000001":{"successes":-1.0,"failures":0.0}}"#),
    (r#""learned":{}"#, r#""learned":{"0000000000000099":{"successes":1.0,"failures":0.0}}"#),
    (r#""newest":0"#, r#""newest":4"#),
    (r#""next":0"#, r#""next":45"#),
    (r#""ahead":[]"#, r#""ahead":["0000000000000001","0000000000000001"]"#),
    (r#""learned":{"ahead""#, r#""learned":{"behind""#),
];

#[test]
fn states_with_impossible_numbers() {
    let mut tried = [0; IMPOSSIBLE.len()];
    for mut selector in selectors(&pool(45)) {
        let state = through_text(selector.as_ref()).to_string();
        for (tried, (good, bad)) in tried.iter_mut().zip(IMPOSSIBLE) {
            if !state.contains(good) {
                continue;
            }
            *tried += 1;
            let bad = serde_json::from_str(&state.replacen(good, bad, 1)).unwrap();
            let error = selector.restore(bad).unwrap_err().to_string();
            assert!(error.contains("does not belong to"), "{error}");
            assert_eq!(through_text(selector.as_ref()).to_string(), state);
        }
    }
    assert!(tried.iter().all(|times| *times > 0), "{tried:?}");
}
