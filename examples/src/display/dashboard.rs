//! burn-train's terminal dashboard, driven directly: every metric as a curve, progress, and keys
//! that end the run.

use std::fmt;
use std::sync::Arc;

use burn_train::Interrupter;
use burn_train::logger::TrainingProgressLogger;
use burn_train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use fireproof::trainer::StepMetrics;

use crate::interrupt::Interrupt;

/// Name, whether larger is better, and where to find it.
type Shown = (&'static str, bool, fn(&StepMetrics) -> f64);

const SHOWN: [Shown; 9] = [
    ("pass@1", true, |m| m.pass_at_1.into()),
    ("reward", true, |m| m.reward.mean.into()),
    ("entropy", true, |m| m.entropy.into()),
    ("clipped", false, |m| (m.clip.low + m.clip.high + m.clip.dual).into()),
    ("length", false, |m| m.length.mean.into()),
    ("dead groups", false, |m| m.dead_groups.into()),
    ("KL to behaviour", false, |m| m.kl_behaviour.k3.into()),
    ("gradient norm", false, |m| m.grad_norm.into()),
    ("training tokens/s", true, |m| m.time.train_tokens_per_second),
];

/// The dashboard, from its opening to its end.
pub(super) struct Dashboard {
    renderer: TuiMetricsRendererWrapper,
    keys: Interrupter,
    interrupt: Interrupt,
    metrics: Vec<MetricId>,
    began: bool,
    kept: Vec<String>,
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").field("began", &self.began).finish_non_exhaustive()
    }
}

impl Dashboard {
    /// Takes the terminal.
    pub(super) fn new(interrupt: &Interrupt) -> Self {
        let keys = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(keys.clone(), None);
        let register = |(name, higher_is_better, _): &Shown| {
            let metric_id = MetricId::new(Arc::new((*name).to_owned()));
            let attributes = NumericAttributes { unit: None, higher_is_better: *higher_is_better };
            renderer.register_metric(MetricDefinition {
                metric_id: metric_id.clone(),
                name: Arc::new((*name).to_owned()),
                description: None,
                attributes: MetricAttributes::Numeric(attributes),
            });
            metric_id
        };
        let metrics = SHOWN.iter().map(register).collect();
        let (interrupt, kept) = (interrupt.clone(), Vec::new());
        Self { renderer, keys, interrupt, metrics, began: false, kept }
    }

    /// A finished step.
    pub(super) fn step(&mut self, step: &StepMetrics, steps: u64) {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        if !self.began {
            self.renderer.start(1, 1, Some(count(steps)), Some("fireproof"));
            self.renderer.start_split("train", count(steps));
            self.began = true;
        }
        for (metric_id, (_, _, of)) in self.metrics.iter().zip(&SHOWN) {
            let value = of(step);
            let entry = SerializedEntry::new(format!("{value:.4}"), value.to_string());
            let entry = MetricEntry::new(metric_id.clone(), entry);
            let state = MetricState::Numeric(entry, Some(NumericEntry::Value(value)));
            self.renderer.update_train(state);
        }
        self.renderer.update_split(count(step.step + 1));
        if self.keys.should_stop() {
            self.interrupt.ask();
        }
    }

    /// A line for when the terminal is free again.
    pub(super) fn keep(&mut self, line: &str) {
        self.kept.push(line.to_owned());
    }

    /// Gives the terminal back; the lines that waited.
    pub(super) fn close(mut self) -> Vec<String> {
        self.renderer.end_split();
        drop(self.renderer);
        self.kept
    }
}
