//! The transformer's cache: keys and values in columns that all rows share.
//!
//! A new token of every row is written to the same column, so that one slice assignment serves the
//! whole batch; a row's own columns need not be the first ones. What a row may attend to is its
//! `bias`: 0 for its own columns, a large negative number for the padding of its prompt and for
//! columns before it was admitted.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::causal_lm::KvCache;
use crate::mask::HIDDEN;

/// Keys and values of one layer, each `[B, H, capacity, d]`.
#[derive(Clone, Debug)]
pub(crate) struct LayerCache {
    keys: Tensor<4>,
    values: Tensor<4>,
}

impl LayerCache {
    /// An empty layer of `[B, H, capacity, d]` zeros.
    pub(crate) fn of_zeros(zeros: Tensor<4>) -> Self {
        Self { keys: zeros.clone(), values: zeros }
    }

    /// Writes new columns at `start` and gives all columns up to their end.
    pub(crate) fn write(
        &mut self,
        keys: Tensor<4>,
        values: Tensor<4>,
        start: usize,
    ) -> (Tensor<4>, Tensor<4>) {
        let end = start + keys.dims()[2];
        write_columns(&mut self.keys, keys, start);
        write_columns(&mut self.values, values, start);
        (self.keys.clone().narrow(2, 0, end), self.values.clone().narrow(2, 0, end))
    }

    /// Applies a change to keys and values alike.
    fn map(&mut self, change: impl Fn(Tensor<4>) -> Tensor<4>) {
        self.keys.inplace(&change);
        self.values.inplace(&change);
    }
}

fn write_columns(whole: &mut Tensor<4>, part: Tensor<4>, start: usize) {
    let [batch, heads, width, head] = part.dims();
    whole.inplace(|whole| {
        whole.slice_assign([0..batch, 0..heads, start..start + width, 0..head], part)
    });
}

/// What the transformer remembers of each row.
#[derive(Clone, Debug)]
pub struct TransformerCache {
    pub(crate) layers: Vec<LayerCache>,
    /// What a row may attend to: `[B, capacity]`, 0 or [`HIDDEN`].
    bias: Tensor<2>,
    /// Columns in use.
    columns: usize,
    lengths: Vec<usize>,
}

impl TransformerCache {
    /// A cache over prompts of `lengths` tokens that were read into the first `columns` columns.
    pub(crate) fn of_prompts(
        layers: Vec<LayerCache>,
        lengths: &[usize],
        columns: usize,
        device: &Device,
    ) -> Self {
        let hidden = |length: &usize| {
            let length = *length;
            (0..columns).map(move |column| if column < length { 0.0 } else { HIDDEN })
        };
        let bias: Vec<f32> = lengths.iter().flat_map(hidden).collect();
        let bias = TensorData::new(bias, [lengths.len(), columns]);
        let bias = Tensor::from_data(bias, (device, DType::F32));
        Self { layers, bias, columns, lengths: lengths.to_vec() }
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    fn capacity(&self) -> usize {
        self.bias.dims()[1]
    }

    /// Takes the next `width` columns and gives what each row may attend to up to their end,
    /// `[B, columns]`.
    ///
    /// # Panics
    /// If there is no room for them.
    pub(crate) fn advance(&mut self, width: usize) -> Tensor<2> {
        assert!(
            self.columns + width <= self.capacity(),
            "the cache has room for {} columns and holds {}, so not for {width} more; fork it with \
             a larger capacity",
            self.capacity(),
            self.columns
        );
        self.columns += width;
        self.lengths.iter_mut().for_each(|length| *length += width);
        self.bias.clone().narrow(1, 0, self.columns)
    }

    /// The rows `index` of this cache in a cache of `capacity` columns, of which the last used one
    /// is `columns`.
    fn placed(&self, index: Option<Tensor<1, Int>>, columns: usize, capacity: usize) -> Self {
        let (used, start) = (self.columns, columns - self.columns);
        let rows = |n: usize| index.as_ref().map_or(n, |index| index.dims()[0]);
        let select4 = |t: Tensor<4>| match &index {
            Some(index) => t.select(0, index.clone()),
            None => t,
        };
        let place = |tensor: Tensor<4>| {
            let [batch, heads, _, head] = tensor.dims();
            let tensor = select4(tensor.narrow(2, 0, used));
            let shape = [rows(batch), heads, capacity, head];
            let mut placed = Tensor::zeros(shape, (&tensor.device(), tensor.dtype()));
            write_columns(&mut placed, tensor, start);
            placed
        };
        let mut layers = self.layers.clone();
        layers.iter_mut().for_each(|layer| layer.map(place));

        let batch = rows(self.lengths.len());
        let bias = self.bias.clone().narrow(1, 0, used);
        let bias = match &index {
            Some(index) => bias.select(0, index.clone()),
            None => bias,
        };
        let device = bias.device();
        let before = Tensor::full([batch, start], HIDDEN, (&device, DType::F32));
        let after = Tensor::zeros([batch, capacity - columns], (&device, DType::F32));
        let parts: Vec<Tensor<2>> =
            [before, bias, after].into_iter().filter(|part| part.dims()[1] > 0).collect();
        Self { layers, bias: Tensor::cat(parts, 1), columns, lengths: self.lengths.clone() }
    }

    fn index(&self, rows: &[usize]) -> Tensor<1, Int> {
        let rows: Vec<i32> = rows.iter().map(|row| *row as i32).collect();
        let count = rows.len();
        Tensor::from_data(TensorData::new(rows, [count]), &self.bias.device())
    }
}

impl KvCache for TransformerCache {
    fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    fn fork(&self, parent_of_row: &[usize], capacity: usize) -> Self {
        let index = self.index(parent_of_row);
        let mut forked = self.placed(Some(index), self.columns, self.columns + capacity);
        forked.lengths = parent_of_row.iter().map(|row| self.lengths[*row]).collect();
        forked
    }

    fn retain(&mut self, rows: &[usize]) {
        let index = self.index(rows);
        self.layers.iter_mut().for_each(|layer| layer.map(|t| t.select(0, index.clone())));
        self.bias = self.bias.clone().select(0, index);
        self.lengths = rows.iter().map(|row| self.lengths[*row]).collect();
    }

    fn admit(&mut self, other: Self) {
        let columns = self.columns.max(other.columns);
        let room = (self.capacity() - self.columns).max(other.capacity() - other.columns);
        let mut grown = self.placed(None, columns, columns + room);
        let other = other.placed(None, columns, columns + room);
        for (layer, new) in grown.layers.iter_mut().zip(other.layers) {
            layer.keys.inplace(|keys| Tensor::cat(vec![keys, new.keys], 0));
            layer.values.inplace(|values| Tensor::cat(vec![values, new.values], 0));
        }
        grown.bias = Tensor::cat(vec![grown.bias, other.bias], 0);
        grown.lengths.extend(other.lengths);
        *self = grown;
    }
}
