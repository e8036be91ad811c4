//! The operations of a transformer's step against burn's autodiff of the plain expressions, on
//! tensors as they come: contiguous, swapped and narrowed.

use burn::tensor::{Device, Tensor, TensorData, activation};
use fireproof_kernels::{attend, rms_norm, rotate, swiglu};
use proptest::prelude::*;

use crate::{assert_close, noise, on_every_device, values};

/// Noise as a tensor.
fn tensor<const D: usize>(shape: [usize; D], seed: u32, device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    Tensor::from_data(TensorData::new(noise(count, seed), shape), device)
}

/// The value of a function of some tensors, and the gradients of a weighted sum of it.
fn run<const D: usize, const N: usize>(
    function: impl Fn(&[Tensor<D>; N]) -> Tensor<D>,
    inputs: [Tensor<D>; N],
    device: &Device,
) -> Vec<Vec<f32>> {
    let tracked = device.clone().autodiff();
    let inputs = inputs.map(|t| Tensor::from_data(t.into_data(), &tracked).require_grad());
    let output = function(&inputs);
    let weights = tensor(output.dims(), 99, device);
    let gradients = (output.clone() * weights).sum().backward();
    let of = |input: &Tensor<D>| values(input.grad(&gradients).expect("tracked"));
    std::iter::once(values(output)).chain(inputs.iter().map(of)).collect()
}

/// Both functions agree in value and in every gradient.
#[track_caller]
fn assert_same<const D: usize, const N: usize>(
    fused: impl Fn(&[Tensor<D>; N]) -> Tensor<D>,
    plain: impl Fn(&[Tensor<D>; N]) -> Tensor<D>,
    inputs: [Tensor<D>; N],
    device: &Device,
) {
    let found = run(fused, inputs.clone(), device);
    let expected = run(plain, inputs, device);
    found.iter().zip(&expected).for_each(|(a, b)| assert_close(a, b, 2e-5));
}

#[test]
fn swiglu_equals_the_plain_expression() {
    on_every_device(|device| {
        let mut runner = crate::runner(12, device);
        let cases = (1usize..9, 1usize..70, any::<u32>());
        let check = |(rows, width, seed)| {
            let inputs = [seed, seed ^ 7].map(|s| tensor([rows, width], s, device) * 4.0);
            let plain = |[gate, up]: &[Tensor<2>; 2]| activation::silu(gate.clone()) * up.clone();
            assert_same(|[g, u]| swiglu(g.clone(), u.clone()), plain, inputs, device);
            Ok(())
        };
        runner.run(&cases, check).expect("every case holds");
    });
}

#[test]
fn swiglu_saturates_without_a_nan() {
    on_every_device(|device| {
        let row = |values: [f32; 3]| Tensor::<2>::from_data([values], device);
        let found = values(swiglu(row([200.0, -200.0, 1e30]), row([1.0; 3])));
        assert_eq!(found, [200.0, 0.0, 1e30]);
    });
}

#[test]
fn rms_norm_equals_the_plain_expression() {
    on_every_device(|device| {
        let mut runner = crate::runner(12, device);
        let cases = (1usize..700, 1usize..40, any::<u32>());
        let check = |(rows, width, seed): (usize, usize, u32)| {
            let inputs = [tensor([rows, width], seed, device), tensor([1, width], !seed, device)];
            let plain = |[x, gamma]: &[Tensor<2>; 2]| {
                let mean = (x.clone() * x.clone()).mean_dim(1);
                x.clone() / (mean + 1e-5).sqrt() * gamma.clone()
            };
            let fused = |[x, gamma]: &[Tensor<2>; 2]| {
                rms_norm(x.clone(), gamma.clone().reshape([width]), 1e-5)
            };
            let found = run(fused, inputs.clone(), device);
            let expected = run(plain, inputs, device);
            assert_close(&found[0], &expected[0], 1e-5);
            assert_close(&found[1], &expected[1], 2e-4);
            // A sum over rows.
            assert_close(&found[2], &expected[2], 2e-4);
            Ok(())
        };
        runner.run(&cases, check).expect("every case holds");
    });
}

/// `[x1 cos - x2 sin, x2 cos + x1 sin]`.
fn turned(x: &Tensor<4>, cos: &Tensor<4>, sin: &Tensor<4>) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let [first, second] = [0, half].map(|from| x.clone().narrow(3, from, half));
    let [c, s] = [cos, sin].map(Clone::clone);
    let parts = [first.clone() * c.clone() - second.clone() * s.clone(), second * c + first * s];
    Tensor::cat(parts.to_vec(), 3)
}

