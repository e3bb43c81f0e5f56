//! The error of writing, reading and restoring checkpoints.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::comparison::Comparison;

/// A checkpoint could not be written, read or restored. Nothing is changed then.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refuses to read or write.
    #[error("cannot {what} `{path}`: {error}", path = .path.display())]
    Disk {
        /// The operation: read, write, list, remove.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// A file is no checkpoint, or damaged.
    #[error("{in_file}: {message}{help}", in_file = in_file(.path), help = advice(.help))]
    File {
        /// The file; `None` for bytes.
        path: Option<PathBuf>,
        /// A sentence that says what is wrong.
        message: String,
        /// A sentence that says how to mend it.
        help: Option<String>,
    },
    /// The checkpoint does not fit the session. All that does not fit is in the comparison.
    #[error(
        "{0}\n   = help: make the graph that the checkpoint is of, or take what fits with `Restore::new().rename(..).partial()`"
    )]
    Mismatch(Box<Comparison>),
    /// The session refuses the values.
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

/// Prints the message, which `unwrap` and a `main` that returns this error show.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// An error of a file that is no checkpoint, or damaged.
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Error::File { path: None, message: message.into(), help: None }
    }

    /// Adds a sentence that says how to mend it.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        if let Error::File { help, .. } = &mut self {
            *help = Some(advice.into());
        }
        self
    }

    /// Adds the file.
    pub(crate) fn of(mut self, file: &std::path::Path) -> Self {
        if let Error::File { path, .. } = &mut self {
            *path = Some(file.to_owned());
        }
        self
    }
}
