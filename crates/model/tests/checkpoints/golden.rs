//! The fixtures and how to compare with them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fireproof_kernels::test_devices;
use fireproof_model::{ModelConfig, ModelFolder, Transformer};
use serde::Deserialize;

/// A folder of `golden/families`.
#[derive(Clone)]
pub(crate) struct Case(String);

#[derive(Deserialize)]
pub(crate) struct Golden {
    pub(crate) rows: Vec<Vec<u32>>,
    pub(crate) logits: Vec<Vec<Vec<f32>>>,
    pub(crate) temperature: f32,
    pub(crate) logprobs: Vec<Vec<f32>>,
    pub(crate) entropies: Vec<Vec<f32>>,
    pub(crate) greedy: Greedy,
    /// Largest difference of a logit when `transformers` computes in bf16.
    pub(crate) bf16_error: f32,
    pub(crate) training: Training,
}

#[derive(Deserialize)]
pub(crate) struct Greedy {
    pub(crate) prompt: Vec<u32>,
    pub(crate) ids: Vec<u32>,
    /// By how much each exceeds the next best logit.
    pub(crate) margins: Vec<f32>,
}

#[derive(Deserialize)]
pub(crate) struct Training {
    /// Before each of four steps, and after the last.
    pub(crate) losses: Vec<f32>,
    pub(crate) gradient_norm: f64,
    /// Norm, and product with a wave, of each parameter's gradient.
    pub(crate) gradients: BTreeMap<String, [f64; 2]>,
    /// The same of each parameter after the steps.
    pub(crate) parameters: BTreeMap<String, [f64; 2]>,
    pub(crate) adamw: AdamW,
}

#[derive(Deserialize)]
pub(crate) struct AdamW {
    pub(crate) learning_rate: f64,
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) epsilon: f32,
    pub(crate) weight_decay: f32,
}

impl Case {
    pub(crate) fn path(&self) -> PathBuf {
        families().join(&self.0)
    }

    pub(crate) fn golden(&self) -> Golden {
        let text = std::fs::read_to_string(self.path().join("golden.json"));
        serde_json::from_str(&text.expect("the fixture is there")).expect("the fixture is valid")
    }

    pub(crate) fn config(&self) -> ModelConfig {
        ModelFolder::open(&self.path()).unwrap_or_else(|error| panic!("{self}: {error}")).config
    }

    pub(crate) fn load(&self, device: &Device) -> Transformer {
        self.load_as(DType::F32, device)
    }

    pub(crate) fn load_as(&self, dtype: DType, device: &Device) -> Transformer {
        let loaded = ModelFolder::open(&self.path()).and_then(|f| f.load(dtype, device));
        loaded.unwrap_or_else(|error| panic!("{self}: {error}"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn families() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families")
}

/// All fixtures, by name.
pub(crate) fn cases() -> Vec<Case> {
    let entries = std::fs::read_dir(families()).expect("the fixtures are there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        Case(entry.expect("a folder").file_name().to_string_lossy().into_owned())
    };
    let mut cases: Vec<Case> = entries.map(name).collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

/// Checks every fixture on every device.
pub(crate) fn on_every_device(check: impl Fn(&Case, &Device)) {
    for resolved in test_devices() {
        for case in cases() {
            println!("{case} on {resolved}");
            check(&case, &resolved.device);
        }
    }
}

pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec_as().expect("float data")
}

pub(crate) fn ints(rows: &[Vec<u32>], device: &Device) -> Tensor<2, Int> {
    let width = rows[0].len();
    let flat: Vec<i32> = rows.iter().flatten().map(|token| *token as i32).collect();
    Tensor::from_data(TensorData::new(flat, [rows.len(), width]), device)
}

/// Rows right-padded with garbage, and their positions.
pub(crate) fn padded(rows: &[Vec<u32>], device: &Device) -> (Tensor<2, Int>, Tensor<2, Int>) {
    let width = rows.iter().map(Vec::len).max().expect("rows");
    let pad = |row: &Vec<u32>| {
        row.iter().copied().chain((row.len()..width).map(|i| (i % 7) as u32)).collect()
    };
    let tokens: Vec<Vec<u32>> = rows.iter().map(pad).collect();
    let positions = vec![(0..width as u32).collect::<Vec<u32>>(); rows.len()];
    (ints(&tokens, device), ints(&positions, device))
}

/// Every number within `tolerance` of the expected one.
#[track_caller]
pub(crate) fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, case: &Case) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance, "{case}: number {index} is {a}, not {b}");
    }
}
