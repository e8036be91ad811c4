//! Random batches, and the loss and gradient of one.

use burn::tensor::{DType, Device, Tensor, TensorData};
use fireproof_losses::{BatchConstants, PolicyBatch, PolicyLoss};
use proptest::prelude::*;

/// Tokens in a row.
pub(crate) const WIDTH: usize = 5;

/// One row: what a loss may see of its tokens.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) logprobs: Vec<f64>,
    pub(crate) behaviour: Vec<f64>,
    pub(crate) advantages: Vec<f64>,
    pub(crate) mask: Vec<bool>,
    /// Correctness for NFT, who pays for the covariance rules.
    pub(crate) flags: Vec<f64>,
    pub(crate) success_rate: f64,
}

/// A token's number, by row and place.
type Cell<'a> = &'a dyn Fn(usize, usize) -> f64;

/// Per-token loss and gradient of its weighted sum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) loss: Vec<f64>,
    pub(crate) gradient: Vec<f64>,
}

/// Log-probability, log-ratio, advantage, and whether it trains.
type Token = (f64, f64, f64, bool);

pub(crate) fn row() -> impl Strategy<Value = Row> {
    let token = (-4.0..-0.05, -1.2..1.2, -2.0..2.0, prop::bool::weighted(0.8));
    let row = (prop::collection::vec(token, WIDTH), any::<bool>(), 0.0..1.0);
    row.prop_map(|(tokens, correct, success_rate): (Vec<Token>, bool, f64)| Row {
        logprobs: tokens.iter().map(|token| token.0).collect(),
        behaviour: tokens.iter().map(|token| (token.0 - token.1).min(0.0)).collect(),
        advantages: tokens.iter().map(|token| token.2).collect(),
        mask: tokens.iter().map(|token| token.3).collect(),
        flags: vec![f64::from(correct); WIDTH],
        success_rate,
    })
}

pub(crate) fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(), 1..6)
}

pub(crate) fn flex() -> Device {
    fireproof_kernels::resolve_device(Some("flex")).expect("flex is compiled in").device
}

/// A token's weight: another one for each, so that mixing them up shows.
pub(crate) fn weight(row: usize, token: usize) -> f64 {
    1.0 / (3 + 7 * row + token) as f64
}

/// Loss and gradient of rows whose weights are those of rows from `first` on.
pub(crate) fn run(loss: &dyn PolicyLoss, rows: &[Row], first: usize) -> Found {
    let device = flex();
    let width = rows[0].logprobs.len();
    let tensor = |device: &Device, cell: Cell<'_>| -> Tensor<2> {
        let data = (0..rows.len()).flat_map(|row| (0..width).map(move |token| cell(row, token)));
        let data = TensorData::new(data.collect::<Vec<f64>>(), [rows.len(), width]);
        Tensor::from_data(data, (device, DType::F64))
    };
    let logprobs = tensor(&device.clone().autodiff(), &|r, t| rows[r].logprobs[t]).require_grad();
    let constants = BatchConstants {
        behaviour_logprobs: tensor(&device, &|r, t| rows[r].behaviour[t]),
        reference_logprobs: None,
        advantages: tensor(&device, &|r, t| rows[r].advantages[t]),
        weights: tensor(&device, &|r, t| weight(first + r, t)),
        mask: tensor(&device, &|r, t| f64::from(rows[r].mask[t])),
        plan: vec![
            tensor(&device, &|r, t| rows[r].flags[t]),
            tensor(&device, &|r, _| rows[r].success_rate),
        ],
    };
    let batch = PolicyBatch::new(logprobs.clone(), None, constants);
    let loss = loss.surrogate(&batch).loss;
    let total = (loss.clone() * batch.weights).sum();
    let gradient = logprobs.grad(&total.backward()).expect("tracked");
    Found { loss: numbers(loss), gradient: numbers(gradient) }
}

fn numbers(tensor: Tensor<2>) -> Vec<f64> {
    tensor.into_data().try_to_vec_as().expect("float data")
}
