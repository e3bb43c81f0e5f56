//! Reads ONNX models as graphs, and writes graphs as ONNX models.
//!
//! [`import`] turns the bytes of a model into a [`Graph`](abeyance_graph::Graph) that runs, is
//! differentiated and trained like any other. Which operators there are, and what becomes of each,
//! is one table (`import/table.rs`); `docs/onnx.md` is printed from it.
//!
//! [`export`] writes what a signature needs as a model that other runtimes read; its table is
//! `export/table.rs`.
//!
//! This crate knows operators and their ONNX names. It must not know how a graph is run.

mod element_type;
mod error;
mod export;
mod import;
mod layout;
mod operators;
mod tensor;

/// ONNX's messages, generated from `proto/onnx.proto` (`tests/generated.rs` writes them anew).
#[allow(missing_docs, clippy::all)]
#[rustfmt::skip]
mod proto {
    include!("proto/onnx.rs");
}

pub use error::{ExportError, ExportProblem, ImportError, ImportProblem, ProblemKind};
pub use export::{EXPORTED_OPSET, export};
pub use import::{Importer, NEWEST_OPSET, OLDEST_OPSET, import};
pub use operators::{Counterpart, exported_operators, imported_operators};

/// The array in the bytes of a tensor's file, as ONNX's test data hold inputs and outputs in.
///
/// # Errors
/// The bytes are no tensor, or one whose elements do not exist here.
pub fn tensor(bytes: &[u8]) -> Result<abeyance_ir::Array, ProblemKind> {
    let message = <proto::TensorProto as prost::Message>::decode(bytes)
        .map_err(|error| ProblemKind::Wrong(format!("not a tensor: {error}")))?;
    tensor::read(&message)
}
