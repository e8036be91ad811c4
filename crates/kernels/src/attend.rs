//! `attend`: grouped-query attention over few columns, without keeping its weights.

use burn::backend::{
    Autodiff, Backend, Dispatch, TensorMetadata,
    autodiff::{
        checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
        grads::Gradients,
        ops::{Backward, Ops, OpsKind},
    },
    tensor::FloatTensor,
};
use burn::tensor::{Shape, Tensor};

use crate::model_ops::ModelKernels;
use crate::primitive::dims4;

#[cfg(feature = "flex")]
pub(crate) mod flex;

/// `softmax(scale q k^T + bias) v`, query heads in groups over the key and value heads.
///
/// ```text
/// w = softmax(scale q k^T + bias)        p = upstream v^T
/// s = w (p - sum_c w p)
/// d / d q = scale s k      d / d k = scale s^T q      d / d v = w^T upstream
/// ```
///
/// The weights are computed again for the gradient. The bias is a constant: 0 for a column that is
/// seen and a large negative number for one that is not. The softmax is in `f32` at least.
///
/// # Shapes
/// - `q` and the output: `[B, H, T, d]`
/// - `k`, `v`: `[B, K, C, d]`, `H` a multiple of `K`
/// - `bias`: `[B or 1, 1, T or 1, C]`
///
/// # Panics
/// If the shapes do not fit.
#[must_use]
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: Tensor<4>, scale: f64) -> Tensor<4> {
    let [batch, heads, time, head] = q.dims();
    let [_, kv_heads, columns, _] = k.dims();
    let shape = [batch, kv_heads, columns, head];
    for (name, found) in [("keys", k.dims()), ("values", v.dims())] {
        assert!(found == shape, "queries have shape {:?} but {name} {found:?}", q.dims());
    }
    assert!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads),
        "{heads} query heads are not groups over {kv_heads} key heads"
    );
    let [b, h, t, c] = bias.dims();
    let fits = [1, batch].contains(&b) && h == 1 && [1, time].contains(&t) && c == columns;
    assert!(
        fits,
        "scores have shape [{batch}, {heads}, {time}, {columns}] but the bias {:?}",
        [b, h, t, c]
    );
    let output = <Dispatch as ModelKernels>::attend(
        q.into_dispatch(),
        k.into_dispatch(),
        v.into_dispatch(),
        bias.into_dispatch(),
        scale,
    );
    Tensor::from_dispatch(output)
}

/// How query heads stand over key heads.
struct Sizes {
    /// `[B, H, T, d]`.
    queries: [usize; 4],
    /// `[B, K, C, d]`.
    keys: [usize; 4],
}

impl Sizes {
    fn of<B: Backend>(q: &FloatTensor<B>, k: &FloatTensor<B>) -> Self {
        Self { queries: dims4(q, "queries"), keys: dims4(k, "keys") }
    }

    /// Queries that share a key head as rows of one product, `[B, K, H/K T, last]`.
    fn grouped<B: Backend>(&self, tensor: FloatTensor<B>, last: usize) -> FloatTensor<B> {
        let ([batch, heads, time, _], kv_heads) = (self.queries, self.keys[1]);
        let shape = [batch, kv_heads, heads / kv_heads * time, last];
        B::float_reshape(tensor, Shape::new(shape))
    }

    /// Every query head by itself again, `[B, H, T, last]`.
    fn single<B: Backend>(&self, tensor: FloatTensor<B>, last: usize) -> FloatTensor<B> {
        let [batch, heads, time, _] = self.queries;
        B::float_reshape(tensor, Shape::new([batch, heads, time, last]))
    }
}

/// `softmax(scale q k^T + bias)`, `[B, H, T, C]`.
fn weights<B: Backend>(saved: &Saved<B>, sizes: &Sizes) -> FloatTensor<B> {
    let ([.., head], [_, _, columns, _]) = (sizes.queries, sizes.keys);
    let q = B::float_mul_scalar(saved.q.clone(), saved.scale.into());
    let k = B::float_swap_dims(saved.k.clone(), 2, 3);
    let scores = B::float_matmul(sizes.grouped::<B>(q, head), k);
    let scores = crate::primitive::accumulate::<B>(sizes.single::<B>(scores, columns));
    let scores = B::float_add(scores, crate::primitive::accumulate::<B>(saved.bias.clone()));
    let shifted = B::float_sub(scores.clone(), B::float_max_dim(scores, 3));
    let exponentials = B::float_exp(shifted);
    let weights = B::float_div(exponentials.clone(), B::float_sum_dim(exponentials, 3));
    cast_like::<B>(weights, &saved.q)
}

