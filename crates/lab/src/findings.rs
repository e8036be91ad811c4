//! What an experiment found: to the terminal, to one HTML page, and as data.

use std::fmt;
use std::path::{Path, PathBuf};

use minijinja::Environment as Templates;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value;

use crate::error::LabError;
use crate::figure::Figure;

/// Pixels of the page for a panel and for the legend.
const PANEL_WIDTH: usize = 410;
const LEGEND_WIDTH: usize = 150;

const TEMPLATE: &str = include_str!("findings/report.html");

/// The findings of an experiment, in the order in which they are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// Name of the experiment.
    pub title: String,
    /// What it asks, in a few sentences.
    pub question: String,
    /// What was run on what: device, sizes, seeds, version, date.
    pub facts: Vec<(String, String)>,
    /// The findings.
    pub blocks: Vec<Block>,
}

/// A piece of the findings.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A figure; the terminal names its file.
    Figure {
        /// Name of its file, without `.svg`.
        name: String,
        /// What it shows.
        caption: String,
        /// The drawing.
        figure: Figure,
    },
    /// What was expected before running, and what came out.
    Criteria(Vec<Criterion>),
}

/// Rows of text under named columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What it shows, with its unit.
    pub caption: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows; each has a cell for every column.
    pub rows: Vec<Vec<String>>,
}

/// An expectation written down before running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Criterion {
    /// What is looked at, and how it is decided.
    pub rule: String,
    /// What was expected; that there is no effect is an expectation too.
    pub expected: String,
    /// What came out, with its interval.
    pub found: String,
    /// Whether it is what was expected.
    pub met: bool,
}

impl Table {
    /// A table without rows yet.
    #[must_use]
    pub fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { caption: caption.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it does not have a cell for every column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.columns.len(), "a cell for every column");
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    /// Columns aligned: the first to the left, the others to the right.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.columns).chain(&self.rows);
        let width = |column: usize| lines().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..self.columns.len()).filter_map(width).collect();
        writeln!(f, "{}", self.caption)?;
        for line in lines() {
            for (number, (cell, width)) in line.iter().zip(&widths).enumerate() {
                match number {
                    0 => write!(f, "  {cell:<width$}")?,
                    _ => write!(f, "  {cell:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, expected, found, met } = self;
        let verdict = if *met { "as expected" } else { "NOT as expected" };
        write!(f, "  {rule}\n    expected: {expected}\n    found:    {found} ({verdict})")
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for block in &self.blocks {
            match block {
                Block::Heading(text) => writeln!(f, "\n== {text}")?,
                Block::Text(text) => writeln!(f, "{text}")?,
                Block::Table(table) => writeln!(f, "\n{table}")?,
                Block::Figure { name, caption, .. } => {
                    writeln!(f, "figure {name}.svg: {caption}")?;
                }
                Block::Criteria(criteria) => {
                    writeln!(f, "\nExpected before running, and found")?;
                    criteria.iter().try_for_each(|criterion| writeln!(f, "{criterion}"))?;
                }
            }
        }
        Ok(())
    }
}

/// What the template sees.
#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    question: &'a str,
    facts: &'a [(String, String)],
    blocks: &'a [Shown<'a>],
}

/// What the page shows of a block.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Shown<'a> {
    Heading {
        text: &'a str,
    },
    Text {
        text: &'a str,
    },
    Table {
        table: &'a Table,
    },
    /// `width` in pixels of the page, so that letters have one size in all figures.
    Figure {
        name: &'a str,
        caption: &'a str,
        svg: String,
        width: usize,
    },
    Criteria {
        criteria: &'a [Criterion],
    },
}

impl Findings {
    /// Writes `report.html`, `summary.json` and one SVG a figure into a folder, making it if need
    /// be, and gives the path of the page.
    ///
    /// The summary holds title, facts, tables and criteria, and `data`: whatever a program would
    /// want to read.
    ///
    /// # Errors
    /// If a figure cannot be drawn or a file not be written.
    pub fn write(&self, folder: &Path, data: &Value) -> Result<PathBuf, LabError> {
        std::fs::create_dir_all(folder).map_err(LabError::file("making", folder))?;
        let shown: Vec<Shown<'_>> =
            self.blocks.iter().map(shown).collect::<Result<_, LabError>>()?;
        for block in &shown {
            if let Shown::Figure { name, svg, .. } = block {
                save(&folder.join(format!("{name}.svg")), svg)?;
            }
        }
        save(&folder.join("summary.json"), &self.summary(data))?;
        let page = folder.join("report.html");
        save(&page, &self.html(&shown))?;
        Ok(page)
    }

