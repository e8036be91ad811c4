//! `linear_token_logprobs`: the output layer and `token_logprobs` in one, without the logits.
//!
//! The vocabulary is gone through in blocks: a block's logits live only until they are summed up
//! (forward) or turned into gradients (backward), so memory does not grow with `N V`.

use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    get_or_init_device_settings,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};
use burn::tensor::{IndexingUpdateOp, Int, Shape, Slice, Tensor};

use crate::ops::TokenKernels;
use crate::primitive::{accumulate, dims2};
use crate::token_logprobs::{FLOOR, TokenLogprobs, assert_ids};

/// Logits that exist at a time.
const LOGITS: usize = 1 << 22;

/// The fewest columns of a block.
const COLUMNS: usize = 256;

/// Scores one token a row from hidden states: [`token_logprobs`](crate::token_logprobs) of
/// `hidden head`, of which only a block of columns exists at a time, forward and backward.
///
/// ```text
/// z_b = hidden head_b / temperature                 for each block b of columns
/// lse = log sum_b exp(lse_b)                        p_b = exp(lse_b - lse)
/// entropy = sum_b p_b (entropy_b + lse - lse_b)     logprob = z_target - lse
/// ```
///
/// The gradient computes each block again: four products of matrices in all where a layer that
/// keeps its logits has three, and none of the passes over `N V` numbers in memory.
///
/// # Shapes
/// - `hidden`: `[N, D]`
/// - `head`: `[D, V]`; a transposed embedding is read where it lies
/// - `targets`: `[N]`, each below `V`
/// - output: three times `[N]`, differentiable in hidden and head
///
/// # Panics
/// If the shapes disagree or the temperature is not positive; on the CPU also if a target is not
/// below `V`. For a GPU check ids on the host before uploading them; one that slips through reads and
/// writes nothing elsewhere: its log-probability is below `-1e29`.
#[must_use]
pub fn linear_token_logprobs(
    hidden: Tensor<2>,
    head: Tensor<2>,
    targets: Tensor<1, Int>,
    temperature: f32,
) -> TokenLogprobs {
    let ([rows, width], [inputs, vocabulary]) = (hidden.dims(), head.dims());
    assert!(width == inputs, "hidden states have {width} numbers but the head takes {inputs}");
    assert!(
        targets.dims() == [rows],
        "{rows} rows of hidden states but targets have shape {:?}",
        targets.dims()
    );
    assert!(temperature > 0.0, "the temperature must be positive, not {temperature}");
    assert_ids(&targets, vocabulary);
    let output = <Dispatch as TokenKernels>::linear_token_logprobs(
        hidden.into_dispatch(),
        head.into_dispatch(),
        targets.into_dispatch(),
        temperature,
    );
    TokenLogprobs::of_columns(Tensor::from_dispatch(output))
}

/// The blocks of columns.
fn blocks(rows: usize, vocabulary: usize) -> impl Iterator<Item = (usize, usize)> {
    let width = (LOGITS / rows.max(1)).max(COLUMNS);
    (0..vocabulary).step_by(width).map(move |start| (start, (start + width).min(vocabulary)))
}

/// Columns of a matrix.
fn columns<B: Backend>(matrix: &FloatTensor<B>, start: usize, end: usize) -> FloatTensor<B> {
    B::float_slice(matrix.clone(), &[Slice::full(), Slice::from(start..end)])
}

/// The body for every backend.
pub(crate) fn reference<B: TokenKernels>(
    hidden: FloatTensor<B>,
    head: FloatTensor<B>,
    targets: IntTensor<B>,
    temperature: f32,
) -> FloatTensor<B> {
    let ([rows, _], [_, vocabulary]) = (dims2(&hidden, "hidden"), dims2(&head, "head"));
    let first = B::int_zeros(targets.shape(), &targets.device(), targets.dtype().into());
    let parts = blocks(rows, vocabulary).map(|(start, end)| {
        let logits = B::float_matmul(hidden.clone(), columns::<B>(&head, start, end));
        B::token_logprobs(logits, first.clone(), temperature)
    });
    let parts: Vec<FloatTensor<B>> = parts.collect();
    let together = |i: usize| {
        let column = parts.iter().map(|part| columns::<B>(part, i, i + 1));
        B::float_cat(column.collect(), 1)
    };
    let (entropies, sums) = (together(1), together(2));
    let largest = B::float_max_dim(sums.clone(), 1);
    let shares = B::float_exp(B::float_sub(sums.clone(), largest.clone()));
    let whole = B::float_sum_dim(shares.clone(), 1);
    let lse = B::float_add(largest, B::float_log(whole.clone()));
    let above = B::float_add(entropies, B::float_sub(lse.clone(), sums));
    let shares = B::float_div(shares, whole);
    let entropy = B::float_sum_dim(B::float_mul(shares, above), 1);
    let outside = outside::<B>(targets.clone(), vocabulary);
    let targets = within::<B>(targets, vocabulary);
    let logits = target_logits::<B>(hidden, head, targets, temperature);
    // A target that does not exist has no probability; nothing is read elsewhere for it.
    let logprobs = B::float_sub(logits, lse.clone());
    let logprobs = B::float_mask_fill(logprobs, outside, FLOOR.into());
    B::float_cat(vec![logprobs, entropy, lse], 1)
}

/// The targets, each of them a column.
fn within<B: Backend>(targets: IntTensor<B>, vocabulary: usize) -> IntTensor<B> {
    B::int_clamp(targets, 0.into(), (vocabulary as i64 - 1).into())
}

