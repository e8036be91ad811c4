//! Fields of a JSON object, with errors that name them.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ConfigError;

/// An object whose fields are asked for by name.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// A field that must be there.
    pub(super) fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        self.optional(name)?.ok_or_else(|| ConfigError::field(name, "is missing"))
    }

    /// A field that must be there but may be null, which means `null`.
    pub(super) fn required_or_null<T: DeserializeOwned>(
        &self,
        name: &str,
        null: T,
    ) -> Result<T, ConfigError> {
        match self.0.get(name) {
            None => Err(ConfigError::field(name, "is missing")),
            Some(_) => Ok(self.optional(name)?.unwrap_or(null)),
        }
    }

    /// A field, or `None` if it is missing or null.
    pub(super) fn optional<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ConfigError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone()).map(Some).map_err(|error| {
                ConfigError::field(name, format!("is impossible: {value}: {error}"))
            }),
        }
    }

    /// A field with a value for when it is missing or null.
    pub(super) fn or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T, ConfigError> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// A field where null is a value of its own and not the default.
    pub(super) fn nullable<T: DeserializeOwned>(
        &self,
        name: &str,
        default: Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        if self.0.contains_key(name) { self.optional(name) } else { Ok(default) }
    }

    /// A field that is an object.
    pub(super) fn object(&self, name: &str) -> Result<Option<Fields<'a>>, ConfigError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields(map))),
            Some(value) => Err(ConfigError::field(name, format!("must be an object, not {value}"))),
        }
    }

    /// For each layer whether `layer_types` gives it a window, if the field is there.
    pub(super) fn layer_types(&self, layers: usize) -> Result<Option<Vec<bool>>, ConfigError> {
        let Some(types) = self.optional::<Vec<String>>("layer_types")? else { return Ok(None) };
        if types.len() != layers {
            let reason = format!("names {} layers of {layers}", types.len());
            return Err(ConfigError::field("layer_types", reason));
        }
        let is_windowed = |name: &String| match name.as_str() {
            "sliding_attention" => Ok(true),
            "full_attention" => Ok(false),
            other => Err(ConfigError::field(
                "layer_types",
                format!("names {other:?}, which is not supported"),
            )),
        };
        types.iter().map(is_windowed).collect::<Result<_, _>>().map(Some)
    }
}
