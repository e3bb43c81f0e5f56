//! From images to vectors.

use abeyance_graph::{Element, Tensor, dims};

use crate::mistake::{invalid, is_told, reject};
use crate::sizes::product;

/// All dimensions but the first as one: `[N, H, W, C]` to `[N, H·W·C]`, TensorFlow's
/// `tf.layers.flatten`. A vector `[N]` becomes `[N, 1]`. Copies nothing.
///
/// It is a mistake if `x` has no dimensions.
#[track_caller]
pub fn flatten<T: Element>(x: Tensor<'_, T>) -> Tensor<'_, T> {
    let _call = x.graph().call("flatten");
    if is_told(x) {
        return invalid(x);
    }
    let shape = x.shape();
    let Some((&first, rest)) = shape.split_first() else {
        return reject(
            x,
            format!("`{x}` has no dimensions"),
            "the first dimension, the batch, stays: `[N, ..]`",
        );
    };
    x.graph().within("flatten", || x.reshape(dims![first, product(rest)]))
}
