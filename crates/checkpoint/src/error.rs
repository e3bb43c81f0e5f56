//! What can go wrong with checkpoints.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::Comparison;

/// Why a checkpoint could not be written, read or restored. Nothing is changed then.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk objects.
    #[error("cannot {what} `{path}`: {error}", path = .path.display())]
    Disk {
        /// What was tried: read, write, list.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// A file is no checkpoint, or damaged.
    #[error("{in_file}: {message}{help}", in_file = in_file(.path), help = advice(.help))]
    File {
        /// Which, if it came from a file.
        path: Option<PathBuf>,
        /// What is wrong.
        message: String,
        /// How to mend it.
        help: Option<String>,
    },
    /// The checkpoint does not fit the session: everything that does not.
    #[error(
        "{0}\n   = help: make the graph that the checkpoint is of, or take what fits with `Restore::new().rename(..).partial()`"
    )]
    Mismatch(Box<Comparison>),
    /// The session objects.
    #[error("{0}")]
    Session(#[from] abeyance_session::Error),
}

fn in_file(path: &Option<PathBuf>) -> String {
    match path {
        Some(path) => format!("checkpoint `{}`", path.display()),
        None => "checkpoint".to_owned(),
    }
}

fn advice(help: &Option<String>) -> String {
    help.as_ref().map_or_else(String::new, |help| format!("\n   = help: {help}"))
}

/// What `unwrap` and a `main` that returns this error show is for reading too.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// A file that is no checkpoint.
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Error::File { path: None, message: message.into(), help: None }
    }

    /// With advice.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        if let Error::File { help, .. } = &mut self {
            *help = Some(advice.into());
        }
        self
    }

    /// Of that file.
    pub(crate) fn of(mut self, file: &std::path::Path) -> Self {
        if let Error::File { path, .. } = &mut self {
            *path = Some(file.to_owned());
        }
        self
    }
}
