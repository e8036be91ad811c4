//! A case as an update on the host: what a loss plans, which tokens are selected, what a row's share is.

use fireproof_losses::{PolicyLoss, RowShape, UpdateRow, UpdateView};
use fireproof_selection::{HighEntropy, NotSpurious, TokenSelector};
use fireproof_trajectory::{CreditedView, TokenView};

use crate::case::{Case, Matrix, Settings};
use crate::strategy;

/// The rows of a case without what stands behind a completion's last training token.
pub(crate) struct Rows {
    behaviour: Vec<Vec<f32>>,
    current: Vec<Vec<f32>>,
    entropies: Vec<Vec<f32>>,
    advantages: Vec<Vec<f32>>,
    selected: Vec<Vec<bool>>,
    correct: Vec<bool>,
    success_rates: Vec<f32>,
    width: usize,
}

impl Rows {
    pub(crate) fn new(case: &Case, advantages: &Matrix) -> Self {
        let mask = case.inputs.require("mask");
        let length = |row: &Vec<f64>| row.iter().rposition(|kept| *kept > 0.0).map_or(0, |t| t + 1);
        let lengths: Vec<usize> = mask.iter().map(length).collect();
        let cut = |rows: &Matrix| -> Vec<Vec<f32>> {
            let cut = |(row, length): (&Vec<f64>, &usize)| {
                row[..*length].iter().map(|value| *value as f32).collect()
            };
            rows.iter().zip(&lengths).map(cut).collect()
        };
        let logprobs = case.inputs.require("logprobs");
        let or_zero = |name| case.inputs.matrix(name).unwrap_or_else(|| zeros(&mask));
        let per_row = |name| case.inputs.field(name).unwrap_or_else(|| vec![0f64; mask.len()]);
        Self {
            behaviour: cut(&case.inputs.matrix("behaviour").unwrap_or_else(|| logprobs.clone())),
            current: cut(&logprobs),
            entropies: cut(&or_zero("entropies")),
            advantages: cut(advantages),
            selected: cut(&mask).into_iter().map(|row| flags(&row)).collect(),
            correct: per_row("correct").into_iter().map(|correct| correct > 0.0).collect(),
            success_rates: per_row("success_rates").into_iter().map(|rate| rate as f32).collect(),
            width: mask.first().map_or(0, Vec::len),
        }
    }

    fn credited(&self, row: usize) -> CreditedView<'_> {
        let tokens = TokenView {
            group: row,
            success_rate: self.success_rates[row],
            correct: self.correct[row],
            truncated: false,
            logprobs: &self.behaviour[row],
            entropies: &self.entropies[row],
            costs: &[],
        };
        CreditedView { tokens, advantages: &self.advantages[row] }
    }

    /// What the loss plans for the update, padded again.
    pub(crate) fn plan(&self, loss: &dyn PolicyLoss) -> Vec<Matrix> {
        let row = |row| UpdateRow {
            credited: self.credited(row),
            selected: &self.selected[row],
            current: Some(&self.current[row]),
        };
        let rows: Vec<UpdateRow<'_>> = (0..self.selected.len()).map(row).collect();
        let fields = loss.plan(&UpdateView { rows: &rows, seed: 1 });
        fields.into_iter().map(|field| self.padded(&field)).collect()
    }

    /// The tokens that train under the case's rule for them.
    ///
    /// A quantile is taken over the tokens that a rule sees, so those that never train are left out.
    pub(crate) fn select(&self, settings: &Settings) -> Option<Matrix> {
        let selector: Box<dyn TokenSelector> =
            if let Some(probability) = settings.number("probability_threshold") {
                let quantile = settings.require("entropy_quantile");
                Box::new(NotSpurious::new(probability, quantile).expect("shares"))
            } else {
                let share = settings.number("entropy_fraction")?;
                // Entropies are exact in f32 and lie apart by more than its rounding.
                settings.text("quantile_dtype");
                Box::new(HighEntropy::new(share).expect("a share"))
            };
        let trained = self.trained();
        let rows: Vec<CreditedView<'_>> =
            (0..trained.selected.len()).map(|row| trained.credited(row)).collect();
        let mut chosen = selector.select(&rows).into_iter().flatten();
        let spread = |row: &Vec<bool>| -> Vec<f32> {
            let of = |trains: &bool| f32::from(*trains && chosen.next().expect("one a token"));
            row.iter().map(of).collect()
        };
        let spread: Vec<Vec<f32>> = self.selected.iter().map(spread).collect();
        Some(self.padded(&spread))
    }

    /// The same without tokens that do not train.
    fn trained(&self) -> Self {
        let keep = |rows: &[Vec<f32>]| -> Vec<Vec<f32>> {
            let keep = |(row, selected): (&Vec<f32>, &Vec<bool>)| {
                row.iter().zip(selected).filter(|(_, s)| **s).map(|(value, _)| *value).collect()
            };
            rows.iter().zip(&self.selected).map(keep).collect()
        };
        Self {
            behaviour: keep(&self.behaviour),
            current: keep(&self.current),
            entropies: keep(&self.entropies),
            advantages: keep(&self.advantages),
            selected: self.selected.iter().map(|row| vec![true; trues(row)]).collect(),
            correct: self.correct.clone(),
            success_rates: self.success_rates.clone(),
            width: self.width,
        }
    }

    fn padded(&self, rows: &[Vec<f32>]) -> Matrix {
        let pad = |row: &Vec<f32>| {
            let values = row.iter().map(|value| f64::from(*value));
            values.chain(std::iter::repeat(0.0)).take(self.width).collect()
        };
        rows.iter().map(pad).collect()
    }
}

