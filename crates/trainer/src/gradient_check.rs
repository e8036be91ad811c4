//! Every parameter that is meant to train must get a gradient.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::error::TrainError;

/// Refuses gradients that leave out a parameter which is not frozen: it would stay as it is for the
/// whole run, and nothing else would tell.
///
/// # Errors
/// [`TrainError::NoGradient`] names those parameters.
pub(crate) fn require_gradients<M: Module>(
    policy: &M,
    gradients: &GradientsParams,
) -> Result<(), TrainError> {
    let mut missing = Missing { gradients, path: Vec::new(), found: Vec::new() };
    policy.visit(&mut missing);
    match missing.found.is_empty() {
        true => Ok(()),
        false => Err(TrainError::NoGradient { parameters: missing.found }),
    }
}

struct Missing<'a> {
    gradients: &'a GradientsParams,
    path: Vec<String>,
    found: Vec<String>,
}

impl ModuleVisitor for Missing<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() && self.gradients.get::<D>(param.id).is_none() {
            self.found.push(self.path.join("."));
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[derive(Module, Debug)]
    struct Parts {
        used: Param<Tensor<1>>,
        forgotten: Param<Tensor<1>>,
        frozen: Param<Tensor<1>>,
    }

    #[test]
    fn a_parameter_that_is_left_out_is_named_and_a_frozen_one_is_not() {
        let resolved = fireproof_kernels::resolve_device(Some("flex")).unwrap();
        let device: Device = resolved.device.autodiff();
        let one = || Param::from_data(TensorData::from([1.0f32]), &device);
        let parts = Parts { used: one(), forgotten: one(), frozen: one().set_require_grad(false) };
        let gradients = |loss: Tensor<1>| GradientsParams::from_grads(loss.backward(), &parts);
        let whole = gradients(parts.used.val() * parts.forgotten.val() * parts.frozen.val());
        require_gradients(&parts, &whole).unwrap();
        let error = require_gradients(&parts, &gradients(parts.used.val() * 2.0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no gradient reached forgotten in the first update, so training would leave them as they \
             are: freeze them, or use them in the model"
        );
    }
}
