//! `self_attention`: the first half of a transformer's block as one operation.

use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use crate::block_ops::BlockKernels;
use crate::model_ops::ModelKernels;
use crate::primitive::dims2;

#[cfg(feature = "flex")]
pub(crate) mod flex;

/// The parameters of [`self_attention`]. `H` query heads share `K` key and value heads of `d`
/// numbers.
#[derive(Clone, Debug)]
pub struct SelfAttention {
    /// Factors of the normalisation, `[D]`.
    pub gamma: Tensor<1>,
    /// Queries, `[D, H d]`.
    pub query: Tensor<2>,
    /// Keys, `[D, K d]`.
    pub key: Tensor<2>,
    /// Values, `[D, K d]`.
    pub value: Tensor<2>,
    /// Added to queries, keys and values if there are such: `[H d]`, `[K d]` and `[K d]`.
    pub biases: [Option<Tensor<1>>; 3],
    /// The way back, `[H d, D]`.
    pub output: Tensor<2>,
}

/// What [`self_attention`] does not learn.
#[derive(Clone, Debug)]
pub struct AttentionView {
    /// Cosines of the rotation, `[B or 1, 1, T, d/2]`.
    pub cos: Tensor<4>,
    /// Sines of the rotation, like the cosines.
    pub sin: Tensor<4>,
    /// Added to the scores, `[B or 1, 1, T or 1, T]`.
    pub bias: Tensor<4>,
}

/// The settings of [`self_attention`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttentionRule {
    /// Query heads, `H`.
    pub heads: usize,
    /// Key and value heads, `K`.
    pub kv_heads: usize,
    /// Tokens of a row, `T`.
    pub time: usize,
    /// Multiplies the scores.
    pub scale: f64,
    /// In the normalisation.
    pub epsilon: f64,
}

/// `x + attend(rotate(h query + b), rotate(h key + b), h value + b) output` with
/// `h = rms_norm(x, gamma)`: the operations of the same names one after the other, over rows of `T`
/// tokens.
///
/// The gradient needs the input, queries, keys and values and what attention gave, which are kept; on
/// the CPU some rows go through everything while they are in a core's cache.
///
/// # Shapes
/// `x` and the output `[B T, D]`.
///
/// # Panics
/// If the shapes do not fit.
#[must_use]
pub fn self_attention(
    x: Tensor<2>,
    parameters: SelfAttention,
    view: AttentionView,
    rule: AttentionRule,
) -> Tensor<2> {
    check(&x, &parameters, &view, rule);
    let device = x.device();
    let SelfAttention { gamma, query, key, value, biases, output } = parameters;
    let widths = [&query, &key, &value].map(|weight| weight.dims()[1]);
    let [query_bias, key_bias, value_bias] = {
        let mut widths = widths.into_iter();
        biases.map(|bias| {
            let width = widths.next().unwrap_or(0);
            bias.unwrap_or_else(|| Tensor::zeros([width], (&device, query.dtype()))).into_dispatch()
        })
    };
    let parameters = AttentionParameters {
        gamma: gamma.into_dispatch(),
        query: query.into_dispatch(),
        key: key.into_dispatch(),
        value: value.into_dispatch(),
        query_bias,
        key_bias,
        value_bias,
        output: output.into_dispatch(),
    };
    let view = AttentionConstants {
        cos: view.cos.into_dispatch(),
        sin: view.sin.into_dispatch(),
        bias: view.bias.into_dispatch(),
    };
    let x = x.into_dispatch();
    let out = <Dispatch as BlockKernels>::self_attention(x, parameters, view, rule, false);
    Tensor::from_dispatch(out.output)
}

fn check(x: &Tensor<2>, parameters: &SelfAttention, view: &AttentionView, rule: AttentionRule) {
    let AttentionRule { heads, kv_heads, time, .. } = rule;
    let [tokens, width] = x.dims();
    assert!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads),
        "{heads} query heads are not groups over {kv_heads} key heads"
    );
    assert!(
        time > 0 && tokens.is_multiple_of(time),
        "{tokens} tokens are not rows of {time} tokens"
    );
    let of_queries = parameters.query.dims()[1];
    assert!(
        of_queries.is_multiple_of(2 * heads),
        "{of_queries} numbers are not {heads} heads of two halves"
    );
    let of_keys = of_queries / heads * kv_heads;
    for (name, found, expected) in [
        ("query", parameters.query.dims(), [width, of_queries]),
        ("key", parameters.key.dims(), [width, of_keys]),
        ("value", parameters.value.dims(), [width, of_keys]),
        ("output", parameters.output.dims(), [of_queries, width]),
    ] {
        assert!(found == expected, "{name} has shape {found:?}, not {expected:?}");
    }
    let widths = [of_queries, of_keys, of_keys];
    let biases = parameters.biases.iter().zip(widths);
    let vectors = biases.filter_map(|(bias, width)| Some((bias.as_ref()?.dims(), width)));
    for (found, expected) in vectors.chain([(parameters.gamma.dims(), width)]) {
        assert!(found == [expected], "a vector has shape {found:?}, not [{expected}]");
    }
    let (batch, half) = (tokens / time, of_queries / heads / 2);
    for (name, found) in [("cosines", view.cos.dims()), ("sines", view.sin.dims())] {
        let fits = [[batch, 1, time, half], [1, 1, time, half]].contains(&found);
        assert!(fits, "{batch} rows of {time} tokens have {name} {found:?}");
    }
    let [b, h, t, c] = view.bias.dims();
    let fits = [1, batch].contains(&b) && h == 1 && [1, time].contains(&t) && c == time;
    assert!(fits, "{batch} rows of {time} tokens have the bias {:?}", [b, h, t, c]);
}

