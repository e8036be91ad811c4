//! Low-rank adapters: a few trainable parameters beside frozen weights.
//!
//! `y = x W + (alpha / r) (x A) B` with `A` of `[in, r]` and `B` of `[r, out]` (arXiv 2106.09685, eq.
//! 3; confidence high). `B` starts at zero, so a fresh adapter changes nothing; `A` starts uniform in
//! `±1 / sqrt(in)`, as in PEFT. The product is never added to `W` while training.
//!
//! Departures from PEFT:
//! 1. There is no dropout. A policy must sample and train by the same probabilities, and a dropout
//!    would change them while it trains. Adapters trained with one load, and compute what PEFT
//!    computes in evaluation.
//! 2. Adapters are always in `f32`, whatever the precision of the model.

mod peft;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::config::TransformerConfig;
use crate::json_file::FileError;
use crate::norm::in_dtype;
use crate::parameters::parameter;
use crate::projection::Projection;
use crate::transformer::Transformer;

/// Settings of the adapters of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraConfig {
    /// Rank `r` of the product.
    pub rank: usize,
    /// `alpha`: the product is multiplied by `alpha / r`.
    pub alpha: f64,
    /// Multiply by `alpha / sqrt(r)` instead (rank-stabilised, arXiv 2312.03732).
    pub rank_stabilized: bool,
    /// Projections of every block that get an adapter.
    pub targets: Vec<LoraTarget>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        let targets = LoraTarget::ALL.to_vec();
        Self { rank: 16, alpha: 32.0, rank_stabilized: false, targets }
    }
}

impl LoraConfig {
    /// What the product is multiplied by.
    ///
    /// ```
    /// use fireproof_model::LoraConfig;
    /// let config = LoraConfig { rank: 16, alpha: 32.0, ..LoraConfig::default() };
    /// assert_eq!(config.scale(), 2.0);
    /// assert_eq!(LoraConfig { rank_stabilized: true, ..config }.scale(), 8.0);
    /// ```
    #[must_use]
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.rank_stabilized { rank.sqrt() } else { rank }
    }

    /// Numbers in the adapters of a model: `r (in + out)` for each.
    #[must_use]
    pub fn parameters(&self, model: &TransformerConfig) -> usize {
        let sides = |target: &LoraTarget| match target {
            LoraTarget::QProj | LoraTarget::OProj => model.width + model.query_width(),
            LoraTarget::KProj | LoraTarget::VProj => model.width + model.kv_width(),
            LoraTarget::GateProj | LoraTarget::UpProj | LoraTarget::DownProj => {
                model.width + model.mlp_width
            }
        };
        model.layers * self.rank * self.targets.iter().map(sides).sum::<usize>()
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`LoraError::Config`] names the setting and its rule.
    pub fn validate(&self) -> Result<(), LoraError> {
        let refuse = |text: String| Err(LoraError::Config(text));
        if self.rank == 0 {
            return refuse("rank must be at least 1, not 0".to_owned());
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return refuse(format!("alpha must be above 0, not {}", self.alpha));
        }
        if self.targets.is_empty() {
            return refuse("targets is empty, so nothing would train".to_owned());
        }
        let twice = |(index, target)| self.targets[..index].contains(target);
        match self.targets.iter().enumerate().find(|found| twice(*found)) {
            Some((_, target)) => refuse(format!("targets names {} twice", target.name())),
            None => Ok(()),
        }
    }
}

/// A projection of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoraTarget {
    /// Queries.
    QProj,
    /// Keys.
    KProj,
    /// Values.
    VProj,
    /// The output of the attention.
    OProj,
    /// The gate of the MLP.
    GateProj,
    /// The input of the MLP.
    UpProj,
    /// The output of the MLP.
    DownProj,
}

impl LoraTarget {
    /// All of them: what PEFT calls `all-linear`.
    pub const ALL: [Self; 7] = [
        Self::QProj,
        Self::KProj,
        Self::VProj,
        Self::OProj,
        Self::GateProj,
        Self::UpProj,
        Self::DownProj,
    ];

    /// Its name in checkpoints, such as `q_proj`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }

    /// The half of the block that it belongs to.
    fn parent(self) -> &'static str {
        match self {
            Self::QProj | Self::KProj | Self::VProj | Self::OProj => "self_attn",
            Self::GateProj | Self::UpProj | Self::DownProj => "mlp",
        }
    }
}

/// Why there are no such adapters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoraError {
    /// A setting is impossible.
    #[error("lora: {0}")]
    Config(String),
    /// The model has adapters already.
    #[error("the model has adapters already; merge them or take them off first")]
    Taken,
    /// The model has none.
    #[error("the model has no adapters")]
    Absent,
    /// A file of the adapters is missing or wrong.
    #[error(transparent)]
    Files(#[from] FileError),
}

/// `scale (x A) B`, to be added to the output of a projection.
#[derive(Module, Debug)]
pub(crate) struct Adapter {
    pub(crate) lora_a: Param<Tensor<2>>,
    pub(crate) lora_b: Param<Tensor<2>>,
    pub(crate) scale: f64,
}

