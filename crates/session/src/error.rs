//! The error type of sessions and their runs.

use std::fmt;

use abeyance_ir::{Diagnostic, Diagnostics, Location};

/// The reason why a session was not made, or a run failed. A run that fails changes nothing.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program is wrong: all its mistakes, together.
    #[error("{0}")]
    Program(Diagnostics),
    /// A feed, a fetch or another request does not fit the program.
    #[error("{0}")]
    Request(Diagnostics),
    /// A node could not be computed from these values.
    #[error("{0}")]
    Node(Box<Diagnostic>),
    /// The kernel of a node panicked: a fault of the operator's, whatever the values. The session
    /// goes on.
    #[error("{0}")]
    Panic(Box<Diagnostic>),
    /// There is not enough memory.
    #[error("error: {0}")]
    Memory(#[from] abeyance_scheduler::OutOfMemory),
    /// The threads could not be started.
    #[error("error: {0}")]
    Threads(#[from] abeyance_scheduler::ThreadPoolError),
    /// The engine contradicts itself; please report it.
    #[error("error: internal: {0}")]
    Internal(String),
}

/// The message without its `error: `, so that `unwrap`, and a `main` that returns this error, show
/// it readably too.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Program(mistakes) | Error::Request(mistakes) => mistakes.fmt(f),
            Error::Node(mistake) | Error::Panic(mistake) => mistake.fmt(f),
            Error::Memory(error) => fmt::Display::fmt(error, f),
            Error::Threads(error) => fmt::Display::fmt(error, f),
            Error::Internal(message) => write!(f, "internal: {message}"),
        }
    }
}

impl Error {
    /// Sets the place of the request in messages that have none.
    pub(crate) fn at(mut self, location: Location) -> Self {
        if let Error::Request(diagnostics) = &mut self {
            for diagnostic in &mut diagnostics.0 {
                if diagnostic.location == Location::Unknown {
                    diagnostic.location = location;
                }
            }
        }
        self
    }

    /// Makes the error of a request that does not fit, for one reason.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Error::Request(Diagnostic::new(message, Location::Unknown).into())
    }
}

/// A request that does not fit the graph.
impl From<Diagnostic> for Error {
    fn from(mistake: Diagnostic) -> Self {
        Error::Request(mistake.into())
    }
}

/// The mistakes of a program.
impl From<Diagnostics> for Error {
    fn from(mistakes: Diagnostics) -> Self {
        Error::Program(mistakes)
    }
}

impl From<abeyance_scheduler::BindError> for Error {
    fn from(error: abeyance_scheduler::BindError) -> Self {
        Error::Internal(error.to_string())
    }
}

impl From<abeyance_scheduler::BuildError> for Error {
    fn from(error: abeyance_scheduler::BuildError) -> Self {
        Error::Internal(error.to_string())
    }
}
