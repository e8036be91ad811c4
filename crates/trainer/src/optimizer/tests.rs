//! Steps against a calculation in `f64` and against burn, narrow parameters, and files of states.

use burn::optim::AdamWConfig;
use burn::tensor::{Device, FloatDType, TensorData};

use super::*;

/// A matrix and a vector that sometimes has no gradient.
#[derive(Module, Debug)]
struct Two {
    matrix: Param<Tensor<2>>,
    vector: Param<Tensor<1>>,
}

fn flex() -> Device {
    fireproof_kernels::resolve_device(Some("flex")).unwrap().device
}

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729) % 997) as f32 / 498.5 - 1.0).collect()
}

fn two(rows: usize) -> Two {
    let device = flex().autodiff();
    let matrix = TensorData::new(numbers(rows * 33, 1), [rows, 33]);
    let vector = TensorData::new(numbers(5, 2), [5]);
    Two {
        matrix: Param::from_tensor(Tensor::from_data(matrix, &device)),
        vector: Param::from_tensor(Tensor::from_data(vector, &device)),
    }
}

/// Gradients of step `step`; the vector has none in the second.
fn gradients(model: &Two, step: usize) -> GradientsParams {
    let [rows, columns] = model.matrix.dims();
    let mut gradients = GradientsParams::new();
    let matrix = TensorData::new(numbers(rows * columns, step + 10), [rows, columns]);
    let matrix = Tensor::<2>::from_data(matrix, (&flex(), model.matrix.dtype()));
    gradients.register(model.matrix.id, matrix);
    if step != 1 {
        let vector = TensorData::new(numbers(5, step + 20), [5]);
        let vector = Tensor::<1>::from_data(vector, (&flex(), model.vector.dtype()));
        gradients.register(model.vector.id, vector);
    }
    gradients
}

fn config() -> OptimizerConfig {
    OptimizerConfig {
        learning_rate: 0.05,
        weight_decay: 0.1,
        max_grad_norm: 0.5,
        ..OptimizerConfig::default()
    }
}

fn stepped(optimizer: &mut Optimizer, model: Two, steps: std::ops::Range<usize>) -> Two {
    steps.fold(model, |model, step| {
        let gradients = gradients(&model, step);
        let norm = global_norm(&model, &gradients).unwrap();
        optimizer.step(model, gradients, norm)
    })
}

fn values<const D: usize>(tensor: &Param<Tensor<D>>) -> Vec<f32> {
    tensor.val().into_data().try_to_vec_as().unwrap()
}

/// The numbers after steps with these gradients, in `f64` as PyTorch's documentation writes it.
fn by_hand(mut parameter: Vec<f64>, config: &OptimizerConfig, scaled: &[Vec<f64>]) -> Vec<f64> {
    let (rate, decay) = (config.learning_rate, 0.1);
    let mut moments = vec![(0.0, 0.0); parameter.len()];
    for (t, gradient) in scaled.iter().enumerate() {
        let t = t as i32 + 1;
        for ((p, g), (m, v)) in parameter.iter_mut().zip(gradient).zip(&mut moments) {
            *p -= rate * decay * *p;
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            let (m, v) = (*m / (1.0 - 0.9f64.powi(t)), *v / (1.0 - 0.999f64.powi(t)));
            *p -= rate * m / (v.sqrt() + 1e-8);
        }
    }
    parameter
}

#[test]
fn steps_equal_a_calculation_in_f64() {
    let start = two(500);
    let scaled = |length: usize, seed: usize, step: usize| -> Vec<f64> {
        let matrix = numbers(500 * 33, step + 10);
        let vector = if step == 1 { Vec::new() } else { numbers(5, step + 20) };
        let square = |x: &f32| f64::from(*x) * f64::from(*x);
        let norm = matrix.iter().chain(&vector).map(square).sum::<f64>().sqrt();
        numbers(length, seed).into_iter().map(|x| f64::from(x) * 0.5 / norm).collect()
    };
    let wide = |numbers: Vec<f32>| -> Vec<f64> { numbers.into_iter().map(f64::from).collect() };
    let matrix = [0, 1, 2, 3].map(|step| scaled(500 * 33, step + 10, step));
    let matrix = by_hand(wide(values(&start.matrix)), &config(), &matrix);
    let vector = [0, 2, 3].map(|step| scaled(5, step + 20, step));
    let vector = by_hand(wide(values(&start.vector)), &config(), &vector);

    let model = stepped(&mut Optimizer::new(config()), start, 0..4);
    let found = values(&model.matrix).into_iter().chain(values(&model.vector));
    for (found, expected) in found.zip(matrix.into_iter().chain(vector)) {
        assert!((f64::from(found) - expected).abs() < 1e-6, "{found} is not {expected}");
    }
}

