//! The small transformer under several recipes: one warm start a seed, then each arm from there.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use fireproof::kernels::ResolvedDevice;
use fireproof::prelude::*;
use fireproof::trainer::StepRecord;

use crate::data::DemonstrationStream;
use crate::run_file::RunFile;
use crate::setup::{QuickTrainer, Setup};

/// Policies after their supervised warm start, made once for each set of settings and seed and
/// shared by all arms.
#[derive(Debug, Default)]
pub struct Starts {
    made: Mutex<HashMap<String, Arc<Mutex<Option<Transformer>>>>>,
}

impl Starts {
    /// The warm-started policy of a run file with its tasks. Arms that differ in recipe, selector or
    /// the learning rate of reinforcement learning alone share it.
    ///
    /// # Errors
    /// If a setting is impossible or the warm start fails.
    pub fn policy(
        &self,
        file: &RunFile,
        device: &ResolvedDevice,
    ) -> Result<(Setup, Transformer), Box<dyn Error>> {
        let setup = Setup::new(file.clone())?;
        let key =
            format!("{:?}{:?}{:?}{}", file.task, file.model, file.warm_start, file.trainer.seed);
        let place = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.entry(key).or_default().clone()
        };
        // Only those who want the same policy wait for each other.
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let policy = match place.take() {
            Some(policy) => policy,
            None => warm(&setup, device)?,
        };
        *place = Some(policy.clone());
        Ok((setup, policy))
    }
}

fn warm(setup: &Setup, device: &ResolvedDevice) -> Result<Transformer, Box<dyn Error>> {
    let mut stream = DemonstrationStream::new(&setup.file)?;
    let config = &setup.file.warm_start;
    let draw = |_| stream.draw(config.demonstrations_per_step);
    let policy = setup.new_policy(device);
    Ok(warm_start(policy, &setup.tokenizer()?, config, draw, |_, _| {})?)
}

/// Trains a policy by a recipe until `watch` says that it has seen enough, or the setup's steps are
/// done. `watch` gets the trainer after each step with the record of that step.
///
/// # Errors
/// If a step or `watch` fails.
pub fn train(
    setup: &Setup,
    policy: Transformer,
    recipe: Recipe,
    mut watch: impl FnMut(&mut QuickTrainer, &StepRecord) -> Result<bool, Box<dyn Error>>,
) -> Result<QuickTrainer, Box<dyn Error>> {
    let mut trainer = setup.trainer_with(policy, recipe)?;
    while trainer.steps_done() < setup.file.trainer.steps {
        let record = trainer.step()?;
        if !watch(&mut trainer, &record)? {
            break;
        }
    }
    Ok(trainer)
}
