//! `config.json` of a Hugging Face checkpoint, as the sizes and options of a [`Transformer`].
//!
//! Both spellings are read: that of published checkpoints (`rope_theta`, `rope_scaling`,
//! `torch_dtype`) and that of transformers 5 (`rope_parameters`, `dtype`). A field that is missing
//! has the value that `transformers` gives it; sizes have none and must be there.
//!
//! [`Transformer`]: crate::Transformer

mod fields;
mod rope;

use burn::tensor::DType;
use serde_json::{Map, Value};

use crate::architecture::{Activation, Architecture, AttentionBias, SlidingWindow};
use crate::causal_lm::ModelError;
use crate::config::TransformerConfig;
use fields::Fields;
use rope::Ropes;

/// A family of checkpoints, named as their `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `qwen2`: Qwen2, Qwen2.5, Qwen2.5-Math.
    Qwen2,
    /// `qwen3`.
    Qwen3,
    /// `llama`: Llama, SmolLM, SmolLM2 and many others.
    Llama,
    /// `mistral`.
    Mistral,
    /// `gemma`.
    Gemma,
    /// `gemma2`.
    Gemma2,
    /// `gemma3_text`.
    Gemma3Text,
}

impl Family {
    /// All families there are.
    pub const ALL: [Self; 7] = [
        Self::Qwen2,
        Self::Qwen3,
        Self::Llama,
        Self::Mistral,
        Self::Gemma,
        Self::Gemma2,
        Self::Gemma3Text,
    ];

    /// The `model_type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Gemma => "gemma",
            Self::Gemma2 => "gemma2",
            Self::Gemma3Text => "gemma3_text",
        }
    }

    fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma | Self::Gemma2 | Self::Gemma3Text)
    }

    fn is_sandwiched(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3Text)
    }
}

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is not a JSON object.
    #[error("is not a JSON object: {0}")]
    Json(String),
    /// It is of a family that is not here.
    #[error("`model_type` {found:?} is not supported; supported are {known}")]
    UnknownFamily {
        /// Its `model_type`.
        found: String,
        /// Those there are.
        known: String,
    },
    /// A field is missing, impossible or asks for what is not supported.
    #[error("`{field}` {reason}")]
    Field {
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The sizes do not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl ConfigError {
    fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), reason: reason.into() }
    }
}

/// What a `config.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub family: Family,
    /// Sizes and options. Its `context` may be lowered to save memory.
    pub transformer: TransformerConfig,
    /// The precision in which the weights were published.
    pub dtype: Option<DType>,
    /// The file, from which an export writes a new one.
    json: Map<String, Value>,
}

impl ModelConfig {
    /// Reads the text of a `config.json`.
    ///
    /// ```
    /// use fireproof_model::{Family, ModelConfig};
    /// let config = ModelConfig::from_hf(r#"{
    ///     "model_type": "llama", "vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2,
    ///     "num_attention_heads": 4, "num_key_value_heads": 1, "intermediate_size": 24,
    ///     "max_position_embeddings": 64, "rope_theta": 500000.0, "torch_dtype": "bfloat16"
    /// }"#).unwrap();
    /// assert_eq!(config.family, Family::Llama);
    /// assert_eq!(config.transformer.rope_theta, 500_000.0);
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] names the field.
    pub fn from_hf(text: &str) -> Result<Self, ConfigError> {
        let json: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| ConfigError::Json(error.to_string()))?;
        let fields = Fields(&json);
        let family = family(&fields)?;
        refuse_unsupported(&fields, family)?;
        let transformer = transformer(&fields, family)?;
        transformer.validate()?;
        let dtype = dtype(&fields)?;
        Ok(Self { family, transformer, dtype, json })
    }

    /// The text of a `config.json` for weights of another precision.
    ///
    /// # Panics
    /// Never: it was read from JSON.
    #[must_use]
    pub fn to_hf(&self, dtype: DType) -> String {
        let mut json = self.json.clone();
        let spelling = if json.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        json.insert(spelling.to_owned(), dtype_name(dtype).into());
        serde_json::to_string_pretty(&json).expect("plain data has a JSON form") + "\n"
    }
}

