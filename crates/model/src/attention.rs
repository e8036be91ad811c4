//! Grouped-query causal self-attention.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use fireproof_kernels::attend;

use crate::cache::LayerCache;
use crate::rotary::Angles;

/// Added to the score of a position that must not be seen: its weight becomes exactly 0.
pub(crate) const HIDDEN: f32 = -1e9;

/// Attention with `heads` query heads that share `kv_heads` key and value heads.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    pub(crate) q_proj: Linear,
    pub(crate) k_proj: Linear,
    pub(crate) v_proj: Linear,
    pub(crate) o_proj: Linear,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
}

/// Where keys and values come from and go to.
pub(crate) struct Context<'a> {
    /// Rotation at each position.
    pub(crate) angles: &'a Angles,
    /// Added to the scores, `[B or 1, 1, T or 1, columns]`.
    pub(crate) bias: &'a Tensor<4>,
    /// The layer's cache and the column at which to write, if there is a cache.
    pub(crate) cache: Option<(&'a mut LayerCache, usize)>,
}

impl Attention {
    /// `[B T, D]` -> `[B T, D]`, rows of `time` tokens.
    ///
    /// Linear layers work on two dimensions: with three, the gradient of a weight would be a
    /// product for each row of the batch and a sum over them.
    pub(crate) fn forward(&self, x: Tensor<2>, time: usize, context: Context<'_>) -> Tensor<2> {
        let [tokens, _] = x.dims();
        let batch = tokens / time;
        let split = |projected: Tensor<2>, heads: usize| {
            let head = projected.dims()[1] / heads;
            projected.reshape([batch, time, heads, head]).swap_dims(1, 2)
        };
        let q = context.angles.rotate(split(self.q_proj.forward(x.clone()), self.heads));
        let k = context.angles.rotate(split(self.k_proj.forward(x.clone()), self.kv_heads));
        let v = split(self.v_proj.forward(x), self.kv_heads);
        let (k, v) = match context.cache {
            Some((cache, start)) => cache.write(k, v, start),
            None => (k, v),
        };
        let [_, heads, _, head] = q.dims();
        let mixed = attend(q, k, v, context.bias.clone(), 1.0 / (head as f64).sqrt());
        self.o_proj.forward(mixed.swap_dims(1, 2).reshape([tokens, heads * head]))
    }
}

/// The bias that hides later tokens from earlier ones, `[1, 1, T, T]`.
pub(crate) fn causal_bias(time: usize, device: &Device) -> Tensor<4> {
    let hidden = |index: usize| if index % time > index / time { HIDDEN } else { 0.0 };
    let values: Vec<f32> = (0..time * time).map(hidden).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, time, time]), device)
}
