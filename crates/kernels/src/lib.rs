//! Numeric loops on slices and the calling convention by which a scheduler runs them.
//!
//! This crate knows arrays of numbers: matmul, convolutions, elementwise loops, reductions, random
//! streams. It must not know graphs, nodes, names or sessions.
//!
//! Every loop takes its inputs whole and fills a contiguous piece of its output, given by the slice
//! and the element at which it starts, so that parts of one output can be filled at the same time.
//! How an element is computed never depends on the cut, or depends on a cut that is fixed by
//! shapes. What a loop needs besides numbers is worked out once, in a plan such as
//! [`broadcast::Broadcast`] or [`reduce::Reduction`]; the loops allocate nothing.

pub mod broadcast;
pub mod chain;
#[allow(unsafe_code)] // tiles in registers, from bounds that were checked
pub mod conv;
mod dispatch;
pub mod element;
pub mod elementwise;
pub mod functions;
#[allow(unsafe_code)] // tiles of the workspace and of outputs as buffers of other loops
pub mod fused;
mod lanes;
pub mod layout;
pub mod matmul;
pub mod order;
pub mod pool;
pub mod prod_except;
pub mod random;
pub mod reduce;
pub mod scan;
#[allow(unsafe_code)] // calls kernels on slices
pub mod serial;
pub mod sliding;
pub mod softmax;
pub mod summary;

pub use abeyance_launch as launch;
pub use dispatch::{elementwise_chunk, rows_chunk};
pub use lanes::Float;
