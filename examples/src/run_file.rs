//! Run files: every setting of a run as TOML, with misspelt keys refused by name.

use std::path::{Path, PathBuf};

use fireproof::tasks::{TaskFamily, family};
use fireproof::trainer::{RecipeName, SelectorName, TrainerConfig, WarmStartConfig};
use serde::{Deserialize, Serialize};

use crate::layers;

/// Every setting of a run. What a file leaves out keeps its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunFile {
    /// The algorithm.
    pub recipe: RecipeName,
    /// Which prompts a step is made of.
    pub selector: SelectorName,
    /// What is asked.
    pub task: TaskConfig,
    /// The policy's sizes.
    pub model: ModelConfig,
    /// Supervised start.
    pub warm_start: WarmStartConfig,
    /// The loop and the optimiser.
    pub trainer: TrainerConfig,
    /// The comparison at the end.
    pub evaluation: EvaluationConfig,
    /// What is kept for the report.
    pub report: ReportConfig,
    /// Whether to refuse a run that cannot fit into memory.
    pub check_memory: bool,
}

/// A procedural family and its levels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    /// Name of a family in `fireproof::tasks::FAMILIES`, such as `sort`.
    pub family: String,
    /// Easiest level.
    pub easiest: u32,
    /// Hardest level.
    pub hardest: u32,
    /// Training prompts of each level (fewer where a level has fewer).
    pub prompts_per_level: usize,
}

/// Sizes of the transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// Width of the residual stream.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of the SwiGLU layer.
    pub mlp_width: usize,
}

/// Which completions are kept to be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportConfig {
    /// Steps from one whose completions are kept to the next; 0 keeps none.
    pub every: u64,
    /// Groups kept of such a step.
    pub groups: usize,
}

/// The held-out evaluation before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Held-out prompts.
    pub prompts: usize,
    /// Completions of each; at least 8, for pass@8.
    pub samples: usize,
}

impl Default for RunFile {
    fn default() -> Self {
        let mut trainer = TrainerConfig {
            steps: 250,
            prompts_per_step: 64,
            samples_per_prompt: 8,
            prompts_per_update: 16,
            max_new_tokens: 16,
            ..Default::default()
        };
        trainer.optimizer.learning_rate = 3e-4;
        Self {
            recipe: RecipeName::Grpo,
            selector: SelectorName::Uniform,
            task: TaskConfig::default(),
            model: ModelConfig::default(),
            warm_start: WarmStartConfig { steps: 50, ..Default::default() },
            trainer,
            evaluation: EvaluationConfig::default(),
            report: ReportConfig::default(),
            check_memory: true,
        }
    }
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self { family: "sort".to_owned(), easiest: 3, hardest: 6, prompts_per_level: 1000 }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { width: 64, layers: 2, heads: 4, kv_heads: 2, mlp_width: 208 }
    }
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { every: 10, groups: 4 }
    }
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { prompts: 256, samples: 16 }
    }
}

