//! The halves of a block and AdamW: on every device what their parts give one after the other.

use burn::tensor::{Device, Tensor, TensorData};
use fireproof_kernels::{
    AdamWStep, AttentionRule, AttentionView, FeedForward, Moments, SelfAttention, adamw, attend,
    feed_forward, rms_norm, rotate, self_attention, square_sum, swiglu, test_devices,
};

/// Numbers from -1 to 1 that repeat late.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729) % 9973) as f32 / 4986.5 - 1.0).collect()
}

fn constant<const D: usize>(
    shape: [usize; D],
    seed: usize,
    scale: f32,
    device: &Device,
) -> Tensor<D> {
    let values = numbers(shape.iter().product(), seed);
    Tensor::<D>::from_data(TensorData::new(values, shape), device) * scale
}

fn leaf<const D: usize>(shape: [usize; D], seed: usize, device: &Device) -> Tensor<D> {
    constant(shape, seed, 0.3, device).autodiff().require_grad()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec_as().expect("floats")
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], case: &str) {
    assert_eq!(found.len(), expected.len(), "{case}");
    let largest = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= 2e-5 * largest.max(1.0), "{case}: number {index}: {a} is not {b}");
    }
}

/// Output and gradients of a function of some leaves, with an upstream gradient of its own for each
/// number.
fn differentiated(
    output: Tensor<2>,
    vectors: &[&Tensor<1>],
    matrices: &[&Tensor<2>],
) -> Vec<Vec<f32>> {
    let shape = output.dims();
    let weights = constant(shape, 77, 1.0, &output.clone().inner().device());
    let found = values(output.clone().inner());
    let gradients = (output * weights.autodiff()).sum().backward();
    let vectors = vectors.iter().map(|leaf| values(leaf.grad(&gradients).expect("tracked")));
    let matrices = matrices.iter().map(|leaf| values(leaf.grad(&gradients).expect("tracked")));
    [found].into_iter().chain(vectors).chain(matrices).collect()
}

#[track_caller]
fn assert_all_near(found: &[Vec<f32>], expected: &[Vec<f32>], case: &str) {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_near(found, expected, &format!("{case}, tensor {index}"));
    }
}

#[test]
fn the_second_half_equals_its_parts() {
    for resolved in test_devices() {
        let device = &resolved.device;
        // One row, fewer than a part, several parts and groups with an odd rest, a wide layer,
        // and one that is too wide for the loops.
        for [rows, width, inner] in
            [[1, 8, 12], [7, 6, 5], [1291, 16, 24], [600, 4, 520], [3, 1030, 1030]]
        {
            let (x, gamma) = (leaf([rows, width], 1, device), leaf([width], 2, device));
            let gate = leaf([width, inner], 3, device);
            let (up, down) = (leaf([width, inner], 4, device), leaf([inner, width], 5, device));
            let parameters = FeedForward {
                gamma: gamma.clone(),
                gate: gate.clone(),
                up: up.clone(),
                down: down.clone(),
            };
            let fused = feed_forward(x.clone(), parameters.clone(), 1e-6);
            let plain = FeedForward {
                gamma: gamma.clone().inner(),
                gate: gate.clone().inner(),
                up: up.clone().inner(),
                down: down.clone().inner(),
            };
            let untracked = values(feed_forward(x.clone().inner(), plain, 1e-6));
            let h = rms_norm(x.clone(), gamma.clone(), 1e-6);
            let gated = swiglu(h.clone().matmul(gate.clone()), h.matmul(up.clone()));
            let parts = x.clone() + gated.matmul(down.clone());
            let matrices = [&x, &gate, &up, &down];
            let found = differentiated(fused, &[&gamma], &matrices);
            let expected = differentiated(parts, &[&gamma], &matrices);
            let case = format!("{}: {rows} x {width} x {inner}", resolved.backend);
            assert_eq!(untracked, found[0], "{case}: a gradient to come changes the output");
            assert_all_near(&found, &expected, &case);
        }
    }
}

/// Batch, time, query heads, key heads and numbers of a head.
type Sizes = [usize; 5];

