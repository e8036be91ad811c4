//! Where templates stand in the folder of a checkpoint.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::DEFAULT;
use crate::json_file::{FileError, JsonFile, read_text};

/// The templates of a folder by name.
pub(super) fn templates(folder: &Path) -> Result<BTreeMap<String, String>, FileError> {
    let mut found = BTreeMap::new();
    if let Some(file) = JsonFile::read(&folder.join("tokenizer_config.json"))? {
        found = configured(&file)?;
    }
    if let Some(text) = read_text(&folder.join("chat_template.jinja"))? {
        // The files replace the field as a whole.
        found = additional(&folder.join("additional_chat_templates"))?;
        found.insert(DEFAULT.to_owned(), text);
    }
    Ok(found)
}

/// `chat_template` of `tokenizer_config.json`: a template, or a list of `{"name", "template"}`.
fn configured(file: &JsonFile) -> Result<BTreeMap<String, String>, FileError> {
    const FIELD: &str = "chat_template";
    let text = |value: &Value, key| value.get(key).and_then(Value::as_str).map(str::to_owned);
    match file.get(FIELD) {
        None => Ok(BTreeMap::new()),
        Some(Value::String(text)) => Ok([(DEFAULT.to_owned(), text.clone())].into()),
        Some(Value::Array(items)) => {
            let item =
                |(index, item): (usize, &Value)| match (text(item, "name"), text(item, "template"))
                {
                    (Some(name), Some(template)) => Ok((name, template)),
                    _ => {
                        Err(file.refuse(FIELD, format!("has no name and template in item {index}")))
                    }
                };
            items.iter().enumerate().map(item).collect()
        }
        Some(_) => Err(file.refuse(FIELD, "is neither a text nor a list of named templates")),
    }
}

/// `NAME.jinja` of a folder that need not exist.
fn additional(folder: &Path) -> Result<BTreeMap<String, String>, FileError> {
    let Ok(entries) = folder.read_dir() else { return Ok(BTreeMap::new()) };
    let mut found = BTreeMap::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_template = path.extension().is_some_and(|extension| extension == "jinja");
        let name = path.file_stem().filter(|_| is_template).and_then(|name| name.to_str());
        if let (Some(name), Some(text)) = (name, read_text(&path)?) {
            found.insert(name.to_owned(), text);
        }
    }
    Ok(found)
}

/// `{% generation %}` marks what the assistant said and prints its body as it is. Jinja has no such
/// tag, so a condition that is always true takes its place.
pub(super) fn without_generation_tags(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        let Some(end) = tag.find("%}") else { break };
        let (tag, after) = tag.split_at(end + 2);
        text.push_str(before);
        let name = tag[2..end].trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        match name {
            "generation" => text.push_str(&tag.replace(name, "if true")),
            "endgeneration" => text.push_str(&tag.replace(name, "endif")),
            _ => text.push_str(tag),
        }
        rest = after;
    }
    text + rest
}