impl Adapter {
    /// `A` and `B` row by row, for a projection of `[input, output]`.
    fn new(a: Vec<f32>, b: Vec<f32>, shape: [usize; 2], scale: f64, device: &Device) -> Self {
        let ([input, output], rank) = (shape, a.len() / shape[0]);
        let matrix = |values, shape: [usize; 2]| {
            parameter(TensorData::new(values, shape), device, DType::F32)
        };
        Self { lora_a: matrix(a, [input, rank]), lora_b: matrix(b, [rank, output]), scale }
    }

    /// `[N, in]` -> `[N, out]` in `f32`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let inner = in_dtype(x, DType::F32).matmul(self.lora_a.val()) * self.scale;
        inner.matmul(self.lora_b.val())
    }
}

impl Transformer {
    /// The model with fresh adapters, which change nothing yet; everything else is frozen.
    ///
    /// # Errors
    /// [`LoraError`] if a setting is impossible or there are adapters already.
    pub fn with_lora(self, config: &LoraConfig, seed: u64) -> Result<Self, LoraError> {
        config.validate()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.with_adapters(config, |_, _, [input, output]| {
            let bound = 1.0 / (input as f32).sqrt();
            let a = (0..input * config.rank).map(|_| rng.random_range(-bound..bound)).collect();
            Ok((a, vec![0.0; config.rank * output]))
        })
    }

    /// Freezes the model and puts the given `A` and `B` beside each target of each layer.
    fn with_adapters(
        self,
        config: &LoraConfig,
        mut values: impl FnMut(usize, LoraTarget, [usize; 2]) -> Result<(Vec<f32>, Vec<f32>), LoraError>,
    ) -> Result<Self, LoraError> {
        if self.has_lora() {
            return Err(LoraError::Taken);
        }
        let mut model = self.no_grad();
        for layer in 0..model.layers.len() {
            for target in &config.targets {
                let projection = model.projection_mut(layer, *target);
                let shape = projection.weight.dims();
                let (a, b) = values(layer, *target, shape)?;
                let device = projection.weight.val().device();
                projection.adapter = Some(Adapter::new(a, b, shape, config.scale(), &device));
            }
        }
        Ok(model)
    }

    /// True if a projection has an adapter.
    #[must_use]
    pub fn has_lora(&self) -> bool {
        let has = |(layer, target)| self.projection(layer, target).adapter.is_some();
        self.all_projections().any(has)
    }

    /// The model without its adapters, as it was before them, to the bit.
    #[must_use]
    pub fn without_lora(mut self) -> Self {
        for (layer, target) in self.all_projections().collect::<Vec<_>>() {
            self.projection_mut(layer, target).adapter = None;
        }
        self.trainable()
    }

    /// The model with `W + scale A B` in place of each adapted `W`, all of it trainable.
    ///
    /// Its log-probabilities are those with the adapters up to rounding, in `bf16` up to that of its
    /// weights.
    #[must_use]
    pub fn merged(mut self) -> Self {
        for (layer, target) in self.all_projections().collect::<Vec<_>>() {
            let projection = self.projection_mut(layer, target);
            let Some(adapter) = projection.adapter.take() else { continue };
            let product = adapter.lora_a.val().matmul(adapter.lora_b.val()) * adapter.scale;
            projection.weight = projection.weight.clone().map(|weight| {
                let dtype = weight.dtype();
                in_dtype(in_dtype(weight, DType::F32) + product, dtype).detach()
            });
        }
        self.trainable()
    }

    /// Every parameter takes part in training.
    fn trainable(self) -> Self {
        self.map(&mut Trainable)
    }

    fn all_projections(&self) -> impl Iterator<Item = (usize, LoraTarget)> + use<> {
        let layers = 0..self.layers.len();
        layers.flat_map(|layer| LoraTarget::ALL.map(|target| (layer, target)))
    }

    fn projection(&self, layer: usize, target: LoraTarget) -> &Projection {
        let block = &self.layers[layer];
        match target {
            LoraTarget::QProj => &block.self_attn.q_proj,
            LoraTarget::KProj => &block.self_attn.k_proj,
            LoraTarget::VProj => &block.self_attn.v_proj,
            LoraTarget::OProj => &block.self_attn.o_proj,
            LoraTarget::GateProj => &block.mlp.gate_proj,
            LoraTarget::UpProj => &block.mlp.up_proj,
            LoraTarget::DownProj => &block.mlp.down_proj,
        }
    }

    fn projection_mut(&mut self, layer: usize, target: LoraTarget) -> &mut Projection {
        let block = &mut self.layers[layer];
        match target {
            LoraTarget::QProj => &mut block.self_attn.q_proj,
            LoraTarget::KProj => &mut block.self_attn.k_proj,
            LoraTarget::VProj => &mut block.self_attn.v_proj,
            LoraTarget::OProj => &mut block.self_attn.o_proj,
            LoraTarget::GateProj => &mut block.mlp.gate_proj,
            LoraTarget::UpProj => &mut block.mlp.up_proj,
            LoraTarget::DownProj => &mut block.mlp.down_proj,
        }
    }
}

struct Trainable;

impl ModuleMapper for Trainable {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.set_require_grad(true)
    }
}

/// Numbers that train: those of all parameters that are not frozen.
#[must_use]
pub fn trainable_parameters<M: Module>(module: &M) -> usize {
    let mut count = Count(0);
    module.visit(&mut count);
    count.0
}

struct Count(usize);

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0 += param.dims().into_iter().product::<usize>();
        }
    }
}