/// Weights against the sampler; none where the case has no such rule.
pub(crate) fn mismatch_weights(case: &Case) -> Option<Matrix> {
    let rule = strategy::mismatch(&case.settings)?;
    let mask = case.inputs.require("mask");
    let [trainer, sampler] = ["behaviour", "sampler"].map(|name| case.inputs.require(name));
    let row = |row: usize| -> Vec<f64> {
        let trains = |token: &usize| mask[row][*token] > 0.0;
        let tokens: Vec<usize> = (0..mask[row].len()).filter(trains).collect();
        let of = |values: &Matrix| -> Vec<f32> {
            tokens.iter().map(|token| values[row][*token] as f32).collect()
        };
        let mut weights = vec![0.0; mask[row].len()];
        for (token, weight) in tokens.iter().zip(rule.weights(&of(&trainer), &of(&sampler))) {
            weights[*token] = f64::from(weight);
        }
        weights
    };
    Some((0..mask.len()).map(row).collect())
}

/// The share of each row's tokens. A case that is a part of an update says how large that is.
pub(crate) fn shares(settings: &Settings, mask: &Matrix) -> Result<Vec<f64>, String> {
    let (reduction, denominators) = strategy::reduction(settings)?;
    let tokens = |row: &Vec<f64>| row.iter().filter(|kept| **kept > 0.0).count();
    let mut shapes: Vec<RowShape> =
        mask.iter().map(|row| RowShape { prompt: 0, tokens: tokens(row) }).collect();
    let own: usize = shapes.iter().map(|shape| shape.tokens).sum();
    if let Some(whole) = settings.number("tokens") {
        let scale = settings.number("accumulation_steps").unwrap_or(1.0)
            / settings.number("steps_per_generation").unwrap_or(1.0);
        let elsewhere = (whole * scale) as usize - own;
        let counted = match settings.text("rows") {
            Some("all") => shapes.len(),
            _ => shapes.iter().filter(|shape| shape.tokens > 0).count(),
        };
        let rows = settings.number("row_count").map_or(1, |rows| rows as usize - counted);
        // Rows of one token, but for the first.
        let tokens = |row: usize| if row == 0 { elsewhere + 1 - rows } else { 1 };
        shapes.extend((0..rows).map(|row| RowShape { prompt: 0, tokens: tokens(row) }));
    }
    Ok(reduction.weights_by(&shapes, denominators)[..mask.len()].to_vec())
}

fn flags(row: &[f32]) -> Vec<bool> {
    row.iter().map(|kept| *kept > 0.0).collect()
}

fn trues(row: &[bool]) -> usize {
    row.iter().filter(|selected| **selected).count()
}

pub(crate) fn zeros(like: &Matrix) -> Matrix {
    like.iter().map(|row| vec![0.0; row.len()]).collect()
}
