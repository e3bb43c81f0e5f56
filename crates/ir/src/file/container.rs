//! The container: magic, version, flags and length before the records, a checksum behind them.

use crate::{Diagnostic, Location};

/// The bytes that a graph file begins with. As in PNG, the first is not text, and a line end of
/// each kind and an end-of-file mark show at once if a transfer took the file for text.
pub const MAGIC: [u8; 8] = *b"\x89ABY\r\n\x1a\n";

/// The version of the file form that is written: major, minor. A reader of a major version reads
/// all of its minor versions.
///
/// 1.1: names of signatures and of their inputs and outputs are any texts.
///
/// 1.2: summaries, which files that have some say by a flag.
pub const VERSION: (u16, u16) = (1, 2);

/// The flag of a file that has summaries, which a reader must know to read it.
pub(super) const SUMMARIES: u32 = 1;

/// The length of magic, version, flags and length of the records, in bytes.
const HEAD: usize = 8 + 2 + 2 + 4 + 8;
/// The length of the checksum, in bytes.
const TAIL: usize = 4;

/// A mistake of a file as a whole.
pub(super) fn damaged(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(message, Location::Unknown)
}

/// Puts records into a container.
pub(super) fn close(flags: u32, payload: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD + payload.len() + TAIL);
    file.extend(MAGIC);
    file.extend(VERSION.0.to_le_bytes());
    file.extend(VERSION.1.to_le_bytes());
    file.extend(flags.to_le_bytes());
    file.extend((payload.len() as u64).to_le_bytes());
    file.extend(payload);
    file.extend(crc32c::crc32c(&file).to_le_bytes());
    file
}

/// The flags and records of a file, whose container is in order.
pub(super) fn open(file: &[u8]) -> Result<(u32, &[u8]), Diagnostic> {
    let Some(rest) = file.strip_prefix(&MAGIC) else {
        return Err(if file.len() < MAGIC.len() && MAGIC.starts_with(file) {
            cut_short(file.len())
        } else {
            damaged("this is not a graph file: it does not begin with its mark")
        });
    };
    let cut = || cut_short(file.len());
    let (major, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (minor, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (major, minor) = (u16::from_le_bytes(*major), u16::from_le_bytes(*minor));
    if major != VERSION.0 {
        return Err(damaged(format!(
            "the graph file is of version {major}.{minor}, and this program reads version {}",
            VERSION.0
        ))
        .help(if major > VERSION.0 {
            "read it with a newer version of Abeyance, or have it saved by this one"
        } else {
            "there is no such version: the file is damaged"
        }));
    }
    let (flags, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let flags = u32::from_le_bytes(*flags);
    let unknown = flags & !SUMMARIES;
    if unknown != 0 {
        return Err(damaged(format!(
            "the graph file has flags {unknown:#x}, which this program does not know"
        ))
        .help("read it with a newer version of Abeyance"));
    }
    let (length, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let length = u64::from_le_bytes(*length);
    let held = rest.len().checked_sub(TAIL).ok_or_else(cut)?;
    if length != held as u64 {
        return Err(if length > held as u64 {
            cut_short(file.len()).note(
                format!("it says {length} bytes of records, and has {held}"),
                Location::Unknown,
            )
        } else {
            damaged(format!("{} bytes follow the end of the graph file", held as u64 - length))
        });
    }
    let (covered, sum) = file.split_at(file.len() - TAIL);
    if sum != crc32c::crc32c(covered).to_le_bytes() {
        return Err(damaged(
            "the graph file is damaged: its checksum does not agree with its bytes",
        )
        .help("take another copy of it, or save the graph again"));
    }
    Ok((flags, rest.split_at(held).0))
}

fn cut_short(len: usize) -> Diagnostic {
    damaged(format!("the graph file is cut short: it ends after {len} bytes"))
}
