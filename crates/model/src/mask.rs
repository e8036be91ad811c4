//! What each token may attend to, as numbers added to the attention scores.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// Added to the score of a position that must not be seen: its weight becomes exactly 0.
pub(crate) const HIDDEN: f32 = -1e9;

/// Hides later tokens from earlier ones, `[1, 1, T, T]`, and what lies `window` or more tokens back.
pub(crate) fn causal_bias(time: usize, window: Option<usize>, device: &Device) -> Tensor<4> {
    let window = window.unwrap_or(time);
    let hidden = |index: usize| {
        let (query, key) = (index / time, index % time);
        if key > query || query - key >= window { HIDDEN } else { 0.0 }
    };
    let values: Vec<f32> = (0..time * time).map(hidden).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, time, time]), (device, DType::F32))
}

/// Hides columns that lie `window` or more of a row's own tokens back, for queries in the last
/// `time` columns: `bias` is `[B, 1, T or 1, columns]`, of which `own` (`[B, columns]`) tells 0 for a
/// row's own columns.
///
/// A row's columns need not be neighbours in the cache, so tokens are counted and not columns.
pub(crate) fn windowed(bias: Tensor<4>, own: Tensor<2>, time: usize, window: usize) -> Tensor<4> {
    let [batch, columns] = own.dims();
    let count = own.equal_elem(0.0).int().cumsum(1);
    let queries = count.clone().narrow(1, columns - time, time).reshape([batch, 1, time, 1]);
    let keys = count.reshape([batch, 1, 1, columns]);
    let shape = [batch, 1, time, columns];
    let distance = queries.expand(shape) - keys.expand(shape);
    bias.expand(shape).mask_fill(distance.greater_equal_elem(window as i64), HIDDEN)
}
