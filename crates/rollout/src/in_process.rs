//! The in-process engine: all completions of a step decoded in one batch.

use std::collections::VecDeque;

use burn::tensor::{Device, Int, Tensor, TensorData, Transaction};
use fireproof_model::{CausalLm, KvCache};
use fireproof_trajectory::{PolicyVersion, PromptGroup};

use crate::engine::{RolloutEngine, RolloutError, RolloutRequest};
use crate::row::{Drawn, Row};
use crate::sampler::{Sampled, Sampler, sampler_for};

/// Decodes with the policy itself, in this process.
///
/// Each prompt is read once and its cache forked to its completions. Up to `max_rows` completions
/// decode together; a batch is compacted when a quarter of its rows have ended and refilled when
/// half of `max_rows` is free. A batch never has fewer than two rows, because the matrix product of
/// a single row rounds differently on some backends.
#[derive(Debug)]
pub struct InProcessEngine<M> {
    policy: Option<(M, PolicyVersion)>,
    max_rows: usize,
}

impl<M> InProcessEngine<M> {
    /// An engine that decodes up to `max_rows` completions together (at least two).
    #[must_use]
    pub fn new(max_rows: usize) -> Self {
        Self { policy: None, max_rows: max_rows.max(2) }
    }
}

impl<M: CausalLm> RolloutEngine for InProcessEngine<M> {
    type Policy = M;

    /// Keeps a copy of the policy without autodiff (parameters are shared, not copied).
    fn publish(&mut self, policy: &M, version: PolicyVersion) {
        self.policy = Some((policy.valid(), version));
    }

    fn generate(&mut self, requests: &[RolloutRequest]) -> Result<Vec<PromptGroup>, RolloutError> {
        let (policy, version) = self.policy.as_ref().ok_or(RolloutError::NotPublished)?;
        let limits = policy.limits();
        for request in requests {
            request.validate()?;
            let tokens = [request.prompt_tokens.as_slice(), &request.prefix].concat();
            limits
                .check(&tokens, request.stop.max_tokens)
                .map_err(|source| RolloutError::Model { prompt: request.prompt, source })?;
        }
        let mut finished: Vec<Row> = Vec::new();
        let mut waiting: VecDeque<Row> = rows(requests, *version);
        while let Some(first) = waiting.front() {
            // One pass for each way of sampling; a training step has just one.
            let sampling = requests[first.request].sampling;
            let (now, later) =
                waiting.into_iter().partition(|row| requests[row.request].sampling == sampling);
            let sampler = sampler_for(sampling);
            finished.extend(self.decode(policy, requests, now, sampler.as_ref())?);
            waiting = later;
        }
        Ok(groups(requests, finished))
    }
}

/// Every completion asked for, in order.
fn rows(requests: &[RolloutRequest], version: PolicyVersion) -> VecDeque<Row> {
    let of = |(index, request): (usize, &RolloutRequest)| {
        let row = |sample| Row::new(index, request, sample, version);
        (0..request.samples).map(row).collect::<Vec<_>>()
    };
    requests.iter().enumerate().flat_map(of).collect()
}

/// Finished rows sorted back into groups.
fn groups(requests: &[RolloutRequest], mut finished: Vec<Row>) -> Vec<PromptGroup> {
    finished.sort_by_key(|row| (row.request, row.sample));
    let mut finished = finished.into_iter().map(|row| row.completion);
    let group = |request: &RolloutRequest| PromptGroup {
        prompt: request.prompt,
        prompt_tokens: request.prompt_tokens.clone(),
        completions: finished.by_ref().take(request.samples).collect(),
    };
    requests.iter().map(group).collect()
}

