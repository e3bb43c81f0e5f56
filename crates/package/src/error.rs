//! The error of packages.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use abeyance_ir::Diagnostics;

use crate::Difference;

/// An error of reading, packing or checking a model.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk fails, or a file is not there.
    #[error("cannot {what} `{path}`: {error}", path = .path.display())]
    Disk {
        /// The attempt that failed: read, write, list.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A file or a folder is not what it should be.
    #[error("`{path}`: {message}{help}", path = .path.display(), help = advice(.help))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        message: String,
        /// The way to mend it.
        help: Option<String>,
    },
    /// A checkpoint stands where a graph is wanted.
    #[error("`{path}` is a checkpoint, and a graph is wanted", path = .path.display())]
    CheckpointForGraph {
        /// The file.
        path: PathBuf,
    },
    /// The folder that should have checkpoints has none.
    #[error("there is no checkpoint in the folder `{path}`", path = .path.display())]
    NoCheckpoint {
        /// The folder.
        path: PathBuf,
    },
    /// A graph's file holds no graph that could be built: everything that is wrong with it.
    #[error("{0}")]
    Graph(Diagnostics),
    /// A checkpoint does not read, or does not fit the graph.
    #[error("{0}")]
    Checkpoint(abeyance_checkpoint::Error),
    /// A session cannot be made, or a run fails.
    #[error("{0}")]
    Session(abeyance_session::Error),
    /// A request that no package can meet: a signature that writes, a name that no address can
    /// hold.
    #[error("{message}{help}", help = advice(.help))]
    Request {
        /// The reason.
        message: String,
        /// The way to mend it.
        help: Option<String>,
    },
    /// A golden case could not be run.
    #[error("golden case {case} cannot be run: {error:?}")]
    Case {
        /// Its number, counted from 0.
        case: usize,
        /// The session's error.
        error: abeyance_session::Error,
    },
    /// The model does not give what a golden case says.
    #[error("{0}")]
    Difference(Box<Difference>),
}

fn advice(help: &Option<String>) -> String {
    help.as_ref().map_or_else(String::new, |help| format!("\n   = help: {help}"))
}

/// Prints the error for people too, since `unwrap` and a `main` that returns it show this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Graph(mistakes) => fmt::Debug::fmt(mistakes, f),
            Error::Session(error) => fmt::Debug::fmt(error, f),
            other => fmt::Display::fmt(other, f),
        }
    }
}

impl Error {
    pub(crate) fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Error::Disk { what, path: path.to_owned(), error }
    }

    /// A file that is not what it should be.
    pub(crate) fn file(path: &Path, message: impl Into<String>) -> Self {
        Error::File { path: path.to_owned(), message: message.into(), help: None }
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Error::Request { message: message.into(), help: None }
    }

    /// Adds advice, which stands behind the message.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        if let Error::File { help, .. } | Error::Request { help, .. } = &mut self {
            *help = Some(advice.into());
        }
        self
    }
}

impl From<abeyance_checkpoint::Error> for Error {
    fn from(error: abeyance_checkpoint::Error) -> Self {
        match error {
            abeyance_checkpoint::Error::Session(error) => Error::Session(error),
            other => Error::Checkpoint(other),
        }
    }
}

impl From<abeyance_session::Error> for Error {
    fn from(error: abeyance_session::Error) -> Self {
        Error::Session(error)
    }
}
