//! Grouped-query causal self-attention.

use burn::module::Module;
use burn::tensor::{DType, Tensor, activation};
use fireproof_kernels::{AttentionRule, AttentionView, SelfAttention, attend, self_attention};

use crate::cache::LayerCache;
use crate::norm::{RmsNorm, in_dtype};
use crate::projection::Projection;
use crate::rotary::Angles;

/// Attention with `heads` query heads that share `kv_heads` key and value heads.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    pub(crate) q_proj: Projection,
    pub(crate) k_proj: Projection,
    pub(crate) v_proj: Projection,
    pub(crate) o_proj: Projection,
    pub(crate) q_norm: Option<RmsNorm>,
    pub(crate) k_norm: Option<RmsNorm>,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    /// Multiplies the scores.
    pub(crate) scale: f64,
    pub(crate) soft_cap: Option<f64>,
}

/// What a layer sees and by which angles it turns.
#[derive(Clone)]
pub(crate) struct View {
    /// Rotation at each position.
    pub(crate) angles: Angles,
    /// Added to the scores, `[B or 1, 1, T or 1, columns]`, in `f32`.
    pub(crate) bias: Tensor<4>,
}

/// Where keys and values come from and go to.
pub(crate) struct Context<'a> {
    pub(crate) view: &'a View,
    /// The layer's cache and the column at which to write, if there is a cache.
    pub(crate) cache: Option<(&'a mut LayerCache, usize)>,
}

impl Attention {
    /// `x + forward(norm(x))` without a cache as one operation; `None` where it does not exist: with
    /// norms of queries and keys or a soft cap, in other precisions, and beside adapters.
    pub(crate) fn fused(
        &self,
        norm: &RmsNorm,
        x: &Tensor<2>,
        time: usize,
        view: &View,
    ) -> Option<Tensor<2>> {
        let has_more = self.q_norm.is_some() || self.k_norm.is_some() || self.soft_cap.is_some();
        if has_more || x.dtype() != DType::F32 || !view.angles.are_f32() {
            return None;
        }
        let (query, query_bias) = self.q_proj.plain()?;
        let (key, key_bias) = self.k_proj.plain()?;
        let (value, value_bias) = self.v_proj.plain()?;
        let biases = [query_bias, key_bias, value_bias];
        let (gamma, output) = (norm.factor()?, self.o_proj.bare()?);
        let parameters = SelfAttention { gamma, query, key, value, biases, output };
        let rule = AttentionRule {
            heads: self.heads,
            kv_heads: self.kv_heads,
            time,
            scale: self.scale,
            epsilon: norm.epsilon,
        };
        let Angles { cos, sin } = view.angles.clone();
        let view = AttentionView { cos, sin, bias: view.bias.clone() };
        Some(self_attention(x.clone(), parameters, view, rule))
    }

    /// `[B T, D]` -> `[B T, D]`, rows of `time` tokens.
    pub(crate) fn forward(&self, x: Tensor<2>, time: usize, context: Context<'_>) -> Tensor<2> {
        let [tokens, _] = x.dims();
        let batch = tokens / time;
        let split = |projected: Tensor<2>, heads: usize, norm: &Option<RmsNorm>| {
            let head = projected.dims()[1] / heads;
            let heads = projected.reshape([batch, time, heads, head]).swap_dims(1, 2);
            match norm {
                Some(norm) => norm.forward(heads),
                None => heads,
            }
        };
        let angles = &context.view.angles;
        let q = self.q_proj.forward(x.clone());
        let q = angles.rotate(split(q, self.heads, &self.q_norm));
        let k = self.k_proj.forward(x.clone());
        let k = angles.rotate(split(k, self.kv_heads, &self.k_norm));
        let v = split(self.v_proj.forward(x), self.kv_heads, &None);
        let (k, v) = match context.cache {
            Some((cache, start)) => cache.write(k, v, start),
            None => (k, v),
        };
        let bias = &context.view.bias;
        let mixed = match self.soft_cap {
            None if q.dtype() == DType::F32 => attend(q, k, v, bias.clone(), self.scale),
            _ => self.attend(q, k, v, bias),
        };
        let [_, heads, _, head] = mixed.dims();
        self.o_proj.forward(mixed.swap_dims(1, 2).reshape([tokens, heads * head]))
    }

    /// What the fused operation does not do: a soft cap, and other precisions.
    ///
    /// `softmax(cap(scale q k^T) + bias) v`, query heads `[B, H, T, d]` in groups over the key heads,
    /// the softmax in `f32`.
    ///
    /// The queries that share a key head are stacked as rows of one product, so keys and values are
    /// never repeated.
    fn attend(&self, q: Tensor<4>, k: Tensor<4>, v: Tensor<4>, bias: &Tensor<4>) -> Tensor<4> {
        let [batch, heads, time, head] = q.dims();
        let [_, kv_heads, columns, _] = k.dims();
        let (rows, dtype) = (heads / kv_heads * time, q.dtype());
        let q = (q * self.scale).reshape([batch, kv_heads, rows, head]);
        let scores = q.matmul(k.swap_dims(2, 3)).reshape([batch, heads, time, columns]);
        let scores = soft_capped(in_dtype(scores, DType::F32), self.soft_cap) + bias.clone();
        let weights = in_dtype(activation::softmax(scores, 3), dtype);
        let weights = weights.reshape([batch, kv_heads, rows, columns]);
        weights.matmul(v).reshape([batch, heads, time, head])
    }
}

/// `c tanh(x / c)`.
pub(crate) fn soft_capped<const D: usize>(x: Tensor<D>, cap: Option<f64>) -> Tensor<D> {
    match cap {
        Some(cap) => (x / cap).tanh() * cap,
        None => x,
    }
}
