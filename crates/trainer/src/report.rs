//! The report of a run: one HTML page that needs nothing else, for people to look at.
//!
//! The page is a template (`report/report.html`) filled by minijinja; the charts are SVG drawn by
//! plotters; the browser of completions is the only script, over data inside the page.

mod chart;
mod panels;

use std::path::Path;

use minijinja::Environment as Templates;
use minijinja::value::Serde;
use serde::Serialize;

use crate::error::TrainError;
use crate::evaluate::{Evaluation, Interval};
use crate::metrics::StepMetrics;
use crate::run_folder::{run_config, run_metrics, run_result, run_transcripts};
use crate::transcript::Transcript;

use panels::{Panel, learning_curve, panels, success_panels};

/// The evaluation before training, in the run folder.
pub const EVALUATION_BEFORE: &str = "evaluation-before";
/// The evaluation after it.
pub const EVALUATION_AFTER: &str = "evaluation-after";

const TEMPLATE: &str = include_str!("report/report.html");

/// Everything that a report shows, as it stands in a run folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Name of the run.
    pub title: String,
    /// The resolved settings, as text.
    pub config: String,
    /// What was measured, step by step.
    pub metrics: Vec<StepMetrics>,
    /// Groups that were kept to be read.
    pub transcripts: Vec<Transcript>,
    /// The evaluation before training.
    pub before: Option<Evaluation>,
    /// The evaluation after it.
    pub after: Option<Evaluation>,
}

impl Report {
    /// Reads a run folder; what is not there yet is left out.
    ///
    /// # Errors
    /// If a file cannot be read or is not what a run writes.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            title: name.to_string_lossy().into_owned(),
            config: run_config(path)?,
            metrics: run_metrics(path)?,
            transcripts: run_transcripts(path)?,
            before: run_result(path, EVALUATION_BEFORE)?,
            after: run_result(path, EVALUATION_AFTER)?,
        })
    }

    /// The page.
    ///
    /// # Panics
    /// Never: the template is part of this crate and every value it names is given.
    #[must_use]
    pub fn html(&self) -> String {
        let mut templates = Templates::new();
        templates.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        templates.add_template("report.html", TEMPLATE).expect("the template is well formed");
        let template = templates.get_template("report.html").expect("just added");
        template.render(Serde(self.page())).expect("every value is given")
    }

    fn page(&self) -> Page<'_> {
        let transcripts = serde_json::to_string(&self.transcripts).expect("plain data");
        Page {
            version: env!("CARGO_PKG_VERSION"),
            title: &self.title,
            config: &self.config,
            summary: self.summary(),
            comparison: self.comparison(),
            curves: panels(&self.metrics),
            successes: success_panels(&self.metrics),
            shares: self.time_shares(),
            // A completion may spell `</script>`.
            transcripts: transcripts.replace('<', "\\u003c"),
            has_transcripts: !self.transcripts.is_empty(),
        }
    }

    /// The learning curve alone, as SVG; empty if there are no steps.
    #[must_use]
    pub fn learning_curve_svg(&self) -> String {
        learning_curve(&self.metrics).svg
    }

    /// The numbers at the top.
    fn summary(&self) -> Vec<Card> {
        let mut cards = Vec::new();
        if let Some(before) = &self.before {
            for k in [1, 8] {
                if before.prompts.iter().all(|result| result.samples >= k) {
                    let after = self.after.as_ref().map(|after| after.pass_at(k));
                    cards.push(Card::before_after(k, before.pass_at(k), after));
                }
            }
        }
        let seconds: f64 = self.metrics.iter().map(|step| step.time.step).sum();
        let steps = self.metrics.len();
        if steps > 0 {
            cards.push(Card::new("steps", steps.to_string(), format!("{seconds:.0} s")));
            let rate = |of: &dyn Fn(&StepMetrics) -> f64| {
                let mut rates: Vec<f64> = self.metrics.iter().map(of).collect();
                rates.sort_by(f64::total_cmp);
                format!("{:.0}", rates[steps / 2])
            };
            let trained = rate(&|step| step.time.train_tokens_per_second);
            let generated = rate(&|step| step.time.generate_tokens_per_second);
            cards.push(Card::new("tokens/s, training", trained, "median step".to_owned()));
            cards.push(Card::new("tokens/s, sampling", generated, "median step".to_owned()));
            let delta = self.metrics.iter().map(|step| step.max_logprob_delta).fold(0.0, f32::max);
            let note = "log-probability, sampling against training".to_owned();
            cards.push(Card::new("largest difference", format!("{delta:.0e}"), note));
        }
        cards
    }

    /// Rows of the table before and after.
    fn comparison(&self) -> Vec<Comparison> {
        let Some(before) = &self.before else { return Vec::new() };
        let after = self.after.as_ref();
        let row = |name: String, before: &Evaluation, after: Option<&Evaluation>, k| Comparison {
            name,
            before: before.pass_at(k),
            after: after.map(|after| after.pass_at(k)),
        };
        let enough = |k| before.prompts.iter().all(|result| result.samples >= k);
        let mut rows = vec![row("pass@1".to_owned(), before, after, 1)];
        if enough(8) {
            rows.push(row("pass@8".to_owned(), before, after, 8));
        }
        let after = after.map(Evaluation::by_level);
        for (level, before) in before.by_level() {
            let after = after.as_ref().and_then(|levels| levels.get(&level));
            rows.push(row(format!("pass@1, level {level}"), &before, after, 1));
        }
        rows
    }

    /// Shares of the time of all steps: (name, percent).
    fn time_shares(&self) -> Vec<(&'static str, f64)> {
        let total = |of: fn(&StepMetrics) -> f64| self.metrics.iter().map(of).sum::<f64>();
        let step = total(|m| m.time.step).max(1e-12);
        let parts = [
            ("generate", total(|m| m.time.generate)),
            ("verify", total(|m| m.time.verify)),
            ("train", total(|m| m.time.train)),
        ];
        let rest = step - parts.iter().map(|(_, part)| part).sum::<f64>();
        let all = parts.into_iter().chain([("other", rest.max(0.0))]);
        if self.metrics.is_empty() {
            return Vec::new();
        }
        all.map(|(name, part)| (name, 100.0 * part / step)).collect()
    }
}

/// What the template names.
#[derive(Debug, Serialize)]
struct Page<'a> {
    version: &'static str,
    title: &'a str,
    config: &'a str,
    summary: Vec<Card>,
    comparison: Vec<Comparison>,
    curves: Vec<Panel>,
    successes: Vec<Panel>,
    shares: Vec<(&'static str, f64)>,
    transcripts: String,
    has_transcripts: bool,
}

#[derive(Debug, Serialize)]
struct Card {
    name: String,
    value: String,
    note: String,
}

impl Card {
    fn new(name: impl Into<String>, value: String, note: String) -> Self {
        Self { name: name.into(), value, note }
    }

    fn before_after(k: u64, before: Interval, after: Option<Interval>) -> Self {
        let name = format!("pass@{k}, held out");
        match after {
            Some(after) => {
                let note = format!("from {:.3}: {:+.3}", before.mean, after.mean - before.mean);
                Self::new(name, format!("{:.3}", after.mean), note)
            }
            None => Self::new(name, format!("{:.3}", before.mean), "before training".to_owned()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Comparison {
    name: String,
    before: Interval,
    after: Option<Interval>,
}

#[cfg(test)]
mod tests;
