//! The command line of an experiment.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::resolve_device;
use fireproof_lab::{Findings, Jobs, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::layers;

/// Flags that every experiment has.
#[derive(Args, Clone, Debug)]
pub struct LabArguments {
    /// The exact part alone, in less than a minute
    #[arg(long)]
    pub quick: bool,
    /// More seeds, arms and starts; takes hours
    #[arg(long, conflicts_with = "quick")]
    pub full: bool,
    /// Seeds of the part with the transformer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub seeds: Option<u64>,
    /// One setting, such as `exact.target=0.6`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Folder of results [default: `runs/NAME`, `runs/NAME-quick` or `runs/NAME-full`]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where to compute: flex, ndarray, wgpu, cuda, ...
    #[arg(long)]
    pub device: Option<String>,
}

/// How much of an experiment is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The exact part.
    Quick,
    /// Both parts.
    Default,
    /// Both parts, larger.
    Full,
}

/// An experiment about to run.
#[derive(Debug)]
pub struct Lab {
    name: &'static str,
    /// How much is run.
    pub size: Size,
    /// Where results go.
    pub out: PathBuf,
    /// Where tensors live.
    pub device: ResolvedDevice,
}

impl LabArguments {
    /// The size that was asked for.
    #[must_use]
    pub fn size(&self) -> Size {
        match (self.quick, self.full) {
            (true, _) => Size::Quick,
            (_, true) => Size::Full,
            _ => Size::Default,
        }
    }

    /// The settings of the size with `--set` over them; misspelt keys are refused by name.
    ///
    /// # Errors
    /// If a setting is not one of the experiment or has a value of the wrong kind.
    pub fn settings<T: Serialize + DeserializeOwned>(&self, base: &T) -> Result<T, Box<dyn Error>> {
        Ok(layers::layered(base, None, &self.settings)?)
    }

    /// Opens the experiment `name` and says what it runs on.
    ///
    /// # Errors
    /// If the device is not there.
    pub fn open(&self, name: &'static str) -> Result<Lab, Box<dyn Error>> {
        let device = resolve_device(self.device.as_deref())?;
        let folder = match self.size() {
            Size::Quick => format!("runs/{name}-quick"),
            Size::Default => format!("runs/{name}"),
            Size::Full => format!("runs/{name}-full"),
        };
        let out = self.out.clone().unwrap_or_else(|| folder.into());
        println!("fireproof {} {name}", env!("CARGO_PKG_VERSION"));
        println!("device   {device}; results in {}", out.display());
        Ok(Lab { name, size: self.size(), out, device })
    }
}

impl Lab {
    /// The jobs of one part, kept in a folder of their own; what is done there is not done again.
    /// `settings` must hold all that a result depends on besides the name of its job.
    ///
    /// # Errors
    /// If the folder holds results of other settings or cannot be used.
    pub fn jobs(&self, part: &str, settings: &impl Serialize) -> Result<Jobs, Box<dyn Error>> {
        Ok(Jobs::open(&self.out.join("jobs").join(part), settings)?)
    }

    /// Facts that every report states: version, device, date, command.
    #[must_use]
    pub fn facts(&self) -> Vec<(String, String)> {
        let fact = |name: &str, value: String| (name.to_owned(), value);
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let command = format!("{} {}", self.name, arguments.join(" "));
        vec![
            fact("command", command.trim().to_owned()),
            fact("version", format!("fireproof {}", env!("CARGO_PKG_VERSION"))),
            fact("device", self.device.to_string()),
            fact("date", jiff::Zoned::now().strftime("%Y-%m-%d").to_string()),
        ]
    }

    /// Prints the findings and writes them.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn conclude(
        &self,
        findings: &Findings,
        data: &impl Serialize,
    ) -> Result<(), Box<dyn Error>> {
        println!("{findings}");
        let page = findings.write(&self.out, &serde_json::to_value(data)?)?;
        println!("look at {}; numbers in {}", page.display(), summary(&self.out).display());
        Ok(())
    }
}

fn summary(out: &Path) -> PathBuf {
    out.join("summary.json")
}

/// Shows how far the jobs of a part are, as a bar on a terminal and as lines elsewhere.
///
/// # Panics
/// Never: the bar's template is always the same.
pub fn watch(part: &'static str) -> impl Fn(Progress<'_>) + Sync {
    let bar = ProgressBar::no_length().with_prefix(part);
    let style = "{prefix:<12} {wide_bar} {pos}/{len} {msg}  {elapsed}, about {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is tested"));
    move |progress: Progress<'_>| {
        if bar.is_hidden() {
            let Progress { done, all, last, elapsed } = progress;
            let eighth = (all / 8).max(1);
            if done == all || done.is_multiple_of(eighth) {
                println!("{part:<12} {done}/{all} {last} ({:.0} s)", elapsed.as_secs_f64());
            }
            return;
        }
        bar.set_length(progress.all as u64);
        if progress.last.is_empty() {
            // What was done before does not count for the time that is left.
            bar.set_position(progress.done as u64);
            bar.reset_eta();
        }
        bar.set_position(progress.done as u64);
        bar.set_message(progress.last.to_owned());
        if progress.done == progress.all {
            bar.finish_and_clear();
        }
    }
}
