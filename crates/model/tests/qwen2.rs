//! The transformer against Hugging Face's Qwen2: the same weights give the same logits.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Int, Tensor, TensorData};
use fireproof_model::{CausalLm, TransformerConfig};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    tokens: Vec<i32>,
    logits: Vec<Vec<f32>>,
}

/// Sets each parameter by the formula of `golden/make_qwen2.py`.
struct Formula {
    path: Vec<String>,
}

impl ModuleMapper for Formula {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".").replace("gamma", "weight");
        let is_embedding = path == "embed_tokens";
        let name = format!("model.{path}{}", if is_embedding { ".weight" } else { "" });
        let phase: u32 = name.bytes().map(u32::from).sum();
        let value = |index: usize| {
            let sine = 0.3 * (0.7 * index as f64 + f64::from(phase)).sin();
            if name.contains("norm") { 1.0 + sine / 3.0 } else { sine }
        };
        let shape = param.dims();
        let mut values: Vec<f32> = (0..shape.iter().product()).map(|i| value(i) as f32).collect();
        if D == 2 && !is_embedding {
            // Ours is [in, out], theirs [out, in].
            let (input, output) = (shape[0], shape[1]);
            values = (0..input * output)
                .map(|i| value((i % output) * input + i / output) as f32)
                .collect();
        }
        param.map(|tensor| Tensor::from_data(TensorData::new(values, shape), &tensor.device()))
    }
}

#[test]
fn logits_equal_those_of_transformers_qwen2() {
    let golden: Golden =
        serde_json::from_str(include_str!("golden/qwen2.json")).expect("the fixture is valid");
    let config = TransformerConfig {
        vocabulary: 13,
        width: 32,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        mlp_width: 40,
        context: 16,
        ..TransformerConfig::tiny()
    };
    for resolved in fireproof_kernels::test_devices() {
        let device = &resolved.device;
        let model = config.init(0, device).map(&mut Formula { path: vec![] });
        let time = golden.tokens.len();
        let ints = |values: Vec<i32>| {
            Tensor::<2, Int>::from_data(TensorData::new(values, [1, time]), device)
        };
        let hidden = model.hidden(ints(golden.tokens.clone()), ints((0..time as i32).collect()));
        let logits = model.logits(hidden.reshape([time, 32]));
        let found: Vec<f32> = logits.into_data().try_to_vec_as().expect("float data");
        for (a, b) in found.iter().zip(golden.logits.concat()) {
            assert!((a - b).abs() < 2e-5 * b.abs().max(1.0), "{resolved}: {a} is not {b}");
        }
    }
}
