//! The error that a program meets everywhere.

use std::fmt;
use std::io;

use abeyance_datasets::DatasetError;
use abeyance_datasets::idx::IdxError;
use abeyance_ir::{Diagnostic, Diagnostics};
use abeyance_onnx::{ExportError, ImportError};

/// A result with the error that a program meets everywhere.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whatever went wrong, of whichever part of the library: `?` makes one of every error that a call
/// gives.
///
/// It prints as the part prints it, as a compiler would. A `main` that returns it shows the same
/// behind its own `Error: `:
///
/// ```
/// use abeyance::prelude::*;
///
/// fn train() -> Result<f32, abeyance::Error> {
///     let g = Graph::load("no/such/file.graph")?; // all that is wrong with a graph
///     let loss = g.tensor::<f32>("loss")?;        // one mistake
///     let session = Session::new(&g)?;            // of a session
///     Ok(session.run(loss.scalar(), [])?)
/// }
/// assert!(train().unwrap_err().to_string().starts_with("error: "));
/// ```
#[non_exhaustive]
pub enum Error {
    /// A graph is wrong, could not be read, or has not what is asked of it.
    Graph(Diagnostics),
    /// A session could not be made, or a run not be finished.
    Session(abeyance_session::Error),
    /// A checkpoint could not be written, read or restored.
    Checkpoint(abeyance_checkpoint::Error),
    /// A data set could not be loaded.
    Dataset(DatasetError),
    /// A model of ONNX did not become a graph.
    Import(ImportError),
    /// A graph did not become a model of ONNX.
    Export(ExportError),
    /// A training could not be recorded, or a recording not be read.
    Record(abeyance_record::Error),
    /// An array has not the shape that it is asked to have.
    Array(ndarray::ShapeError),
    /// A file could not be read or written.
    Io(io::Error),
    /// Something of the program's own: [`Error::other`].
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An error of the program's own: a message, or another library's error.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Other(error.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {self:?}")
    }
}

/// The text without its `error: `. This is what `unwrap` and a `main` that returns an error show,
/// the latter behind an `Error: ` of its own, so it is for reading too.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Graph(error) => fmt::Debug::fmt(error, f),
            Error::Session(error) => fmt::Debug::fmt(error, f),
            // A session's error in it begins with a word of its own.
            Error::Checkpoint(abeyance_checkpoint::Error::Session(error)) => {
                fmt::Debug::fmt(error, f)
            }
            Error::Checkpoint(error) => fmt::Display::fmt(error, f),
            Error::Dataset(error) => fmt::Display::fmt(error, f),
            Error::Import(error) => fmt::Display::fmt(error, f),
            Error::Export(error) => fmt::Display::fmt(error, f),
            Error::Record(abeyance_record::Error::Session(error)) => fmt::Debug::fmt(error, f),
            Error::Record(error) => fmt::Display::fmt(error, f),
            Error::Array(error) => fmt::Display::fmt(error, f),
            Error::Io(error) => fmt::Display::fmt(error, f),
            Error::Other(error) => fmt::Display::fmt(error, f),
        }
    }
}

/// The source is that of the part's error, whose message this one prints.
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Graph(error) => error.source(),
            Error::Session(error) => error.source(),
            Error::Checkpoint(error) => error.source(),
            Error::Dataset(error) => error.source(),
            Error::Import(error) => error.source(),
            Error::Export(error) => error.source(),
            Error::Record(error) => error.source(),
            Error::Array(error) => error.source(),
            Error::Io(error) => error.source(),
            Error::Other(error) => error.source(),
        }
    }
}

macro_rules! from {
    ($($error:ty => $variant:ident;)*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Error::$variant(error.into())
            }
        }
    )*};
}
from! {
    Diagnostic => Graph;
    Diagnostics => Graph;
    abeyance_session::Error => Session;
    abeyance_checkpoint::Error => Checkpoint;
    DatasetError => Dataset;
    IdxError => Dataset;
    ImportError => Import;
    ExportError => Export;
    abeyance_record::Error => Record;
    ndarray::ShapeError => Array;
    io::Error => Io;
    String => Other;
    &str => Other;
    Box<dyn std::error::Error + Send + Sync> => Other;
}