/// The tensor in the dtype of another.
fn cast_like<B: Backend>(tensor: FloatTensor<B>, like: &FloatTensor<B>) -> FloatTensor<B> {
    let dtype = like.dtype();
    if tensor.dtype() == dtype { tensor } else { B::float_cast(tensor, dtype.into()) }
}

/// The body for every backend.
pub(crate) fn reference<B: Backend>(
    q: FloatTensor<B>,
    k: FloatTensor<B>,
    v: FloatTensor<B>,
    bias: FloatTensor<B>,
    scale: f64,
) -> FloatTensor<B> {
    let sizes = Sizes::of::<B>(&q, &k);
    let ([.., head], [_, _, columns, _]) = (sizes.queries, sizes.keys);
    let saved = Saved { q, k, v, bias, scale };
    let weights = sizes.grouped::<B>(weights::<B>(&saved, &sizes), columns);
    sizes.single::<B>(B::float_matmul(weights, saved.v), head)
}

/// The gradients for every backend.
pub(crate) fn gradient<B: Backend>(saved: Saved<B>, upstream: FloatTensor<B>) -> Gradient<B> {
    let sizes = Sizes::of::<B>(&saved.q, &saved.k);
    let ([.., head], [_, _, columns, _]) = (sizes.queries, sizes.keys);
    let weights = sizes.grouped::<B>(weights::<B>(&saved, &sizes), columns);
    let upstream = sizes.grouped::<B>(upstream, head);
    let turned = |tensor: FloatTensor<B>| B::float_swap_dims(tensor, 2, 3);
    let to_v = B::float_matmul(turned(weights.clone()), upstream.clone());
    let to_weights = B::float_matmul(upstream, turned(saved.v));
    let sum = B::float_sum_dim(B::float_mul(weights.clone(), to_weights.clone()), 3);
    let to_scores = B::float_mul(weights, B::float_sub(to_weights, sum));
    let to_scores = B::float_mul_scalar(to_scores, saved.scale.into());
    let to_q = sizes.single::<B>(B::float_matmul(to_scores.clone(), saved.k), head);
    let to_k = B::float_matmul(turned(to_scores), sizes.grouped::<B>(saved.q, head));
    (to_q, to_k, to_v)
}

/// What backward needs.
#[derive(Clone, Debug)]
pub(crate) struct Saved<B: Backend> {
    pub(crate) q: FloatTensor<B>,
    pub(crate) k: FloatTensor<B>,
    pub(crate) v: FloatTensor<B>,
    pub(crate) bias: FloatTensor<B>,
    pub(crate) scale: f64,
}

/// Gradients of queries, keys and values.
pub(crate) type Gradient<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

#[derive(Debug)]
struct AttendBackward;

impl<B: ModelKernels> Backward<B, 3> for AttendBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let Saved { q, k, v, bias, scale } = ops.state;
        let (to_q, to_k, to_v) = B::attend_backward(q, k, v, bias, upstream, scale);
        for (parent, gradient) in ops.parents.into_iter().zip([to_q, to_k, to_v]) {
            if let Some(node) = parent {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// The operation with its gradient.
pub(crate) fn tracked<B: ModelKernels, C: CheckpointStrategy>(
    q: FloatTensor<Autodiff<B, C>>,
    k: FloatTensor<Autodiff<B, C>>,
    v: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    scale: f64,
) -> FloatTensor<Autodiff<B, C>> {
    let ((q, q_guard), (k, k_guard)) = (q.into_parts(), k.into_parts());
    let ((v, v_guard), bias) = (v.into_parts(), bias.into_primitive());
    let output = B::attend(q.clone(), k.clone(), v.clone(), bias.clone(), scale);
    let guards = [q_guard, k_guard, v_guard];
    match AttendBackward.prepare::<C>(guards).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(Saved { q, k, v, bias, scale }, output),
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    }
}
