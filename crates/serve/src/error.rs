//! Why a server does not start.

use std::io;
use std::path::PathBuf;

/// Why a server does not start.
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
        /// Its file or folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The folder of models cannot be read.
    #[error("cannot read the folder `{}`: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Certificates or their key cannot be used.
    #[error("cannot use the certificate `{}`: {why}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Threads cannot be started.
    #[error("cannot start the server: {source}")]
    Start {
        /// Why not.
        source: io::Error,
    },
}
