//! Special tokens of a checkpoint: their texts, and the ids that end a completion.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::json_file::{FileError, JsonFile};

/// Texts by name, such as `eos_token` -> `<|im_end|>`, as chat templates see them.
pub(crate) type SpecialTokens = BTreeMap<String, String>;

/// The special tokens that `tokenizer_config.json` names, over those of the older
/// `special_tokens_map.json`.
pub(crate) fn special_tokens(folder: &Path) -> Result<SpecialTokens, FileError> {
    let mut found = SpecialTokens::new();
    for name in ["special_tokens_map.json", "tokenizer_config.json"] {
        let Some(file) = JsonFile::read(&folder.join(name))? else { continue };
        for (field, value) in file.fields().filter(|(field, _)| field.ends_with("_token")) {
            match (value, value.get("content")) {
                (Value::String(text), _) | (_, Some(Value::String(text))) => {
                    found.insert(field.to_owned(), text.clone());
                }
                // Switches such as `add_bos_token` end in the same word.
                (Value::Bool(_), _) => {}
                _ => {
                    let reason = format!("is {value}, not a text or an object with `content`");
                    return Err(file.refuse(field, reason));
                }
            }
        }
    }
    Ok(found)
}

/// The ids that end a completion, as `transformers` finds them: `eos_token_id` of
/// `generation_config.json` or else of `config.json`, an id or a list of ids. Empty if neither says.
///
/// `known` tells whether an id is a token.
pub(crate) fn stop_ids(folder: &Path, known: impl Fn(u32) -> bool) -> Result<Vec<u32>, FileError> {
    for name in ["generation_config.json", "config.json"] {
        let Some(file) = JsonFile::read(&folder.join(name))? else { continue };
        let Some(value) = file.get("eos_token_id") else { continue };
        let ids = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let id = |value: &Value| {
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
            let refuse = |reason| file.refuse("eos_token_id", reason);
            match id {
                Some(id) if known(id) => Ok(id),
                Some(id) => Err(refuse(format!("names token {id}, which tokenizer.json lacks"))),
                None => Err(refuse(format!("holds {value}, not a token id"))),
            }
        };
        let ids = ids.iter().map(id).collect::<Result<Vec<u32>, _>>()?;
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    Ok(Vec::new())
}