fn family(fields: &Fields<'_>) -> Result<Family, ConfigError> {
    let found: String = fields.required("model_type")?;
    Family::ALL.into_iter().find(|family| family.name() == found).ok_or_else(|| {
        let known: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
        ConfigError::UnknownFamily { found, known: known.join(", ") }
    })
}

/// Refuses what would change the numbers and is not computed here.
fn refuse_unsupported(fields: &Fields<'_>, family: Family) -> Result<(), ConfigError> {
    if fields.0.contains_key("quantization_config") {
        let reason = "is not supported: use a checkpoint that is not quantised";
        return Err(ConfigError::field("quantization_config", reason));
    }
    if fields.optional::<bool>("use_bidirectional_attention")? == Some(true) {
        return Err(ConfigError::field("use_bidirectional_attention", "is not supported"));
    }
    if fields.optional::<f64>("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
        return Err(ConfigError::field("partial_rotary_factor", "must be 1 or absent"));
    }
    let capped = fields.optional::<f64>("attn_logit_softcapping")?.is_some();
    if family == Family::Gemma3Text && capped {
        let reason = "is not supported for gemma3_text: `transformers` ignores it";
        return Err(ConfigError::field("attn_logit_softcapping", reason));
    }
    Ok(())
}

fn transformer(fields: &Fields<'_>, family: Family) -> Result<TransformerConfig, ConfigError> {
    let heads: usize = fields.required("num_attention_heads")?;
    let layers: usize = fields.required("num_hidden_layers")?;
    let width: usize = fields.required("hidden_size")?;
    let context: usize = fields.required("max_position_embeddings")?;
    let kv_heads = match family {
        // Null means one for each query head; the first Llama checkpoints do not have the field.
        Family::Llama => fields.or("num_key_value_heads", heads)?,
        _ => fields.required_or_null("num_key_value_heads", heads)?,
    };
    let ropes = Ropes::new(fields, family, context)?;
    Ok(TransformerConfig {
        vocabulary: fields.required("vocab_size")?,
        width,
        layers,
        heads,
        kv_heads,
        mlp_width: fields.required("intermediate_size")?,
        context,
        rope_theta: ropes.theta,
        norm_epsilon: fields.or("rms_norm_eps", 1e-6)?,
        // Nothing of a checkpoint starts at random, so 0 is no harm.
        initial_std: fields.optional("initializer_range")?.filter(|std| *std > 0.0).unwrap_or(0.02),
        architecture: Architecture {
            head_width: head_width(fields, family)?,
            attention_bias: attention_bias(fields, family)?,
            mlp_bias: family == Family::Llama && fields.or("mlp_bias", false)?,
            tied: fields.or("tie_word_embeddings", family.is_gemma())?,
            query_key_norm: matches!(family, Family::Qwen3 | Family::Gemma3Text),
            norm_offset: family.is_gemma(),
            output_norms: family.is_sandwiched(),
            activation: activation(fields, family)?,
            embedding_scale: family.is_gemma().then(|| (width as f64).sqrt()),
            attention_scale: match family.is_sandwiched() {
                true => {
                    Some(fields.or("query_pre_attn_scalar", 256.0)?).map(|s: f64| 1.0 / s.sqrt())
                }
                false => None,
            },
            attention_soft_cap: match family {
                Family::Gemma2 => fields.nullable("attn_logit_softcapping", Some(50.0))?,
                _ => None,
            },
            logit_soft_cap: match family {
                Family::Gemma2 => fields.nullable("final_logit_softcapping", Some(30.0))?,
                Family::Gemma3Text => fields.optional("final_logit_softcapping")?,
                _ => None,
            },
            rope_scaling: ropes.scaling,
            window: window(fields, family, layers, ropes.local_theta)?,
        },
    })
}

