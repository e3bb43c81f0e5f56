//! A model that is loaded: what it takes and gives, and runs of it.

mod batch;
mod inputs;
mod latency;
mod rows;
mod sizes;
mod statistics;
mod tensor_spec;
mod version;

pub(crate) use batch::{Outcome, compute, rows};
pub(crate) use inputs::Inputs;
pub(crate) use latency::Latency;
pub(crate) use sizes::{LARGEST_BATCH, planned, planned_sizes};
pub(crate) use statistics::Statistics;
pub(crate) use tensor_spec::{TensorSpec, datatype, dtype_of};
pub(crate) use version::{ServedSignature, Version, shortened};

#[cfg(test)]
pub(crate) mod tests;
