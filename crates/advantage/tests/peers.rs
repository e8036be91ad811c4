//! Every case of the fixtures in `golden/` through our own estimators: numbers that verl 0.9.1, TRL
//! 1.16.0 and transcriptions of other frameworks gave, in `f64` and in `f32`.
//!
//! What we leave out on purpose stands in [`EXCEPTIONS`] with the reason. A case that stands there and
//! passes fails the test, as does every other that does not pass.

use std::fs;
use std::path::Path;

use fireproof_advantage::{
    AdvantageEstimator, AllEqual, Arithmetic, Baseline, Centered, CreditAssignment, Ddof,
    EveryToken, LeaveOneOut, RawReward, RelativeToMean, Scale, Singleton, WhitenedReturns, ZScore,
};
use fireproof_trajectory::{GroupView, PromptId, StepView, TokenStep, TokenView};
use serde::Deserialize;

/// Cases that are not ours, by a part of their name, and why.
const EXCEPTIONS: [(&str, &str); 6] = [
    ("verl gpg", "GPG's share of completions with a reward is not among the estimators"),
    ("verl opo", "OPO's baseline weighted by length is not among the estimators"),
    ("verl grpo_passk", "the best less the second best is not pass@k; PassAtK is"),
    ("verl optimal_token_baseline", "it needs the sum of squared probabilities at every token"),
    (
        "verl reinforce_plus_plus_baseline uneven",
        "a group of one gets 0 here and its reward there, which the whitening spreads",
    ),
    ("nemo-rl constant", "noise of a sum in f32, whose order is that of a matrix product there"),
];

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    dtype: String,
    settings: Settings,
    inputs: Inputs,
    expected: Expected,
}

#[derive(Deserialize)]
struct Settings {
    baseline: String,
    #[serde(default)]
    scale: String,
    #[serde(default)]
    ddof: usize,
    #[serde(default)]
    epsilon: f64,
    singleton_baseline: Option<f64>,
    singleton_scale: Option<f64>,
    gamma: Option<f64>,
}

#[derive(Deserialize)]
struct Inputs {
    groups: Vec<Vec<f32>>,
    lengths: Option<Vec<Vec<usize>>>,
}

#[derive(Deserialize)]
struct Expected {
    advantages: Option<Vec<Vec<f64>>>,
    token_advantages: Option<Vec<Vec<f64>>>,
}

fn cases() -> impl Iterator<Item = Case> {
    ["verl.json", "trl.json", "transcribed.json"].into_iter().flat_map(|file| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
        let text = fs::read_to_string(&path).expect("the fixture is in the repository");
        serde_json::from_str::<File>(&text).expect("the form of README.md").cases
    })
}

/// From rewards to tokens.
type Strategy = (Box<dyn AdvantageEstimator>, Box<dyn CreditAssignment>);

/// The estimator and the credit of a case; `Err` names what we do not have.
fn strategy(case: &Case) -> Result<Strategy, String> {
    let settings = &case.settings;
    let every = || Box::new(EveryToken);
    let estimator: Box<dyn AdvantageEstimator> =
        match (settings.baseline.as_str(), settings.scale.as_str()) {
            ("mean", "none") => Box::new(Centered),
            ("leave_one_out", "none") => Box::new(LeaveOneOut),
            ("mean", "mean") => Box::new(RelativeToMean),
            ("mean" | "leave_one_out", "std" | "batch_std" | "leave_one_out_std") => {
                Box::new(z_score(case))
            }
            ("none", "batch_token_std") => return Ok((Box::new(RawReward), whitened(settings))),
            ("mean", "batch_token_std") => return Ok((Box::new(Centered), whitened(settings))),
            (baseline, scale) => return Err(format!("{baseline} over {scale}")),
        };
    Ok((estimator, every()))
}

fn ddof(settings: &Settings) -> Ddof {
    if settings.ddof == 0 { Ddof::Population } else { Ddof::Sample }
}

fn whitened(settings: &Settings) -> Box<dyn CreditAssignment> {
    let gamma = settings.gamma.unwrap_or(1.0);
    let (ddof, epsilon) = (ddof(settings), settings.epsilon);
    Box::new(WhitenedReturns { gamma, ddof, epsilon, ..WhitenedReturns::default() })
}

