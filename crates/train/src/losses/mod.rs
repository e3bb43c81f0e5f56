//! Losses, which a training makes small, as TensorFlow 1's `tf.losses`: the difference of
//! predictions from labels as one number, with weights, checked for shapes.
//!
//! The functions take the mean over all elements. [`Weighted`] has weights and other reductions:
//!
//! ```
//! use abeyance_graph::{dims, Graph};
//! use abeyance_session::{feeds, Session};
//! use abeyance_train::losses::{self, Reduction, Weighted};
//! let g = Graph::new();
//! let y = g.placeholder::<f32>("y", dims![_]);
//! let y_ = g.placeholder::<f32>("y_", dims![_]);
//! let weights = g.placeholder::<f32>("weights", dims![_]);
//! let mean = losses::mean_squared_error(y_, y);
//! let sum = Weighted::by(weights).reduction(Reduction::Sum).mean_squared_error(y_, y);
//! let session = Session::new(&g)?;
//! let feeds = feeds![y => &[1.0, 2.0], y_ => &[0.0, 4.0], weights => &[2.0, 0.0]];
//! assert_eq!(session.run((mean, sum.scalar()), feeds)?, (2.5, 2.0));
//! # Ok::<(), abeyance_session::Error>(())
//! ```
//!
//! Labels and predictions have to be of one shape. Labels `[N]` and predictions `[N, 1]` would
//! broadcast to `[N, N]`, every label against every prediction, and train on nonsense; here that is
//! a mistake that names both. Sizes that are not known while the graph is built are made equal, so
//! that what is fed is checked as well.
//!
//! A mean over nothing, of a batch without rows or weights that are all 0, is 0 and has gradients
//! of 0, as in TensorFlow.

mod shapes;
mod weighted;

pub use weighted::{Reduction, Weighted};

use abeyance_graph::{Float, Index, Scalar, Tensor};

/// The mean of (prediction - label)²: TensorFlow's `losses.mean_squared_error`. Gradient with
/// respect to a prediction: 2(prediction - label) over the count.
#[track_caller]
pub fn mean_squared_error<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    predictions: impl Into<Tensor<'g, T>>,
) -> Scalar<'g, T> {
    Weighted::new().mean_squared_error(labels, predictions).into()
}

/// The mean of |prediction - label|: TensorFlow's `losses.absolute_difference`. Gradient with
/// respect to a prediction: the sign of the difference, 0 where there is none, over the count.
#[track_caller]
pub fn absolute_difference<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    predictions: impl Into<Tensor<'g, T>>,
) -> Scalar<'g, T> {
    Weighted::new().absolute_difference(labels, predictions).into()
}

/// The mean of a loss that is a parabola near 0 and a line from a difference of `delta`, usually 1,
/// on: TensorFlow's `losses.huber_loss`. See [`Weighted::huber`].
#[track_caller]
pub fn huber<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    predictions: impl Into<Tensor<'g, T>>,
    delta: f64,
) -> Scalar<'g, T> {
    Weighted::new().huber(labels, predictions, delta).into()
}

/// The mean cross-entropy of probabilities against labels from 0 to 1, one of each for an element:
/// TensorFlow's `losses.log_loss`, whose `epsilon` is 1e-7. See [`Weighted::log_loss`].
#[track_caller]
pub fn log_loss<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    predictions: impl Into<Tensor<'g, T>>,
    epsilon: f64,
) -> Scalar<'g, T> {
    Weighted::new().log_loss(labels, predictions, epsilon).into()
}

/// The mean of max(1 - sign · logit, 0), where the sign is 1 for a label of 1 and -1 for one of 0:
/// TensorFlow's `losses.hinge_loss`.
#[track_caller]
pub fn hinge<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    logits: impl Into<Tensor<'g, T>>,
) -> Scalar<'g, T> {
    Weighted::new().hinge(labels, logits).into()
}

/// The mean over all rows `[.., classes]` of the cross-entropy of softmax(logits) against one-hot
/// labels or probabilities: TensorFlow's `losses.softmax_cross_entropy`.
#[track_caller]
pub fn softmax_cross_entropy<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    logits: impl Into<Tensor<'g, T>>,
) -> Scalar<'g, T> {
    Weighted::new().softmax_cross_entropy(labels, logits).into()
}

/// The mean over all rows `[.., classes]` of the cross-entropy of softmax(logits) against the
/// numbers of classes, `[..]`: TensorFlow's `losses.sparse_softmax_cross_entropy`. A label that is
/// no class fails at run time.
#[track_caller]
pub fn sparse_softmax_cross_entropy<'g, T: Float, I: Index>(
    labels: impl Into<Tensor<'g, I>>,
    logits: impl Into<Tensor<'g, T>>,
) -> Scalar<'g, T> {
    Weighted::new().sparse_softmax_cross_entropy(labels, logits).into()
}

/// The mean cross-entropy of sigmoid(logits) against labels from 0 to 1, one of each for an
/// element: TensorFlow's `losses.sigmoid_cross_entropy`.
#[track_caller]
pub fn sigmoid_cross_entropy<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    logits: impl Into<Tensor<'g, T>>,
) -> Scalar<'g, T> {
    Weighted::new().sigmoid_cross_entropy(labels, logits).into()
}

/// The mean of 1 - Σ label · prediction along an axis, of vectors that have length 1 there:
/// TensorFlow's `losses.cosine_distance`. [`l2_normalize`](Tensor::l2_normalize) gives them that
/// length.
#[track_caller]
pub fn cosine_distance<'g, T: Float>(
    labels: impl Into<Tensor<'g, T>>,
    predictions: impl Into<Tensor<'g, T>>,
    axis: i64,
) -> Scalar<'g, T> {
    Weighted::new().cosine_distance(labels, predictions, axis).into()
}
