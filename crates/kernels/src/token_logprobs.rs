//! `token_logprobs`: the log-probability of one token a row, with entropy and log-sum-exp.
//!
//! All three are columns of one tracked tensor, so an entropy bonus and a penalty on the
//! log-sum-exp are differentiable. Backward needs the logits and the output only: the probabilities
//! are computed again instead of being kept.

use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{IndexingUpdateOp, Int, Shape, Slice, Tensor};

use crate::device::is_queued;
use crate::ops::TokenKernels;
use crate::primitive::{accumulate, dims2};

#[cfg(feature = "cube")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;

/// Below this a shifted logit has probability 0 in `f32`; `0 * -inf` would be NaN in the entropy.
pub(crate) const FLOOR: f32 = -1e30;

/// Log-probability, entropy (nats) and log-sum-exp of each row of logits.
#[derive(Clone, Debug)]
pub struct TokenLogprobs {
    /// Log-probability of the target token, `[N]`.
    pub logprobs: Tensor<1>,
    /// Entropy of the row's distribution in nats, `[N]`.
    pub entropies: Tensor<1>,
    /// Log-sum-exp of the row's scaled logits, `[N]`.
    pub log_sum_exp: Tensor<1>,
}

impl TokenLogprobs {
    /// From the three columns of the operation's output.
    pub(crate) fn of_columns(output: Tensor<2>) -> Self {
        let [rows, _] = output.dims();
        let column = |i| output.clone().narrow(1, i, 1).reshape([rows]);
        Self { logprobs: column(0), entropies: column(1), log_sum_exp: column(2) }
    }
}

/// Scores one token a row: log-probability, entropy and log-sum-exp at a temperature.
///
/// ```text
/// z = logits / temperature          lse = log sum_v exp z_v
/// logprob = z_target - lse          p_v = exp(z_v - lse)
/// entropy = lse - sum_v p_v z_v
///
/// d logprob / d z_v = [v = target] - p_v
/// d entropy / d z_v = -p_v (z_v - lse + entropy)
/// d lse     / d z_v = p_v
/// ```
///
/// Computed in `f32` whatever the logits are (`f64` stays `f64`). A logit of `-inf` has probability
/// 0 and no gradient; a NaN anywhere in a row makes all three numbers of the row NaN. All three
/// outputs are differentiable in the logits.
///
/// # Shapes
/// - `logits`: `[N, V]`
/// - `targets`: `[N]`, each below `V`
/// - output: three times `[N]`
///
/// # Panics
/// If the shapes disagree or the temperature is not positive; on the CPU also if a target is not
/// below `V`. For a GPU the ids are *not* checked here (that would wait for the device): check them
/// on the host before uploading, as the engine and the trainer do. An id that slips through reads
/// nothing elsewhere there: its log-probability is below `-1e29`.
#[must_use]
pub fn token_logprobs(
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
    temperature: f32,
) -> TokenLogprobs {
    let [rows, _] = logits.dims();
    assert!(
        targets.dims() == [rows],
        "logits have {rows} rows but targets have shape {:?}",
        targets.dims()
    );
    assert!(temperature > 0.0, "the temperature must be positive, not {temperature}");
    let output = <Dispatch as TokenKernels>::token_logprobs(
        logits.into_dispatch(),
        targets.into_dispatch(),
        temperature,
    );
    TokenLogprobs::of_columns(Tensor::from_dispatch(output))
}

