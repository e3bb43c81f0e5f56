//! What can go wrong with a session.

use std::fmt;

use abeyance_ir::{Diagnostic, Diagnostics, Location};

/// Why a session could not be made, or a run not finished. A run that fails changes nothing.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program is wrong: everything that is, together.
    #[error("{0}")]
    Program(Diagnostics),
    /// What was fed, fetched or asked for does not fit the program.
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

/// The message without its `error: `: what `unwrap` and a `main` that returns this error show is
/// for reading too.
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
    /// Says where the request was made, if nothing is said yet.
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

    /// A request that does not fit, for one reason.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Error::Request(Diagnostic::new(message, Location::Unknown).into())
    }
}

/// What was asked of a graph does not fit it.
impl From<Diagnostic> for Error {
    fn from(mistake: Diagnostic) -> Self {
        Error::Request(mistake.into())
    }
}

/// The program is wrong.
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
