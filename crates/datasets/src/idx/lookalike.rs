//! What a file is that was taken for an IDX file.

/// A kind of file that people hand to an IDX reader by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lookalike {
    /// A web page or XML document: an error page saved under the file's name.
    Markup,
    /// A Git LFS pointer in place of the file.
    LfsPointer,
    /// A gzip stream inside a gzip stream.
    Gzip,
    /// A zip archive, as which EMNIST is published; also NumPy's `.npz`.
    Zip,
    /// A file packed by another compressor: xz, bzip2, zstd or 7z.
    Packed,
    /// A NumPy `.npy` array.
    Npy,
    /// A PNG or JPEG picture.
    Picture,
    /// A Parquet table.
    Parquet,
    /// An IDX header in little-endian byte order.
    LittleEndian,
    /// Plain text: a table, JSON, a message.
    Text,
}

impl Lookalike {
    /// What it is, with its article.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::Markup => "a web page",
            Self::LfsPointer => "a Git LFS pointer",
            Self::Gzip => "gzip inside gzip",
            Self::Zip => "a zip archive",
            Self::Packed => "a file packed with xz, bzip2, zstd or 7z",
            Self::Npy => "a NumPy array",
            Self::Picture => "a picture",
            Self::Parquet => "a Parquet table",
            Self::LittleEndian => "an IDX header in little-endian byte order",
            Self::Text => "text",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(self) -> &'static str {
        match self {
            Self::Markup => {
                "the address answered with a page instead of the file: open it to see why, and get the file again"
            }
            Self::LfsPointer => "fetch the file itself with `git lfs pull`",
            Self::Gzip => "it was compressed twice: run `gunzip` on it once",
            Self::Zip | Self::Packed => "unpack it and name the IDX file in it",
            Self::LittleEndian => "the program that wrote it must write big-endian numbers",
            Self::Npy | Self::Picture | Self::Parquet | Self::Text => {
                "only IDX files are read here: convert it, or name another file"
            }
        }
    }
}

/// What a file that begins with `head` is known to be.
pub(super) fn recognise(head: &[u8]) -> Option<Lookalike> {
    const SIGNATURES: [(&[u8], Lookalike); 13] = [
        (b"version https://git-lfs", Lookalike::LfsPointer),
        (b"\x1f\x8b", Lookalike::Gzip),
        (b"PK\x03\x04", Lookalike::Zip),
        (b"PK\x05\x06", Lookalike::Zip),
        (b"\xfd7zXZ\0", Lookalike::Packed),
        (b"BZh", Lookalike::Packed),
        (b"\x28\xb5\x2f\xfd", Lookalike::Packed),
        (b"7z\xbc\xaf\x27\x1c", Lookalike::Packed),
        (b"\x93NUMPY", Lookalike::Npy),
        (b"\x89PNG", Lookalike::Picture),
        (b"\xff\xd8\xff", Lookalike::Picture),
        (b"PAR1", Lookalike::Parquet),
        (b"\xef\xbb\xbf<", Lookalike::Markup),
    ];
    let known =
        SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)).map(|&(_, kind)| kind);
    known.or_else(|| match head {
        [_, code, 0, 0, ..] if super::element_name(*code).is_some() => {
            Some(Lookalike::LittleEndian)
        }
        _ if head.trim_ascii_start().starts_with(b"<") => Some(Lookalike::Markup),
        _ if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            Some(Lookalike::Text)
        }
        _ => None,
    })
}
