//! One row of a decoding batch: a completion in the making.

use fireproof_trajectory::{Completion, FinishReason, PolicyVersion};

use crate::engine::{RolloutError, RolloutRequest};
use crate::uniform::UniformStream;

/// A completion in the making.
#[derive(Debug)]
pub(crate) struct Row {
    /// Index of its request.
    pub(crate) request: usize,
    /// Index within its group.
    pub(crate) sample: usize,
    /// Tokens before the completion: prompt and prefix.
    start: usize,
    pub(crate) completion: Completion,
    /// True once the completion ended; the row is carried along until the batch is compacted.
    pub(crate) done: bool,
    /// True for a row that only keeps the batch at two rows and belongs to no completion.
    pub(crate) filler: bool,
    uniforms: UniformStream,
}

/// What was drawn for a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drawn<'a> {
    pub(crate) token: u32,
    pub(crate) logprob: f32,
    pub(crate) entropy: f32,
    /// Its log-probability among the tokens that it was drawn among, if those were not all.
    pub(crate) sampling_logprob: Option<f32>,
    /// Those tokens, where they are kept.
    pub(crate) support: Option<&'a [i32]>,
}

impl Row {
    pub(crate) fn new(
        index: usize,
        request: &RolloutRequest,
        sample: usize,
        version: PolicyVersion,
    ) -> Self {
        let RolloutRequest { seed, step, prompt, .. } = *request;
        let prefix = request.prefix.len();
        Self {
            request: index,
            sample,
            start: request.prompt_tokens.len() + prefix,
            completion: Completion {
                tokens: Vec::new(),
                logprobs: Vec::new(),
                sampling_logprobs: None,
                support: None,
                entropies: Vec::new(),
                finish: FinishReason::Length,
                sampling: request.sampling,
                version,
            },
            done: false,
            filler: false,
            uniforms: UniformStream::new(seed, step, prompt.0, sample as u64, prefix as u64),
        }
    }

    /// A row that has ended already and belongs to no completion.
    pub(crate) fn into_filler(mut self) -> Self {
        (self.done, self.filler) = (true, true);
        self
    }

    /// Its last token with the position in the model's context; a filler repeats token 0.
    pub(crate) fn last(&self) -> (u32, usize) {
        let tokens = &self.completion.tokens;
        (tokens.last().copied().unwrap_or(0), self.start + tokens.len().saturating_sub(1))
    }

    /// The uniform number for its next token; a row that ended uses none up.
    pub(crate) fn next_uniform(&mut self) -> f32 {
        if self.done { 0.0 } else { self.uniforms.next_uniform() }
    }

    /// Takes the next token, unless the row has ended.
    pub(crate) fn push(
        &mut self,
        request: &RolloutRequest,
        drawn: Drawn<'_>,
    ) -> Result<(), RolloutError> {
        let Drawn { token, logprob, entropy, sampling_logprob, support } = drawn;
        if self.done {
            return Ok(());
        }
        let completion = &mut self.completion;
        if !(logprob.is_finite() && entropy.is_finite()) {
            return Err(RolloutError::NotFinite {
                prompt: request.prompt,
                sample: self.sample,
                position: completion.tokens.len(),
                logprob,
            });
        }
        completion.tokens.push(token);
        completion.logprobs.push(logprob);
        completion.entropies.push(entropy);
        if let Some(logprob) = sampling_logprob {
            completion.sampling_logprobs.get_or_insert_default().push(logprob);
        }
        if let Some(tokens) = support {
            let support = completion.support.get_or_insert_default();
            support.width = tokens.len();
            support.tokens.extend(tokens.iter().map(|token| *token as u32));
        }
        if request.stop.stop_tokens.contains(&token) {
            completion.finish = FinishReason::Stop;
            self.done = true;
        } else if completion.tokens.len() == request.stop.max_tokens {
            self.done = true;
        }
        Ok(())
    }
}