/// A causal bias that also hides the first token of the second row from its later ones.
fn bias(batch: usize, time: usize, device: &Device) -> Tensor<4> {
    let hidden = |index: usize| {
        let (row, query, key) = (index / (time * time), index / time % time, index % time);
        let is_padding = row == 1 && key == 0 && query > 0;
        if key > query || is_padding { -1e9 } else { 0.0 }
    };
    let values: Vec<f32> = (0..batch * time * time).map(hidden).collect();
    Tensor::from_data(TensorData::new(values, [batch, 1, time, time]), device)
}

fn attention_case([batch, time, heads, kv_heads, head]: Sizes, has_bias: bool, device: &Device) {
    let (width, queries, keys) = (10, heads * head, kv_heads * head);
    let (x, gamma) = (leaf([batch * time, width], 1, device), leaf([width], 2, device));
    let query = leaf([width, queries], 3, device);
    let (key, value) = (leaf([width, keys], 4, device), leaf([width, keys], 5, device));
    let output = leaf([queries, width], 6, device);
    let vectors = [leaf([queries], 7, device), leaf([keys], 8, device), leaf([keys], 9, device)];
    let biases = vectors.each_ref().map(|vector| has_bias.then(|| vector.clone()));
    let angle = constant([1, 1, time, head / 2], 10, 3.0, device);
    let view = AttentionView {
        cos: angle.clone().cos(),
        sin: angle.sin(),
        bias: bias(batch, time, device),
    };
    let rule = AttentionRule { heads, kv_heads, time, scale: 0.4, epsilon: 1e-6 };
    let parameters = SelfAttention {
        gamma: gamma.clone(),
        query: query.clone(),
        key: key.clone(),
        value: value.clone(),
        biases: biases.clone(),
        output: output.clone(),
    };
    let fused = self_attention(x.clone(), parameters, view.clone(), rule);
    let plain = SelfAttention {
        gamma: gamma.clone().inner(),
        query: query.clone().inner(),
        key: key.clone().inner(),
        value: value.clone().inner(),
        biases: biases.clone().map(|bias| bias.map(Tensor::inner)),
        output: output.clone().inner(),
    };
    let untracked = values(self_attention(x.clone().inner(), plain, view.clone(), rule));

    let h = rms_norm(x.clone(), gamma.clone(), 1e-6);
    let project = |weight: &Tensor<2>, bias: &Option<Tensor<1>>, heads: usize| {
        let projected = h.clone().matmul(weight.clone());
        let projected = match bias {
            Some(bias) => projected + bias.clone().unsqueeze(),
            None => projected,
        };
        projected.reshape([batch, time, heads, head]).swap_dims(1, 2)
    };
    let turn = |heads| rotate(heads, view.cos.clone(), view.sin.clone());
    let q = turn(project(&query, &biases[0], heads));
    let k = turn(project(&key, &biases[1], kv_heads));
    let v = project(&value, &biases[2], kv_heads);
    let mixed = attend(q, k, v, view.bias.clone(), 0.4).swap_dims(1, 2);
    let parts = x.clone() + mixed.reshape([batch * time, queries]).matmul(output.clone());

    let vectors: Vec<&Tensor<1>> = [&gamma].into_iter().chain(biases.iter().flatten()).collect();
    let matrices = [&x, &query, &key, &value, &output];
    let found = differentiated(fused, &vectors, &matrices);
    let expected = differentiated(parts, &vectors, &matrices);
    let case = format!("{batch} x {time}, {heads} over {kv_heads} heads of {head}, {has_bias}");
    assert_eq!(untracked, found[0], "{case}: a gradient to come changes the output");
    assert_all_near(&found, &expected, &case);
}

#[test]
fn the_first_half_equals_its_parts() {
    for resolved in test_devices() {
        for sizes in [[2, 1, 1, 1, 2], [3, 5, 4, 2, 6], [70, 17, 2, 1, 4], [2, 40, 3, 3, 34]] {
            attention_case(sizes, true, &resolved.device);
        }
        attention_case([2, 9, 2, 2, 8], false, &resolved.device);
    }
}

