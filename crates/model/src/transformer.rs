//! A decoder-only transformer of the Qwen2 shape.
//!
//! RMSNorm before each half of a block, grouped-query attention with biases on queries, keys and
//! values, rotate-half RoPE, SwiGLU, the embedding tied to the output. Fields are named as in
//! Hugging Face checkpoints (`model.` stripped), so importing weights is a renaming.

use burn::module::Module;
use burn::nn::{Linear, RmsNorm};
use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::{rms_norm, swiglu};
use serde::{Deserialize, Serialize};

use crate::attention::{Attention, Context, causal_bias};
use crate::cache::{LayerCache, TransformerCache};
use crate::causal_lm::{CausalLm, ModelError, ModelLimits};
use crate::initial::Initial;
use crate::rotary::Rotary;

/// Sizes of a [`Transformer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Number of tokens, `V`.
    pub vocabulary: usize,
    /// Width of the residual stream, `D`; a multiple of `2 heads`.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads, `H`; a multiple of `kv_heads`.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of the SwiGLU layer.
    pub mlp_width: usize,
    /// Most tokens a row can hold.
    pub context: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square in RMSNorm.
    pub norm_epsilon: f64,
    /// Standard deviation of the initial weights.
    pub initial_std: f32,
}

impl TransformerConfig {
    /// About 0.1 million parameters: learns the procedural tasks within minutes on two CPU cores.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            vocabulary: 32,
            width: 64,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            mlp_width: 208,
            context: 64,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-6,
            initial_std: 0.08,
        }
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// [`ModelError::Config`] names the size and its rule.
    pub fn validate(&self) -> Result<(), ModelError> {
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("width", self.width),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv_heads", self.kv_heads),
            ("mlp_width", self.mlp_width),
            ("context", self.context),
        ];
        let refuse = |text: String| Err(ModelError::Config(text));
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return refuse(format!("{name} must be at least 1, not 0"));
        }
        if !self.width.is_multiple_of(2 * self.heads) {
            return refuse(format!(
                "width {} must be a multiple of 2 heads = {}",
                self.width,
                2 * self.heads
            ));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return refuse(format!(
                "heads {} must be a multiple of kv_heads {}",
                self.heads, self.kv_heads
            ));
        }
        if !(self.initial_std.is_finite() && self.initial_std > 0.0) {
            return refuse(format!("initial_std must be positive, not {}", self.initial_std));
        }
        Ok(())
    }

    /// A model with random parameters that depend on the seed alone, not on the backend.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) refuses the sizes.
    #[must_use]
    pub fn init(&self, seed: u64, device: &Device) -> Transformer {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        let mut initial = Initial::new(seed, device);
        let embed_tokens = initial.normal([self.vocabulary, self.width], self.initial_std);
        let layers = (0..self.layers).map(|_| self.block(&mut initial)).collect();
        let head = self.width / self.heads;
        Transformer {
            embed_tokens,
            layers,
            norm: self.rms_norm(&initial),
            rotary: Rotary::new(self.context, head, self.rope_theta, device),
            context: self.context,
        }
    }

    fn block(&self, initial: &mut Initial<'_>) -> Block {
        let head = self.width / self.heads;
        let kv_width = self.kv_heads * head;
        // The outputs that add to the residual stream start smaller the more of them there are.
        let residual_std = self.initial_std / (2.0 * self.layers as f32).sqrt();
        let mut linear = |input, output, bias: bool, std| Linear {
            weight: initial.normal([input, output], std),
            bias: bias.then(|| initial.constant(output, 0.0)),
        };
        let (width, std) = (self.width, self.initial_std);
        let self_attn = Attention {
            q_proj: linear(width, width, true, std),
            k_proj: linear(width, kv_width, true, std),
            v_proj: linear(width, kv_width, true, std),
            o_proj: linear(width, width, false, residual_std),
            heads: self.heads,
            kv_heads: self.kv_heads,
        };
        let mlp = Mlp {
            gate_proj: linear(width, self.mlp_width, false, std),
            up_proj: linear(width, self.mlp_width, false, std),
            down_proj: linear(self.mlp_width, width, false, residual_std),
        };
        Block {
            input_layernorm: self.rms_norm(initial),
            self_attn,
            post_attention_layernorm: self.rms_norm(initial),
            mlp,
        }
    }

    fn rms_norm(&self, initial: &Initial<'_>) -> RmsNorm {
        RmsNorm { gamma: initial.constant(self.width, 1.0), epsilon: self.norm_epsilon }
    }
}

/// The model. Made by [`TransformerConfig::init`].
#[derive(Module, Debug)]
pub struct Transformer {
    embed_tokens: burn::module::Param<Tensor<2>>,
    layers: Vec<Block>,
    norm: RmsNorm,
    rotary: Rotary,
    context: usize,
}

