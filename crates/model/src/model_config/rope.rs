//! The rotary encoding in both spellings.

use super::fields::Fields;
use super::{ConfigError, Family};
use crate::rope::RopeScaling;

/// Bases and scaling of the rotary frequencies.
pub(super) struct Ropes {
    pub(super) theta: f64,
    pub(super) scaling: RopeScaling,
    /// Base of layers with a window, where it is another.
    pub(super) local_theta: Option<f64>,
}

impl Ropes {
    pub(super) fn new(
        fields: &Fields<'_>,
        family: Family,
        context: usize,
    ) -> Result<Self, ConfigError> {
        let old = fields.object("rope_scaling")?.filter(|old| !old.0.is_empty());
        let new = fields.object("rope_parameters")?;
        if family == Family::Gemma3Text {
            return Self::by_layer_type(fields, old, new, context);
        }
        let parameters = old.or(new);
        if parameters.is_some_and(|parameters| parameters.0.contains_key("full_attention")) {
            let reason = format!("by layer type is not supported for {}", family.name());
            return Err(ConfigError::field("rope_parameters", reason));
        }
        let theta = match parameters {
            Some(parameters) => parameters.optional("rope_theta")?,
            None => None,
        };
        let theta = theta.or(fields.optional("rope_theta")?).unwrap_or(10_000.0);
        let scaling = scaling(fields, parameters, context)?;
        Ok(Self { theta, scaling, local_theta: None })
    }

    fn by_layer_type(
        fields: &Fields<'_>,
        old: Option<Fields<'_>>,
        new: Option<Fields<'_>>,
        context: usize,
    ) -> Result<Self, ConfigError> {
        let of_type = |name: &str| match &new {
            Some(new) => new.object(name),
            None => Ok(None),
        };
        let (full, sliding) = (of_type("full_attention")?, of_type("sliding_attention")?);
        let theta = |parameters: &Option<Fields<'_>>, field: &str, default: f64| match parameters {
            Some(parameters) if parameters.0.contains_key("rope_theta") => {
                parameters.required("rope_theta")
            }
            _ => fields.or(field, default),
        };
        if scaling(fields, sliding, context)? != RopeScaling::None {
            let reason = "scales the layers of sliding attention, which is not supported";
            return Err(ConfigError::field("rope_parameters", reason));
        }
        Ok(Self {
            theta: theta(&full, "rope_theta", 1_000_000.0)?,
            scaling: scaling(fields, old.or(full), context)?,
            local_theta: Some(theta(&sliding, "rope_local_base_freq", 10_000.0)?),
        })
    }
}

fn scaling(
    fields: &Fields<'_>,
    parameters: Option<Fields<'_>>,
    context: usize,
) -> Result<RopeScaling, ConfigError> {
    let Some(parameters) = parameters else { return Ok(RopeScaling::None) };
    if parameters.optional::<f64>("partial_rotary_factor")?.is_some_and(|factor| factor != 1.0) {
        return Err(ConfigError::field("partial_rotary_factor", "must be 1 or absent"));
    }
    let kind = match parameters.optional::<String>("rope_type")? {
        Some(kind) => kind,
        None => parameters.or("type", "default".to_owned())?,
    };
    let original = || -> Result<usize, ConfigError> {
        let name = "original_max_position_embeddings";
        let outside = fields.optional(name)?;
        outside.map_or_else(|| parameters.or(name, context), Ok)
    };
    match kind.as_str() {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: parameters.required("factor")? }),
        "dynamic" => Ok(RopeScaling::Dynamic { factor: parameters.required("factor")? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: parameters.required("factor")?,
            low_frequency: parameters.required("low_freq_factor")?,
            high_frequency: parameters.required("high_freq_factor")?,
            original_context: original()?,
        }),
        "yarn" => yarn(parameters, original()?, context),
        _ => {
            let reason = format!(
                "{kind:?} is not supported; supported are default, linear, dynamic, llama3, yarn"
            );
            Err(ConfigError::field("rope_type", reason))
        }
    }
}

fn yarn(
    parameters: Fields<'_>,
    original_context: usize,
    context: usize,
) -> Result<RopeScaling, ConfigError> {
    let factor = parameters.or("factor", context as f64 / original_context as f64)?;
    let mut attention_factor = parameters.optional("attention_factor")?;
    let scales = (parameters.or("mscale", 0.0)?, parameters.or("mscale_all_dim", 0.0)?);
    if attention_factor.is_none() && scales.0 != 0.0 && scales.1 != 0.0 {
        let of = |scale: f64| if factor > 1.0 { 0.1 * scale * f64::ln(factor) + 1.0 } else { 1.0 };
        attention_factor = Some(of(scales.0) / of(scales.1));
    }
    Ok(RopeScaling::Yarn {
        factor,
        beta_fast: parameters.or("beta_fast", 32.0)?,
        beta_slow: parameters.or("beta_slow", 1.0)?,
        original_context,
        attention_factor,
        truncate: parameters.or("truncate", true)?,
    })
}
