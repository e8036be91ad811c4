//! Every case of the fixtures beside this file through our own losses: per-token loss, reduced loss and
//! gradient, in `f64` to 1e-9 and in `f32` to 1e-5.
//!
//! The numbers are those of other frameworks' code, or of published formulas in plain torch (README.md
//! says which). What we leave out on purpose stands in [`EXCEPTIONS`] with the reason. A case that
//! stands there and passes fails the test, as does every other that does not pass.

mod case;
mod compare;
mod special;
mod strategy;
mod update;

use burn::tensor::{DType, Device, Tensor};
use fireproof_losses::{BatchConstants, PolicyBatch, PolicyLoss, objective};

use crate::case::{Case, FILES, Matrix, load};
use crate::compare::{number, numbers, rows, tensor, tolerance};
use crate::update::{Rows, mismatch_weights, shares, zeros};

/// Cases that are not ours, by a part of their name or settings, and why.
const EXCEPTIONS: [(&str, &str); 8] = [
    (
        "counts_masked_places",
        "Liger's luspo counts masked places where a token has a loss of its own: a mistake",
    ),
    (
        "mismatch_mean_one",
        "a correction sees one completion, so no mean over the update divides it",
    ),
    (
        "\"rejection\"",
        "verl takes rejected tokens out of the denominator; here a weight of 0 keeps their share, \
         as in TRL and AReaL",
    ),
    (
        "top 0.2 bonus",
        "TRL divides the bonus by the tokens kept and the loss by all; here a token has one share",
    ),
    (
        "off-policy mask 0.05 per_token",
        "TRL's mask is by the sampler and its ratio by the trainer, both are one here, and in this \
         case they choose other rows: `special` runs the mask",
    ),
    ("minpro_capped", "which loss MinPRO's weight enters is not known; ours is the clipped one"),
    ("\"laser\"", "LaSeR's loss is not one of a completion's tokens: `special` runs it"),
    ("adaptive_entropy", "a series of steps: `special` runs it"),
];

fn flex() -> Device {
    fireproof_kernels::resolve_device(Some("flex")).expect("flex is compiled in").device
}

