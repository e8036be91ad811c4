//! `linear_token_logprobs` against `token_logprobs` of the product.

use burn::tensor::{Device, Int, Tensor, TensorData};
use fireproof_kernels::{TokenLogprobs, linear_token_logprobs, token_logprobs};

use crate::{assert_close, ids, noise, on_every_device, values};

fn tensor(shape: [usize; 2], seed: u32, device: &Device) -> Tensor<2> {
    let values = noise(shape[0] * shape[1], seed).iter().map(|x| 2.0 * x).collect::<Vec<_>>();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The three columns, and the gradients of hidden states and embedding of a weighted sum of them.
fn run(
    function: impl Fn(Tensor<2>, Tensor<2>) -> TokenLogprobs,
    [rows, width, vocabulary]: [usize; 3],
    device: &Device,
) -> [Vec<f32>; 3] {
    let tracked = device.clone().autodiff();
    let hidden = tensor([rows, width], 1, &tracked).require_grad();
    let embedding = tensor([vocabulary, width], 2, &tracked).require_grad();
    let out = function(hidden.clone(), embedding.clone().transpose());
    let columns = [out.logprobs, out.entropies, out.log_sum_exp];
    let all = columns.iter().flat_map(|column| values(column.clone())).collect();
    let weight = |seed| Tensor::<1>::from_data(TensorData::new(noise(rows, seed), [rows]), device);
    let [a, b, c] = columns;
    let gradients = (a * weight(3) + b * weight(4) + c * weight(5)).sum().backward();
    let of = |input: &Tensor<2>| values(input.grad(&gradients).expect("tracked"));
    [all, of(&hidden), of(&embedding)]
}

fn targets(rows: usize, vocabulary: usize, device: &Device) -> Tensor<1, Int> {
    let chosen: Vec<i32> = (0..rows).map(|row| (row * 31 % vocabulary) as i32).collect();
    ids(&chosen, device)
}

#[test]
fn values_and_gradients_equal_those_with_logits() {
    on_every_device(|device| {
        // The last has more logits than exist at a time: a whole block of columns and a part of one.
        for sizes in [[1, 3, 2], [7, 5, 300], [16_500, 2, 300]] {
            let [rows, _, vocabulary] = sizes;
            let chosen = targets(rows, vocabulary, device);
            let fused = |h, w| linear_token_logprobs(h, w, chosen.clone(), 0.7);
            let plain = |h: Tensor<2>, w| token_logprobs(h.matmul(w), chosen.clone(), 0.7);
            let found = run(fused, sizes, device);
            let expected = run(plain, sizes, device);
            assert_close(&found[0], &expected[0], 2e-5);
            assert_close(&found[1], &expected[1], 2e-5);
            // Sums over the rows.
            assert_close(&found[2], &expected[2], 5e-4);
        }
    });
}

#[test]
fn a_head_without_a_gradient_is_not_asked_for_one() {
    on_every_device(|device| {
        let hidden = tensor([4, 3], 1, &device.clone().autodiff()).require_grad();
        let head = tensor([3, 9], 2, device);
        let out = linear_token_logprobs(hidden.clone(), head.clone(), targets(4, 9, device), 1.0);
        let found = values(hidden.grad(&out.logprobs.sum().backward()).expect("tracked"));
        let again = tensor([4, 3], 1, &device.clone().autodiff()).require_grad();
        let logits = again.clone().matmul(head);
        let out = token_logprobs(logits, targets(4, 9, device), 1.0);
        let expected = values(again.grad(&out.logprobs.sum().backward()).expect("tracked"));
        assert_close(&found, &expected, 1e-5);
    });
}

#[test]
#[should_panic(expected = "hidden states have 3 numbers but the head takes 4")]
fn a_head_of_another_width_is_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let (hidden, head) = (tensor([2, 3], 1, device), tensor([4, 5], 2, device));
    let _ = linear_token_logprobs(hidden, head, ids(&[0, 0], device), 1.0);
}

#[test]
fn a_target_that_does_not_exist_is_refused_on_the_cpu_and_impossible_on_a_gpu() {
    for resolved in fireproof_kernels::test_devices() {
        let device = resolved.device;
        let score = || {
            let hidden = tensor([3, 4], 1, &device.clone().autodiff()).require_grad();
            let head = tensor([4, 5], 2, &device.clone().autodiff()).require_grad();
            let chosen = ids(&[5, -1, 2], &device);
            let logprobs = linear_token_logprobs(hidden, head.clone(), chosen, 1.0).logprobs;
            let gradients = logprobs.clone().narrow(0, 2, 1).sum().backward();
            (values(logprobs), values(head.grad(&gradients).expect("tracked")))
        };
        if resolved.backend.is_cpu() {
            let refusal = fireproof_kernels::catch_panic(score).expect_err("there is no column 5");
            assert_eq!(refusal, "target 5 of row 0 is not among 0..5");
        } else {
            let (found, gradient) = score();
            assert!(found[0] < -1e29 && found[1] < -1e29 && found[2].is_finite(), "{found:?}");
            assert!(gradient.iter().all(|g| g.is_finite() && g.abs() < 10.0), "{gradient:?}");
        }
    }
}
