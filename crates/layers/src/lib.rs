//! Layers of networks as functions that append ordinary nodes: variables and the arithmetic around
//! them, after TensorFlow's `tf.layers`.
//!
//! Nothing is kept beside the graph. A layer is a scope, `dense`, `dense_1`, ..., in which its
//! variables are called `kernel` and `bias`; what it adds is what is printed. An activation is a
//! method on the result.
//!
//! ```
//! use abeyance_graph::{dims, glorot_uniform, he_normal, Graph};
//! use abeyance_layers::{dense, dropout, flatten};
//! let g = Graph::new();
//! let images = g.placeholder::<f32>("images", dims![_, 28, 28, 1]);
//! let training = g.placeholder_with_default("training", false);
//! let h = dense(flatten(images), 200, he_normal).relu();
//! let h = dropout(h, 0.25, training);
//! let logits = dense(h, 10, glorot_uniform);
//! assert_eq!(logits.to_string(), "dense_1 : f32[N, 10]");
//! let kernel = g.tensor::<f32>("dense/kernel").unwrap();
//! assert_eq!(kernel.to_string(), "dense/kernel : f32[784, 200]");
//! # g.check().unwrap();
//! ```
//!
//! A layer of one's own is such a function. One lifetime says that what it takes and gives is of
//! one graph; a closure with `|x: Tensor<f32>|` cannot say that.
//!
//! ```
//! use abeyance_graph::{dims, he_normal, Graph, Tensor};
//! use abeyance_layers::{dense, dropout};
//!
//! #[track_caller]
//! fn layer<'g>(x: Tensor<'g, f32>, units: usize, training: Tensor<'g, bool>) -> Tensor<'g, f32> {
//!     dropout(dense(x, units, he_normal).relu(), 0.25, training)
//! }
//!
//! let g = Graph::new();
//! let x = g.placeholder::<f32>("x", dims![_, 784]);
//! let training = g.placeholder_with_default("training", false);
//! let y = layer(layer(x, 200, training), 100, training);
//! assert_eq!(y.shape().len(), 2);
//! # g.check().unwrap();
//! ```
//!
//! This crate knows what layers are made of. It must not know operators beyond their methods, nor
//! how a graph is trained or run.

mod batch_norm;
mod conv2d;
mod dense;
mod dropout;
mod flatten;
mod mistake;
mod sizes;

pub use abeyance_graph::ops::batch_norm::BatchNormalized;
pub use batch_norm::{BatchNorm, batch_norm};
pub use conv2d::{Conv2d, conv2d};
pub use dense::{Dense, dense};
pub use dropout::dropout;
pub use flatten::flatten;
