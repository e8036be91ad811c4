//! What a person sees while a program runs: progress bars and one live line on a terminal, plain
//! lines in a pipe, burn-train's dashboard if it is asked for.

#[cfg(feature = "tui")]
mod dashboard;

use std::io::IsTerminal;

use fireproof::trainer::StepMetrics;
use indicatif::{ProgressBar, ProgressStyle};

use crate::interrupt::Interrupt;

#[cfg(feature = "tui")]
use dashboard::Dashboard;

/// Where a program's messages go.
#[derive(Debug)]
pub struct Display {
    mode: Mode,
    bar: Option<ProgressBar>,
}

#[derive(Debug)]
enum Mode {
    /// Every line as it comes.
    Plain,
    /// Bars on the standard error, lines above them.
    Bars,
    /// The whole terminal; lines wait until it closes.
    #[cfg(feature = "tui")]
    Dashboard(Box<Dashboard>),
}

/// The dashboard was asked for and cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DisplayError {
    /// It is not in this program.
    #[error("--tui: this program was built without it; build it with `--features tui`")]
    NotCompiled,
    /// There is no terminal to draw on.
    #[error("--tui needs a terminal, and the output goes into a file or a pipe")]
    NoTerminal,
}

impl Display {
    /// Bars if both outputs are terminals, plain lines otherwise.
    #[must_use]
    pub fn new() -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self { mode: if terminal { Mode::Bars } else { Mode::Plain }, bar: None }
    }

    /// Checks that the dashboard could be shown.
    ///
    /// # Errors
    /// [`DisplayError`] says why not.
    pub fn check_dashboard() -> Result<(), DisplayError> {
        match (cfg!(feature = "tui"), std::io::stdout().is_terminal()) {
            (false, _) => Err(DisplayError::NotCompiled),
            (true, false) => Err(DisplayError::NoTerminal),
            (true, true) => Ok(()),
        }
    }

    /// Gives the terminal to the dashboard; its own keys can ask `interrupt` for the end.
    #[cfg(feature = "tui")]
    pub fn open_dashboard(&mut self, interrupt: &Interrupt) {
        self.mode = Mode::Dashboard(Box::new(Dashboard::new(interrupt)));
    }

    /// Without the feature there is none; [`check_dashboard`](Self::check_dashboard) says so.
    #[cfg(not(feature = "tui"))]
    pub fn open_dashboard(&mut self, _interrupt: &Interrupt) {}

    /// One line that stays.
    pub fn line(&mut self, text: impl AsRef<str>) {
        match (&mut self.mode, &self.bar) {
            #[cfg(feature = "tui")]
            (Mode::Dashboard(dashboard), _) => dashboard.keep(text.as_ref()),
            (_, Some(bar)) => bar.suspend(|| println!("{}", text.as_ref())),
            (_, None) => println!("{}", text.as_ref()),
        }
    }

    /// A warning on the standard error.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        match (&mut self.mode, &self.bar) {
            #[cfg(feature = "tui")]
            (Mode::Dashboard(dashboard), _) => dashboard.keep(text.as_ref()),
            (_, Some(bar)) => bar.suspend(|| eprintln!("warning: {}", text.as_ref())),
            (_, None) => eprintln!("warning: {}", text.as_ref()),
        }
    }

    /// Begins a phase of `total` parts, `done` of which are done; 0 means that nobody knows.
    ///
    /// # Panics
    /// Never: the templates are constants.
    pub fn begin(&mut self, name: &'static str, total: u64, done: u64) {
        if !matches!(self.mode, Mode::Bars) {
            return;
        }
        let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        let template = match total {
            0 => "{prefix:<9}{spinner} {elapsed} {msg}",
            _ => "{prefix:<9}{bar:28.cyan/dim} {pos}/{len}  {elapsed} + {eta}\n{wide_msg}",
        };
        let style = ProgressStyle::with_template(template).expect("a constant template");
        bar.set_style(style);
        bar.set_prefix(name);
        bar.set_position(done);
        bar.reset_eta();
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        self.bar = Some(bar);
    }

    /// Another part of the phase is done.
    pub fn advance(&mut self, message: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.into());
            bar.inc(1);
        }
    }

    /// The phase is over, and its bar goes away.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// A training step: on a terminal the live line, and every `keep`-th also as one that stays.
    pub fn step(&mut self, metrics: &StepMetrics, steps: u64) {
        let keep = (steps / 10).max(1);
        let done = metrics.step + 1;
        match &mut self.mode {
            #[cfg(feature = "tui")]
            Mode::Dashboard(dashboard) => dashboard.step(metrics, steps),
            Mode::Plain => println!("{metrics}"),
            Mode::Bars => {
                self.advance(metrics.to_string());
                if done.is_multiple_of(keep) {
                    self.line(metrics.to_string());
                }
            }
        }
    }

    /// Training is over: the dashboard, if there is one, gives the terminal back.
    pub fn close_dashboard(&mut self) {
        #[cfg(feature = "tui")]
        if let Mode::Dashboard(_) = self.mode {
            let Mode::Dashboard(dashboard) = std::mem::replace(&mut self.mode, Self::new().mode)
            else {
                unreachable!("just looked")
            };
            for line in dashboard.close() {
                println!("{line}");
            }
        }
    }
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}
