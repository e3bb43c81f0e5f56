//! Formats of files that are taken for IDX files, by their first bytes.

/// A kind of file that people hand to an IDX reader by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignFormat {
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

impl ForeignFormat {
    /// The name of the format in a sentence, with its article.
    #[must_use]
    pub fn name(self) -> &'static str {
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

    /// A sentence that says how to mend it.
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

/// The format of a file that begins with `head`, if it is known.
pub(super) fn recognise(head: &[u8]) -> Option<ForeignFormat> {
    const SIGNATURES: [(&[u8], ForeignFormat); 13] = [
        (b"version https://git-lfs", ForeignFormat::LfsPointer),
        (b"\x1f\x8b", ForeignFormat::Gzip),
        (b"PK\x03\x04", ForeignFormat::Zip),
        (b"PK\x05\x06", ForeignFormat::Zip),
        (b"\xfd7zXZ\0", ForeignFormat::Packed),
        (b"BZh", ForeignFormat::Packed),
        (b"\x28\xb5\x2f\xfd", ForeignFormat::Packed),
        (b"7z\xbc\xaf\x27\x1c", ForeignFormat::Packed),
        (b"\x93NUMPY", ForeignFormat::Npy),
        (b"\x89PNG", ForeignFormat::Picture),
        (b"\xff\xd8\xff", ForeignFormat::Picture),
        (b"PAR1", ForeignFormat::Parquet),
        (b"\xef\xbb\xbf<", ForeignFormat::Markup),
    ];
    let known =
        SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)).map(|&(_, kind)| kind);
    known.or_else(|| match head {
        [_, code, 0, 0, ..] if super::element_name(*code).is_some() => {
            Some(ForeignFormat::LittleEndian)
        }
        _ if head.trim_ascii_start().starts_with(b"<") => Some(ForeignFormat::Markup),
        _ if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            Some(ForeignFormat::Text)
        }
        _ => None,
    })
}
