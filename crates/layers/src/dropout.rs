//! Dropout that knows whether a training is going on.

use abeyance_graph::raw::{AnyTensorExt, GraphExt, TensorExt};
use abeyance_graph::{Float, Operand, Tensor};

use crate::mistake::{invalid, is_told, reject};

/// While `training` holds, a fraction `rate` of the elements becomes 0, drawn anew at each run, and
/// the others are scaled by `1 / (1 - rate)`; else `x` itself: TensorFlow's `tf.layers.dropout`.
/// See [`Tensor::dropout_keeping`], which takes the probability to keep an element instead.
///
/// ```text
/// x.dropout_keeping(select(training, 1 - rate, 1))
/// ```
///
/// It is a mistake if `rate` is not in `[0, 1)`, or `training` has dimensions.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_layers::dropout;
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 200]);
/// let training = g.placeholder_with_default("training", false); // fed `true` by the training
/// let h = dropout(x, 0.25, training);
/// # let _ = h;
/// # g.check().unwrap();
/// ```
#[track_caller]
pub fn dropout<'g, T: Float>(
    x: Tensor<'g, T>,
    rate: f64,
    training: impl Operand<'g, bool>,
) -> Tensor<'g, T> {
    let x = x.beside(training);
    let graph = x.graph();
    let _call = graph.call("dropout");
    if is_told(x) {
        return invalid(x);
    }
    // Also if it is NaN.
    if !(0.0..1.0).contains(&rate) {
        return reject(
            x,
            format!("{rate} is not a fraction of elements to drop"),
            "it has to be at least 0, which drops nothing, and below 1",
        );
    }
    graph.within("dropout", || {
        let number = |value: f64| -> Tensor<'g, T> { graph.constant(T::from_f64(value)).into() };
        let training: Tensor<'g, bool> = graph.any(training.node(graph)).assume();
        let keep = training.select(number(1.0 - rate), number(1.0));
        x.dropout_keeping(keep.named("keep"))
    })
}