impl<M: CausalLm> InProcessEngine<M> {
    fn decode(
        &self,
        policy: &M,
        requests: &[RolloutRequest],
        mut waiting: VecDeque<Row>,
        sampler: &dyn Sampler,
    ) -> Result<Vec<Row>, RolloutError> {
        let mut finished = Vec::new();
        let mut batch: Option<Batch<M::Cache>> = None;
        loop {
            let live = batch.as_ref().map_or(0, Batch::live);
            if !waiting.is_empty() && live <= self.max_rows / 2 {
                let count = (self.max_rows - live).min(waiting.len());
                let new = waiting.drain(..count).collect();
                batch = Some(match batch {
                    Some(old) => old.admit(Batch::read_prompts(policy, requests, new)),
                    None => Batch::read_prompts(policy, requests, at_least_two(requests, new)),
                });
            }
            let Some(mut current) = batch else { return Ok(finished) };
            current.sample(policy, requests, sampler)?;
            finished.extend(current.retire());
            batch = (!current.rows.is_empty()).then_some(current);
            if let Some(current) = &mut batch {
                current.extend(policy);
            }
        }
    }
}

/// A batch of a single row gets a filler beside it.
fn at_least_two(requests: &[RolloutRequest], mut rows: Vec<Row>) -> Vec<Row> {
    if let [row] = rows.as_slice() {
        let version = row.completion.version;
        let twin = Row::new(row.request, &requests[row.request], row.sample, version);
        rows.push(twin.into_filler());
    }
    rows
}

/// Rows that decode together.
struct Batch<C> {
    rows: Vec<Row>,
    /// The state that each row's next token is drawn from, `[B, D]`.
    hidden: Tensor<2>,
    cache: C,
}

impl<C: KvCache> Batch<C> {
    /// Reads the prompts of new rows, each prompt once.
    fn read_prompts<M: CausalLm<Cache = C>>(
        policy: &M,
        requests: &[RolloutRequest],
        rows: Vec<Row>,
    ) -> Self {
        let mut prompts: Vec<usize> = rows.iter().map(|row| row.request).collect();
        prompts.dedup();
        let of_prompt = |index: &usize| {
            [requests[*index].prompt_tokens.as_slice(), &requests[*index].prefix].concat()
        };
        let texts: Vec<Vec<u32>> = prompts.iter().map(of_prompt).collect();
        let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        let device = device_of(policy);
        let (hidden, cache) = policy.prefill(padded(&texts, &device), &lengths);

        let parents: Vec<usize> =
            rows.iter().map(|row| prompts.partition_point(|index| *index < row.request)).collect();
        let room = rows.iter().map(|row| requests[row.request].stop.max_tokens).max();
        let cache = cache.fork(&parents, room.unwrap_or(0));
        Self { rows, hidden: hidden.select(0, row_index(&parents, &device)), cache }
    }

    /// Rows that have not ended.
    fn live(&self) -> usize {
        self.rows.iter().filter(|row| !row.done).count()
    }

    /// Puts the rows of another batch behind this one's.
    fn admit(mut self, new: Self) -> Self {
        self.rows.extend(new.rows);
        self.cache.admit(new.cache);
        self.hidden = Tensor::cat(vec![self.hidden, new.hidden], 0);
        self
    }

    /// Draws the next token of every row.
    fn sample<M: CausalLm<Cache = C>>(
        &mut self,
        policy: &M,
        requests: &[RolloutRequest],
        sampler: &dyn Sampler,
    ) -> Result<(), RolloutError> {
        let uniforms: Vec<f32> = self.rows.iter_mut().map(Row::next_uniform).collect();
        let uniforms = TensorData::new(uniforms, [self.rows.len()]);
        let uniforms = Tensor::from_data(uniforms, &self.hidden.device());
        let sampled = sampler.sample(policy.logits(self.hidden.clone()), uniforms);
        let read = Read::of(sampled)?;
        for (index, row) in self.rows.iter_mut().enumerate() {
            row.push(&requests[row.request], read.row(index))?;
        }
        Ok(())
    }

    /// Takes out rows that have ended, if they are a quarter of the batch or all of it.
    fn retire(&mut self) -> Vec<Row> {
        let live = self.live();
        let mut out = Vec::new();
        if live == 0 {
            out.append(&mut self.rows);
        } else if live * 4 <= self.rows.len() * 3 && self.rows.len() > 2 {
            let mut keep: Vec<usize> =
                (0..self.rows.len()).filter(|i| !self.rows[*i].done).collect();
            if keep.len() == 1 {
                // A row that ended stays, so that the batch has two.
                keep.extend((0..self.rows.len()).find(|i| self.rows[*i].done));
            }
            self.cache.retain(&keep);
            self.hidden = self.hidden.clone().select(0, row_index(&keep, &self.hidden.device()));
            let mut rows: Vec<Option<Row>> = self.rows.drain(..).map(Some).collect();
            self.rows = keep.iter().filter_map(|i| rows[*i].take()).collect();
            out.extend(rows.into_iter().flatten());
        }
        out.retain(|row| !row.filler);
        out
    }