/// The parameters of a block's first half, as a backend sees them, or their gradients. Biases that do
/// not exist are 0.
#[derive(Clone, Debug, ExtensionType)]
pub struct AttentionParameters<B: Backend> {
    /// `[D]`.
    pub gamma: FloatTensor<B>,
    /// `[D, H d]`.
    pub query: FloatTensor<B>,
    /// `[D, K d]`.
    pub key: FloatTensor<B>,
    /// `[D, K d]`.
    pub value: FloatTensor<B>,
    /// `[H d]`.
    pub query_bias: FloatTensor<B>,
    /// `[K d]`.
    pub key_bias: FloatTensor<B>,
    /// `[K d]`.
    pub value_bias: FloatTensor<B>,
    /// `[H d, D]`.
    pub output: FloatTensor<B>,
}

/// [`AttentionView`] as a backend sees it.
#[derive(Clone, Debug, ExtensionType)]
pub struct AttentionConstants<B: Backend> {
    /// `[B or 1, 1, T, d/2]`.
    pub cos: FloatTensor<B>,
    /// `[B or 1, 1, T, d/2]`.
    pub sin: FloatTensor<B>,
    /// `[B or 1, 1, T or 1, T]`.
    pub bias: FloatTensor<B>,
}

/// The output, and what the gradient needs beside input and parameters.
#[derive(Clone, Debug, ExtensionType)]
pub struct Attended<B: Backend> {
    /// `[B T, D]`.
    pub output: FloatTensor<B>,
    /// Rotated queries, `[B T, H d]`.
    pub query: FloatTensor<B>,
    /// Rotated keys, `[B T, K d]`.
    pub key: FloatTensor<B>,
    /// `[B T, K d]`.
    pub value: FloatTensor<B>,
    /// What attention gave, `[B T, H d]`.
    pub mixed: FloatTensor<B>,
}

impl AttentionRule {
    /// `[B T, heads d]` as `[B, heads, T, d]`.
    fn split<B: Backend>(self, tensor: FloatTensor<B>, heads: usize) -> FloatTensor<B> {
        let [tokens, width] = dims2(&tensor, "heads");
        let shape = [tokens / self.time, self.time, heads, width / heads];
        B::float_swap_dims(B::float_reshape(tensor, Shape::new(shape)), 1, 2)
    }

    /// `[B, heads, T, d]` as `[B T, heads d]`.
    fn join<B: Backend>(self, tensor: FloatTensor<B>) -> FloatTensor<B> {
        let [batch, heads, time, head] = crate::primitive::dims4(&tensor, "heads");
        let tensor = B::float_swap_dims(tensor, 1, 2);
        B::float_reshape(tensor, Shape::new([batch * time, heads * head]))
    }
}

/// `x weight + bias`.
fn linear<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
) -> FloatTensor<B> {
    let [_, width] = dims2(&weight, "weight");
    B::float_add(B::float_matmul(x, weight), B::float_reshape(bias, Shape::new([1, width])))
}

/// The body for every backend.
pub(crate) fn reference<B: ModelKernels>(
    x: FloatTensor<B>,
    parameters: AttentionParameters<B>,
    view: AttentionConstants<B>,
    rule: AttentionRule,
) -> Attended<B> {
    let AttentionConstants { cos, sin, bias } = view;
    let h = B::rms_norm(x.clone(), parameters.gamma, rule.epsilon);
    let query = linear::<B>(h.clone(), parameters.query, parameters.query_bias);
    let key = linear::<B>(h.clone(), parameters.key, parameters.key_bias);
    let value = linear::<B>(h, parameters.value, parameters.value_bias);
    let turned =
        |tensor, heads| B::rotate(rule.split::<B>(tensor, heads), cos.clone(), sin.clone(), false);
    let (query, key) = (turned(query, rule.heads), turned(key, rule.kv_heads));
    let by_head = rule.split::<B>(value.clone(), rule.kv_heads);
    let mixed = B::attend(query.clone(), key.clone(), by_head, bias, rule.scale);
    let mixed = rule.join::<B>(mixed);
    let output = B::float_add(x, B::float_matmul(mixed.clone(), parameters.output));
    let [query, key] = [query, key].map(|tensor| rule.join::<B>(tensor));
    Attended { output, query, key, value, mixed }
}

