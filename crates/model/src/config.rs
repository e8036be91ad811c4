//! Sizes and options of a transformer.

use burn::tensor::{DType, Device};
use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::causal_lm::{ModelError, ModelLimits};
use crate::initial::Initial;
use crate::transformer::Transformer;

/// Sizes and options of a [`Transformer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Number of tokens, `V`.
    pub vocabulary: usize,
    /// Width of the residual stream, `D`; a multiple of `2 heads` unless the heads have a width of
    /// their own.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads, `H`; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of the gated layer.
    pub mlp_width: usize,
    /// Most tokens a row can hold.
    pub context: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square in RMSNorm.
    pub norm_epsilon: f64,
    /// Standard deviation of the initial weights.
    pub initial_std: f32,
    /// What distinguishes the model's family.
    #[serde(default)]
    pub architecture: Architecture,
}

impl TransformerConfig {
    /// About 0.1 million parameters: learns the procedural tasks within minutes on two CPU cores.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            vocabulary: 32,
            width: 64,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            mlp_width: 208,
            context: 64,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-6,
            initial_std: 0.08,
            architecture: Architecture::default(),
        }
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// [`ModelError::Config`] names the size and its rule.
    pub fn validate(&self) -> Result<(), ModelError> {
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("mlp_width", self.mlp_width),
            ("context", self.context),
        ];
        let refuse = |text: String| Err(ModelError::Config(text));
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return refuse(format!("{name} must be at least 1, not 0"));
        }
        match self.architecture.head_width {
            Some(head) if head == 0 || !head.is_multiple_of(2) => {
                return refuse(format!("head_width must be even and above 0, not {head}"));
            }
            None if !self.width.is_multiple_of(2 * self.heads) => {
                let multiple = 2 * self.heads;
                let width = self.width;
                return refuse(format!("width {width} must be a multiple of 2 heads = {multiple}"));
            }
            _ => {}
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return refuse(format!(
                "heads {} must be a multiple of kv_heads {}",
                self.heads, self.kv_heads
            ));
        }
        let positive = [
            ("rope_theta", self.rope_theta),
            ("norm_epsilon", self.norm_epsilon),
            ("initial_std", f64::from(self.initial_std)),
        ];
        if let Some((name, value)) = positive.iter().find(|(_, v)| !(v.is_finite() && *v > 0.0)) {
            return refuse(format!("{name} must be positive, not {value}"));
        }
        self.architecture.validate(self.layers)
    }

    /// A model with random parameters that depend on the seed alone, not on the backend.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) refuses the sizes.
    #[must_use]
    pub fn init(&self, seed: u64, device: &Device) -> Transformer {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        let mut initial = Initial::new(seed, self, device);
        Transformer::build(self, &mut initial, device, DType::F32)
            .unwrap_or_else(|never| match never {})
    }

    /// What the host checks before it uploads tokens.
    #[must_use]
    pub fn limits(&self) -> ModelLimits {
        ModelLimits { vocabulary: self.vocabulary, context: self.context }
    }

    /// Width of a head.
    #[must_use]
    pub fn head_width(&self) -> usize {
        self.architecture.head_width.unwrap_or(self.width / self.heads)
    }

    /// Width of all query heads together.
    pub(crate) fn query_width(&self) -> usize {
        self.heads * self.head_width()
    }

    /// Width of all key heads together.
    pub(crate) fn kv_width(&self) -> usize {
        self.kv_heads * self.head_width()
    }
}