    fn summary(&self, data: &Value) -> String {
        let tables = self.blocks.iter().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        });
        let criteria = self.blocks.iter().filter_map(|block| match block {
            Block::Criteria(criteria) => Some(criteria),
            _ => None,
        });
        let facts: serde_json::Map<String, Value> =
            self.facts.iter().map(|(name, fact)| (name.clone(), fact.clone().into())).collect();
        let summary = serde_json::json!({
            "title": self.title,
            "question": self.question,
            "facts": facts,
            "tables": tables.collect::<Vec<_>>(),
            "criteria": criteria.flatten().collect::<Vec<_>>(),
            "data": data,
        });
        format!("{summary:#}\n")
    }

    fn html(&self, blocks: &[Shown<'_>]) -> String {
        let mut templates = Templates::new();
        templates.add_template("report.html", TEMPLATE).expect("the template is tested");
        let page = templates.get_template("report.html").expect("it was added above");
        let Self { title, question, facts, .. } = self;
        let shown = Page { title, question, facts, blocks };
        page.render(Serde(&shown)).expect("the template is tested")
    }
}

fn shown(block: &Block) -> Result<Shown<'_>, LabError> {
    Ok(match block {
        Block::Heading(text) => Shown::Heading { text },
        Block::Text(text) => Shown::Text { text },
        Block::Table(table) => Shown::Table { table },
        Block::Criteria(criteria) => Shown::Criteria { criteria },
        Block::Figure { name, caption, figure } => {
            let width = LEGEND_WIDTH + PANEL_WIDTH * figure.panels.len();
            Shown::Figure { name, caption, svg: figure.svg(name)?, width }
        }
    })
}

fn save(path: &Path, text: &str) -> Result<(), LabError> {
    std::fs::write(path, text).map_err(LabError::file("writing", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Axis, Panel, Series};

    fn findings() -> Findings {
        let mut table = Table::new("pass@1 at the end", &["arm", "pass@1"]);
        table.row(["grpo".to_owned(), "0.5".to_owned()]);
        table.row(["linear-r <0.1>".to_owned(), "0.75".to_owned()]);
        let panel = Panel {
            title: "curve".into(),
            x: Axis::named("step"),
            y: Axis::named("pass@1"),
            series: vec![Series::line("grpo", vec![(0.0, 0.1), (1.0, 0.2)])],
        };
        let criterion = Criterion {
            rule: "the ratio's interval excludes 1".into(),
            expected: "below 1".into(),
            found: "0.7 [0.6, 0.8]".into(),
            met: true,
        };
        Findings {
            title: "A test".into(),
            question: "Does it work?".into(),
            facts: vec![("device".into(), "flex".into())],
            blocks: vec![
                Block::Heading("Part".into()),
                Block::Text("It does.".into()),
                Block::Table(table),
                Block::Figure {
                    name: "curve".into(),
                    caption: "over steps".into(),
                    figure: Figure { panels: vec![panel] },
                },
                Block::Criteria(vec![criterion]),
            ],
        }
    }

    #[test]
    fn the_terminal_shows_aligned_tables_and_criteria() {
        let text = findings().to_string();
        assert!(text.contains("  arm             pass@1\n  grpo               0.5\n"), "{text}");
        assert!(text.contains("    found:    0.7 [0.6, 0.8] (as expected)"), "{text}");
    }

    #[test]
    fn a_page_a_summary_and_figures_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let data = serde_json::json!({ "ratio": 0.7 });
        let page = findings().write(folder.path(), &data).unwrap();
        let html = std::fs::read_to_string(page).unwrap();
        for part in ["<h1>A test</h1>", "linear-r &lt;0.1&gt;", "<svg", "as expected", "flex"] {
            assert!(html.contains(part), "{part} is missing:\n{html}");
        }
        let summary = std::fs::read_to_string(folder.path().join("summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["data"]["ratio"], 0.7);
        assert_eq!(summary["tables"][0]["rows"][1][1], "0.75");
        assert_eq!(summary["criteria"][0]["met"], true);
        assert!(folder.path().join("curve.svg").exists());
    }
}
