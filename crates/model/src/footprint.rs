//! How many numbers a transformer keeps: its parameters, what a training pass saves, what a cache
//! holds.

use crate::config::TransformerConfig;

impl TransformerConfig {
    /// Trainable parameters.
    ///
    /// ```
    /// use fireproof_model::TransformerConfig;
    /// // 32 x 64 embeddings; a layer has 2 x 64 norms, 64 x 128 + 128 for queries, keys and values,
    /// // 64 x 64 for the output and 3 x 64 x 208; the last norm has 64.
    /// assert_eq!(TransformerConfig::tiny().parameters(), 2048 + 2 * (128 + 8320 + 4096 + 39936) + 64);
    /// ```
    #[must_use]
    pub fn parameters(&self) -> usize {
        let options = &self.architecture;
        let (width, mlp, queries, keys) =
            (self.width, self.mlp_width, self.query_width(), self.kv_width());
        let when = |yes: bool, count: usize| if yes { count } else { 0 };
        let attention = 2 * width * (queries + keys)
            + when(options.attention_bias.on_inputs(), queries + 2 * keys)
            + when(options.attention_bias.on_output(), width)
            + when(options.query_key_norm, 2 * self.head_width());
        let gated = 3 * width * mlp + when(options.mlp_bias, 2 * mlp + width);
        let norms = if options.output_norms { 4 * width } else { 2 * width };
        let tables = if options.tied { 1 } else { 2 };
        tables * self.vocabulary * width + self.layers * (norms + attention + gated) + width
    }

    /// Numbers that a forward pass over `rows` rows of `tokens` tokens saves for its backward pass,
    /// with logits for `scored` tokens of each row.
    ///
    /// Counted from the operations of a block, each of which keeps its inputs or its output: about
    /// 11 of width `D`, 6 of the queries' and 6 of the keys' width, 5 of the SwiGLU's and 3 of the attention scores; and 3
    /// of the logits. It is an estimate: a fused backend saves less.
    #[must_use]
    pub fn training_floats(&self, rows: usize, tokens: usize, scored: usize) -> usize {
        let scores = 3 * self.heads * tokens;
        let token = 11 * self.width
            + 6 * self.query_width()
            + 6 * self.kv_width()
            + 5 * self.mlp_width
            + scores;
        let logits = 3 * rows * scored * self.vocabulary;
        rows * tokens * (self.layers * token + 3 * self.width) + logits
    }

    /// Numbers that the keys and values of `rows` rows of `tokens` tokens take.
    #[must_use]
    pub fn cache_floats(&self, rows: usize, tokens: usize) -> usize {
        2 * self.layers * rows * tokens * self.kv_width()
    }

    /// Numbers alive at once while `rows` rows are extended by `tokens` tokens each, over a cache of
    /// `columns` columns, without a backward pass. Logits are of one token a row.
    #[must_use]
    pub fn inference_floats(&self, rows: usize, tokens: usize, columns: usize) -> usize {
        let block = 6 * self.width + 4 * self.mlp_width + 3 * self.heads * columns;
        rows * (tokens * block + 4 * self.vocabulary)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::Module;

    use super::*;
    use crate::architecture::{Architecture, AttentionBias};

    #[test]
    fn the_parameters_are_those_of_the_model() {
        let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
        for (layers, heads, kv_heads, mlp_width) in [(1, 4, 4, 30), (3, 4, 1, 48)] {
            let config = TransformerConfig {
                layers,
                heads,
                kv_heads,
                mlp_width,
                ..TransformerConfig::tiny()
            };
            assert_eq!(config.parameters(), config.init(1, &device).num_params());
        }
    }

    #[test]
    fn the_parameters_of_every_option_are_counted() {
        let device = fireproof_kernels::resolve_device(Some("flex")).unwrap().device;
        let all = Architecture {
            head_width: Some(10),
            attention_bias: AttentionBias::All,
            mlp_bias: true,
            tied: false,
            query_key_norm: true,
            output_norms: true,
            ..Architecture::default()
        };
        let none = Architecture { attention_bias: AttentionBias::None, ..Architecture::default() };
        for architecture in [all, none] {
            let config = TransformerConfig { architecture, ..TransformerConfig::tiny() };
            assert_eq!(config.parameters(), config.init(1, &device).num_params());
        }
    }
}
