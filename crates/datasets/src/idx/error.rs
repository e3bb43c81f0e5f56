//! The error of reading an IDX file. Each message says how to mend it.

use std::fmt::Write as _;
use std::io;

use thiserror::Error;

use super::foreign_format::ForeignFormat;
use super::{MAX_BYTES, element};

/// An IDX file could not be read.
#[derive(Error)]
#[error("{file}: {kind}")]
pub struct IdxError {
    /// The file's path, or the name given to [`from_reader`](super::from_reader).
    pub file: String,
    /// The reason, with its figures.
    pub kind: IdxErrorKind,
}

/// Prints the message, which `unwrap` and a `main` that returns this error show.
impl std::fmt::Debug for IdxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl IdxError {
    pub(super) fn new(file: String, kind: IdxErrorKind) -> Self {
        Self { file, kind }
    }
}

/// The reason why an IDX file could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdxErrorKind {
    /// There is no such file.
    #[error("no such file\n  help: check the path, or put the file there")]
    Missing,

    /// The path leads to a folder.
    #[error(
        "this is a folder, expected one IDX file\n  help: name a file in it, or load a folder with `Mnist::from_folder`"
    )]
    Directory,

    /// The path leads to a pipe, a device or a socket.
    #[error(
        "this is a pipe, a device or a socket, expected a regular file\n  help: open it yourself and use `idx::from_reader`"
    )]
    NotRegular,

    /// The file, or the gzip stream in it, holds no bytes at all.
    #[error(
        "it is empty, expected an IDX header of at least 4 bytes\n  help: get the file again, the download was probably interrupted"
    )]
    Empty,

    /// The file does not begin as an IDX file does.
    #[error("{}", not_idx(head, *looks_like))]
    NotIdx {
        /// The first bytes of the file, 32 at most, decompressed if it was gzipped.
        head: Vec<u8>,
        /// The format whose files begin with these bytes, if it is known.
        looks_like: Option<ForeignFormat>,
    },

    /// The magic number names an element type that the format does not have.
    #[error(
        "unknown element type 0x{code:02x} in the magic number, expected one of {}\n  help: the file is damaged, or in another format",
        element_types()
    )]
    UnknownElement {
        /// The third byte of the file.
        code: u8,
    },

    /// The file holds elements of another type than was asked for.
    #[error(
        "it holds elements of type {found}, expected {wanted}\n  help: read it with `idx::read::<{found}>`"
    )]
    OtherElement {
        /// The element type in the file.
        found: &'static str,
        /// The element type asked for.
        wanted: &'static str,
    },

    /// The file ends before the end of its header.
    #[error(
        "it ends after {found} bytes, inside the header of {expected} bytes\n  help: get the file again, it is cut off"
    )]
    ShortHeader {
        /// The bytes the header takes.
        expected: u64,
        /// The bytes that are there.
        found: u64,
    },

    /// The file ends before the last element.
    #[error(
        "its header {} promises {promised} bytes of elements, found {found}\n  help: get the file again, it is cut off",
        shape(dims)
    )]
    Truncated {
        /// The dimensions in the header.
        dims: Vec<u32>,
        /// The bytes of elements that the dimensions promise.
        promised: u64,
        /// The bytes of elements that are there.
        found: u64,
    },

    /// The file goes on after the last element.
    #[error(
        "its header {} promises {promised} bytes of elements, found {extra} {}after them\n  help: the header is damaged, or something was appended to the file",
        shape(dims),
        if *more { "or more " } else { "" }
    )]
    Trailing {
        /// The dimensions in the header.
        dims: Vec<u32>,
        /// The bytes of elements that the dimensions promise.
        promised: u64,
        /// The bytes counted after those.
        extra: u64,
        /// True if counting stopped before the end.
        more: bool,
    },

    /// The header claims more than [`MAX_BYTES`], or than this machine can address.
    #[error(
        "its header claims {} elements of {element} bytes, more than the {} GiB that are read at most\n  help: the header is damaged, or the file must be split",
        shape(dims),
        MAX_BYTES >> 30
    )]
    Oversized {
        /// The dimensions in the header.
        dims: Vec<u32>,
        /// Bytes an element takes.
        element: u64,
    },

    /// The gzip stream is damaged or cut off.
    #[error(
        "the gzip stream is damaged or cut off after {after} decompressed bytes ({detail})\n  help: get the file again; `gzip -t` tells whether it is whole"
    )]
    Gzip {
        /// The number of bytes that could be decompressed.
        after: u64,
        /// The message of the decoder.
        detail: String,
    },

    /// There is not enough memory for the elements.
    #[error("there is no memory for its {bytes} bytes of elements\n  help: split the file")]
    Memory {
        /// The bytes of elements.
        bytes: u64,
    },

    /// The operating system, or the reader, refused.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

/// `[60000, 28, 28]`.
fn shape(dims: &[u32]) -> String {
    format!("{dims:?}")
}

fn not_idx(head: &[u8], looks_like: Option<ForeignFormat>) -> String {
    let mut message = String::from("this is not an IDX file: ");
    let begins = head.iter().take(4).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, " {byte:02x}");
        hex
    });
    let help = match looks_like {
        Some(known) => {
            let _ = write!(message, "it looks like {}, and begins", known.name());
            known.help()
        }
        None => {
            message.push_str("it begins");
            "check that this is the right file"
        }
    };
    let _ = write!(
        message,
        "{begins}, expected 00 00, an element type and a number of dimensions\n  help: {help}"
    );
    message
}

/// `08 (u8), 09 (i8), ...`.
fn element_types() -> String {
    (0..=u8::MAX)
        .filter_map(|code| element::element_name(code).map(|name| format!("0x{code:02x} ({name})")))
        .collect::<Vec<_>>()
        .join(", ")
}