fn head_width(fields: &Fields<'_>, family: Family) -> Result<Option<usize>, ConfigError> {
    let found = fields.optional("head_dim")?;
    Ok(match family {
        Family::Qwen3 => found.or(Some(128)),
        family if family.is_gemma() => found.or(Some(256)),
        _ => found,
    })
}

fn attention_bias(fields: &Fields<'_>, family: Family) -> Result<AttentionBias, ConfigError> {
    Ok(match family {
        Family::Qwen2 => AttentionBias::QueryKeyValue,
        Family::Mistral => AttentionBias::None,
        _ if fields.or("attention_bias", false)? => AttentionBias::All,
        _ => AttentionBias::None,
    })
}

fn activation(fields: &Fields<'_>, family: Family) -> Result<Activation, ConfigError> {
    let field = if family.is_sandwiched() { "hidden_activation" } else { "hidden_act" };
    let default = if family.is_gemma() { "gelu_pytorch_tanh" } else { "silu" };
    let found: String = fields.or(field, default.to_owned())?;
    match found.as_str() {
        "silu" | "swish" => Ok(Activation::Silu),
        // The first Gemma checkpoints say "gelu" and mean the approximation.
        "gelu" if family == Family::Gemma => Ok(Activation::GeluTanh),
        "gelu" => Ok(Activation::Gelu),
        "gelu_pytorch_tanh" | "gelu_new" => Ok(Activation::GeluTanh),
        _ => {
            let reason = format!(
                "{found:?} is not supported; supported are silu, gelu, gelu_new, gelu_pytorch_tanh"
            );
            Err(ConfigError::field(field, reason))
        }
    }
}

fn window(
    fields: &Fields<'_>,
    family: Family,
    layers: usize,
    rope_theta: Option<f64>,
) -> Result<Option<SlidingWindow>, ConfigError> {
    let by_types = fields.layer_types(layers)?;
    let (width, pattern): (Option<usize>, Vec<bool>) = match family {
        Family::Llama | Family::Gemma => return Ok(None),
        Family::Mistral => (fields.nullable("sliding_window", Some(4096))?, vec![true; layers]),
        Family::Qwen2 | Family::Qwen3 => {
            let used = fields.or("use_sliding_window", false)?;
            let width = fields.nullable("sliding_window", Some(4096))?.filter(|_| used);
            let first: usize = fields.or("max_window_layers", 28)?;
            let default = (0..layers).map(|layer| width.is_some() && layer >= first).collect();
            (width, by_types.unwrap_or(default))
        }
        Family::Gemma2 | Family::Gemma3Text => {
            let every: usize = match family {
                Family::Gemma2 => 2,
                _ => fields.or("sliding_window_pattern", 6)?,
            };
            let default = (1..=layers).map(|layer| !layer.is_multiple_of(every)).collect();
            (fields.nullable("sliding_window", Some(4096))?, by_types.unwrap_or(default))
        }
    };
    if !pattern.contains(&true) {
        return Ok(None);
    }
    match width {
        Some(width) => Ok(Some(SlidingWindow { width, layers: pattern, rope_theta })),
        None if family == Family::Mistral => Ok(None),
        None => {
            let reason = "is null or unused, but some layers are of sliding attention";
            Err(ConfigError::field("sliding_window", reason))
        }
    }
}

fn dtype(fields: &Fields<'_>) -> Result<Option<DType>, ConfigError> {
    for field in ["dtype", "torch_dtype"] {
        let Some(name) = fields.optional::<String>(field)? else { continue };
        let known = [DType::F32, DType::BF16, DType::F16];
        let found = known.into_iter().find(|dtype| dtype_name(*dtype) == name);
        let reason = format!("{name:?} is not supported; supported are float32, bfloat16, float16");
        return found.map(Some).ok_or_else(|| ConfigError::field(field, reason));
    }
    Ok(None)
}

fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::BF16 => "bfloat16",
        DType::F16 => "float16",
        _ => "float32",
    }
}
