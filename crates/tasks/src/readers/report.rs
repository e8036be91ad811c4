//! What became of the rows of a file.

use std::fmt;

/// How many rows were read and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Rows that gave a task.
    pub tasks: u64,
    /// Rows that could not be read; each was yielded as an error.
    pub failed: Rows,
    /// Rows whose prompt is empty or white space, left out.
    pub empty_prompts: Rows,
    /// Rows that repeat the prompt and the answer of an earlier one, left out.
    pub duplicates: Rows,
    /// Rows that give another answer to the prompt of an earlier one, left out. Answers are compared
    /// as texts: one of the two is wrong, or spelled otherwise, or the prompt does not say all.
    pub contradictions: Rows,
}

/// Some rows: how many, and where the first of them stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: u64,
    /// The lines of the first 20.
    pub first: Vec<u64>,
}

impl Rows {
    pub(super) fn add(&mut self, line: u64) {
        self.count += 1;
        if self.first.len() < 20 {
            self.first.push(line);
        }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.first.iter().take(5).map(u64::to_string).collect();
        let more = if self.count > lines.len() as u64 { ", ..." } else { "" };
        write!(f, "{} (line {}{more})", self.count, lines.join(", "))
    }
}

impl fmt::Display for ReadReport {
    /// `120 tasks; left out: 2 duplicates (line 7, 9)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks", self.tasks)?;
        let parts = [
            ("unreadable", &self.failed),
            ("with an empty prompt", &self.empty_prompts),
            ("duplicates", &self.duplicates),
            ("contradictions", &self.contradictions),
        ];
        let mut before = "; left out: ";
        for (name, rows) in parts.into_iter().filter(|(_, rows)| rows.count > 0) {
            write!(f, "{before}{name} {rows}")?;
            before = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_was_left_out_and_where() {
        let mut report = ReadReport { tasks: 3, ..ReadReport::default() };
        assert_eq!(report.to_string(), "3 tasks");
        report.empty_prompts.add(4);
        (10..40).for_each(|line| report.duplicates.add(line));
        assert_eq!(
            report.to_string(),
            "3 tasks; left out: with an empty prompt 1 (line 4), \
             duplicates 30 (line 10, 11, 12, 13, 14, ...)"
        );
        assert_eq!(report.duplicates.first.len(), 20);
    }
}
