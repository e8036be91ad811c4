//! A decoder-only transformer whose options cover the families of [`Family`](crate::Family).
//!
//! RMSNorm before each half of a block, grouped-query attention with rotate-half RoPE, a gated MLP.
//! Fields are named as in Hugging Face checkpoints, so a parameter's path is its name there.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use fireproof_kernels::is_queued;
use half::bf16;

use crate::attention::{Attention, Context, View, soft_capped};
use crate::cache::{LayerCache, TransformerCache};
use crate::causal_lm::{CausalLm, ModelLimits};
use crate::config::TransformerConfig;
use crate::mask::{causal_bias, windowed};
use crate::mlp::Mlp;
use crate::norm::{RmsNorm, in_dtype};
use crate::rotary::Rotary;

/// The model. Made by [`TransformerConfig::init`] or from a checkpoint.
#[derive(Module, Debug)]
pub struct Transformer {
    pub(crate) embed_tokens: Param<Tensor<2>>,
    pub(crate) layers: Vec<Block>,
    pub(crate) norm: RmsNorm,
    pub(crate) lm_head: Option<Param<Tensor<2>>>,
    pub(crate) rotary: Rotary,
    pub(crate) local_rotary: Option<Rotary>,
    #[module(skip)]
    pub(crate) config: TransformerConfig,
}

/// One block. With all four norms the second follows the attention and not precedes the MLP.
#[derive(Module, Debug)]
pub(crate) struct Block {
    pub(crate) input_layernorm: RmsNorm,
    pub(crate) self_attn: Attention,
    pub(crate) post_attention_layernorm: RmsNorm,
    pub(crate) mlp: Mlp,
    pub(crate) pre_feedforward_layernorm: Option<RmsNorm>,
    pub(crate) post_feedforward_layernorm: Option<RmsNorm>,
    pub(crate) windowed: bool,
}

/// What layers with and without a window see.
struct Views {
    global: View,
    local: View,
}

impl Block {
    fn forward(&self, x: Tensor<2>, time: usize, context: Context<'_>) -> Tensor<2> {
        if let Some(x) = self.fused(&x, time, &context) {
            return x;
        }
        let normed = self.input_layernorm.forward(x.clone());
        let attended = self.self_attn.forward(normed, time, context);
        let norms = (&self.pre_feedforward_layernorm, &self.post_feedforward_layernorm);
        if let (Some(before), Some(after)) = norms {
            let x = x + self.post_attention_layernorm.forward(attended);
            let fed = self.mlp.forward(before.forward(x.clone()));
            return x + after.forward(fed);
        }
        let x = x + attended;
        if let Some(fed) = self.mlp.fused(&self.post_attention_layernorm, &x) {
            return fed;
        }
        let normed = self.post_attention_layernorm.forward(x.clone());
        x + self.mlp.forward(normed)
    }

    /// Both halves as one operation each, where there are such.
    fn fused(&self, x: &Tensor<2>, time: usize, context: &Context<'_>) -> Option<Tensor<2>> {
        let has_two_norms = self.pre_feedforward_layernorm.is_none();
        if context.cache.is_some() || !has_two_norms {
            return None;
        }
        let attended = self.self_attn.fused(&self.input_layernorm, x, time, context.view)?;
        self.mlp.fused(&self.post_attention_layernorm, &attended)
    }
}

impl Transformer {
    /// Its sizes and options.
    #[must_use]
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// The precision of its parameters and activations.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.embed_tokens.val().dtype()
    }

    /// Embeddings of `[B, T]` tokens, `[B T, D]`.
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let [batch, time] = tokens.dims();
        let table = self.embed_tokens.val();
        let dtype = table.dtype();
        let embedded = table.select(0, tokens.reshape([batch * time]));
        match self.config.architecture.embedding_scale {
            // Checkpoints were trained with the scale rounded like the embeddings.
            Some(scale) if dtype == DType::BF16 => embedded * bf16::from_f64(scale).to_f64(),
            Some(scale) => embedded * scale,
            None => embedded,
        }
    }

    /// What the layers see at `positions`, where `bias` is the bias of a number of last tokens.
    fn views(&self, positions: Tensor<2, Int>, bias: impl Fn(Option<usize>) -> Tensor<4>) -> Views {
        let angles = self.rotary.at(positions.clone());
        let global = View { angles, bias: bias(None) };
        let Some(window) = &self.config.architecture.window else {
            return Views { local: global.clone(), global };
        };
        let angles = match &self.local_rotary {
            Some(rotary) => rotary.at(positions),
            None => global.angles.clone(),
        };
        Views { local: View { angles, bias: bias(Some(window.width)) }, global }
    }

    /// Runs all blocks: `[B T, D]` hidden states from `[B, T]` tokens. With caches, keys and values
    /// are written from column `start` on.
    fn run(
        &self,
        tokens: Tensor<2, Int>,
        views: &Views,
        mut caches: Option<(&mut Vec<LayerCache>, usize)>,
    ) -> Tensor<2> {
        let [_, time] = tokens.dims();
        let mut x = self.embed(tokens);
        for (index, block) in self.layers.iter().enumerate() {
            let cache = caches.as_mut().map(|(layers, start)| (&mut layers[index], *start));
            let view = if block.windowed { &views.local } else { &views.global };
            x = block.forward(x, time, Context { view, cache });
        }
        self.norm.forward(x)
    }

    /// Empty layers for a batch of `[B, capacity]`.
    fn empty_layers(&self, batch: usize, capacity: usize, device: &Device) -> Vec<LayerCache> {
        let dtype = self.dtype();
        let layer = |block: &Block| {
            let attention = &block.self_attn;
            let head = attention.k_proj.output() / attention.kv_heads;
            let shape = [batch, attention.kv_heads, capacity, head];
            LayerCache::of_zeros(Tensor::zeros(shape, (device, dtype)))
        };
        self.layers.iter().map(layer).collect()
    }
}

