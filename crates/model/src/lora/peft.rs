//! Adapters in the files of PEFT: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use serde_json::{Value, json};

use super::{LoraConfig, LoraError, LoraTarget};
use crate::json_file::{FileError, JsonFile};
use crate::transformer::Transformer;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// Fields that are read here, or that change nothing about what a trained adapter computes. Every
/// other one must be unset: PEFT's variants of LoRA each add a field.
const READ: [&str; 19] = [
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "ensure_weight_tying",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "target_modules",
    "task_type",
    "use_rslora",
];

impl Transformer {
    /// The model with the adapters that PEFT or [`save_lora`](Self::save_lora) wrote to a folder;
    /// everything else is frozen.
    ///
    /// # Errors
    /// [`LoraError`] names the file and the field or tensor; adapters of another kind are refused,
    /// not approximated.
    pub fn load_lora(self, folder: &Path) -> Result<Self, LoraError> {
        let path = folder.join(CONFIG);
        let file = JsonFile::read(&path)?;
        let file = file.ok_or_else(|| FileError::unreadable(&path, "there is no such file"))?;
        let config = read_config(&file)?;

        let path = folder.join(WEIGHTS);
        let bytes = fs::read(&path).map_err(|error| FileError::unreadable(&path, error))?;
        let tensors = SafeTensors::deserialize(&bytes);
        let tensors = tensors.map_err(|error| FileError::unreadable(&path, error))?;
        let mut left: BTreeSet<&str> = tensors.names().into_iter().collect();
        let model = self.with_adapters(&config, |layer, target, [input, output]| {
            let mut read = |which, shape| {
                let name = tensor_name(layer, target, which);
                left.remove(name.as_str());
                let values = read_matrix(&tensors, &name, shape);
                values.map_err(|reason| FileError::unreadable(&path, reason))
            };
            let a = read("A", [config.rank, input])?;
            let b = read("B", [output, config.rank])?;
            Ok((a, b))
        })?;
        match left.first() {
            Some(name) => {
                let reason = format!("tensor `{name}` belongs to none of its target_modules here");
                Err(FileError::unreadable(&path, reason).into())
            }
            None => Ok(model),
        }
    }

    /// Writes the adapters to a folder, which is made if it is not there. `base` is the name or
    /// folder of the model that they belong to.
    ///
    /// # Errors
    /// [`LoraError::Absent`] if there are none; [`LoraError::Files`] if a file cannot be written.
    ///
    /// # Panics
    /// If the device fails while the adapters are read.
    pub fn save_lora(&self, folder: &Path, base: &str) -> Result<(), LoraError> {
        let adapted: Vec<(usize, LoraTarget)> = self
            .all_projections()
            .filter(|(layer, target)| self.projection(*layer, *target).adapter.is_some())
            .collect();
        let Some((layer, target)) = adapted.first() else { return Err(LoraError::Absent) };
        let first = self.projection(*layer, *target).adapter.as_ref().expect("it was just found");
        let rank = first.lora_a.dims()[1];
        let of_first_layer = adapted.iter().filter(|(of, _)| of == layer);
        let targets: Vec<&str> = of_first_layer.map(|(_, target)| target.name()).collect();
        let config = written_config(rank, first.scale * rank as f64, &targets, base);

        let mut tensors = BTreeMap::new();
        for (layer, target) in adapted {
            let adapter = self.projection(layer, target).adapter.as_ref().expect("it was found");
            for (which, matrix) in [("A", &adapter.lora_a), ("B", &adapter.lora_b)] {
                let data = matrix.val().transpose().into_data();
                tensors.insert(tensor_name(layer, target, which), data);
            }
        }
        let path = folder.join(WEIGHTS);
        let bytes = serialized(&tensors).map_err(|error| FileError::unreadable(&path, error))?;
        let text = serde_json::to_string_pretty(&config).expect("a config has a JSON form") + "\n";
        fs::create_dir_all(folder).map_err(|error| FileError::unreadable(folder, error))?;
        fs::write(&path, bytes).map_err(|error| FileError::unreadable(&path, error))?;
        let path = folder.join(CONFIG);
        Ok(fs::write(&path, text).map_err(|error| FileError::unreadable(&path, error))?)
    }
}

