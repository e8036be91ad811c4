//! AdamW with a linear warm-up and a clip of the gradient's global norm.

mod states;

use std::collections::BTreeMap;
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};
use fireproof_kernels::{AdamWStep, Moments, adamw, square_sum};

use crate::config::OptimizerConfig;
use crate::error::TrainError;

pub(crate) use states::LoadError;

/// The optimiser of a run: AdamW (arXiv 1711.05101) as `torch.optim.AdamW` makes it, one pass a
/// parameter.
///
/// Moments are `f32` whatever the parameters are. Parameters in `bf16` or `f16` have an `f32` copy
/// that is stepped and then rounded, so that steps too small for them add up.
///
/// ```
/// use burn::module::{Module, Param};
/// use burn::optim::GradientsParams;
/// use burn::tensor::Tensor;
/// use fireproof_trainer::{Optimizer, OptimizerConfig, global_norm};
///
/// #[derive(Module, Debug)]
/// struct Line {
///     slope: Param<Tensor<1>>,
/// }
///
/// let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device.autodiff();
/// let line = Line { slope: Param::from_tensor(Tensor::from_data([2.0], &device)) };
/// let mut optimizer = Optimizer::new(OptimizerConfig { learning_rate: 0.5, ..Default::default() });
/// let gradients = line.slope.val().square().sum().backward();
/// let gradients = GradientsParams::from_grads(gradients, &line);
/// let norm = global_norm(&line, &gradients).unwrap();
/// let line = optimizer.step(line, gradients, norm);
/// // The first step goes by the learning rate.
/// assert!((line.slope.val().into_data().try_to_vec_as::<f32>().unwrap()[0] - 1.5).abs() < 1e-5);
/// ```
pub struct Optimizer {
    config: OptimizerConfig,
    /// By the path of the parameter.
    states: BTreeMap<String, State>,
    /// Updates made so far.
    pub(crate) updates: u64,
}

/// What is remembered of a parameter, in one dimension.
#[derive(Clone, Debug)]
struct State {
    /// The parameter's own shape.
    shape: Vec<usize>,
    /// Steps it has made; it makes none in an update without a gradient for it.
    steps: u64,
    moments: Moments<1>,
    /// The `f32` copy of a narrower parameter.
    master: Option<Tensor<1>>,
}

impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, updates, .. } = self;
        f.debug_struct("Optimizer").field("config", config).field("updates", updates).finish()
    }
}

impl Optimizer {
    /// One that has made no update.
    #[must_use]
    pub fn new(config: OptimizerConfig) -> Self {
        Self { config, states: BTreeMap::new(), updates: 0 }
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

    /// Updates the parameters that have gradients, by gradients scaled to the norm limit; `norm` is
    /// their [`global_norm`].
    #[must_use]
    pub fn step<M: Module>(&mut self, policy: M, gradients: GradientsParams, norm: f32) -> M {
        self.updates += 1;
        let learning_rate = self.last_learning_rate();
        let OptimizerConfig { beta_1, beta_2, epsilon, weight_decay, max_grad_norm, .. } =
            self.config;
        let is_clipped = max_grad_norm > 0.0 && norm > max_grad_norm;
        let step = AdamWStep {
            learning_rate,
            beta_1: decimal(beta_1),
            beta_2: decimal(beta_2),
            epsilon: decimal(epsilon),
            weight_decay: decimal(weight_decay),
            gradient_scale: if is_clipped { f64::from(max_grad_norm / norm) } else { 1.0 },
            number: 0,
        };
        let path = Vec::new();
        policy.map(&mut Steps { states: &mut self.states, gradients, step, path })
    }
}

/// The setting as it was written: 0.9 and not the `f32` next to it, whose distance from 1 differs
/// in the eighth digit.
fn decimal(setting: f32) -> f64 {
    setting.to_string().parse().unwrap_or_else(|_| f64::from(setting))
}

/// Steps each parameter.
struct Steps<'a> {
    states: &'a mut BTreeMap<String, State>,
    gradients: GradientsParams,
    /// But for its number.
    step: AdamWStep,
    path: Vec<String>,
}

impl ModuleMapper for Steps<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, parameter, mapper) = param.consume();
        let parameter = match self.gradients.remove::<D>(id) {
            Some(gradient) => self.stepped(parameter, gradient),
            None => parameter,
        };
        Param::from_mapped_value(id, parameter, mapper)
    }
}

impl Steps<'_> {
    fn stepped<const D: usize>(&mut self, parameter: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let (is_tracked, strategy) =
            (parameter.is_require_grad(), parameter.gradient_checkpointing_strategy());
        let (shape, dtype) = (parameter.dims(), parameter.dtype());
        let parameter = flat(parameter.inner());
        let path = self.path.join(".");
        let mut state =
            self.states.remove(&path).unwrap_or_else(|| State::new(shape.to_vec(), &parameter));
        state.steps += 1;
        let step = AdamWStep { number: state.steps, ..self.step };
        let master = state.master.take();
        let parameter = master.unwrap_or_else(|| in_dtype(parameter, state.moments.first.dtype()));
        let (parameter, moments) = adamw(parameter, flat(gradient), state.moments, step);
        state.moments = moments;
        if parameter.dtype() != dtype {
            state.master = Some(parameter.clone());
        }
        self.states.insert(path, state);
        let mut stepped = Tensor::from_inner(in_dtype(parameter, dtype).reshape(shape));
        if let Some(strategy) = strategy {
            stepped = stepped.with_gradient_checkpointing_strategy(strategy);
        }
        if is_tracked { stepped.require_grad() } else { stepped }
    }
}

impl State {
    /// Before the first step.
    fn new(shape: Vec<usize>, parameter: &Tensor<1>) -> Self {
        let dtype = wide(parameter.dtype());
        let zeros = Tensor::zeros(parameter.dims(), (&parameter.device(), dtype));
        let moments = Moments { first: zeros.clone(), second: zeros };
        Self { shape, steps: 0, moments, master: None }
    }
}

/// The type that a parameter is stepped in.
fn wide(dtype: DType) -> DType {
    if dtype == DType::F64 { dtype } else { DType::F32 }
}

fn in_dtype(tensor: Tensor<1>, dtype: DType) -> Tensor<1> {
    if tensor.dtype() == dtype { tensor } else { tensor.cast(dtype) }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let count = tensor.dims().iter().product::<usize>();
    tensor.reshape([count])
}

/// The norm of all gradients together, `sqrt(sum of squares)`; burn's own clip works on each tensor
/// separately. Reads one number for each parameter, in one transfer.
///
/// # Errors
/// If the device fails.
pub fn global_norm<M: Module>(policy: &M, gradients: &GradientsParams) -> Result<f32, TrainError> {
    let mut squares = Squares { gradients, found: Vec::new() };
    policy.visit(&mut squares);
    if squares.found.is_empty() {
        return Ok(0.0);
    }
    let data = Tensor::cat(squares.found, 0).try_into_data();
    let data = data.map_err(|error| TrainError::Device(error.to_string()))?;
    let values = data.try_to_vec_as::<f32>();
    let values = values.map_err(|error| TrainError::Device(format!("{error:?}")))?;
    Ok(values.into_iter().map(f64::from).sum::<f64>().sqrt() as f32)
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    found: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.found.push(in_dtype(square_sum(gradient), DType::F32));
        }
    }
}

#[cfg(test)]
mod tests;
