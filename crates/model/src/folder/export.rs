//! A model as a Hugging Face folder that `transformers` and others load.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use safetensors::tensor::{Dtype, View, serialize_to_file};
use serde::Serialize;

use super::error::WeightsError;
use super::{EMBEDDING, OUTPUT};
use crate::model_config::ModelConfig;
use crate::transformer::Transformer;

/// What goes along with the weights, if the folder that the model came from has it.
const COMPANIONS: [&str; 11] = [
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
];

/// How to write a model.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// Its configuration, which the new `config.json` repeats.
    pub config: &'a ModelConfig,
    /// Precision of the files: `F32`, `BF16` or `F16`.
    pub dtype: DType,
    /// Bytes of tensors from which on a further file is begun.
    pub shard_bytes: usize,
    /// The folder whose tokenizer and chat template are copied.
    pub companions: Option<&'a Path>,
}

impl<'a> Export<'a> {
    /// In the precision of the published checkpoint (or `F32`), in files of 5 GB.
    #[must_use]
    pub fn new(config: &'a ModelConfig) -> Self {
        let dtype = config.dtype.unwrap_or(DType::F32);
        Self { config, dtype, shard_bytes: 5_000_000_000, companions: None }
    }

    /// Writes `config.json`, the weights and the companions to a folder, which is made if it is not
    /// there. Every file appears whole or not at all; `config.json` is the last.
    ///
    /// # Errors
    /// [`WeightsError::Occupied`] if the folder holds weights already, so that nothing is mixed with
    /// another model's; [`WeightsError::Adapters`] if the model has adapters;
    /// [`WeightsError::Write`] names the file.
    pub fn write(&self, model: &Transformer, folder: &Path) -> Result<(), WeightsError> {
        if model.has_lora() {
            return Err(WeightsError::Adapters);
        }
        std::fs::create_dir_all(folder).map_err(|error| WeightsError::write(folder, error))?;
        let entries =
            std::fs::read_dir(folder).map_err(|error| WeightsError::read(folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| WeightsError::read(folder, &error))?;
            if entry.file_name().to_string_lossy().contains(".safetensors") {
                return Err(WeightsError::Occupied { path: folder.to_owned() });
            }
        }
        if let Some(source) = self.companions {
            copy_companions(source, folder)?;
        }
        self.write_weights(exported(model, self.dtype), folder)?;
        write(&folder.join("config.json"), &self.config.to_hf(self.dtype))
    }

    fn write_weights(
        &self,
        tensors: Vec<(String, Exported)>,
        folder: &Path,
    ) -> Result<(), WeightsError> {
        let shards = split(tensors, self.shard_bytes);
        let count = shards.len();
        let mut index = Index::default();
        for (number, tensors) in shards.into_iter().enumerate() {
            let file = match count {
                1 => "model.safetensors".to_owned(),
                _ => format!("model-{:05}-of-{count:05}.safetensors", number + 1),
            };
            for (name, tensor) in &tensors {
                index.metadata.total_size += tensor.data_len();
                index.weight_map.insert(name.clone(), file.clone());
            }
            let path = folder.join(file);
            // `transformers` refuses files that do not say so.
            let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
            serialize_to_file(tensors, Some(format), &path)
                .map_err(|error| WeightsError::write(&path, error))?;
        }
        if count == 1 {
            return Ok(());
        }
        let path = folder.join("model.safetensors.index.json");
        let text = serde_json::to_string_pretty(&index);
        write(&path, &(text.map_err(|error| WeightsError::write(&path, error))? + "\n"))
    }
}

/// `model.safetensors.index.json`.
#[derive(Default, Serialize)]
struct Index {
    metadata: Total,
    weight_map: BTreeMap<String, String>,
}

#[derive(Default, Serialize)]
struct Total {
    total_size: usize,
}

/// Writes a file under another name first.
fn write(path: &Path, text: &str) -> Result<(), WeightsError> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text).map_err(|error| WeightsError::write(&partial, error))?;
    std::fs::rename(&partial, path).map_err(|error| WeightsError::write(path, error))
}

fn copy_companions(source: &Path, folder: &Path) -> Result<(), WeightsError> {
    for name in COMPANIONS {
        let (from, to) = (source.join(name), folder.join(name));
        if from.is_file() {
            std::fs::copy(&from, &to).map_err(|error| WeightsError::write(&to, error))?;
        }
    }
    Ok(())
}

/// A tensor that is fetched from its device when it is written.
struct Exported {
    tensor: Layout,
    shape: Vec<usize>,
    dtype: DType,
}

enum Layout {
    Vector(Tensor<1>),
    /// As the file holds it: the transpose is a view.
    Matrix(Tensor<2>),
}

impl View for Exported {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            DType::BF16 => Dtype::BF16,
            DType::F16 => Dtype::F16,
            _ => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let data = match &self.tensor {
            Layout::Vector(tensor) => tensor.clone().into_data(),
            Layout::Matrix(tensor) => tensor.clone().into_data(),
        };
        Cow::Owned(data.convert_dtype(self.dtype).into_bytes().to_vec())
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.size()
    }
}

/// All parameters by their names in Hugging Face's checkpoints.
fn exported(model: &Transformer, dtype: DType) -> Vec<(String, Exported)> {
    let mut names = Names { path: Vec::new(), dtype, found: Vec::new() };
    model.visit(&mut names);
    names.found
}

struct Names {
    path: Vec<String>,
    dtype: DType,
    found: Vec<(String, Exported)>,
}

impl ModuleVisitor for Names {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = hugging_face_name(&self.path);
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let tensor = match shape.len() {
            1 => Layout::Vector(tensor.reshape([-1])),
            _ => Layout::Matrix(tensor.reshape([shape[0], shape[1]])),
        };
        let (tensor, shape) = match tensor {
            Layout::Matrix(matrix) if name != EMBEDDING && name != OUTPUT => {
                (Layout::Matrix(matrix.transpose()), vec![shape[1], shape[0]])
            }
            other => (other, shape),
        };
        self.found.push((name, Exported { tensor, shape, dtype: self.dtype }));
    }
}

/// The name of the parameter at a path of fields.
fn hugging_face_name(path: &[String]) -> String {
    match path.join(".").as_str() {
        "embed_tokens" => EMBEDDING.to_owned(),
        "lm_head" => OUTPUT.to_owned(),
        path => format!("model.{}", path.replace(".gamma", ".weight")),
    }
}

/// Tensors in files of at most so many bytes, or of one tensor.
fn split(tensors: Vec<(String, Exported)>, bytes: usize) -> Vec<Vec<(String, Exported)>> {
    let mut shards: Vec<Vec<(String, Exported)>> = Vec::new();
    let mut held = 0;
    for (name, tensor) in tensors {
        let size = tensor.data_len();
        match shards.last_mut() {
            Some(shard) if held + size <= bytes => {
                shard.push((name, tensor));
                held += size;
            }
            _ => {
                shards.push(vec![(name, tensor)]);
                held = size;
            }
        }
    }
    shards
}
