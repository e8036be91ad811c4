//! JSON and the part of JSON Schema that constraints use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use super::{ConstraintError, regex};

/// Keywords that describe and demand nothing.
const DESCRIPTIONS: [&str; 8] =
    ["$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"];

/// The JSON value that a text is, with or without a code fence around it.
pub(super) fn value(text: &str) -> Option<Value> {
    let text = text.trim();
    let fenced = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let inner = fenced.map(|inner| {
        let (language, rest) = inner.split_once('\n').unwrap_or(("", inner));
        if ["", "json"].contains(&language.trim().to_ascii_lowercase().as_str()) {
            rest
        } else {
            inner
        }
    });
    serde_json::from_str(inner.unwrap_or(text)).ok()
}

/// True if a text is JSON that a schema describes.
pub(super) fn conforms(text: &str, schema: &str) -> Result<bool, ConstraintError> {
    let schema = serde_json::from_str(schema).map_err(|error| wrong(&error.to_string()))?;
    // A broken schema is found whatever the text is.
    valid(&Value::Null, &schema)?;
    match value(text) {
        Some(value) => valid(&value, &schema),
        None => Ok(false),
    }
}

fn wrong(reason: &str) -> ConstraintError {
    ConstraintError::Schema { reason: reason.to_owned() }
}

/// True if a value meets a schema. All keywords are looked at, so that a broken one is always found.
fn valid(value: &Value, schema: &Value) -> Result<bool, ConstraintError> {
    let keywords = match schema {
        Value::Bool(allowed) => return Ok(*allowed),
        Value::Object(keywords) => keywords,
        _ => return Err(wrong("a schema is an object, true or false")),
    };
    let mut all = true;
    for (keyword, demand) in keywords {
        let known = general(value, keyword, demand)?
            .or(structure(value, keyword, demand, keywords)?)
            .or(size(value, keyword, demand)?);
        all &= match known {
            Some(met) => met,
            None if DESCRIPTIONS.contains(&keyword.as_str()) => true,
            None => return Err(wrong(&format!("the keyword `{keyword}` is not known here"))),
        };
    }
    Ok(all)
}

/// Keywords on values of any kind.
fn general(value: &Value, keyword: &str, demand: &Value) -> Result<Option<bool>, ConstraintError> {
    let each = || {
        let schemas = demand.as_array().ok_or_else(|| wrong("a list of schemas is needed"))?;
        schemas.iter().map(|schema| valid(value, schema)).collect::<Result<Vec<bool>, _>>()
    };
    Ok(Some(match keyword {
        "type" => has_type(value, demand)?,
        "enum" => {
            let options = demand.as_array().ok_or_else(|| wrong("`enum` is a list"))?;
            options.iter().any(|option| same(option, value))
        }
        "const" => same(demand, value),
        "allOf" => each()?.into_iter().all(|met| met),
        "anyOf" => each()?.into_iter().any(|met| met),
        "oneOf" => each()?.into_iter().filter(|met| *met).count() == 1,
        "not" => !valid(value, demand)?,
        _ => return Ok(None),
    }))
}

