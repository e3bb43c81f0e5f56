//! The calling convention: how a kernel is described to whoever runs it, and memory aligned for it
//! ([`AlignedBytes`]).
//!
//! This crate stands between the loops, the graph and the scheduler, none of which has to know the
//! others.
//!
//! A lowered operator is a [`Kernel`]: a list of [`Step`]s run one after the other. A step fills
//! exactly one buffer and is cut into parts, each of which writes its own contiguous chunk of that
//! buffer, so parts may run at the same time without sharing a byte. The cut depends on shapes
//! only, never on the number of threads: that is what makes results independent of it. A part runs
//! as a [`Call`].
//!
//! Below the operators, where kernels are fused, a task may fill several buffers: all are cut into
//! the same number of parts, and part p fills chunk p of each.

mod aligned;
mod call;
mod kernel;
mod layout;

pub use aligned::{ALIGNMENT, AlignedBytes, OutOfMemory};
pub use call::{Call, Chunking, Inputs, OutputChunk, OutputChunks, Outputs, RawBuffer};
pub use kernel::{Cost, Failure, Function, Kernel, Source, Step, Target};
pub use layout::Layout;