#[test]
fn every_case_gives_the_numbers_of_its_source_in_both_precisions() {
    let device = flex();
    let mut wrong = Vec::new();
    let mut right = 0;
    for case in FILES.iter().flat_map(|file| load(file)) {
        if case.settings.number("support").is_some() {
            continue; // a loss over a part of the vocabulary: `special` runs it
        }
        let text = format!("{} {}", case.name, case.settings.text_of_all());
        let exception = EXCEPTIONS.iter().find(|(part, _)| text.contains(part));
        for dtype in [DType::F64, DType::F32] {
            match (run(&case, &device, dtype), exception) {
                (Err(reason), None) => wrong.push(format!("{} in {dtype:?}: {reason}", case.name)),
                (Ok(()), Some((_, reason))) => {
                    wrong.push(format!("{} passes in {dtype:?}, although {reason}", case.name));
                }
                (Ok(()), None) => right += 1,
                (Err(_), Some(_)) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{} right, {} wrong:\n{}", right, wrong.len(), wrong.join("\n"));
    assert!(right >= 500, "only {right} ran");
}

#[test]
fn every_exception_is_one_of_a_case() {
    let cases: Vec<Case> = FILES.iter().flat_map(|file| load(file)).collect();
    for (part, reason) in EXCEPTIONS {
        let named =
            |case: &Case| format!("{} {}", case.name, case.settings.text_of_all()).contains(part);
        assert!(cases.iter().any(named), "no case has {part}: {reason}");
    }
}

/// Runs a case; `Err` says what we do not have or which number is another.
fn run(case: &Case, device: &Device, dtype: DType) -> Result<(), String> {
    let settings = &case.settings;
    let Some(mask) = case.inputs.matrix("mask") else { return Err("no mask".to_owned()) };
    let loss = strategy::loss(settings)?;
    let penalties = strategy::penalties(settings);
    let advantages = case.inputs.matrix("advantages").unwrap_or_else(|| zeros(&mask));
    let host = Rows::new(case, &advantages);
    let plan = checked_plan(case, host.plan(loss.as_ref()))?;
    let selected = checked_selection(case, host.select(settings))?;
    let kept = settings.text("reduction_mask") == Some("kept");
    let trained = selected.as_ref().unwrap_or(&mask);
    let shares = shares(settings, if kept { trained } else { &mask })?;
    let mismatch = checked_mismatch(case)?;
    on_policy(case);
    // What nobody has read changes a number, and we do not have it.
    if let [unread, ..] = settings.unread()[..] {
        return Err(format!("the setting {unread}"));
    }
    let batch =
        Batch { case, mask: trained, advantages: &advantages, plan: &plan, shares: &shares };
    let found = batch.run(loss.as_ref(), &penalties, &mismatch, device, dtype);
    found.compare(case, dtype)
}

/// A case on its way to the device.
struct Batch<'a> {
    case: &'a Case,
    mask: &'a Matrix,
    advantages: &'a Matrix,
    plan: &'a [Matrix],
    shares: &'a [f64],
}

/// True if the source has no ratio, or one that is always 1.
fn on_policy(case: &Case) -> bool {
    let given = case.settings.text("behaviour");
    given == Some("current") || matches!(case.settings.text("loss"), Some("none" | "reinforce"))
}

/// What our code gave.
struct Found {
    tokens: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
    entropy_gradient: Option<Vec<f64>>,
}

impl Batch<'_> {
    fn run(
        &self,
        loss: &dyn PolicyLoss,
        penalties: &[fireproof_losses::Penalty],
        mismatch: &Matrix,
        device: &Device,
        dtype: DType,
    ) -> Found {
        let (case, tracked) = (self.case, device.clone().autodiff());
        let constant = |rows: &Matrix| tensor(rows, device, dtype);
        let logprobs = case.inputs.require("logprobs");
        let behaviour = case.inputs.matrix("behaviour").filter(|_| !on_policy(case));
        let of_row = |(weights, share): (&Vec<f64>, &f64)| {
            weights.iter().map(|weight| weight * share).collect()
        };
        let weights: Matrix = mismatch.iter().zip(self.shares).map(of_row).collect();
        let constants = BatchConstants {
            behaviour_logprobs: constant(behaviour.as_ref().unwrap_or(&logprobs)),
            reference_logprobs: case.inputs.matrix("reference").as_ref().map(constant),
            advantages: constant(self.advantages),
            weights: constant(&weights),
            mask: constant(self.mask),
            plan: self.plan.iter().map(constant).collect(),
        };
        let leaf = |rows: &Matrix| tensor(rows, &tracked, dtype).require_grad();
        let logprobs = leaf(&logprobs);
        let entropies = case.inputs.matrix("entropies").as_ref().map(leaf);
        let batch = PolicyBatch::new(logprobs.clone(), entropies.clone(), constants);
        let objective = objective(loss, penalties, &batch);
        let gradients = objective.total.backward();
        let zeros = || vec![0.0; self.mask.concat().len()];
        let gradient = |leaf: Tensor<2>| leaf.grad(&gradients).map_or_else(zeros, numbers);
        let tokens = numbers(objective.tokens).into_iter().zip(mismatch.concat());
        Found {
            tokens: tokens.map(|(token, weight)| token * weight).collect(),
            loss: numbers(objective.total)[0],
            gradient: gradient(logprobs),
            entropy_gradient: entropies.map(gradient),
        }
    }
}

impl Found {
    fn compare(&self, case: &Case, dtype: DType) -> Result<(), String> {
        let tolerance = tolerance(dtype);
        rows("gradient", &self.gradient, &case.expected.require("gradient"), tolerance)?;
        if let (Some(found), Some(expected)) =
            (&self.entropy_gradient, case.expected.matrix("entropy_gradient"))
        {
            rows("gradient of the entropies", found, &expected, tolerance)?;
        }
        // The value of ASPO is the continuous one here; only its gradient is the source's.
        if case.settings.text("loss") == Some("aspo") {
            return Ok(());
        }
        let mut expected = case.expected.require("token_loss");
        if let Some(epsilon) = case.settings.number("mean_epsilon") {
            // verl's mean over a row's advantages is in its loss; here it is in the row's share.
            for (row, mask) in expected.iter_mut().zip(case.inputs.require("mask")) {
                let count: f64 = mask.iter().sum();
                row.iter_mut().for_each(|loss| *loss *= (count + epsilon) / count.max(1.0));
            }
        }
        // A bonus for entropy is a term of its own in TRL.
        if case.settings.number("entropy_coefficient").is_none() {
            rows("token loss", &self.tokens, &expected, tolerance)?;
        }
        let loss = case.expected.field("loss").expect("a number");
        let scale = expected.concat().iter().fold(0f64, |largest, value| largest.max(value.abs()));
        number("loss", self.loss, loss, scale * 0.1, tolerance)
    }
}

/// The plan, where the source wrote down its own: KL-Cov's and ASPO's are the same, Clip-Cov draws as
/// many, and its draw is replaced by the source's.
fn checked_plan(case: &Case, mut plan: Vec<Matrix>) -> Result<Vec<Matrix>, String> {
    let count = |rows: &Matrix| rows.concat().iter().sum::<f64>();
    match case.settings.text("loss") {
        Some("kl_cov") => {
            let selected = case.expected.require("selected");
            rows("who pays", &plan[0].concat(), &selected, 0.0)?;
        }
        Some("clip_cov") => {
            let selected = case.expected.require("selected");
            number("how many are left out", count(&plan[0]), count(&selected), 0.0, 0.0)?;
            plan[0] = selected;
        }
        Some("aspo") if !plan.is_empty() => {
            let wide = case.settings.require("epsilon_high_entropy");
            let mask = case.inputs.require("mask").concat();
            for ((flag, epsilon), mask) in
                plan[0].concat().iter().zip(case.expected.require("epsilon").concat()).zip(mask)
            {
                let above = mask > 0.0 && (epsilon - wide).abs() < 1e-9;
                number("flag", if mask > 0.0 { *flag } else { 0.0 }, f64::from(above), 0.0, 0.0)?;
            }
        }
        _ => {}
    }
    Ok(plan)
}

/// The tokens that our selector chose, if the source chose the same.
fn checked_selection(case: &Case, selected: Option<Matrix>) -> Result<Option<Matrix>, String> {
    if let Some(found) = &selected {
        let expected = case.expected.matrix("kept").or_else(|| case.expected.matrix("selected"));
        rows("selected", &found.concat(), &expected.expect("the source's choice"), 0.0)?;
    }
    Ok(selected)
}

/// The source's mismatch weights, if ours are the same in the `f32` in which they are returned; ones
/// without a correction.
fn checked_mismatch(case: &Case) -> Result<Matrix, String> {
    let mask = case.inputs.require("mask");
    let Some(found) = mismatch_weights(case) else { return Ok(mask) };
    let weights = case.expected.require("mismatch_weights");
    let masked = |rows: &Matrix| -> Matrix {
        let row = |(row, mask): (&Vec<f64>, &Vec<f64>)| {
            row.iter().zip(mask).map(|(weight, kept)| weight * kept).collect()
        };
        rows.iter().zip(&mask).map(row).collect()
    };
    let expected = masked(&weights);
    rows("mismatch weight", &found.concat(), &expected, f64::from(f32::EPSILON))?;
    Ok(expected)
}
