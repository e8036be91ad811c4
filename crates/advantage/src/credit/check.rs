//! The check that a trainer runs on whatever credit assignment returns.

use fireproof_trajectory::{TokenStep, TokenView};

use super::CreditAssignment;

/// Credit assignment that cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreditError {
    /// The number of advantages that went in is not the number of rows.
    #[error("{advantages} advantages for the {rows} completions of the step")]
    AdvantageCount {
        /// Advantages given.
        advantages: usize,
        /// Completions in the step.
        rows: usize,
    },
    /// The costs of a completion are not one for each token.
    #[error("completion {row} (group {group}) has {costs} costs for its {tokens} tokens")]
    CostCount {
        /// Index of the completion.
        row: usize,
        /// Index of its group.
        group: usize,
        /// Costs given.
        costs: usize,
        /// Its tokens.
        tokens: usize,
    },
    /// The number of rows that came back is not the number of completions.
    #[error("{credit} returned advantages for {found} completions, the step has {rows}")]
    RowCount {
        /// The rule's `Debug` text.
        credit: String,
        /// Rows returned.
        found: usize,
        /// Completions in the step.
        rows: usize,
    },
    /// A row has another length than its completion.
    #[error(
        "{credit} returned {found} advantages for the {tokens} tokens of completion {row} \
         (group {group})"
    )]
    TokenCount {
        /// The rule's `Debug` text.
        credit: String,
        /// Index of the completion.
        row: usize,
        /// Index of its group.
        group: usize,
        /// Advantages returned.
        found: usize,
        /// Its tokens.
        tokens: usize,
    },
    /// An advantage is NaN or infinite.
    #[error(
        "{credit} returned {value} for token {token} of completion {row} (group {group}), whose \
         advantage is {advantage}"
    )]
    NotFinite {
        /// The rule's `Debug` text.
        credit: String,
        /// Index of the completion.
        row: usize,
        /// Index of its group.
        group: usize,
        /// Index of the token.
        token: usize,
        /// What was returned.
        value: f32,
        /// The advantage of the completion.
        advantage: f32,
    },
    /// A checkpoint's state does not fit.
    #[error("the state of {credit} does not fit: {problem}")]
    State {
        /// The rule's `Debug` text.
        credit: String,
        /// What does not fit.
        problem: String,
    },
}

/// Runs credit assignment and checks that every token got one finite advantage.
///
/// # Errors
/// [`CreditError`] names the rule, the completion, its group and the value.
pub fn checked_credit(
    credit: &dyn CreditAssignment,
    advantages: &[f32],
    step: &TokenStep<'_>,
) -> Result<Vec<Vec<f32>>, CreditError> {
    check_input(advantages, step)?;
    let found = credit.assign(advantages, step);
    let name = || format!("{credit:?}");
    if found.len() != step.rows.len() {
        return Err(CreditError::RowCount {
            credit: name(),
            found: found.len(),
            rows: step.rows.len(),
        });
    }
    for (row, (values, tokens)) in found.iter().zip(step.rows).enumerate() {
        let group = tokens.group;
        if values.len() != tokens.len() {
            let (found, tokens) = (values.len(), tokens.len());
            return Err(CreditError::TokenCount { credit: name(), row, group, found, tokens });
        }
        if let Some(token) = values.iter().position(|value| !value.is_finite()) {
            let (value, advantage) = (values[token], advantages[row]);
            let credit = name();
            return Err(CreditError::NotFinite { credit, row, group, token, value, advantage });
        }
    }
    Ok(found)
}

fn check_input(advantages: &[f32], step: &TokenStep<'_>) -> Result<(), CreditError> {
    let rows = step.rows.len();
    if advantages.len() != rows {
        return Err(CreditError::AdvantageCount { advantages: advantages.len(), rows });
    }
    let odd = |row: &TokenView<'_>| !row.costs.is_empty() && row.costs.len() != row.len();
    match step.rows.iter().position(odd) {
        None => Ok(()),
        Some(row) => Err(CreditError::CostCount {
            row,
            group: step.rows[row].group,
            costs: step.rows[row].costs.len(),
            tokens: step.rows[row].len(),
        }),
    }
}
