//! Which parameters a checkpoint holds: those that train. Frozen ones are where the policy came
//! from, and a checkpoint only remembers enough of them to recognise others.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Tensor;

/// Numbers at the start of each frozen parameter that are remembered.
const REMEMBERED: usize = 64;

/// Parameters of a policy, and which of them train.
pub(super) struct Trained {
    ids: Vec<ParamId>,
    /// Path and shape of every parameter; of a frozen one also a checksum of its first numbers.
    pub(super) description: Vec<String>,
    /// Whether any parameter is frozen.
    partial: bool,
}

impl Trained {
    pub(super) fn of<M: Module>(policy: &M) -> Self {
        let description = Vec::new();
        let trained = Self { ids: Vec::new(), description, partial: false };
        let mut visitor = Visitor { path: Vec::new(), trained };
        policy.visit(&mut visitor);
        visitor.trained
    }

    /// Writes the parameters that train; a module is the policy or a copy of it from before.
    pub(super) fn save<M: Module>(&self, module: &M, path: &Path) -> Result<(), RecordError> {
        let record = match self.partial {
            true => module.clone().into_record_group(ParamGroup::from_ids(self.ids.clone())),
            false => module.clone().into_record(),
        };
        record.save(path)
    }

    /// The policy with the parameters of a file, whose description is this one.
    pub(super) fn load<M: Module>(&self, policy: &M, path: &Path) -> Result<M, RecordError> {
        let record = ModuleRecord::load(path)?.allow_partial(self.partial);
        policy.clone().try_load_record(record)
    }
}

struct Visitor {
    path: Vec<String>,
    trained: Trained,
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut line = format!("{} {:?}", self.path.join("."), param.dims());
        if param.is_require_grad() {
            self.trained.ids.push(param.id);
        } else {
            self.trained.partial = true;
            line += &format!(" frozen {:08x}", first_numbers(param));
        }
        self.trained.description.push(line);
    }
}

/// A checksum of the first numbers of a parameter.
fn first_numbers<const D: usize>(param: &Param<Tensor<D>>) -> u32 {
    let count: usize = param.dims().iter().product();
    let numbers = param.val().flatten::<1>(0, D - 1).narrow(0, 0, count.min(REMEMBERED));
    crc32fast::hash(numbers.into_data().as_bytes())
}
