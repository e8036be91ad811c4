//! AdamW with a linear warm-up and a clip of the gradient's global norm.

use std::fmt;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Tensor, Transaction};
use fireproof_kernels::catch_panic;

use crate::config::OptimizerConfig;
use crate::error::TrainError;

/// The optimiser of a run.
pub(crate) struct Optimizer {
    inner: ModuleOptimizer,
    config: OptimizerConfig,
    /// Updates made so far.
    pub(crate) updates: u64,
}

/// Why an optimiser's state could not be restored.
pub(crate) enum LoadError {
    /// The file.
    File(String),
    /// burn's default device is not there.
    Device,
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, updates, .. } = self;
        f.debug_struct("Optimizer").field("config", config).field("updates", updates).finish()
    }
}

impl Optimizer {
    pub(crate) fn new(config: OptimizerConfig) -> Self {
        let inner = AdamWConfig::new()
            .with_beta_1(config.beta_1)
            .with_beta_2(config.beta_2)
            .with_epsilon(config.epsilon)
            .with_weight_decay(config.weight_decay)
            .init();
        Self { inner, config, updates: 0 }
    }

    /// The learning rate of update number `update` (from 1): `learning_rate * min(1, update /
    /// warmup)`.
    fn learning_rate(&self, update: u64) -> f64 {
        let OptimizerConfig { learning_rate, warmup_updates, .. } = self.config;
        let share = update as f64 / warmup_updates.max(1) as f64;
        learning_rate * share.min(1.0)
    }

    /// The learning rate of the last update; 0 before the first.
    pub(crate) fn last_learning_rate(&self) -> f64 {
        self.learning_rate(self.updates)
    }

    /// Scales the gradients to the norm limit and updates the parameters.
    pub(crate) fn step<M: Module>(
        &mut self,
        policy: M,
        mut gradients: GradientsParams,
        norm: f32,
    ) -> M {
        let limit = self.config.max_grad_norm;
        if limit > 0.0 && norm > limit {
            let mut scale = Scale { gradients: &mut gradients, factor: limit / norm };
            policy.visit(&mut scale);
        }
        self.updates += 1;
        self.inner.step(self.last_learning_rate(), policy, gradients)
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), String> {
        self.inner.save(path).map_err(|error| error.to_string())
    }

    pub(crate) fn load(&mut self, path: &Path, updates: u64) -> Result<(), LoadError> {
        // burn restores optimiser state through `Device::default()`, which panics if the backend
        // it prefers has no device here, whatever device the run uses.
        let inner = self.inner.clone();
        let loaded = catch_panic(|| inner.load(path));
        self.inner = match loaded {
            Ok(loaded) => loaded.map_err(|error| LoadError::File(error.to_string()))?,
            Err(_) => return Err(LoadError::Device),
        };
        self.updates = updates;
        Ok(())
    }
}

/// The norm of all gradients together, `sqrt(sum of squares)`; burn's own clip works on each tensor
/// separately. Reads one number for each parameter, in one transfer.
pub(crate) fn global_norm<M: Module>(
    policy: &M,
    gradients: &GradientsParams,
) -> Result<f32, TrainError> {
    let mut squares = Squares { gradients, found: Vec::new() };
    policy.visit(&mut squares);
    let transaction = squares.found.into_iter().fold(Transaction::default(), |t, s| t.register(s));
    let data = transaction.try_execute().map_err(|error| TrainError::Device(error.to_string()))?;
    let square = |data: &burn::tensor::TensorData| {
        let values: Vec<f32> = data.try_to_vec_as().expect("gradients are floats");
        f64::from(values[0])
    };
    Ok(data.iter().map(square).sum::<f64>().sqrt() as f32)
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    found: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.found.push((gradient.clone() * gradient).sum());
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient * self.factor);
        }
    }
}