/// Rows are padded on the right, where a causal model does not see it; a row padded on the left would
/// attend to its padding.
///
/// # Panics
/// If the positions of a row do not count from 0.
fn refuse_left_padding(positions: Tensor<2, Int>) {
    let [_, time] = positions.dims();
    let positions: Vec<i64> =
        positions.into_data().try_to_vec_as().expect("positions are integers");
    for (row, positions) in positions.chunks(time).enumerate() {
        assert!(
            positions.iter().zip(0..).all(|(position, expected)| *position == expected),
            "row {row} has positions {positions:?}, which do not count from 0: pad rows on the right"
        );
    }
}

impl CausalLm for Transformer {
    type Cache = TransformerCache;

    fn limits(&self) -> ModelLimits {
        self.config.limits()
    }

    fn hidden(&self, tokens: Tensor<2, Int>, positions: Tensor<2, Int>) -> Tensor<3> {
        let [batch, time] = tokens.dims();
        let device = tokens.device();
        // Reading back from a queue is not worth it where programs are not being tested.
        if cfg!(debug_assertions) || !is_queued(&device) {
            refuse_left_padding(positions.clone());
        }
        let views = self.views(positions, |window| causal_bias(time, window, &device));
        let hidden = self.run(tokens, &views, None);
        let width = hidden.dims()[1];
        hidden.reshape([batch, time, width])
    }

    /// In `f32` whatever the model's precision is.
    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        let head = self.lm_head.as_ref().unwrap_or(&self.embed_tokens).val();
        let logits = in_dtype(hidden.matmul(head.transpose()), DType::F32);
        soft_capped(logits, self.config.architecture.logit_soft_cap)
    }

    fn prefill(&self, tokens: Tensor<2, Int>, lengths: &[usize]) -> (Tensor<2>, Self::Cache) {
        let [batch, time] = tokens.dims();
        assert!(
            lengths.len() == batch && lengths.iter().all(|length| (1..=time).contains(length)),
            "{batch} rows of {time} tokens cannot hold prompts of {lengths:?}"
        );
        let device = tokens.device();
        let positions = Tensor::<1, Int>::arange(0..time as i64, &device);
        let positions = positions.reshape([1, time]).expand([batch, time]);
        let views = self.views(positions, |window| causal_bias(time, window, &device));
        let mut layers = self.empty_layers(batch, time, &device);
        let hidden = self.run(tokens, &views, Some((&mut layers, 0)));
        let last = |(row, length): (usize, &usize)| (row * time + length - 1) as i32;
        let last: Vec<i32> = lengths.iter().enumerate().map(last).collect();
        let last = Tensor::<1, Int>::from_data(TensorData::new(last, [batch]), &device);
        (hidden.select(0, last), TransformerCache::of_prompts(layers, lengths, time, &device))
    }

    fn extend(
        &self,
        tokens: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        cache: &mut Self::Cache,
    ) -> Tensor<3> {
        let [batch, time] = tokens.dims();
        let device = tokens.device();
        let start = cache.columns();
        let own = cache.advance(time);
        let columns = start + time;
        let mut bias = own.clone().reshape([batch, 1, 1, columns]);
        if time > 1 {
            // Earlier columns are all visible as far as the row goes; the new ones are causal.
            let causal = causal_bias(time, None, &device);
            let before = Tensor::zeros([1, 1, time, start], (&device, DType::F32));
            bias = bias + Tensor::cat(vec![before, causal], 3);
        }
        let views = self.views(positions, |window| match window {
            Some(window) => windowed(bias.clone(), own.clone(), time, window),
            None => bias.clone(),
        });
        let hidden = self.run(tokens, &views, Some((&mut cache.layers, start)));
        let width = hidden.dims()[1];
        hidden.reshape([batch, time, width])
    }
}
