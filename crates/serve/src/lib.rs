//! Serves models over HTTP and gRPC: the Open Inference Protocol, version 2, and TensorFlow
//! Serving's REST, for clients and clusters that speak these.
//!
//! The road of a request:
//!
//! 1. A connection (`accept`) gives it to `http` or `grpc`, which read it into values for the
//!    inputs of a signature.
//! 2. `app` has it computed. It waits in a queue of the `executor`, whose threads run what waits
//!    together (`model`).
//! 3. The answer goes back the same way.
//!
//! `repository` holds the models and their versions. A thread of its own loads, checks and warms a
//! version beside those that answer.
//!
//! Nothing is computed on the threads that read and write, and batching changes no bit of an
//! answer.

mod accept;
mod access;
mod app;
mod budget;
mod error;
mod executor;
mod grpc;
mod http;
mod metrics;
mod model;
mod options;
mod repository;
mod request_error;
mod server;
mod statistics;
mod tls;

pub use error::Error;
pub use options::ServerOptions;
pub use server::{Models, Server};