#[test]
fn steps_equal_those_of_burn() {
    let config = OptimizerConfig { max_grad_norm: 0.0, ..config() };
    let mut burns = AdamWConfig::new()
        .with_beta_1(config.beta_1)
        .with_beta_2(config.beta_2)
        .with_epsilon(config.epsilon)
        .with_weight_decay(config.weight_decay)
        .init();
    let (mut model, mut optimizer) = (two(3), Optimizer::new(config.clone()));
    let mut theirs = model.clone();
    for step in 0..5 {
        theirs = burns.step(config.learning_rate, theirs, gradients(&model, step));
        model = stepped(&mut optimizer, model, step..step + 1);
    }
    let ours = values(&model.matrix).into_iter().chain(values(&model.vector));
    let theirs = values(&theirs.matrix).into_iter().chain(values(&theirs.vector));
    for (ours, theirs) in ours.zip(theirs) {
        assert!((ours - theirs).abs() < 2e-6, "{ours} is not {theirs}");
    }
}

#[test]
fn the_norm_is_that_of_all_gradients() {
    let model = two(4);
    let gradients = gradients(&model, 0);
    let all = numbers(4 * 33, 10).into_iter().chain(numbers(5, 20));
    let expected = all.map(|x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    let found = f64::from(global_norm(&model, &gradients).unwrap());
    assert!((found - expected).abs() < 1e-6 * expected, "{found} is not {expected}");
    assert_eq!(global_norm(&model, &GradientsParams::new()).unwrap(), 0.0);
}

fn in_bf16(model: Two) -> Two {
    let narrow = |tensor: Tensor<2>| tensor.inner().cast(FloatDType::BF16).autodiff();
    Two {
        matrix: Param::from_tensor(narrow(model.matrix.val())),
        vector: Param::from_tensor(narrow(model.vector.val().unsqueeze()).squeeze_dim(0)),
    }
}

#[test]
fn steps_too_small_for_bf16_add_up() {
    let config =
        OptimizerConfig { learning_rate: 1e-4, max_grad_norm: 0.0, ..OptimizerConfig::default() };
    let device = flex().autodiff();
    let ones = Two {
        matrix: Param::from_tensor(Tensor::ones([1, 33], &device)),
        vector: Param::from_tensor(Tensor::ones([5], &device)),
    };
    let mut optimizer = Optimizer::new(config);
    let mut model = in_bf16(ones);
    for step in 0..100 {
        let mut gradients = GradientsParams::new();
        gradients.register(model.vector.id, Tensor::<1>::ones([5], (&flex(), DType::BF16)));
        model = optimizer.step(model, gradients, 1.0);
        assert_eq!(model.vector.dtype(), DType::BF16);
        if step == 0 {
            // A number below 1 is 2^-8 away: the first step alone is lost.
            assert_eq!(values(&model.vector), [1.0; 5]);
        }
    }
    let master = optimizer.states["vector"].master.clone().unwrap().into_data();
    for master in master.try_to_vec_as::<f32>().unwrap() {
        assert!((master - 0.99).abs() < 1e-5, "{master}");
    }
    // 0.99 in bf16.
    assert_eq!(values(&model.vector), [0.988_281_25; 5]);
    assert_eq!(values(&model.matrix), [1.0; 33]);
}

#[test]
fn states_go_through_a_file_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("states");
    for start in [two(7), in_bf16(two(7))] {
        let mut first = Optimizer::new(config());
        let middle = stepped(&mut first, start, 0..3);
        first.save(&file).unwrap();
        let expected = stepped(&mut first, middle.clone(), 3..6);

        let mut second = Optimizer::new(config());
        assert!(second.load(&file, &middle, first.updates - 3).is_ok());
        let found = stepped(&mut second, middle, 3..6);
        assert_eq!(second.updates, first.updates);
        assert_eq!(values(&found.matrix), values(&expected.matrix));
        assert_eq!(values(&found.vector), values(&expected.vector));
    }
}

/// What is said about a file of states of `saved` that is read for `policy`.
fn misfit(saved: Two, policy: &Two) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("states");
    let mut optimizer = Optimizer::new(config());
    let _ = stepped(&mut optimizer, saved, 0..1);
    optimizer.save(&file).unwrap();
    let mut other = Optimizer::new(config());
    match other.load(&file, policy, 1) {
        Err(LoadError::Misfit(difference)) => {
            assert!(other.states.is_empty() && other.updates == 0);
            difference
        }
        Err(LoadError::File(error)) => panic!("{error}"),
        Ok(()) => panic!("states that do not fit were taken"),
    }
}

#[test]
fn states_of_other_parameters_are_refused_line_by_line() {
    assert_eq!(misfit(two(7), &two(8)), "- matrix.first [7, 33] F32\n+ matrix.first [8, 33] F32");
    assert_eq!(misfit(in_bf16(two(7)), &two(7)), "- matrix.master\n- vector.master");
    assert_eq!(misfit(two(7), &in_bf16(two(7))), "+ matrix.master [7, 33]\n+ vector.master [5]");
}

#[test]
fn a_file_that_is_no_file_of_states_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("states");
    std::fs::write(&file, "no tensors").unwrap();
    let loaded = Optimizer::new(config()).load(&file, &two(1), 0);
    assert!(matches!(loaded, Err(LoadError::File(_))));
}
