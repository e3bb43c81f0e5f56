//! The error of recordings.

use std::io;
use std::path::{Path, PathBuf};

/// An error of a recording. Displays as a sentence or two for people.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk fails, or the file is not there.
    #[error("{what} `{}`: {source}", path.display())]
    Disk {
        /// The attempt that failed: "cannot open".
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file that does not begin with a record.
    #[error("`{}` is no event file: it does not begin with a record", path.display())]
    NoEvents {
        /// The file.
        path: PathBuf,
    },
    /// A length that its checksum does not confirm. Where the next record begins cannot be known.
    #[error("`{}` is damaged at byte {offset}: the length of the record there has a wrong checksum, so nothing behind it can be read", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// The offset of the record, in bytes.
        offset: u64,
    },
    /// Data that their checksum does not confirm. The next record can be read.
    #[error("`{}` is damaged at byte {offset}: the record of {length} bytes there has a wrong checksum and is left out", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The offset of the record, in bytes.
        offset: u64,
        /// The length of its data, in bytes.
        length: u64,
    },
    /// A record that is larger than any that is read. The next record can be read.
    #[error("`{}` has a record of {length} bytes at byte {offset}, more than the {} that are read; it is left out", path.display(), crate::frame::LONGEST)]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The offset of the record, in bytes.
        offset: u64,
        /// The length of its data, in bytes.
        length: u64,
    },
    /// A record that is no event. The next record can be read.
    #[error("`{}`: the record at byte {offset} is no event ({reason}) and is left out", path.display())]
    Message {
        /// The file.
        path: PathBuf,
        /// The offset of the record, in bytes.
        offset: u64,
        /// The reason.
        reason: String,
    },
    /// A file that was cut while it was read.
    #[error("`{}` has been cut short while it was read, from {offset} bytes or more to {length}; open it again", path.display())]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// The offset up to which it was read, in bytes.
        offset: u64,
        /// The file's length now, in bytes.
        length: u64,
    },
    /// Pixels that make no picture, or a picture that has no pixels.
    #[error("{0}")]
    Picture(String),
    /// A recorder that was asked for what it cannot do.
    #[error("{0}")]
    Request(String),
    /// A session's error.
    #[error(transparent)]
    Session(#[from] abeyance_session::Error),
}

impl Error {
    pub(crate) fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Disk { what, path, source }
    }

    /// True if records behind it can be read.
    pub fn goes_on(&self) -> bool {
        matches!(self, Error::Checksum { .. } | Error::TooLong { .. } | Error::Message { .. })
    }
}