/// Keywords on what objects and lists hold. Each says nothing about values of other kinds.
fn structure(
    value: &Value,
    keyword: &str,
    demand: &Value,
    siblings: &Map<String, Value>,
) -> Result<Option<bool>, ConstraintError> {
    let object = value.as_object();
    let list = value.as_array();
    let nothing = Map::new();
    Ok(Some(match keyword {
        "properties" => {
            let demands = demand.as_object().ok_or_else(|| wrong("`properties` is an object"))?;
            let mut all = true;
            for (name, schema) in demands {
                let found = object.and_then(|object| object.get(name));
                let met = valid(found.unwrap_or(&Value::Null), schema)?;
                all &= found.is_none() || met;
            }
            all
        }
        "required" => {
            let names = demand.as_array().ok_or_else(|| wrong("`required` is a list"))?;
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            let names = names.ok_or_else(|| wrong("`required` is a list of names"))?;
            object.is_none_or(|object| names.iter().all(|name| object.contains_key(*name)))
        }
        "additionalProperties" => {
            valid(&Value::Null, demand)?;
            let known = siblings.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
            let others =
                object.into_iter().flatten().filter(|(name, _)| !known.contains_key(*name));
            let met =
                others.map(|(_, value)| valid(value, demand)).collect::<Result<Vec<_>, _>>()?;
            met.into_iter().all(|met| met)
        }
        "items" => {
            valid(&Value::Null, demand)?;
            let met = list.into_iter().flatten().map(|item| valid(item, demand));
            met.collect::<Result<Vec<_>, _>>()?.into_iter().all(|met| met)
        }
        "uniqueItems" => {
            let wanted = demand.as_bool().ok_or_else(|| wrong("`uniqueItems` is true or false"))?;
            let distinct = |list: &Vec<Value>| {
                let forms: BTreeSet<String> = list.iter().map(canonical).collect();
                forms.len() == list.len()
            };
            !wanted || list.is_none_or(distinct)
        }
        _ => return Ok(None),
    }))
}

/// Keywords that bound something.
fn size(value: &Value, keyword: &str, demand: &Value) -> Result<Option<bool>, ConstraintError> {
    let bound = || demand.as_f64().ok_or_else(|| wrong(&format!("`{keyword}` is a number")));
    let within = |size: Option<f64>, allowed: fn(f64, f64) -> bool| {
        bound().map(|bound| Some(size.is_none_or(|size| allowed(size, bound))))
    };
    let least = |size: f64, bound: f64| size >= bound;
    let most = |size: f64, bound: f64| size <= bound;
    let length = value.as_str().map(|text| text.chars().count() as f64);
    let items = value.as_array().map(|list| list.len() as f64);
    let names = value.as_object().map(|object| object.len() as f64);
    match keyword {
        "minLength" => within(length, least),
        "maxLength" => within(length, most),
        "minItems" => within(items, least),
        "maxItems" => within(items, most),
        "minProperties" => within(names, least),
        "maxProperties" => within(names, most),
        "minimum" => within(value.as_f64(), least),
        "maximum" => within(value.as_f64(), most),
        "exclusiveMinimum" => within(value.as_f64(), |size, bound| size > bound),
        "exclusiveMaximum" => within(value.as_f64(), |size, bound| size < bound),
        "pattern" => {
            let pattern = demand.as_str().ok_or_else(|| wrong("`pattern` is a text"))?;
            let pattern = regex(pattern)?;
            Ok(Some(value.as_str().is_none_or(|text| pattern.is_match(text))))
        }
        _ => Ok(None),
    }
}

fn has_type(value: &Value, demand: &Value) -> Result<bool, ConstraintError> {
    let names = match demand {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Err(wrong("`type` is a name or a list of names")),
    };
    let mut any = false;
    for name in names {
        any |= match name {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => value.as_number().is_some_and(is_integer),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => return Err(wrong(&format!("there is no type `{name}`"))),
        };
    }
    Ok(any)
}

fn is_integer(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|value| value.fract() == 0.0)
}

/// Equality of JSON: `1` and `1.0` are the same number.
fn same(a: &Value, b: &Value) -> bool {
    canonical(a) == canonical(b)
}

/// A text that is the same for equal values.
fn canonical(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Number(number) => match number.as_f64() {
            // Rust prints all digits of such a number, and adding 0 takes the sign of -0.
            Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{:.0}", float + 0.0),
            _ => number.to_string(),
        },
        Value::Array(items) => format!("[{}]", joined(items.iter().map(canonical).collect())),
        Value::Object(items) => {
            let sorted: BTreeMap<&String, &Value> = items.iter().collect();
            let pair = |(name, value): (&&String, &&Value)| {
                format!("{}:{}", Value::String((*name).clone()), canonical(value))
            };
            format!("{{{}}}", joined(sorted.iter().map(pair).collect()))
        }
        other => other.to_string(),
    }
}