#[test]
fn rotation_equals_the_plain_expression_for_heads_in_any_order() {
    on_every_device(|device| {
        for (batch, angles) in [(3, 3), (3, 1), (1, 1)] {
            let x = tensor([batch, 5, 2, 8], 1, device);
            let [cos, sin] = [2, 3].map(|seed| tensor([angles, 1, 5, 4], seed, device));
            let swapped = |[x]: &[Tensor<4>; 1]| x.clone().swap_dims(1, 2);
            assert_same(
                |x| rotate(swapped(x), cos.clone(), sin.clone()),
                |x| turned(&swapped(x), &cos, &sin),
                [x],
                device,
            );
        }
    });
}

/// Attention with keys and values repeated and the weights kept.
fn plain_attention([q, k, v]: &[Tensor<4>; 3], bias: &Tensor<4>) -> Tensor<4> {
    let group = q.dims()[1] / k.dims()[1];
    let repeated = |t: &Tensor<4>| {
        let heads = (0..t.dims()[1]).flat_map(|head| vec![t.clone().narrow(1, head, 1); group]);
        Tensor::cat(heads.collect(), 1)
    };
    let scores = q.clone().matmul(repeated(k).swap_dims(2, 3)) * 0.4;
    activation::softmax(scores + bias.clone(), 3).matmul(repeated(v))
}

/// 0 up to the diagonal that ends in the last column, a large negative number beyond it.
fn causal(time: usize, columns: usize, device: &Device) -> Tensor<4> {
    let hidden = |i: usize| {
        if i % columns > i / columns + columns - time { -1e9 } else { 0.0f32 }
    };
    let values: Vec<f32> = (0..time * columns).map(hidden).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, time, columns]), device)
}

#[test]
fn attention_equals_the_plain_expression() {
    on_every_device(|device| {
        // Batch, query heads, key heads, queries, columns, width of a head.
        for [b, h, kv, t, c, d] in [
            [2, 4, 2, 5, 5, 8],
            [1, 2, 2, 19, 19, 4],
            [3, 4, 1, 1, 7, 6],
            [2, 2, 1, 1, 33, 16],
            [1, 1, 1, 1, 1, 2],
            [2, 2, 2, 3, 20, 5],
        ] {
            let bias = causal(t, c, device);
            let fused = |[q, k, v]: &[Tensor<4>; 3]| {
                attend(q.clone(), k.clone(), v.clone(), bias.clone(), 0.4)
            };
            let inputs = [tensor([b, h, t, d], 1, device) * 3.0];
            let [k, v] = [2, 3].map(|seed| tensor([b, kv, c, d], seed, device));
            let [q] = inputs;
            assert_same(fused, |x| plain_attention(x, &bias), [q, k, v], device);
        }
    });
}

#[test]
fn attention_reads_swapped_queries_and_part_of_a_cache_where_they_lie() {
    on_every_device(|device| {
        let bias = causal(2, 6, device);
        let arranged = |[q, k, v]: &[Tensor<4>; 3]| {
            let columns = |t: &Tensor<4>| t.clone().narrow(2, 0, 6);
            [q.clone().swap_dims(1, 2), columns(k), columns(v)]
        };
        let fused = |inputs: &[Tensor<4>; 3]| {
            let [q, k, v] = arranged(inputs);
            attend(q, k, v, bias.clone(), 0.4)
        };
        let plain = |inputs: &[Tensor<4>; 3]| plain_attention(&arranged(inputs), &bias);
        let [k, v] = [2, 3].map(|seed| tensor([2, 2, 9, 8], seed, device));
        assert_same(fused, plain, [tensor([2, 2, 4, 8], 1, device), k, v], device);
    });
}

#[test]
fn a_row_of_attention_does_not_depend_on_its_batch() {
    on_every_device(|device| {
        let [q, k, v] = [1, 2, 3].map(|seed| tensor([5, 2, 6, 8], seed, device));
        let bias = causal(6, 6, device);
        let all = values(attend(q.clone(), k.clone(), v.clone(), bias.clone(), 0.4));
        let [q, k, v] = [q, k, v].map(|t| t.narrow(0, 1, 2));
        let some = values(attend(q, k, v, bias, 0.4));
        assert_close(&some, &all[96..288], 1e-6);
    });
}

#[test]
#[should_panic(expected = "3 query heads are not groups over 2 key heads")]
fn heads_that_do_not_divide_are_refused() {
    let device = &fireproof_kernels::test_devices()[0].device;
    let [k, v] = [1, 2].map(|seed| tensor([1, 2, 4, 2], seed, device));
    let _ = attend(tensor([1, 3, 4, 2], 3, device), k, v, causal(4, 4, device), 1.0);
}
