//! Heads: four-dimensional tensors whose rows are read where they lie.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, tensor::FloatTensor};

use super::tensor;
use crate::primitive::dims4;

/// `[B, H, T, d]` numbers; a dimension of size 1 is read at every index.
#[derive(Clone, Copy)]
pub(crate) struct Heads<'a> {
    numbers: &'a [f32],
    start: usize,
    strides: [usize; 3],
    pub(crate) shape: [usize; 4],
}

impl<'a> Heads<'a> {
    /// The tensor with each row in one piece.
    pub(crate) fn rows_of(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
        let (strides, width) = (tensor.layout().strides(), tensor.layout().shape()[3]);
        let in_order = strides.iter().all(|stride| *stride >= 0);
        if in_order && (width <= 1 || strides[3] == 1) { tensor } else { tensor.to_contiguous() }
    }

    /// The rows of a tensor made by [`rows_of`](Self::rows_of).
    pub(crate) fn of(tensor: &'a FloatTensor<Flex>) -> Self {
        let shape = dims4(tensor, "heads");
        let layout = tensor.layout();
        let stride = |i: usize| if shape[i] == 1 { 0 } else { layout.strides()[i].unsigned_abs() };
        Self {
            numbers: tensor.storage(),
            start: layout.start_offset(),
            strides: [stride(0), stride(1), stride(2)],
            shape,
        }
    }

    /// Numbers in the order `[B, T, H, d]`.
    pub(crate) fn by_token(numbers: &'a [f32], shape: [usize; 4]) -> Self {
        let [_, heads, time, head] = shape;
        Self { numbers, start: 0, strides: [time * heads * head, head, heads * head], shape }
    }

    /// The batch from row `first` on; all of it where one row stands for every.
    pub(crate) fn starting_at(self, first: usize) -> Self {
        Self { start: self.start + first * self.strides[0], ..self }
    }

    #[inline(always)]
    pub(crate) fn row(&self, batch: usize, head: usize, time: usize) -> &'a [f32] {
        let [b, h, t] = self.strides;
        let start = self.start + batch * b + head * h + time * t;
        &self.numbers[start..start + self.shape[3]]
    }
}

/// Numbers in the order `[B, T, H, d]`, in which linear layers give and take them, as `[B, H, T, d]`.
pub(crate) fn by_token(
    numbers: Vec<f32>,
    [batch, heads, time, head]: [usize; 4],
) -> FloatTensor<Flex> {
    Flex::float_swap_dims(tensor(numbers, [batch, time, heads, head]), 1, 2)
}
