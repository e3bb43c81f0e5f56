//! Serves models over HTTP and gRPC: the Open Inference Protocol, version 2, and TensorFlow
//! Serving's REST, for clients and clusters that speak these.
//!
//! The road of a request: a connection (`accept`) gives it to `http` or `grpc`, which read it into
//! values for the inputs of a signature; `app` has it computed. It waits in a lane of the
//! `executor`, whose threads run what waits together (`model`), and the answer goes back the same
//! way. Which models and versions there are is `repository`'s matter: a thread of its own loads,
//! checks and warms a version beside those that answer.
//!
//! Nothing is computed on the threads that read and write, and batching changes no bit of an
//! answer.

mod accept;
mod app;
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
