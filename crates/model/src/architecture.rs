//! What distinguishes one family of decoders from another, as options of one transformer.

use serde::{Deserialize, Serialize};

use crate::causal_lm::ModelError;
use crate::rope::RopeScaling;

/// Options of a [`Transformer`](crate::Transformer) beyond its sizes. [`Default`] is the Qwen2 shape
/// with tied embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Architecture {
    /// Width of a head; `None` is the width over the query heads.
    pub head_width: Option<usize>,
    /// Which projections of the attention have a bias.
    pub attention_bias: AttentionBias,
    /// True if the projections of the MLP have biases.
    pub mlp_bias: bool,
    /// True if the output shares the embedding's parameters.
    pub tied: bool,
    /// RMSNorm over each head of queries and keys, before the rotation.
    pub query_key_norm: bool,
    /// True if norms multiply by `1 + w` and not by `w`.
    pub norm_offset: bool,
    /// True if a norm also follows each half of a block.
    pub output_norms: bool,
    /// The gate's activation.
    pub activation: Activation,
    /// Multiplies the embeddings.
    pub embedding_scale: Option<f64>,
    /// Multiplies the attention scores; `None` is one over the root of the head's width.
    pub attention_scale: Option<f64>,
    /// `c` in `c tanh(score / c)`, applied to attention scores.
    pub attention_soft_cap: Option<f64>,
    /// `c` in `c tanh(logit / c)`, applied to logits.
    pub logit_soft_cap: Option<f64>,
    /// How the rotary frequencies are stretched.
    pub rope_scaling: RopeScaling,
    /// Layers that see a window only.
    pub window: Option<SlidingWindow>,
}

/// Which projections of the attention have a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionBias {
    /// No projection.
    None,
    /// Queries, keys and values.
    QueryKeyValue,
    /// The output too.
    All,
}

/// Activation of the gate in `(activation(x gate) * (x up)) down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x sigmoid(x)`: SwiGLU.
    Silu,
    /// `x Phi(x)`: GeGLU.
    Gelu,
    /// [`Gelu`](Self::Gelu) by its tanh approximation.
    GeluTanh,
}

/// Attention to the last `width` tokens only, the token itself included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlidingWindow {
    /// Tokens seen.
    pub width: usize,
    /// For each layer whether it has the window.
    pub layers: Vec<bool>,
    /// Base of the rotary frequencies, unscaled, of those layers; `None` is that of the others.
    pub rope_theta: Option<f64>,
}

impl Default for Architecture {
    fn default() -> Self {
        Self {
            head_width: None,
            attention_bias: AttentionBias::QueryKeyValue,
            mlp_bias: false,
            tied: true,
            query_key_norm: false,
            norm_offset: false,
            output_norms: false,
            activation: Activation::Silu,
            embedding_scale: None,
            attention_scale: None,
            attention_soft_cap: None,
            logit_soft_cap: None,
            rope_scaling: RopeScaling::None,
            window: None,
        }
    }
}

impl AttentionBias {
    /// True if queries, keys and values have one.
    pub(crate) fn on_inputs(self) -> bool {
        self != Self::None
    }

    /// True if the output has one.
    pub(crate) fn on_output(self) -> bool {
        self == Self::All
    }
}

impl Architecture {
    /// True if this layer sees a window only.
    pub(crate) fn is_windowed(&self, layer: usize) -> bool {
        self.window.as_ref().is_some_and(|window| window.layers[layer])
    }

    /// Checks the options for a model of so many layers.
    pub(crate) fn validate(&self, layers: usize) -> Result<(), ModelError> {
        let refuse = |text: String| Err(ModelError::Config(text));
        let positive = [
            ("embedding_scale", self.embedding_scale),
            ("attention_scale", self.attention_scale),
            ("attention_soft_cap", self.attention_soft_cap),
            ("logit_soft_cap", self.logit_soft_cap),
            ("window.rope_theta", self.window.as_ref().and_then(|window| window.rope_theta)),
        ];
        for (name, value) in positive {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return refuse(format!("{name} must be positive, not {value}"));
            }
        }
        if let Some(window) = &self.window {
            if window.width == 0 {
                return refuse("window.width must be at least 1, not 0".to_owned());
            }
            if window.layers.len() != layers {
                let found = window.layers.len();
                return refuse(format!("window.layers names {found} layers of {layers}"));
            }
        }
        self.rope_scaling.validate()
    }
}
