//! What can go wrong.

use std::io;

/// Why a dashboard cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error(
        "`{addr}` is no address to listen on\n   = help: an address and a port are wanted, such as `127.0.0.1:6006`, or a port alone; port 0 takes one that is free"
    )]
    Address {
        /// As it was given.
        addr: String,
    },
    /// The port is taken.
    #[error(
        "`{addr}` is in use by another program\n   = help: name another port, or port 0, which takes one that is free"
    )]
    InUse {
        /// The address.
        addr: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on `{addr}`: {source}")]
    Listen {
        /// The address.
        addr: String,
        /// Why not.
        source: io::Error,
    },
    /// The server cannot start.
    #[error("cannot start the dashboard: {source}")]
    Start {
        /// Why not.
        source: io::Error,
    },
    /// What is recorded cannot be.
    #[error(transparent)]
    Record(#[from] abeyance_record::Error),
}
