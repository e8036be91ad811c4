//! The last column of the README's table of recipes: what `cargo run --release --example
//! leaderboard` measured, so that nobody types figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The summary whose figures the README shows, kept with the book.
const SUMMARY: &str = "book/src/generated/leaderboard.json";

/// How the table of recipes begins.
const HEADER: &str = "| recipe | paper |";
/// Its last column.
const COLUMN: &str = "| pass@1 (place) |";

/// Why the table could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaderboardError {
    /// A file could not be read or written.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The table is not there, or has no column for the figures.
    #[error(
        "README.md has no table that begins with `{HEADER}` and whose header ends with `{COLUMN}`"
    )]
    NoTable,
    /// A recipe of the table was not measured, or the other way round.
    #[error("{what} names the recipe `{recipe}`, and {other} does not")]
    OtherRecipes {
        /// Where it is.
        what: &'static str,
        /// Where it is not.
        other: &'static str,
        /// Its name.
        recipe: String,
    },
}

#[derive(Deserialize)]
struct Summary {
    /// The exact part, then the transformer.
    data: Vec<Ranking>,
}

#[derive(Deserialize)]
struct Ranking {
    places: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    recipe: String,
    pass_at_1: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    value: f64,
}

/// The README of the workspace at `root` as it should be: with the figures of the kept summary.
///
/// # Errors
/// If a file cannot be read, the table is not there, or its recipes are not those of the summary.
pub fn readme_with_leaderboard(root: &Path) -> Result<String, LeaderboardError> {
    let path = root.join(SUMMARY);
    let damaged = |reason: serde_json::Error| LeaderboardError::File {
        path: path.clone(),
        reason: reason.to_string(),
    };
    let summary: Summary = serde_json::from_str(&read(&path)?).map_err(damaged)?;
    let ranking = summary.data.last().ok_or_else(|| LeaderboardError::File {
        path: path.clone(),
        reason: "it holds no ranking".to_owned(),
    })?;
    let cell = |(place, found): (usize, &Place)| {
        (found.recipe.clone(), format!("{:.3} ({})", found.pass_at_1.value, place + 1))
    };
    let cells = ranking.places.iter().enumerate().map(cell).collect();
    filled(&read(&root.join("README.md"))?, &cells)
}

/// Keeps a summary, if one is given, and writes the README's column.
///
/// # Errors
/// As [`readme_with_leaderboard`], and if a file cannot be written.
pub fn write_leaderboard(root: &Path, summary: Option<&Path>) -> Result<(), LeaderboardError> {
    if let Some(summary) = summary {
        write(&root.join(SUMMARY), &read(summary)?)?;
    }
    write(&root.join("README.md"), &readme_with_leaderboard(root)?)
}

fn read(path: &Path) -> Result<String, LeaderboardError> {
    std::fs::read_to_string(path).map_err(|error| LeaderboardError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn write(path: &Path, text: &str) -> Result<(), LeaderboardError> {
    std::fs::write(path, text).map_err(|error| LeaderboardError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// A README whose table of recipes has these cells in its last column.
fn filled(readme: &str, cells: &BTreeMap<String, String>) -> Result<String, LeaderboardError> {
    let mut left = cells.clone();
    let mut lines: Vec<String> = Vec::new();
    let mut inside = false;
    let mut found = false;
    for line in readme.lines() {
        if line.starts_with(HEADER) && line.ends_with(COLUMN) {
            (inside, found) = (true, true);
        } else if inside && !line.starts_with('|') {
            inside = false;
        } else if inside && let Some(recipe) = recipe_of(line) {
            let cell = left.remove(recipe).ok_or_else(|| LeaderboardError::OtherRecipes {
                what: "README.md",
                other: "the summary",
                recipe: recipe.to_owned(),
            })?;
            lines.push(with_last_cell(line, &cell));
            continue;
        }
        lines.push(line.to_owned());
    }
    if !found {
        return Err(LeaderboardError::NoTable);
    }
    match left.into_keys().next() {
        Some(recipe) => {
            Err(LeaderboardError::OtherRecipes { what: "the summary", other: "README.md", recipe })
        }
        None => Ok(lines.join("\n") + "\n"),
    }
}

/// The name in a row's first cell.
fn recipe_of(line: &str) -> Option<&str> {
    let cell = line.strip_prefix('|')?.split('|').next()?;
    let name = cell.trim().trim_matches('*');
    name.strip_prefix('`')?.strip_suffix('`')
}

fn with_last_cell(line: &str, cell: &str) -> String {
    let row = line.trim_end().trim_end_matches('|');
    let before = row.rfind('|').map_or(row, |end| &row[..end]);
    format!("{before}| {cell} |")
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# Title\n\n| recipe | paper | pass@1 (place) |\n|---|---|---|\n\
                          | `grpo` | a | |\n| **`aspo`** | b | 0.1 (9) |\n\n| `other` | table |\n";

    fn cells(names: &[(&str, &str)]) -> BTreeMap<String, String> {
        names.iter().map(|(name, cell)| ((*name).to_owned(), (*cell).to_owned())).collect()
    }

    #[test]
    fn the_last_cells_are_filled_and_nothing_else_changes() {
        let text = filled(README, &cells(&[("grpo", "0.5 (2)"), ("aspo", "0.6 (1)")])).unwrap();
        let expected = README
            .replace("| a | |", "| a | 0.5 (2) |")
            .replace("| b | 0.1 (9) |", "| b | 0.6 (1) |");
        assert_eq!(text, expected);
    }

    #[test]
    fn recipes_on_one_side_alone_are_named() {
        let error = filled(README, &cells(&[("grpo", "")])).unwrap_err().to_string();
        assert_eq!(error, "README.md names the recipe `aspo`, and the summary does not");
        let three = cells(&[("grpo", ""), ("aspo", ""), ("new", "")]);
        let error = filled(README, &three).unwrap_err().to_string();
        assert_eq!(error, "the summary names the recipe `new`, and README.md does not");
        let error = filled("| recipe | paper |\n", &three).unwrap_err();
        assert!(matches!(error, LeaderboardError::NoTable));
    }
}
