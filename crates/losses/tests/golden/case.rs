//! One case of a fixture, and settings that know which of them were read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Numbers of each token of each row.
pub(crate) type Matrix = Vec<Vec<f64>>;

pub(crate) const FILES: [&str; 7] = [
    "clipped.json",
    "surrogates.json",
    "covariance.json",
    "kl.json",
    "entropy.json",
    "mismatch.json",
    "transcribed.json",
];

#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) inputs: Fields,
    pub(crate) expected: Fields,
}

/// Inputs or results by name.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fields(Map<String, Value>);

/// Settings by name. A setting that nobody reads is one that we do not have.
#[derive(Debug, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub(crate) struct Settings {
    values: Map<String, Value>,
    read: RefCell<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

pub(crate) fn load(file: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = fs::read_to_string(&path).expect("the fixture is in the repository");
    let File { cases } = serde_json::from_str(&text).expect("the form of README.md");
    cases
}

impl Fields {
    /// A field of any form; `None` if it is absent or null.
    pub(crate) fn field<'de, T: Deserialize<'de>>(&'de self, name: &str) -> Option<T> {
        let value = self.0.get(name).filter(|value| !value.is_null())?;
        Some(T::deserialize(value).unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    pub(crate) fn matrix(&self, name: &str) -> Option<Matrix> {
        self.field(name)
    }

    pub(crate) fn require(&self, name: &str) -> Matrix {
        self.matrix(name).unwrap_or_else(|| panic!("the case has no {name}"))
    }
}

impl From<Map<String, Value>> for Settings {
    fn from(values: Map<String, Value>) -> Self {
        // What a peer calls it changes no number.
        let read = BTreeSet::from(["peer_reduction".to_owned()]);
        Self { values, read: RefCell::new(read) }
    }
}

impl Settings {
    fn value(&self, name: &str) -> Option<&Value> {
        self.read.borrow_mut().insert(name.to_owned());
        self.values.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.value(name).map(|value| value.as_f64().expect("a number"))
    }

    pub(crate) fn require(&self, name: &str) -> f64 {
        self.number(name).unwrap_or_else(|| panic!("the case has no {name}"))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).map(|value| value.as_str().expect("a text"))
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value.as_bool().expect("a flag"))
    }

    /// Those that nobody has asked for.
    pub(crate) fn unread(&self) -> Vec<&str> {
        let read = self.read.borrow();
        self.values.keys().map(String::as_str).filter(|name| !read.contains(*name)).collect()
    }

    /// All as text.
    pub(crate) fn text_of_all(&self) -> String {
        Value::Object(self.values.clone()).to_string()
    }
}