#[derive(Module, Debug)]
struct Block {
    input_layernorm: RmsNorm,
    self_attn: Attention,
    post_attention_layernorm: RmsNorm,
    mlp: Mlp,
}

/// SwiGLU: `(silu(x gate) * (x up)) down`.
#[derive(Module, Debug)]
struct Mlp {
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl Block {
    fn forward(&self, x: Tensor<2>, time: usize, context: Context<'_>) -> Tensor<2> {
        let attended = normed(&self.input_layernorm, x.clone());
        let x = x + self.self_attn.forward(attended, time, context);
        let gated = normed(&self.post_attention_layernorm, x.clone());
        x + self.mlp.forward(gated)
    }
}

fn normed(norm: &RmsNorm, x: Tensor<2>) -> Tensor<2> {
    rms_norm(x, norm.gamma.val(), norm.epsilon)
}

impl Mlp {
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gate = self.gate_proj.forward(x.clone());
        self.down_proj.forward(swiglu(gate, self.up_proj.forward(x)))
    }
}

impl Transformer {
    /// Embeddings of `[B, T]` tokens, `[B T, D]`.
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let [batch, time] = tokens.dims();
        self.embed_tokens.val().select(0, tokens.reshape([batch * time]))
    }

    /// Runs all blocks: `[B T, D]` hidden states from `[B, T]` tokens. With caches, keys and values
    /// are written from column `start` on.
    fn run(
        &self,
        tokens: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        bias: &Tensor<4>,
        mut caches: Option<(&mut Vec<LayerCache>, usize)>,
    ) -> Tensor<2> {
        let [_, time] = tokens.dims();
        let angles = self.rotary.at(positions);
        let mut x = self.embed(tokens);
        for (index, block) in self.layers.iter().enumerate() {
            let cache = caches.as_mut().map(|(layers, start)| (&mut layers[index], *start));
            x = block.forward(x, time, Context { angles: &angles, bias, cache });
        }
        normed(&self.norm, x)
    }

    /// `n` empty layers for a batch of `[B, capacity]`.
    fn empty_layers(&self, batch: usize, capacity: usize, device: &Device) -> Vec<LayerCache> {
        let layer = |block: &Block| {
            let attention = &block.self_attn;
            let head = attention.k_proj.weight.dims()[1] / attention.kv_heads;
            let keys = Tensor::zeros([batch, attention.kv_heads, 1, head], device);
            LayerCache::empty_like(&keys, capacity)
        };
        self.layers.iter().map(layer).collect()
    }
}

impl CausalLm for Transformer {
    type Cache = TransformerCache;

    fn limits(&self) -> ModelLimits {
        ModelLimits { vocabulary: self.embed_tokens.dims()[0], context: self.context }
    }

    fn hidden(&self, tokens: Tensor<2, Int>, positions: Tensor<2, Int>) -> Tensor<3> {
        let [batch, time] = tokens.dims();
        let bias = causal_bias(time, &tokens.device());
        let hidden = self.run(tokens, positions, &bias, None);
        let width = hidden.dims()[1];
        hidden.reshape([batch, time, width])
    }

    fn logits(&self, hidden: Tensor<2>) -> Tensor<2> {
        hidden.matmul(self.embed_tokens.val().transpose())
    }

    fn prefill(&self, tokens: Tensor<2, Int>, lengths: &[usize]) -> (Tensor<2>, Self::Cache) {
        let [batch, time] = tokens.dims();
        let device = tokens.device();
        let positions = Tensor::<1, Int>::arange(0..time as i64, &device);
        let positions = positions.reshape([1, time]).expand([batch, time]);
        let bias = causal_bias(time, &device);
        let mut layers = self.empty_layers(batch, time, &device);
        let hidden = self.run(tokens, positions, &bias, Some((&mut layers, 0)));
        let last = |(row, length): (usize, &usize)| (row * time + length - 1) as i32;
        let last: Vec<i32> = lengths.iter().enumerate().map(last).collect();
        let last = Tensor::<1, Int>::from_data(TensorData::new(last, [batch]), &device);
        let like = Tensor::empty([batch, time], &device);
        (hidden.select(0, last), TransformerCache::of_prompts(layers, lengths, &like))
    }

    fn extend(
        &self,
        tokens: Tensor<2, Int>,
        positions: Tensor<2, Int>,
        cache: &mut Self::Cache,
    ) -> Tensor<3> {
        let [batch, time] = tokens.dims();
        let start = cache.columns();
        let mut bias = cache.advance(time);
        if time > 1 {
            // Earlier columns are all visible as far as the row goes; the new ones are causal.
            let causal = causal_bias(time, &tokens.device());
            let before = Tensor::zeros([1, 1, time, start], &tokens.device());
            bias = bias + Tensor::cat(vec![before, causal], 3);
        }
        let hidden = self.run(tokens, positions, &bias, Some((&mut cache.layers, start)));
        let width = hidden.dims()[1];
        hidden.reshape([batch, time, width])
    }
}