/// Beyond the loops' own sizes the parts themselves run.
#[test]
fn long_rows_go_through_the_first_half_too() {
    for resolved in test_devices() {
        attention_case([2, 260, 2, 1, 4], true, &resolved.device);
    }
}

#[test]
#[should_panic(expected = "7 tokens are not rows of 2 tokens")]
fn rows_that_do_not_fit_are_refused() {
    let device = test_devices().remove(0).device;
    let zeros = |shape: [usize; 2]| Tensor::<2>::zeros(shape, &device);
    let parameters = SelfAttention {
        gamma: Tensor::zeros([4], &device),
        query: zeros([4, 4]),
        key: zeros([4, 4]),
        value: zeros([4, 4]),
        biases: [None, None, None],
        output: zeros([4, 4]),
    };
    let angles = Tensor::<4>::zeros([1, 1, 2, 1], &device);
    let bias = Tensor::zeros([1, 1, 2, 2], &device);
    let view = AttentionView { cos: angles.clone(), sin: angles, bias };
    let rule = AttentionRule { heads: 2, kv_heads: 2, time: 2, scale: 1.0, epsilon: 1e-6 };
    let _ = self_attention(zeros([7, 4]), parameters, view, rule);
}

/// Three steps in `f64`: parameter, first and second moment.
fn by_hand(start: &[f32], gradients: &[Vec<f32>]) -> [Vec<f64>; 3] {
    let mut parameter: Vec<f64> = start.iter().map(|x| f64::from(*x)).collect();
    let [mut first, mut second] = [vec![0.0; start.len()], vec![0.0; start.len()]];
    for (step, gradient) in gradients.iter().enumerate() {
        let t = step as i32 + 1;
        for (index, gradient) in gradient.iter().enumerate() {
            let g = 0.25 * f64::from(*gradient);
            first[index] = 0.9 * first[index] + 0.1 * g;
            second[index] = 0.99 * second[index] + 0.01 * g * g;
            let m = first[index] / (1.0 - 0.9f64.powi(t));
            let v = second[index] / (1.0 - 0.99f64.powi(t));
            parameter[index] -= 0.02 * 0.1 * parameter[index] + 0.02 * m / (v.sqrt() + 1e-3);
        }
    }
    [parameter, first, second]
}

#[test]
fn steps_of_adamw_equal_a_calculation_in_f64() {
    for resolved in test_devices() {
        // Fewer numbers than lanes, and several tasks with a rest.
        for count in [3, 40_013] {
            let device = &resolved.device;
            let start = numbers(count, 1);
            let gradients: Vec<Vec<f32>> = (2..5).map(|seed| numbers(count, seed)).collect();
            let vector = |values: &[f32]| {
                Tensor::<1>::from_data(TensorData::new(values.to_vec(), [count]), device)
            };
            let zeros = Tensor::zeros([count], device);
            let mut state = (vector(&start), Moments { first: zeros.clone(), second: zeros });
            let before = state.0.clone();
            for (step, gradient) in gradients.iter().enumerate() {
                let step = AdamWStep {
                    learning_rate: 0.02,
                    beta_1: 0.9,
                    beta_2: 0.99,
                    epsilon: 1e-3,
                    weight_decay: 0.1,
                    gradient_scale: 0.25,
                    number: step as u64 + 1,
                };
                state = adamw(state.0, vector(gradient), state.1, step);
            }
            let expected = by_hand(&start, &gradients);
            let found = [state.0, state.1.first, state.1.second].map(values);
            for (found, expected) in found.iter().zip(&expected) {
                for (found, expected) in found.iter().zip(expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() < 2e-6,
                        "{found} is not {expected}"
                    );
                }
            }
            // A tensor that somebody else has is not written to.
            assert_eq!(values(before), start);
        }
    }
}

#[test]
fn squares_are_summed() {
    for resolved in test_devices() {
        for count in [1, 50_001] {
            let values_of = numbers(count, 6);
            let expected = values_of.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            let tensor =
                Tensor::<1>::from_data(TensorData::new(values_of, [count]), &resolved.device);
            let found = f64::from(values(square_sum(tensor))[0]);
            assert!((found - expected).abs() <= 2e-6 * expected, "{found} is not {expected}");
        }
    }
}
