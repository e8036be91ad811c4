//! Exact coverage: the probability of every right answer of some prompts, without sampling.

use std::error::Error;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof::kernels::token_logprobs;
use fireproof::lab::coverage::arms::Seen;
use fireproof::lab::coverage::{distinct_share, retained_mass};
use fireproof::lab::statistics::mean;
use fireproof::prelude::*;

/// Tokens that go through the model at once.
const TOKENS: usize = 8192;

/// The right answers of some prompts, as tokens.
#[derive(Clone, Debug)]
pub struct Answers {
    rows: Vec<Row>,
    prompts: usize,
}

/// A right answer of a prompt.
#[derive(Clone, Debug)]
struct Row {
    prompt: usize,
    prompt_tokens: Vec<u32>,
    /// With the stop token.
    answer: Vec<u32>,
}

impl Answers {
    /// All right answers of some tasks of a family, in their canonical spelling.
    ///
    /// # Errors
    /// If a task is not of the family, has no right answer or cannot be encoded.
    pub fn new(
        family: &dyn TaskFamily,
        tasks: &[Task],
        tokenizer: &Tokenizer,
    ) -> Result<Self, Box<dyn Error>> {
        let mut rows = Vec::new();
        for (prompt, task) in tasks.iter().enumerate() {
            let answers = family.solutions(task).filter(|answers| !answers.is_empty());
            let name = family.name();
            for answer in answers.ok_or(format!("{} has no answers in {name}", task.prompt))? {
                let mut answer = tokenizer.encode(&answer)?;
                answer.push(tokenizer.stop());
                let prompt_tokens = tokenizer.encode(&task.prompt)?;
                rows.push(Row { prompt, prompt_tokens, answer });
            }
        }
        Ok(Self { rows, prompts: tasks.len() })
    }

    /// The probability of every right answer under a policy at temperature 1, prompt by prompt.
    ///
    /// # Errors
    /// If the device fails.
    pub fn probabilities(&self, policy: &Transformer) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
        let policy = policy.valid();
        let longest = self.rows.iter().map(Row::length).max().unwrap_or(1);
        let mut found = vec![Vec::new(); self.prompts];
        for rows in self.rows.chunks((TOKENS / longest).max(1)) {
            for (row, logprob) in rows.iter().zip(scored(&policy, rows)?) {
                found[row.prompt].push(logprob.exp());
            }
        }
        Ok(found)
    }

    /// What coverage is measured by, relative to the probabilities `before`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn seen(
        &self,
        policy: &Transformer,
        before: &[Vec<f64>],
        step: u64,
    ) -> Result<Seen, Box<dyn Error>> {
        let right = self.probabilities(policy)?;
        let over = |of: &dyn Fn(usize) -> f64| mean(&(0..right.len()).map(of).collect::<Vec<_>>());
        Ok(Seen {
            step: step as f64,
            pass_at_1: over(&|prompt| right[prompt].iter().sum()),
            distinct: over(&|prompt| distinct_share(&right[prompt], 256)),
            retained: over(&|prompt| retained_mass(&before[prompt], &right[prompt])),
        })
    }
}

impl Row {
    /// Tokens that go through the model: the last one predicts nothing.
    fn length(&self) -> usize {
        self.prompt_tokens.len() + self.answer.len() - 1
    }
}

/// Log-probability of each row's answer, `[B]`.
fn scored(policy: &Transformer, rows: &[Row]) -> Result<Vec<f64>, Box<dyn Error>> {
    let width = rows.iter().map(Row::length).max().unwrap_or(0);
    let mut tokens = vec![0i32; rows.len() * width];
    let (mut index, mut targets) = (Vec::new(), Vec::new());
    for (number, row) in rows.iter().enumerate() {
        let input = row.prompt_tokens.iter().chain(&row.answer).take(row.length());
        let cells = &mut tokens[number * width..];
        cells.iter_mut().zip(input).for_each(|(cell, token)| *cell = *token as i32);
        let first = number * width + row.prompt_tokens.len() - 1;
        index.extend((first..).take(row.answer.len()).map(|place| place as i32));
        targets.extend(row.answer.iter().map(|token| *token as i32));
    }
    let device = policy.devices().into_iter().next().ok_or("a policy has a device")?;
    let positions = vector((0..width as i32).collect(), &device).reshape([1, width]);
    let tokens = vector(tokens, &device).reshape([rows.len(), width]);
    let hidden = policy.hidden(tokens, positions.expand([rows.len(), width]));
    let [batch, time, size] = hidden.dims();
    let states = hidden.reshape([batch * time, size]).select(0, vector(index, &device));
    let scores = token_logprobs(policy.logits(states), vector(targets, &device), 1.0).logprobs;
    let scores: Vec<f32> = scores.into_data().try_to_vec_as().map_err(|e| format!("{e:?}"))?;
    let mut scores = scores.into_iter().map(f64::from);
    Ok(rows.iter().map(|row| scores.by_ref().take(row.answer.len()).sum()).collect())
}

fn vector(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_file::RunFile;
    use crate::setup::Setup;

    #[test]
    fn right_answers_are_scored_together_as_token_by_token_alone() {
        let mut file = RunFile::quick();
        file.task.family = "split".to_owned();
        (file.task.easiest, file.task.hardest) = (1, 1);
        file.evaluation.prompts = 2;
        let device = resolve_device(Some("flex")).unwrap();
        let setup = Setup::new(file).unwrap();
        let (family, tokenizer) = (setup.file.family().unwrap(), setup.tokenizer().unwrap());
        let policy = setup.new_policy(&device);
        let tasks = &setup.tasks.train[..3];
        let answers = Answers::new(family, tasks, &tokenizer).unwrap();
        let together = answers.probabilities(&policy).unwrap();
        let counts: Vec<u64> = together.iter().map(|right| right.len() as u64).collect();
        let known: Vec<u64> = tasks.iter().filter_map(|task| task.metadata.solutions).collect();
        assert_eq!(counts, known);
        for (row, together) in answers.rows.iter().zip(together.concat()) {
            // One token after the other, each from the prefix alone.
            let mut logprob = 0.0;
            for time in 0..row.answer.len() {
                let prompt_tokens = [&row.prompt_tokens[..], &row.answer[..time]].concat();
                let answer = vec![row.answer[time]];
                let alone = Row { prompt: 0, prompt_tokens, answer };
                logprob += scored(&policy.valid(), &[alone]).unwrap()[0];
            }
            assert!((together / logprob.exp() - 1.0).abs() < 1e-4, "{together} {logprob}");
        }
    }
}
