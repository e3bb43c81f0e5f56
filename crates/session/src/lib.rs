//! Runs graphs: [`differentiate`] appends the backward graph, a plan is compiled for each set of
//! fetches and feed shapes, and a [`Session`] keeps the variables and hands plans to the scheduler.
//!
//! This crate knows what feeds, fetches and variables are. It must not know any particular operator
//! beyond what gradients are added up with, Jacobians are stacked with and the pass `simplify`
//! undoes, nor how tasks are spread over threads.

mod batches;
mod differentiate;
mod error;
mod feed;
mod feed_check;
mod fetch;
mod initial;
mod jacobian;
mod memory;
mod options;
mod plan;
pub mod quantity;
mod results;
mod session;
mod signature;
mod state;
mod summaries;
mod tensor_ref;
mod trace;
mod value;
mod variables;

pub use differentiate::{
    Unconnected, differentiate, gradients, gradients_from, gradients_of, gradients_or_zeros,
    gradients_with_cotangents,
};
pub use error::Error;
pub use feed::{Feed, FeedTarget, FeedValue};
pub use fetch::{Decode, Fetch, FetchList};
pub use jacobian::{hessian, jacobian};
pub use memory::SessionMemory;
pub use options::{RunOptions, SessionOptions};
pub use plan::{Explanation, NodeCost};
pub use results::Results;
pub use session::{Callable, Session};
pub use signature::SignatureRun;
pub use state::SessionState;
pub use summaries::SessionSummary;
pub use tensor_ref::TensorRef;
pub use trace::{NodeTime, Span, Trace};
pub use value::Value;
