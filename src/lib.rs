//! Abeyance: describe a computation as a graph, have it differentiated symbolically, run it in
//! parallel.
//!
//! Nothing is computed while a graph is described; it stays in abeyance until a
//! [`Session`](session::Session) runs it.
//!
//! ```
//! use abeyance::prelude::*;
//!
//! # fn main() -> Result<(), Error> {
//! let g = Graph::new();
//! let x = g.placeholder::<f32>("x", dims![_]);
//! let y_ = g.placeholder::<f32>("y_", dims![_]);
//! let w = g.variable("w", 0.0);
//! let b = g.variable("b", 0.0);
//! let loss = (x * w + b - y_).square().reduce_mean(..);
//! let train_step = GradientDescent::new(0.1).minimize(loss);
//!
//! let session = Session::new(&g)?;
//! for _ in 0..200 {
//!     session.run(train_step, feeds![x => &[0.0, 1.0, 2.0], y_ => &[1.0, 3.0, 5.0]])?;
//! }
//! let (w, b) = session.run((w.scalar(), b.scalar()), [])?;
//! assert!((w - 2.0).abs() < 1e-2 && (b - 1.0).abs() < 1e-2);
//! # Ok(())
//! # }
//! ```
//!
//! Where to read on: [`prelude`] is what programs use; [`graph::Graph`] and [`graph::Tensor`]
//! describe, [`layers`] builds networks, [`losses`] compare with labels, [`session::Session`] runs,
//! [`train`] has optimizers, [`checkpoint`] keeps what was learnt, [`record`] what there was to
//! see, [`datasets`] reads data, [`onnx`] reads and writes models.

mod error;

pub use abeyance_checkpoint as checkpoint;
pub use abeyance_datasets as datasets;
pub use abeyance_graph as graph;
pub use abeyance_ir as ir;
pub use abeyance_layers as layers;
pub use abeyance_onnx as onnx;
pub use abeyance_record as record;
pub use abeyance_session as session;
pub use abeyance_train as train;
pub use abeyance_train::losses;

pub use abeyance_graph::{dims, slices};
pub use abeyance_session::feeds;
pub use error::{Error, Result};

/// The arrays that are fed and fetched. This is the version that they have to be of.
pub use ndarray;

/// Everything a program needs: `use abeyance::prelude::*;`. Arrays are [`ndarray`]'s.
pub mod prelude {
    pub use crate::Error;
    pub use abeyance_checkpoint::{Checkpoint, Checkpoints, Restore};
    pub use abeyance_datasets::Mnist;
    pub use abeyance_graph::{
        AnyTensor, ConvOptions, CumulativeOptions, Element, Float, Graph, MatMulOptions, NewAxis,
        Operand, Operation, PoolOptions, Scalar, SortOptions, Tensor, dims, fill, glorot_normal,
        glorot_uniform, he_normal, he_uniform, keep_dims, lecun_normal, lecun_uniform, ones,
        random_normal, random_uniform, slices, truncated_normal, zeros,
    };
    pub use abeyance_layers::{
        BatchNorm, Conv2d, Dense, batch_norm, conv2d, dense, dropout, flatten,
    };
    pub use abeyance_session::{
        Feed, RunOptions, Session, SessionOptions, Trace, feeds, gradients, gradients_or_zeros,
        gradients_with_cotangents, hessian, jacobian,
    };
    pub use abeyance_train::{
        Adagrad, Adam, AdamW, ExponentialMovingAverage, GradientDescent, Momentum, Optimizer,
        RmsProp, clip_by_global_norm, cosine_decay, exponential_decay, global_step, linear_warmup,
        losses, piecewise_constant,
    };
}

/// The README's program compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
