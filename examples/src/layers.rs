//! Settings in layers: defaults, a TOML file, `key=value` arguments; misspelt keys are named.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::run_file::RunFileError;

/// Settings with a file and then `key=value` settings over them.
pub(crate) fn layered<T: Serialize + DeserializeOwned>(
    base: &T,
    file: Option<&Path>,
    settings: &[String],
) -> Result<T, RunFileError> {
    let mut table = toml::Table::try_from(base).expect("a run file is a table");
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RunFileError::Read { path: path.to_owned(), source })?;
        // Parsed whole first: its errors know the line and the column.
        parsed::<T>(path, &text)?;
        merge(&mut table, parsed(path, &text)?);
    }
    for text in settings {
        apply::<T>(&mut table, text)?;
    }
    Ok(table.try_into().expect("every layer was checked"))
}

/// The settings in the text of a file.
pub(crate) fn parsed<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, RunFileError> {
    let refuse = |source| RunFileError::Parse { path: path.to_owned(), source: Box::new(source) };
    toml::from_str(text).map_err(refuse)
}

/// Puts the values of `over` in place of those of `base`, table by table.
fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Applies one `key=value`, such as `trainer.steps=20` or `recipe=aspo`.
fn apply<T: DeserializeOwned>(table: &mut toml::Table, text: &str) -> Result<(), RunFileError> {
    let refuse = |reason: String| RunFileError::Set { text: text.to_owned(), reason };
    let Some((key, value)) = text.split_once('=') else {
        return Err(refuse("write `key=value`, such as `trainer.steps=20`".to_owned()));
    };
    let (key, value) = (key.trim(), value.trim());
    // `recipe=aspo` needs no quotes, because nothing else starts with a letter.
    let quoted = format!("{key} = {:?}", value);
    let over: toml::Table = toml::from_str(&format!("{key} = {value}"))
        .or_else(|_| toml::from_str(&quoted))
        .map_err(|error| refuse(error.message().to_owned()))?;
    let mut changed = table.clone();
    merge(&mut changed, over);
    let checked: Result<T, _> = changed.clone().try_into();
    checked.map_err(|error| refuse(error.message().to_owned()))?;
    *table = changed;
    Ok(())
}