fn z_score(case: &Case) -> ZScore {
    let settings = &case.settings;
    let others = settings.baseline == "leave_one_out";
    let single = case.dtype == "float32";
    ZScore {
        ddof: ddof(settings),
        epsilon: settings.epsilon,
        baseline: if others { Baseline::LeaveOneOut } else { Baseline::Group },
        scale: match settings.scale.as_str() {
            "batch_std" => Scale::Step,
            "leave_one_out_std" => Scale::LeaveOneOut,
            _ => Scale::Group,
        },
        singleton: match (settings.singleton_baseline, settings.singleton_scale) {
            (Some(0.0), Some(1.0)) => Singleton::Reward,
            _ => Singleton::Zero,
        },
        all_equal: AllEqual::Divide,
        arithmetic: match (single, others) {
            (true, true) => Arithmetic::SingleOnePass,
            (true, false) => Arithmetic::Single,
            (false, _) => Arithmetic::Double,
        },
        ..ZScore::DEFAULT
    }
}

/// One advantage for each token of each completion.
fn run(case: &Case) -> Result<Vec<Vec<f32>>, String> {
    let (estimator, credit) = strategy(case)?;
    let groups = &case.inputs.groups;
    let ones: Vec<Vec<usize>> = groups.iter().map(|group| vec![1; group.len()]).collect();
    let lengths = case.inputs.lengths.as_ref().unwrap_or(&ones);
    let (flags, zeros) = ([false; 16], [0.0; 16]);
    let views: Vec<GroupView<'_>> = groups
        .iter()
        .zip(lengths)
        .map(|(rewards, lengths)| GroupView {
            prompt: PromptId(1),
            rewards,
            correct: &flags[..rewards.len()],
            lengths,
            truncated: &flags[..rewards.len()],
        })
        .collect();
    let advantages = estimator.advantages(&StepView { groups: &views, step: 0, steps: 1 }).concat();
    let lengths = lengths.concat();
    let rows: Vec<TokenView<'_>> = lengths.iter().map(|length| tokens(&zeros[..*length])).collect();
    Ok(credit.assign(&advantages, &TokenStep { rows: &rows, step: 0, steps: 1 }))
}

fn tokens(logprobs: &[f32]) -> TokenView<'_> {
    TokenView {
        group: 0,
        success_rate: 0.0,
        correct: false,
        truncated: false,
        logprobs,
        entropies: logprobs,
        costs: &[],
    }
}

fn compare(case: &Case, found: &[Vec<f32>]) -> Result<(), String> {
    let of_row = |value: &f64| vec![*value];
    let expected: Vec<Vec<f64>> = match (&case.expected.advantages, &case.expected.token_advantages)
    {
        (Some(groups), _) => groups.concat().iter().map(of_row).collect(),
        (None, Some(rows)) => rows.clone(),
        (None, None) => return Err("no result".to_owned()),
    };
    assert_eq!(found.len(), expected.len());
    let alone = case.inputs.groups.iter().flat_map(|group| vec![group.len() == 1; group.len()]);
    let scaled = case.settings.scale != "none";
    for (row, ((found, expected), alone)) in found.iter().zip(&expected).zip(alone).enumerate() {
        // verl gives a completion without others its reward; a difference from others is 0 here.
        if alone && !scaled && case.settings.singleton_baseline == Some(0.0) {
            assert_eq!(found[0], 0.0);
            continue;
        }
        for (token, found) in found.iter().enumerate() {
            let expected = *expected.get(token).unwrap_or(&expected[0]);
            let digits = if case.dtype == "float64" { f64::from(f32::EPSILON) } else { 2e-6 };
            // A deviation from the mean loses what the mean has more than it.
            let largest =
                if case.dtype == "float64" { expected.abs() } else { expected.abs().max(1.0) };
            if (f64::from(*found) - expected).abs() > digits * largest {
                return Err(format!("row {row} token {token}: {found} is not {expected}"));
            }
        }
    }
    Ok(())
}

#[test]
fn every_case_gives_the_numbers_of_its_source() {
    let (mut wrong, mut right) = (Vec::new(), 0);
    for case in cases() {
        let exception = EXCEPTIONS.iter().find(|(part, _)| case.name.contains(part));
        match (run(&case).and_then(|found| compare(&case, &found)), exception) {
            (Err(reason), None) => wrong.push(format!("{}: {reason}", case.name)),
            (Ok(()), Some((_, reason))) => {
                wrong.push(format!("{} passes, although {reason}", case.name));
            }
            (Ok(()), None) => right += 1,
            (Err(_), Some(_)) => {}
        }
    }
    assert!(wrong.is_empty(), "{right} right, {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(right > 120, "only {right} ran");
}

#[test]
fn every_exception_is_one_of_a_case() {
    for (part, reason) in EXCEPTIONS {
        assert!(cases().any(|case| case.name.contains(part)), "no case has {part}: {reason}");
    }
}
