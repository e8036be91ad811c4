//! The structure of a transformer: which parameters it has, by which names, in which shapes.

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor};

use crate::attention::Attention;
use crate::config::TransformerConfig;
use crate::mlp::Mlp;
use crate::norm::RmsNorm;
use crate::parameters::{Matrix, ParameterSource};
use crate::projection::Projection;
use crate::rope::{Frequencies, RopeScaling};
use crate::rotary::Rotary;
use crate::transformer::{Block, Transformer};

impl Transformer {
    /// A model whose parameters come from a source, all of one precision.
    pub(crate) fn build<S: ParameterSource>(
        config: &TransformerConfig,
        source: &mut S,
        device: &Device,
        dtype: DType,
    ) -> Result<Self, S::Error> {
        let shape = [config.vocabulary, config.width];
        let embed_tokens = source.matrix("model.embed_tokens.weight", shape, Matrix::Tokens)?;
        let mut builder = Builder { config, source };
        let layers = (0..config.layers).map(|layer| builder.block(layer)).collect::<Result<_, _>>();
        let (layers, norm) = (layers?, builder.norm("model.norm".to_owned(), config.width)?);
        let lm_head: Option<Param<Tensor<2>>> = match config.architecture.tied {
            true => None,
            false => Some(source.matrix("lm_head.weight", shape, Matrix::Tokens)?),
        };
        let rotary = |theta: f64, scaling: RopeScaling| {
            let frequencies = Frequencies::new(config.head_width(), theta, scaling);
            Rotary::new(config.context, &frequencies, device, dtype)
        };
        let local = config.architecture.window.as_ref().and_then(|window| window.rope_theta);
        Ok(Self {
            embed_tokens,
            layers,
            norm,
            lm_head,
            rotary: rotary(config.rope_theta, config.architecture.rope_scaling),
            local_rotary: local.map(|theta| rotary(theta, RopeScaling::None)),
            config: config.clone(),
        })
    }
}

struct Builder<'a, S> {
    config: &'a TransformerConfig,
    source: &'a mut S,
}

impl<S: ParameterSource> Builder<'_, S> {
    fn block(&mut self, layer: usize) -> Result<Block, S::Error> {
        let (config, prefix) = (self.config, format!("model.layers.{layer}"));
        let extra = config.architecture.output_norms;
        let self_attn = self.attention(&format!("{prefix}.self_attn"))?;
        let mlp = self.mlp(&format!("{prefix}.mlp"))?;
        let mut norm = |name: &str| self.norm(format!("{prefix}.{name}"), config.width);
        Ok(Block {
            input_layernorm: norm("input_layernorm")?,
            self_attn,
            post_attention_layernorm: norm("post_attention_layernorm")?,
            mlp,
            pre_feedforward_layernorm: match extra {
                true => Some(norm("pre_feedforward_layernorm")?),
                false => None,
            },
            post_feedforward_layernorm: match extra {
                true => Some(norm("post_feedforward_layernorm")?),
                false => None,
            },
            windowed: config.architecture.is_windowed(layer),
        })
    }

    fn attention(&mut self, prefix: &str) -> Result<Attention, S::Error> {
        let (config, options) = (self.config, &self.config.architecture);
        let (width, head) = (config.width, config.head_width());
        let (q, kv) = (config.query_width(), config.kv_width());
        let (bias, output) =
            (options.attention_bias.on_inputs(), options.attention_bias.on_output());
        let mut inner = |name: &str, size, bias| {
            self.projection(format!("{prefix}.{name}"), [width, size], bias, Matrix::Inner)
        };
        let [q_proj, k_proj, v_proj] =
            [inner("q_proj", q, bias)?, inner("k_proj", kv, bias)?, inner("v_proj", kv, bias)?];
        let o_proj = format!("{prefix}.o_proj");
        let o_proj = self.projection(o_proj, [q, width], output, Matrix::Residual)?;
        let mut norm = |name: &str| match options.query_key_norm {
            true => self.norm(format!("{prefix}.{name}"), head).map(Some),
            false => Ok(None),
        };
        Ok(Attention {
            q_proj,
            k_proj,
            v_proj,
            o_proj,
            q_norm: norm("q_norm")?,
            k_norm: norm("k_norm")?,
            heads: config.heads,
            kv_heads: config.kv_heads,
            scale: options.attention_scale.unwrap_or(1.0 / (head as f64).sqrt()),
            soft_cap: options.attention_soft_cap,
        })
    }

    fn mlp(&mut self, prefix: &str) -> Result<Mlp, S::Error> {
        let (width, inner) = (self.config.width, self.config.mlp_width);
        let bias = self.config.architecture.mlp_bias;
        let mut projection = |name: &str, shape, kind| {
            self.projection(format!("{prefix}.{name}"), shape, bias, kind)
        };
        Ok(Mlp {
            gate_proj: projection("gate_proj", [width, inner], Matrix::Inner)?,
            up_proj: projection("up_proj", [width, inner], Matrix::Inner)?,
            down_proj: projection("down_proj", [inner, width], Matrix::Residual)?,
            activation: self.config.architecture.activation,
        })
    }

    fn projection(
        &mut self,
        name: String,
        shape: [usize; 2],
        bias: bool,
        kind: Matrix,
    ) -> Result<Projection, S::Error> {
        let weight = self.source.matrix(&format!("{name}.weight"), shape, kind)?;
        let bias = match bias {
            true => Some(self.source.vector(&format!("{name}.bias"), shape[1], 0.0)?),
            false => None,
        };
        Ok(Projection { weight, bias, adapter: None })
    }

    /// A norm that starts as the identity.
    fn norm(&mut self, name: String, size: usize) -> Result<RmsNorm, S::Error> {
        let offset = self.config.architecture.norm_offset;
        let start = if offset { 0.0 } else { 1.0 };
        let gamma = self.source.vector(&format!("{name}.weight"), size, start)?;
        Ok(RmsNorm { gamma, epsilon: self.config.norm_epsilon, offset })
    }
}
