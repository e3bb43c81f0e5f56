//! Layers of networks as functions that append ordinary nodes: variables and the arithmetic around them, after
//! TensorFlow's `tf.layers`.
//!
//! Nothing is kept beside the graph. A layer is a scope, `dense`, `dense_1`, ..., in which its variables are called `kernel` and
//! `bias`; what it adds is what is printed. An activation is a method on the result.
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
//! assert_eq!(g.tensor::<f32>("dense/kernel").unwrap().to_string(), "dense/kernel : f32[784, 200]");
//! # g.check().unwrap();
//! ```
//!
//! This crate knows what layers are made of. It must not know operators beyond their methods, nor how a graph is trained
//! or run.

mod dense;
mod dropout;
mod flatten;
mod mistake;
mod sizes;

pub use dense::{Dense, dense};
pub use dropout::dropout;
pub use flatten::flatten;