    /// Reads the token that was just drawn for every row.
    fn extend<M: CausalLm<Cache = C>>(&mut self, policy: &M) {
        let count = self.rows.len();
        let device = self.hidden.device();
        let column = |values: Vec<i32>| {
            Tensor::<2, Int>::from_data(TensorData::new(values, [count, 1]), &device)
        };
        let (tokens, positions) =
            self.rows.iter().map(|row| (row.last().0 as i32, row.last().1 as i32)).unzip();
        let hidden = policy.extend(column(tokens), column(positions), &mut self.cache);
        self.hidden = hidden.squeeze_dim(1);
    }
}

/// What was sampled, on the host.
struct Read {
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
    entropies: Vec<f32>,
    /// Log-probabilities among what they were drawn among.
    sampling_logprobs: Option<Vec<f32>>,
    /// Tokens of a support, and the supports one after the other.
    support: Option<(usize, Vec<i32>)>,
}

impl Read {
    /// Reads everything in one transfer.
    fn of(sampled: Sampled) -> Result<Self, RolloutError> {
        let Sampled { tokens, logprobs, entropies, sampling_logprobs, support } = sampled;
        let (restricted, width) =
            (sampling_logprobs.is_some(), support.as_ref().map(|s| s.dims()[1]));
        let mut transaction =
            Transaction::default().register(tokens).register(logprobs).register(entropies);
        if let Some(logprobs) = sampling_logprobs {
            transaction = transaction.register(logprobs);
        }
        if let Some(support) = support {
            transaction = transaction.register(support);
        }
        let read = transaction.try_execute();
        let mut read = read.map_err(|error| RolloutError::Device(error.to_string()))?.into_iter();
        let mut next = || read.next().expect("one for each that was registered");
        Ok(Self {
            tokens: host(&next())?,
            logprobs: host(&next())?,
            entropies: host(&next())?,
            sampling_logprobs: restricted.then(|| host(&next())).transpose()?,
            support: width.map(|width| Ok((width, host(&next())?))).transpose()?,
        })
    }

    fn row(&self, index: usize) -> Drawn<'_> {
        let support = self.support.as_ref();
        Drawn {
            token: self.tokens[index],
            logprob: self.logprobs[index],
            entropy: self.entropies[index],
            sampling_logprob: self.sampling_logprobs.as_ref().map(|logprobs| logprobs[index]),
            support: support.map(|(width, tokens)| &tokens[index * width..][..*width]),
        }
    }
}

fn device_of<M: CausalLm>(policy: &M) -> Device {
    policy.devices().into_iter().next().expect("a policy has parameters, so it has a device")
}

/// Right-padded rows, at least two columns wide (see [`InProcessEngine`] on products of one row).
fn padded(texts: &[Vec<u32>], device: &Device) -> Tensor<2, Int> {
    let width = texts.iter().map(Vec::len).max().unwrap_or(0).max(2);
    let cell = |text: &Vec<u32>| {
        let mut row: Vec<i32> = text.iter().map(|token| *token as i32).collect();
        row.resize(width, 0);
        row
    };
    let values: Vec<i32> = texts.iter().flat_map(cell).collect();
    Tensor::from_data(TensorData::new(values, [texts.len(), width]), device)
}

fn row_index(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let index: Vec<i32> = rows.iter().map(|row| *row as i32).collect();
    Tensor::from_data(TensorData::new(index, [rows.len()]), device)
}

fn host<E: burn::tensor::Element>(data: &TensorData) -> Result<Vec<E>, RolloutError> {
    data.try_to_vec_as::<E>().map_err(|error| RolloutError::Device(format!("{error:?}")))
}