/// The settings of an adapter, if it is one of ours.
fn read_config(file: &JsonFile) -> Result<LoraConfig, LoraError> {
    let refuse = |field: &str, reason: String| Err(file.refuse(field, reason).into());
    let text = |field| file.get(field).and_then(Value::as_str);
    if text("peft_type") != Some("LORA") {
        return refuse("peft_type", format!("is {:?}, not \"LORA\"", text("peft_type")));
    }
    if text("bias").is_some_and(|bias| bias != "none") {
        return refuse("bias", "trains biases, which is not supported".to_owned());
    }
    // PiSSA and its like start from parts of the base's weights and leave it with the rest.
    let start = file.get("init_lora_weights");
    if start.is_some_and(|start| !(start.is_boolean() || start == "gaussian")) {
        return refuse("init_lora_weights", "changes the base, which is not supported".to_owned());
    }
    for (field, value) in file.fields().filter(|(field, _)| !READ.contains(field)) {
        let empty = value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(serde_json::Map::is_empty);
        if !empty && *value != Value::Bool(false) {
            return refuse(field, format!("is {value}, which is not supported"));
        }
    }
    let Some(rank) = file.get("r").and_then(Value::as_u64) else {
        return refuse("r", "is no rank".to_owned());
    };
    let Some(alpha) = file.get("lora_alpha").and_then(Value::as_f64) else {
        return refuse("lora_alpha", "is no number".to_owned());
    };
    let config = LoraConfig {
        rank: usize::try_from(rank).unwrap_or(0),
        alpha,
        rank_stabilized: file.get("use_rslora") == Some(&Value::Bool(true)),
        targets: read_targets(file)?,
    };
    config.validate().map(|()| config)
}

/// `target_modules`: names, or `all-linear`.
fn read_targets(file: &JsonFile) -> Result<Vec<LoraTarget>, LoraError> {
    const FIELD: &str = "target_modules";
    let refuse = |reason: String| LoraError::from(file.refuse(FIELD, reason));
    match file.get(FIELD) {
        Some(Value::String(all)) if all == "all-linear" => Ok(LoraTarget::ALL.to_vec()),
        Some(Value::Array(names)) => {
            // The order of the file is that of a set of Python's; ours gives the same adapters.
            let unknown =
                names.iter().find(|name| !LoraTarget::ALL.iter().any(|t| t.name() == **name));
            if let Some(name) = unknown {
                return Err(refuse(format!("holds {name}, which is no projection of a block")));
            }
            let named = |target: &LoraTarget| names.iter().any(|name| name == target.name());
            Ok(LoraTarget::ALL.into_iter().filter(named).collect())
        }
        other => {
            let found = other.map_or("is missing".to_owned(), |value| format!("is {value}"));
            Err(refuse(format!("{found}; a list of projections or \"all-linear\" is supported")))
        }
    }
}

/// What PEFT reads.
fn written_config(rank: usize, alpha: f64, targets: &[&str], base: &str) -> Value {
    // PEFT writes a whole number where there is one.
    let alpha = if alpha.fract() == 0.0 { json!(alpha as u64) } else { json!(alpha) };
    json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "target_modules": targets,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "use_rslora": false,
        "use_dora": false,
        "modules_to_save": null,
        "layers_to_transform": null,
        "rank_pattern": {},
        "alpha_pattern": {},
    })
}

/// A file of `f32` tensors, with the metadata that PyTorch's own files have.
fn serialized(tensors: &BTreeMap<String, TensorData>) -> Result<Vec<u8>, SafeTensorError> {
    let mut views = Vec::new();
    for (name, data) in tensors {
        views.push((name, TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())?));
    }
    safetensors::serialize(views, Some([("format".to_owned(), "pt".to_owned())].into()))
}

fn tensor_name(layer: usize, target: LoraTarget, which: &str) -> String {
    let (parent, name) = (target.parent(), target.name());
    format!("base_model.model.model.layers.{layer}.{parent}.{name}.lora_{which}.weight")
}

/// The transposed values of a matrix that must have this shape.
fn read_matrix(
    tensors: &SafeTensors<'_>,
    name: &str,
    shape: [usize; 2],
) -> Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|_| format!("tensor `{name}` is missing"))?;
    if tensor.shape() != shape {
        return Err(format!("tensor `{name}` has shape {:?} instead of {shape:?}", tensor.shape()));
    }
    let dtype = match tensor.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::BF16 => DType::BF16,
        Dtype::F16 => DType::F16,
        other => return Err(format!("tensor `{name}` is {other:?}, not F32, BF16 or F16")),
    };
    let data = TensorData::from_bytes_vec(tensor.data().to_vec(), shape, dtype);
    let values: Vec<f32> = data.iter::<f32>().collect();
    let [rows, columns] = shape;
    Ok((0..rows * columns).map(|at| values[at % rows * columns + at / rows]).collect())
}