/// Whether a target is no column, `[N, 1]`.
fn outside<B: Backend>(targets: IntTensor<B>, vocabulary: usize) -> BoolTensor<B> {
    let dtype = get_or_init_device_settings::<B>(&targets.device()).bool_dtype;
    let rows = targets.shape()[0];
    let targets = B::int_reshape(targets, Shape::new([rows, 1]));
    let below = B::int_lower_elem(targets.clone(), 0.into(), dtype);
    B::bool_or(below, B::int_greater_equal_elem(targets, (vocabulary as i64).into(), dtype))
}

/// The head's columns of the targets, `[N, D]`.
fn target_columns<B: Backend>(head: FloatTensor<B>, targets: IntTensor<B>) -> FloatTensor<B> {
    B::float_select(B::float_swap_dims(head, 0, 1), 0, targets)
}

fn target_logits<B: Backend>(
    hidden: FloatTensor<B>,
    head: FloatTensor<B>,
    targets: IntTensor<B>,
    temperature: f32,
) -> FloatTensor<B> {
    let chosen = accumulate::<B>(target_columns::<B>(head, targets));
    let logits = B::float_sum_dim(B::float_mul(accumulate::<B>(hidden), chosen), 1);
    B::float_div_scalar(logits, temperature.into())
}

/// What backward needs.
#[derive(Clone, Debug)]
struct Saved<B: Backend> {
    hidden: FloatTensor<B>,
    head: FloatTensor<B>,
    targets: IntTensor<B>,
    output: FloatTensor<B>,
    temperature: f32,
}

impl<B: TokenKernels> Saved<B> {
    /// The gradient of a block's logits, without the part at the target.
    fn to_logits(&self, upstream: &FloatTensor<B>, (start, end): (usize, usize)) -> FloatTensor<B> {
        let logits = B::float_matmul(self.hidden.clone(), columns::<B>(&self.head, start, end));
        let targets = &self.targets;
        let first = B::int_zeros(targets.shape(), &targets.device(), targets.dtype().into());
        let output = self.output.clone();
        B::token_logprobs_backward(logits, first, output, upstream.clone(), self.temperature)
    }

    /// Gradients of hidden states and head, of those that are asked for.
    fn gradients(
        self,
        upstream: FloatTensor<B>,
        [to_hidden, to_head]: [bool; 2],
    ) -> [Option<FloatTensor<B>>; 2] {
        let ([rows, _], [_, vocabulary]) =
            (dims2(&self.hidden, "hidden"), dims2(&self.head, "head"));
        let [to_logprob, to_entropy, to_lse] = [0, 1, 2].map(|i| columns::<B>(&upstream, i, i + 1));
        // d logprob / d z is minus d lse / d z but for the target's own part.
        let none = B::float_mul_scalar(to_logprob.clone(), 0.0f32.into());
        let rest = B::float_sub(to_lse, to_logprob.clone());
        let dense = B::float_cat(vec![none, to_entropy, rest], 1);
        let dtype = self.hidden.dtype();
        let factor = B::float_div_scalar(to_logprob, self.temperature.into());
        let factor =
            if factor.dtype() == dtype { factor } else { B::float_cast(factor, dtype.into()) };

        let mut of_hidden = to_hidden.then(|| {
            let chosen = target_columns::<B>(self.head.clone(), self.targets.clone());
            B::float_mul(chosen, factor.clone())
        });
        let mut of_head = Vec::new();
        for block in blocks(rows, vocabulary) {
            let to_logits = self.to_logits(&dense, block);
            of_hidden = of_hidden.map(|sum| {
                let head = B::float_swap_dims(columns::<B>(&self.head, block.0, block.1), 0, 1);
                B::float_add(sum, B::float_matmul(to_logits.clone(), head))
            });
            if to_head {
                let turned = B::float_swap_dims(to_logits, 0, 1);
                of_head.push(B::float_matmul(turned, self.hidden.clone()));
            }
        }
        let of_head = to_head.then(|| {
            let rows = B::float_mul(self.hidden.clone(), factor);
            let whole = B::float_cat(of_head, 0);
            let add = IndexingUpdateOp::Add;
            B::float_swap_dims(
                B::float_select_assign(whole, 0, self.targets.clone(), rows, add),
                0,
                1,
            )
        });
        [of_hidden, of_head]
    }
}

#[derive(Debug)]
struct LinearTokenLogprobsBackward;

impl<B: TokenKernels> Backward<B, 2> for LinearTokenLogprobsBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let asked = [ops.parents[0].is_some(), ops.parents[1].is_some()];
        let found = ops.state.gradients(upstream, asked);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: TokenKernels, C: CheckpointStrategy>(
    hidden: FloatTensor<Autodiff<B, C>>,
    head: FloatTensor<Autodiff<B, C>>,
    targets: IntTensor<B>,
    temperature: f32,
) -> FloatTensor<Autodiff<B, C>> {
    let ((hidden, hidden_guard), (head, head_guard)) = (hidden.into_parts(), head.into_parts());
    let output =
        B::linear_token_logprobs(hidden.clone(), head.clone(), targets.clone(), temperature);
    let guards = [hidden_guard, head_guard];
    match LinearTokenLogprobsBackward.prepare::<C>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let [_, vocabulary] = dims2(&head, "head");
            let targets = within::<B>(targets, vocabulary);
            let saved = Saved { hidden, head, targets, output: output.clone(), temperature };
            prepared.finish(saved, output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}