/// Refuses ids that are no columns, where looking at them does not wait for a device.
///
/// # Panics
/// If one is not below `limit`: a gather would read elsewhere.
pub(crate) fn assert_ids(ids: &Tensor<1, Int>, limit: usize) {
    if is_queued(&ids.device()) {
        return;
    }
    let data = ids.clone().into_data();
    let mut ids = data.iter::<i64>().enumerate();
    if let Some((row, id)) = ids.find(|(_, id)| !(0..limit as i64).contains(id)) {
        panic!("target {id} of row {row} is not among 0..{limit}");
    }
}

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    logits: FloatTensor<B>,
    targets: IntTensor<B>,
    temperature: f32,
) -> FloatTensor<B> {
    let [rows, _] = dims2(&logits, "logits");
    let scaled = scale::<B>(accumulate::<B>(logits), temperature);
    let largest = B::float_max_dim(scaled.clone(), 1);
    let shifted = B::float_sub(scaled, largest.clone());
    let exponentials = B::float_exp(shifted.clone());
    let sum = B::float_sum_dim(exponentials.clone(), 1);
    let log_sum = B::float_log(sum.clone());

    let targets = B::int_reshape(targets, Shape::new([rows, 1]));
    let logprobs = B::float_sub(B::float_gather(1, shifted.clone(), targets), log_sum.clone());
    let weighted = B::float_mul(exponentials, B::float_clamp_min(shifted, FLOOR.into()));
    let mean = B::float_div(B::float_sum_dim(weighted, 1), sum);
    let entropies = B::float_sub(log_sum.clone(), mean);
    B::float_cat(vec![logprobs, entropies, B::float_add(largest, log_sum)], 1)
}

/// The gradient of the logits from the gradient of the three columns.
pub(crate) fn gradient<B: Backend>(saved: Saved<B>, upstream: FloatTensor<B>) -> FloatTensor<B> {
    let [rows, _] = dims2(&saved.logits, "logits");
    let dtype = saved.logits.dtype();
    let column = |tensor: &FloatTensor<B>, i: usize| {
        B::float_slice(tensor.clone(), &[Slice::full(), Slice::from(i..i + 1)])
    };
    let [to_logprob, to_entropy, to_lse] = [0, 1, 2].map(|i| column(&upstream, i));
    let [entropy, lse] = [1, 2].map(|i| column(&saved.output, i));

    // The sum over columns of upstream times derivative, without the one-hot part.
    let scaled = scale::<B>(accumulate::<B>(saved.logits), saved.temperature);
    let all = B::float_sub(scaled, lse);
    let probabilities = B::float_exp(all.clone());
    let above = B::float_add(B::float_clamp_min(all, FLOOR.into()), entropy);
    let factor =
        B::float_sub(B::float_sub(to_lse, to_logprob.clone()), B::float_mul(above, to_entropy));
    let dense = B::float_mul(probabilities, factor);

    let targets = B::int_reshape(saved.targets, Shape::new([rows, 1]));
    let whole = B::float_scatter(1, dense, targets, to_logprob, IndexingUpdateOp::Add);
    let whole = scale::<B>(whole, saved.temperature);
    if whole.dtype() == dtype { whole } else { B::float_cast(whole, dtype.into()) }
}

fn scale<B: Backend>(logits: FloatTensor<B>, temperature: f32) -> FloatTensor<B> {
    if temperature == 1.0 { logits } else { B::float_div_scalar(logits, temperature.into()) }
}

/// What backward needs.
#[derive(Clone, Debug)]
pub(crate) struct Saved<B: Backend> {
    pub(crate) logits: FloatTensor<B>,
    pub(crate) targets: IntTensor<B>,
    pub(crate) output: FloatTensor<B>,
    pub(crate) temperature: f32,
}

#[derive(Debug)]
struct TokenLogprobsBackward;

impl<B: TokenKernels> Backward<B, 1> for TokenLogprobsBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let [logits] = ops.parents;
        if let Some(node) = logits {
            let Saved { logits, targets, output, temperature } = ops.state;
            let gradient =
                B::token_logprobs_backward(logits, targets, output, upstream, temperature);
            gradients.register::<B>(node.id, gradient);
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: TokenKernels, C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<B, C>>,
    targets: IntTensor<B>,
    temperature: f32,
) -> FloatTensor<Autodiff<B, C>> {
    let (logits, guard) = logits.into_parts();
    let output = B::token_logprobs(logits.clone(), targets.clone(), temperature);
    match TokenLogprobsBackward.prepare::<C>([guard]).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let saved = Saved { logits, targets, output: output.clone(), temperature };
            prepared.finish(saved, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}
