//! The optimiser's states as a file: safetensors, by the paths of the parameters.
//!
//! A parameter `p` that has been stepped has `p.first` and `p.second` (moments), `p.steps` and, if it
//! is narrower than `f32`, `p.master`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use fireproof_kernels::Moments;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};

use super::{Optimizer, State, flat, wide};

/// Why an optimiser's states could not be restored.
pub(crate) enum LoadError {
    /// The file is damaged.
    File(String),
    /// The states are those of other parameters: what is wrong, a line each.
    Misfit(String),
}

impl Optimizer {
    pub(crate) fn save(&self, path: &Path) -> Result<(), String> {
        let parts = self.states.iter().flat_map(|(name, state)| state.parts(name));
        let parts: Vec<Part> = parts.collect();
        let views = parts.iter().map(|part| {
            let view = TensorView::new(part.dtype, part.shape.clone(), &part.bytes);
            view.map(|view| (part.name.as_str(), view)).map_err(|error| error.to_string())
        });
        let views: Vec<_> = views.collect::<Result<_, _>>()?;
        serialize_to_file(views, None, path).map_err(|error| error.to_string())
    }

    /// Takes over the states of a file, all of them or none.
    pub(crate) fn load<M: Module>(
        &mut self,
        path: &Path,
        policy: &M,
        updates: u64,
    ) -> Result<(), LoadError> {
        let bytes = fs::read(path).map_err(|error| LoadError::File(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes);
        let file = file.map_err(|error| LoadError::File(error.to_string()))?;
        let mut reader =
            Reader { file: &file, path: Vec::new(), states: BTreeMap::new(), wrong: Vec::new() };
        policy.visit(&mut reader);
        let Reader { states, mut wrong, .. } = reader;
        if wrong.is_empty() {
            let expected = states.iter().flat_map(|(name, state)| state.names(name));
            let expected: BTreeSet<String> = expected.collect();
            let names = file.names().into_iter().filter(|name| !expected.contains(*name));
            wrong.extend(names.map(|name| format!("- {name}")));
            wrong.sort_unstable();
        }
        if !wrong.is_empty() {
            return Err(LoadError::Misfit(wrong.join("\n")));
        }
        (self.states, self.updates) = (states, updates);
        Ok(())
    }
}

/// One tensor of the file.
struct Part {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl State {
    /// What the file has of a parameter.
    fn names(&self, name: &str) -> Vec<String> {
        let mut parts = vec!["first", "second", "steps"];
        parts.extend(self.master.as_ref().map(|_| "master"));
        parts.into_iter().map(|part| format!("{name}.{part}")).collect()
    }

    fn parts(&self, name: &str) -> Vec<Part> {
        let floats = |what: &str, tensor: &Tensor<1>| {
            let data = tensor.clone().into_data();
            let dtype = if data.dtype() == DType::F64 { Dtype::F64 } else { Dtype::F32 };
            let (name, bytes) = (format!("{name}.{what}"), data.as_bytes().to_vec());
            Part { name, dtype, shape: self.shape.clone(), bytes }
        };
        let mut parts =
            vec![floats("first", &self.moments.first), floats("second", &self.moments.second)];
        parts.extend(self.master.as_ref().map(|master| floats("master", master)));
        let bytes = self.steps.to_le_bytes().to_vec();
        parts.push(Part {
            name: format!("{name}.steps"),
            dtype: Dtype::U64,
            shape: Vec::new(),
            bytes,
        });
        parts
    }
}

/// Looks up the states of each parameter.
struct Reader<'a> {
    file: &'a SafeTensors<'a>,
    path: Vec<String>,
    states: BTreeMap<String, State>,
    /// What does not fit, a line each.
    wrong: Vec<String>,
}

impl ModuleVisitor for Reader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        // A parameter that has never had a gradient has no state.
        if self.file.tensor(&format!("{name}.steps")).is_err() {
            return;
        }
        let (parameter, shape) = (flat(param.val().inner()), param.dims().to_vec());
        match self.state(&name, &shape, &parameter) {
            Ok(state) => {
                self.states.insert(name, state);
            }
            Err(line) => self.wrong.push(line),
        }
    }
}

impl Reader<'_> {
    fn state(&self, name: &str, shape: &[usize], parameter: &Tensor<1>) -> Result<State, String> {
        let dtype = wide(parameter.dtype());
        let floats = |what: &str| {
            let name = format!("{name}.{what}");
            let view = self.file.tensor(&name).map_err(|_| format!("+ {name} {shape:?}"))?;
            let expected = if dtype == DType::F64 { Dtype::F64 } else { Dtype::F32 };
            if (view.shape(), view.dtype()) != (shape, expected) {
                let found = format!("- {name} {:?} {:?}", view.shape(), view.dtype());
                return Err(format!("{found}\n+ {name} {shape:?} {expected:?}"));
            }
            Ok(tensor(view.data(), dtype, &parameter.device()))
        };
        let steps = self.file.tensor(&format!("{name}.steps"));
        let steps = steps.ok().and_then(|view| <[u8; 8]>::try_from(view.data()).ok());
        let steps = steps.ok_or_else(|| format!("+ {name}.steps, one number"))?;
        let moments = Moments { first: floats("first")?, second: floats("second")? };
        let master = (parameter.dtype() != dtype).then(|| floats("master")).transpose()?;
        Ok(State { shape: shape.to_vec(), steps: u64::from_le_bytes(steps), moments, master })
    }
}

/// Numbers of a file, which need not be aligned there.
fn tensor(bytes: &[u8], dtype: DType, device: &Device) -> Tensor<1> {
    let data = if dtype == DType::F64 {
        let numbers = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
        let numbers: Vec<f64> = numbers.collect();
        let count = numbers.len();
        TensorData::new(numbers, [count])
    } else {
        let numbers = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let numbers: Vec<f32> = numbers.collect();
        let count = numbers.len();
        TensorData::new(numbers, [count])
    };
    Tensor::from_data(data, (device, dtype))
}