/// The gradients for every backend; `saved` with the input in the place of the output.
pub(crate) fn gradient<B: ModelKernels>(
    saved: Attended<B>,
    parameters: AttentionParameters<B>,
    view: AttentionConstants<B>,
    upstream: FloatTensor<B>,
    rule: AttentionRule,
) -> (FloatTensor<B>, AttentionParameters<B>) {
    let turned = |tensor: &FloatTensor<B>| B::float_swap_dims(tensor.clone(), 0, 1);
    let Attended { output: x, query, key, value, mixed } = saved;
    let AttentionConstants { cos, sin, bias } = view;
    let to_output = B::float_matmul(turned(&mixed), upstream.clone());
    let to_mixed = B::float_matmul(upstream.clone(), turned(&parameters.output));
    let to_mixed = rule.split::<B>(to_mixed, rule.heads);
    let query = rule.split::<B>(query, rule.heads);
    let [key, value] = [key, value].map(|tensor| rule.split::<B>(tensor, rule.kv_heads));
    let (to_query, to_key, to_value) =
        B::attend_backward(query, key, value, bias, to_mixed, rule.scale);
    let back = |tensor| rule.join::<B>(B::rotate(tensor, cos.clone(), sin.clone(), true));
    let to = [back(to_query), back(to_key), rule.join::<B>(to_value)];

    let h = turned(&B::rms_norm(x.clone(), parameters.gamma.clone(), rule.epsilon));
    let [query, key, value] = to.each_ref().map(|to| B::float_matmul(h.clone(), to.clone()));
    let [query_bias, key_bias, value_bias] = to.each_ref().map(|to| {
        let [_, width] = dims2(to, "gradient");
        B::float_reshape(B::float_sum_dim(to.clone(), 0), Shape::new([width]))
    });
    let weights = [&parameters.query, &parameters.key, &parameters.value].map(turned);
    let parts = to.into_iter().zip(weights).map(|(to, weight)| B::float_matmul(to, weight));
    let to_h = parts.reduce(B::float_add).expect("there are three");
    let (to_x, gamma) = B::rms_norm_backward(x, parameters.gamma, to_h, rule.epsilon);
    let output = to_output;
    let to_parameters =
        AttentionParameters { gamma, query, key, value, query_bias, key_bias, value_bias, output };
    (B::float_add(upstream, to_x), to_parameters)
}

#[derive(Debug)]
struct SelfAttentionBackward;

impl<B: BlockKernels> Backward<B, 9> for SelfAttentionBackward {
    type State = (Attended<B>, AttentionParameters<B>, AttentionConstants<B>, AttentionRule);

    fn backward(self, ops: Ops<Self::State, 9>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let (saved, parameters, view, rule) = ops.state;
        let (to_x, to) = B::self_attention_backward(saved, parameters, view, upstream, rule);
        let weights = [to.gamma, to.query, to.key, to.value, to.output];
        let biases = [to.query_bias, to.key_bias, to.value_bias];
        let found = [to_x].into_iter().chain(weights).chain(biases);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: BlockKernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    parameters: AttentionParameters<Autodiff<B, C>>,
    view: AttentionConstants<Autodiff<B, C>>,
    rule: AttentionRule,
) -> FloatTensor<Autodiff<B, C>> {
    let (x, x_guard) = x.into_parts();
    let (gamma, gamma_guard) = parameters.gamma.into_parts();
    let (query, query_guard) = parameters.query.into_parts();
    let (key, key_guard) = parameters.key.into_parts();
    let (value, value_guard) = parameters.value.into_parts();
    let (output, output_guard) = parameters.output.into_parts();
    let (query_bias, of_query) = parameters.query_bias.into_parts();
    let (key_bias, of_key) = parameters.key_bias.into_parts();
    let (value_bias, of_value) = parameters.value_bias.into_parts();
    let parameters =
        AttentionParameters { gamma, query, key, value, query_bias, key_bias, value_bias, output };
    let [cos, sin, bias] = [view.cos, view.sin, view.bias].map(|tensor| tensor.into_primitive());
    let view = AttentionConstants { cos, sin, bias };
    let weights = [x_guard, gamma_guard, query_guard, key_guard, value_guard, output_guard];
    let [a, b, c, d, e, f] = weights;
    let guards = [a, b, c, d, e, f, of_query, of_key, of_value];
    match SelfAttentionBackward.prepare::<C>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let found = B::self_attention(x.clone(), parameters.clone(), view.clone(), rule, true);
            let output = found.output.clone();
            let saved = Attended { output: x, ..found };
            prepared.finish((saved, parameters, view, rule), output)
        }
        OpsKind::UnTracked(prepared) => {
            prepared.finish(B::self_attention(x, parameters, view, rule, false).output)
        }
    }
}
