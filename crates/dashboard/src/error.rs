//! The error of a dashboard.

use std::io;
use std::path::PathBuf;

/// An error that keeps a dashboard from being shown or exported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error(transparent)]
    Address(#[from] abeyance_web::AddressError),
    /// The server cannot start.
    #[error("cannot start the dashboard: {source}")]
    Start {
        /// The system's error.
        source: io::Error,
    },
    /// An error of the recording.
    #[error(transparent)]
    Record(#[from] abeyance_record::Error),
    /// There are no runs.
    #[error(
        "there are no runs to export\n   = help: name a folder in which, or below which, event files lie"
    )]
    NothingToExport,
    /// The runs are more than a browser opens at ease.
    #[error(
        "the runs make a file of more than {} MB\n   = help: export fewer runs at a time, or show them from a server: `abeyance dashboard DIR`",
        most / 1_000_000
    )]
    TooLarge {
        /// The limit, in bytes.
        most: u64,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// There is no terminal to draw in.
    #[error(
        "there is no terminal to draw in: {why}\n   = help: `--tui` needs a terminal of its own; `--dashboard` shows the same in a browser"
    )]
    Terminal {
        /// The reason.
        why: String,
    },
}
