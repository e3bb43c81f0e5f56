//! Data to train on: [MNIST](Mnist), any set of pictures stored the same way, any [IDX file](idx),
//! and [batches](Batches) of them.
//!
//! ```
//! use abeyance_datasets::Mnist;
//!
//! # let data = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
//! # if !std::path::Path::new(data).is_dir() { return Ok(()); }
//! let mnist = Mnist::load()?;
//! assert_eq!(mnist.train.images.shape(), [60_000, 28, 28, 1]);
//! assert_eq!(mnist.test.labels.shape(), [10_000, 10]);
//!
//! for batch in mnist.train.batches(100).take(3) {
//!     assert_eq!(batch.images.shape(), [100, 28, 28, 1]);
//!     assert_eq!(batch.labels.shape(), [100, 10]);
//! }
//! # Ok::<(), abeyance_datasets::DatasetError>(())
//! ```
//!
//! The crate knows arrays and files. It knows nothing of graphs: what it hands out are plain
//! `ndarray` arrays, which a session takes as feeds.
//!
//! Files come from outside and may hold anything. Reading one takes memory in proportion to the
//! bytes that are really there, never to what its header claims, and ends in a [`Dataset`] or in an
//! error that says what was found, what was expected and what to do. Nothing panics.

#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)
)]

mod batches;
mod dataset;
mod error;
pub mod idx;
mod mnist;
mod sequential;

pub use batches::{Batch, Batches};
pub use dataset::Dataset;
pub use error::DatasetError;
pub use mnist::{DATA_VARIABLE, Mnist};
pub use sequential::{BatchView, Sequential};