/// Why there is no usable run file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunFileError {
    /// The file could not be read.
    #[error("reading run file {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML or holds an unknown key or a value of the wrong kind.
    #[error("run file {path}: {source}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and what is expected.
        source: Box<toml::de::Error>,
    },
    /// A `--set` is not `key=value`, or its key or value is not one of a run file.
    #[error("--set {text}: {reason}")]
    Set {
        /// The argument.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is impossible.
    #[error("{key}: {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl RunFile {
    /// Small sizes for a smoke run of seconds.
    #[must_use]
    pub fn quick() -> Self {
        let mut quick = Self::default();
        quick.warm_start.steps = 16;
        quick.warm_start.demonstrations_per_step = 32;
        quick.trainer.steps = 4;
        quick.trainer.max_new_tokens = 8;
        quick.trainer.prompts_per_step = 8;
        quick.trainer.prompts_per_update = 4;
        quick.trainer.samples_per_prompt = 8;
        quick.evaluation = EvaluationConfig { prompts: 32, samples: 8 };
        quick.report.every = 1;
        quick
    }

    /// The runs of the experiments: a smaller transformer on two to four digits, where some fifty
    /// steps of 32 prompts are enough to see a policy learn.
    #[must_use]
    pub fn short() -> Self {
        let mut short = Self::default();
        (short.task.easiest, short.task.hardest) = (2, 4);
        short.task.prompts_per_level = 256;
        (short.model.width, short.model.mlp_width) = (48, 144);
        short.warm_start.steps = 30;
        short.trainer.steps = 10_000;
        short.trainer.max_new_tokens = 6;
        short.trainer.prompts_per_step = 32;
        short.trainer.prompts_per_update = 16;
        short.evaluation.prompts = 128;
        short
    }

    /// The defaults (or the quick sizes) with a file and then `key=value` settings over them.
    ///
    /// # Errors
    /// [`RunFileError`] names the file with line and column, or the setting.
    pub fn layered(
        quick: bool,
        file: Option<&Path>,
        settings: &[String],
    ) -> Result<Self, RunFileError> {
        let base = if quick { Self::quick() } else { Self::default() };
        layers::layered(&base, file, settings)
    }

    /// This file with `key=value` settings over it.
    ///
    /// # Errors
    /// [`RunFileError::Set`] names the setting.
    pub fn with(&self, settings: &[String]) -> Result<Self, RunFileError> {
        layers::layered(self, None, settings)
    }

    /// The settings in the text of a file.
    ///
    /// # Errors
    /// [`RunFileError::Parse`] names the file with line and column.
    pub fn parse(path: &Path, text: &str) -> Result<Self, RunFileError> {
        layers::parsed(path, text)
    }

    /// The settings as TOML.
    ///
    /// # Panics
    /// Never: every field has a TOML form.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every field has a TOML form")
    }

    /// The family that the file names, after checking everything that no single crate checks.
    ///
    /// # Errors
    /// [`RunFileError::Value`] names the key.
    pub fn family(&self) -> Result<&'static dyn TaskFamily, RunFileError> {
        let value = |key, reason| Err(RunFileError::Value { key, reason });
        let TaskConfig { family: name, easiest, hardest, prompts_per_level } = &self.task;
        let Some(family) = family(name) else {
            let names: Vec<&str> = fireproof::tasks::FAMILIES.map(TaskFamily::name).to_vec();
            let reason = format!("`{name}` is none of {}", names.join(", "));
            return value("task.family", reason);
        };
        let levels = family.levels();
        if !(levels.contains(easiest) && levels.contains(hardest) && easiest <= hardest) {
            let reason = format!("{name} has levels {levels:?}, not {easiest} to {hardest}");
            return value("task.easiest and task.hardest", reason);
        }
        if *prompts_per_level == 0 {
            return value("task.prompts_per_level", "must be at least 1, not 0".to_owned());
        }
        let longest = (*easiest..=*hardest).map(|level| family.longest_answer(level)).max();
        let needed = longest.unwrap_or(0) + 1;
        if self.trainer.max_new_tokens < needed {
            let reason = format!(
                "{} is too few: the longest right answer takes {needed} tokens with its stop token",
                self.trainer.max_new_tokens
            );
            return value("trainer.max_new_tokens", reason);
        }
        if self.evaluation.samples < 8 {
            let reason = format!("must be at least 8 for pass@8, not {}", self.evaluation.samples);
            return value("evaluation.samples", reason);
        }
        if self.evaluation.prompts == 0 {
            return value("evaluation.prompts", "must be at least 1, not 0".to_owned());
        }
        Ok(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolved_file_reads_back_as_itself() {
        for file in [RunFile::default(), RunFile::quick(), RunFile::short()] {
            assert_eq!(toml::from_str::<RunFile>(&file.to_toml()).unwrap(), file);
            file.family().unwrap();
        }
    }

    #[test]
    fn the_book_shows_the_defaults() {
        let shown = include_str!("../../book/src/generated/defaults.toml");
        let defaults = RunFile::default().to_toml();
        assert_eq!(shown, defaults, "write this to book/src/generated/defaults.toml:\n{defaults}");
    }

    #[test]
    fn later_layers_win() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "recipe = \"aspo\"\n[trainer]\nsteps = 7\nseed = 3\n").unwrap();
        let settings = ["trainer.steps=9".to_owned(), "recipe=linear-r".to_owned()];
        let file = RunFile::layered(true, Some(&path), &settings).unwrap();
        assert_eq!((file.trainer.steps, file.trainer.seed), (9, 3));
        assert_eq!(file.recipe, RecipeName::LinearR);
        assert_eq!(file.evaluation, RunFile::quick().evaluation);
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "[trainer]\nsteps = 7\nlearning_rat = 0.1\n").unwrap();
        let error = RunFile::layered(false, Some(&path), &[]).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("learning_rat"), "{error}");
        for (setting, part) in [
            ("trainer.stepz=3", "unknown field `stepz`"),
            ("recipe=grop", "unknown variant `grop`"),
            ("trainer.steps=-3", "invalid value"),
            ("trainer.steps=many", "invalid type"),
            ("steps", "write `key=value`"),
            ("=3", "--set =3"),
        ] {
            let error = RunFile::layered(false, None, &[setting.to_owned()]).unwrap_err();
            assert!(error.to_string().contains(part), "{setting}: {error}");
        }
    }

    #[test]
    fn impossible_values_are_named() {
        for (settings, part) in [
            (&["task.family=chess"][..], "task.family: `chess` is none of copy, reverse, sort"),
            (&["task.hardest=13"], "sort has levels 1..=12, not 3 to 13"),
            (&["task.easiest=3", "task.hardest=2"], "not 3 to 2"),
            (&["trainer.max_new_tokens=4"], "trainer.max_new_tokens: 4 is too few"),
            (&["evaluation.samples=4"], "at least 8 for pass@8, not 4"),
        ] {
            let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
            let file = RunFile::layered(false, None, &settings).unwrap();
            let error = file.family().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
