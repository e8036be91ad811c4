//! How much memory a run will take, before it takes it.

use std::fmt;

use fireproof_model::TransformerConfig;

use crate::config::TrainerConfig;
use crate::recipe::Recipe;

/// Bytes of a number: everything is `f32`.
const FLOAT: u64 = 4;

/// An estimate of the memory of a run, in bytes, part by part.
///
/// Parameters, gradients, optimiser states and the reference stay; training and rollout take turns,
/// so the larger of the two counts. An update holds two sets of gradients while it adds up
/// micro-batches, and two of parameters while it writes the new ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The policy, and the reference if the recipe has one.
    pub parameters: u64,
    /// Gradients and the new parameters during an update.
    pub gradients: u64,
    /// Both moments of Adam.
    pub optimizer: u64,
    /// What the forward pass of one micro-batch saves, and as much again as one block of it needs
    /// during the backward pass.
    pub training: u64,
    /// Keys, values and activations of all rows that are decoded together.
    pub rollout: u64,
}

impl MemoryEstimate {
    /// For a transformer under a recipe, with at most `rows` completions decoded together and
    /// prompts of at most `longest_prompt` tokens.
    #[must_use]
    pub fn new(
        model: &TransformerConfig,
        recipe: &Recipe,
        config: &TrainerConfig,
        rows: usize,
        longest_prompt: usize,
    ) -> Self {
        let parameters = model.parameters();
        let length = longest_prompt + config.max_new_tokens;
        // A micro-batch holds so many padded tokens, or one row, and no more than an update.
        let update_rows = config.update_size() * config.samples_per_prompt;
        let train_rows = (config.tokens_per_microbatch / length).clamp(1, update_rows);
        let saved = model.training_floats(train_rows, length, config.max_new_tokens);
        let at_work = model.inference_floats(train_rows, length, length);
        // Growing a cache copies it.
        let cache = 2 * model.cache_floats(rows, length);
        let decode = model.inference_floats(rows, 1, length);
        let prefill =
            model.inference_floats(config.prompts_per_step, longest_prompt, longest_prompt);
        let copies = 1 + usize::from(recipe.needs().reference);
        Self {
            parameters: bytes(copies * parameters),
            gradients: bytes(3 * parameters),
            optimizer: bytes(2 * parameters),
            training: bytes(saved + at_work),
            rollout: bytes(cache + decode.max(prefill)),
        }
    }

    /// The same run with `trainable` numbers in adapters beside a frozen base of `base` bytes.
    ///
    /// Only adapters have gradients and optimiser states, and a reference shares the base.
    #[must_use]
    pub fn with_adapters(self, base: u64, trainable: usize) -> Self {
        Self {
            parameters: base + bytes(2 * trainable),
            gradients: bytes(3 * trainable),
            optimizer: bytes(2 * trainable),
            ..self
        }
    }

    /// The same run with parameters and gradients of 16 bits; the optimiser keeps a copy of the
    /// parameters in `f32` beside its moments.
    #[must_use]
    pub fn in_half_precision(self) -> Self {
        Self {
            parameters: self.parameters / 2,
            gradients: self.gradients / 2,
            optimizer: self.optimizer / 2 * 3,
            ..self
        }
    }

    /// The most that is needed at once.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parameters + self.optimizer + (self.gradients + self.training).max(self.rollout)
    }

    /// What to change so that it takes less, by what takes most.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        let states = self.parameters + self.gradients + self.optimizer;
        if states >= self.training.max(self.rollout) {
            "choose a smaller model (model.width, model.layers)"
        } else if self.training >= self.rollout {
            "lower trainer.tokens_per_microbatch: it splits an update and changes nothing else"
        } else {
            "lower trainer.prompts_per_step, trainer.samples_per_prompt or trainer.max_new_tokens"
        }
    }
}

fn bytes(floats: usize) -> u64 {
    FLOAT * floats as u64
}

impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: parameters {}, optimiser {}, gradients {}, a micro-batch {}; or rollout {}",
            Bytes(self.total()),
            Bytes(self.parameters),
            Bytes(self.optimizer),
            Bytes(self.gradients),
            Bytes(self.training),
            Bytes(self.rollout),
        )
    }
}

/// A size such as `12 MiB` or `3.4 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0 as f64;
        match self.0 {
            0..1024 => write!(f, "{size} B"),
            1024..1_048_576 => write!(f, "{:.0} KiB", size / 1024.0),
            1_048_576..1_073_741_824 => write!(f, "{:.0} MiB", size / 1_048_576.0),
            _ => write!(f, "{:.1} GiB", size / 1_073_741_824.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use fireproof_selection::InOrder;

    use super::*;

    fn estimate(change: impl Fn(&mut TransformerConfig, &mut TrainerConfig)) -> MemoryEstimate {
        let (mut model, mut config) = (TransformerConfig::tiny(), TrainerConfig::default());
        change(&mut model, &mut config);
        let rows = config.prompts_per_step * config.samples_per_prompt;
        let recipe = Recipe::grpo(Box::new(InOrder::new(Vec::new())));
        MemoryEstimate::new(&model, &recipe, &config, rows, 8)
    }

    #[test]
    fn parameters_by_hand() {
        let found = estimate(|_, _| {});
        let parameters = 4 * TransformerConfig::tiny().parameters() as u64;
        assert_eq!((found.parameters, found.optimizer), (parameters, 2 * parameters));
        assert_eq!(found.gradients, 3 * parameters);
    }

    #[test]
    fn adapters_leave_the_base_without_gradients() {
        let whole = estimate(|_, _| {});
        let adapted = whole.with_adapters(1000, 10);
        let states = (adapted.parameters, adapted.gradients, adapted.optimizer);
        assert_eq!(states, (1080, 120, 80));
        assert_eq!((adapted.training, adapted.rollout), (whole.training, whole.rollout));
    }

    #[test]
    fn half_precision_keeps_three_numbers_a_parameter_in_f32() {
        let count = TransformerConfig::tiny().parameters() as u64;
        let half = estimate(|_, _| {}).in_half_precision();
        assert_eq!((half.parameters, half.gradients), (2 * count, 6 * count));
        assert_eq!(half.optimizer, 12 * count);
    }

    #[test]
    fn the_advice_names_what_takes_most() {
        let large = estimate(|model, config| {
            (model.width, model.layers, model.mlp_width) = (4096, 32, 11008);
            config.tokens_per_microbatch = 1;
        });
        assert!(large.advice().contains("model.width"), "{large}");
        assert!(large.total() > 60 << 30, "{large}");
        let batch = estimate(|_, config| {
            (config.tokens_per_microbatch, config.samples_per_prompt) = (1 << 22, 1 << 10);
        });
        assert!(batch.advice().contains("tokens_per_microbatch"), "{batch}");
        let rollout = estimate(|_, config| config.prompts_per_step = 1 << 16);
        assert!(rollout.advice().contains("prompts_per_step"), "{rollout}");
    }

    #[test]
    fn sizes_read_well() {
        let texts = [0, 1023, 2048, 5 << 20, 5 << 29].map(|size| Bytes(size).to_string());
        assert_eq!(texts, ["0 B", "1023 B", "2 KiB", "5 MiB", "2.5 GiB"]);
    }
}
