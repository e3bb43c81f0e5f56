//! The error of a server that does not start.

use std::io;
use std::path::PathBuf;

/// An error that keeps a server from starting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address cannot be listened on.
    #[error(transparent)]
    Address(#[from] abeyance_web::AddressError),
    /// Options do not go together.
    #[error("cannot serve with these options: {why}")]
    Options {
        /// The reason.
        why: String,
    },
    /// Other machines could ask.
    #[error(
        "`{addr}` can be reached from other machines, and no token is asked for\n   = help: name a file that holds one with `--token-file`, or say `--allow-public` if anybody may ask"
    )]
    Public {
        /// The address.
        addr: String,
    },
    /// A model cannot be served.
    #[error("cannot serve `{}`: {why}", path.display())]
    Model {
        /// The model's file or folder.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The folder of models cannot be read.
    #[error("cannot read the folder `{}`: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Certificates or their key cannot be used.
    #[error("cannot use the certificate `{}`: {why}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// Threads cannot be started.
    #[error("cannot start the server: {source}")]
    Start {
        /// The system's error.
        source: io::Error,
    },
}
