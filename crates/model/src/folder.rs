//! A folder with a Hugging Face checkpoint: `config.json` and safetensors, in one file or in shards.

mod error;
mod export;
mod read;
mod shards;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor};

use crate::model_config::ModelConfig;
use crate::parameters::{Matrix, ParameterSource, parameter};
use crate::transformer::Transformer;
pub use error::WeightsError;
pub use export::Export;
use shards::Shards;

/// The embedding, and the output where it has parameters of its own.
const EMBEDDING: &str = "model.embed_tokens.weight";
const OUTPUT: &str = "lm_head.weight";
/// Old checkpoints hold the rotary frequencies, which follow from the configuration.
const FREQUENCIES: &str = ".rotary_emb.inv_freq";

/// A checkpoint whose configuration and headers were read and whose weights were not yet.
#[derive(Debug)]
pub struct ModelFolder {
    /// What `config.json` says. Lower `transformer.context` before loading to save memory.
    pub config: ModelConfig,
    path: PathBuf,
    shards: Shards,
}

impl ModelFolder {
    /// Reads `config.json` and the headers of all weight files.
    ///
    /// # Errors
    /// [`WeightsError`] names the file, and the field or tensor.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let file = path.join("config.json");
        let text = std::fs::read_to_string(&file).map_err(|e| WeightsError::read(&file, &e))?;
        let config = ModelConfig::from_hf(&text)
            .map_err(|error| WeightsError::Config { path: file, error })?;
        Ok(Self { config, path: path.to_owned(), shards: Shards::open(path)? })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Loads the weights, cast to `dtype` (`F32`, `BF16` or `F16`), onto a device; an autodiff device
    /// makes them trainable.
    ///
    /// Files are mapped into memory piece by piece and each tensor is cast and turned on the way, so
    /// that beside the model no more than one tensor is held.
    ///
    /// # Errors
    /// [`WeightsError`] names a tensor that is missing, superfluous or of another shape or type, and
    /// a type that the device does not have.
    pub fn load(&self, dtype: DType, device: &Device) -> Result<Transformer, WeightsError> {
        if !matches!(dtype, DType::F32 | DType::BF16 | DType::F16) || !device.supports_dtype(dtype)
        {
            return Err(WeightsError::Device { dtype: format!("{dtype:?}") });
        }
        self.config.transformer.validate().map_err(|error| WeightsError::Config {
            path: self.path.join("config.json"),
            error: error.into(),
        })?;
        let mut loader = Loader { folder: self, dtype, device, taken: BTreeSet::new() };
        let model = Transformer::build(&self.config.transformer, &mut loader, device, dtype)?;
        loader.refuse_the_rest()?;
        Ok(model)
    }
}

/// Takes tensors out of the shards, remembering which.
struct Loader<'a> {
    folder: &'a ModelFolder,
    dtype: DType,
    device: &'a Device,
    taken: BTreeSet<String>,
}

impl Loader<'_> {
    fn take<const D: usize>(
        &mut self,
        name: &str,
        shape: &[usize],
        transposed: bool,
    ) -> Result<Param<Tensor<D>>, WeightsError> {
        let stored = self.folder.shards.get(name)?;
        let expected: Vec<usize> =
            if transposed { shape.iter().rev().copied().collect() } else { shape.to_vec() };
        if stored.shape() != expected {
            return Err(WeightsError::Shape {
                name: name.to_owned(),
                path: stored.path().to_owned(),
                expected,
                found: stored.shape().to_vec(),
            });
        }
        self.taken.insert(name.to_owned());
        let data = read::tensor(&stored, transposed, self.dtype)?;
        Ok(parameter(data, self.device, self.dtype))
    }

    /// Every tensor of the files was used, follows from the configuration, or is a second copy.
    fn refuse_the_rest(&self) -> Result<(), WeightsError> {
        for name in self.folder.shards.names() {
            if self.taken.contains(name) || name.ends_with(FREQUENCIES) {
                continue;
            }
            let stored = self.folder.shards.get(name)?;
            let tied = self.folder.config.transformer.architecture.tied;
            if name == OUTPUT && tied {
                if read::same_bytes(&stored, &self.folder.shards.get(EMBEDDING)?)? {
                    continue;
                }
                return Err(WeightsError::NotTied { path: stored.path().to_owned() });
            }
            return Err(WeightsError::Extra {
                name: name.to_owned(),
                path: stored.path().to_owned(),
                family: self.folder.config.family.name(),
            });
        }
        Ok(())
    }
}

impl ParameterSource for Loader<'_> {
    type Error = WeightsError;

    fn matrix(
        &mut self,
        name: &str,
        shape: [usize; 2],
        kind: Matrix,
    ) -> Result<Param<Tensor<2>>, WeightsError> {
        self.take(name, &shape, kind.is_transposed())
    }

    fn vector(
        &mut self,
        name: &str,
        size: usize,
        _value: f32,
    ) -> Result<Param<Tensor<1>>, WeightsError> {
        self.take(name, &[size], false)
    }
}
