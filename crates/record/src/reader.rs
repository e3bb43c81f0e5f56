//! Reads event files, also while they are written.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use prost::Message;

use crate::Error;
use crate::frame::{self, FOOTER, HEADER, LONGEST};
use crate::proto::Event;

/// The most values of one event. The smallest take two bytes in a file and four hundred in memory.
const MOST_VALUES: usize = 1 << 18;
/// The most texts and dimensions of the tensors of one event. The smallest take two bytes in a file
/// and some thirty in memory.
const MOST_TEXTS: usize = 1 << 21;

/// The place of an event's record in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The record's first byte.
    pub offset: u64,
}

/// Reads the events of a file one after the other. A record that is not whole yet is none, and is
/// read once it is.
///
/// ```no_run
/// use abeyance_record::EventReader;
/// let mut events = EventReader::open("runs/relu/events.out.tfevents.1764412345.host.1.0")?;
/// while let Some((event, place)) = events.next()? {
///     println!("byte {}: step {}", place.offset, event.step);
/// }
/// // Later, when the file may have grown: `events.next()?` again.
/// # Ok::<(), abeyance_record::Error>(())
/// ```
#[derive(Debug)]
pub struct EventReader {
    path: Arc<Path>,
    file: BufReader<File>,
    /// The offset of the next record, in bytes.
    offset: u64,
    /// The length of the file when it was last asked.
    length: u64,
    /// A record without a believable length was met.
    stopped: bool,
    buffer: Vec<u8>,
}

impl EventReader {
    /// A reader at the file's begin.
    ///
    /// # Errors
    /// It is not there, no plain file, or must not be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_at(path, 0)
    }

    /// A reader at a byte where a record begins, such as [`EventReader::offset`] of an earlier one.
    ///
    /// # Errors
    /// As [`EventReader::open`].
    pub fn open_at(path: impl AsRef<Path>, offset: u64) -> Result<Self, Error> {
        let path: Arc<Path> = path.as_ref().into();
        let mut file = BufReader::with_capacity(1 << 16, plain(&path)?);
        file.seek(SeekFrom::Start(offset)).map_err(Error::disk("cannot read", &path))?;
        Ok(Self { path, file, offset, length: 0, stopped: false, buffer: Vec::new() })
    }

    /// The file.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// The offset of the next record, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// True if a record was met behind which nothing can be read.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// True if the file is gone or its name belongs to another by now, as after a run was resumed:
    /// then this one will not grow any more.
    pub fn is_replaced(&self) -> bool {
        let (Ok(named), Ok(open)) = (std::fs::metadata(&self.path), self.file.get_ref().metadata())
        else {
            return true;
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            (named.dev(), named.ino()) != (open.dev(), open.ino())
        }
        #[cfg(not(unix))]
        {
            named.len() < open.len()
        }
    }

    /// The next event and where it lies; none where the file has no further whole record now. A
    /// file need not begin with a version.
    ///
    /// # Errors
    /// A damaged record is told once; the next call reads on behind it, if that can be told from
    /// its length ([`Error::goes_on`]), and finds nothing otherwise.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(Event, Place)>, Error> {
        if self.stopped || !self.has(HEADER as u64)? {
            return Ok(None);
        }
        let offset = self.offset;
        let mut header = [0; HEADER];
        if !self.read(|file, _| file.read_exact(&mut header))? {
            return Ok(None);
        }
        let path = || self.path.to_path_buf();
        let Some(length) = frame::length(&header) else {
            self.stopped = true;
            return Err(match offset {
                0 => Error::NoEvents { path: path() },
                _ => Error::Length { path: path(), offset },
            });
        };
        let whole = length.saturating_add((HEADER + FOOTER) as u64);
        if !self.has(whole)? {
            self.go_to(offset)?;
            return Ok(None);
        }
        if length > LONGEST {
            self.go_to(offset + whole)?;
            return Err(Error::TooLong { path: self.path.to_path_buf(), offset, length });
        }
        let rest = length as usize + FOOTER;
        if !self.read(|file, buffer| {
            buffer.clear();
            // The file has so many bytes.
            buffer.resize(rest, 0);
            file.read_exact(buffer)
        })? {
            return Ok(None);
        }
        self.offset = offset + whole;
        let event = decode(&self.path, offset, &self.buffer);
        if self.buffer.capacity() > 1 << 20 {
            self.buffer = Vec::new();
        }
        Ok(Some((event?, Place { file: self.path.clone(), offset })))
    }

    /// True if the file has that many bytes from the offset on.
    fn has(&mut self, bytes: u64) -> Result<bool, Error> {
        let end = self.offset.saturating_add(bytes);
        if end <= self.length {
            return Ok(true);
        }
        let data = self.file.get_ref().metadata();
        let length = data.map_err(Error::disk("cannot read", &self.path))?.len();
        if length < self.offset {
            self.stopped = true;
            let path = self.path.to_path_buf();
            return Err(Error::Shrunk { path, offset: self.offset, length });
        }
        self.length = length;
        Ok(end <= length)
    }

    /// Reads; false where the file was cut since it was asked for its length.
    fn read(
        &mut self,
        read: impl FnOnce(&mut BufReader<File>, &mut Vec<u8>) -> std::io::Result<()>,
    ) -> Result<bool, Error> {
        match read(&mut self.file, &mut self.buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.length = 0;
                self.go_to(self.offset)?;
                Ok(false)
            }
            Err(error) => Err(Error::disk("cannot read", &self.path)(error)),
        }
    }

    fn go_to(&mut self, offset: u64) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(offset)).map_err(Error::disk("cannot read", &self.path))?;
        self.offset = offset;
        Ok(())
    }
}

/// The event at a place.
///
/// # Errors
/// The file is not there, is too short, or is damaged there.
pub fn read_at(place: &Place) -> Result<Event, Error> {
    let mut reader = EventReader::open_at(&place.file, place.offset)?;
    match reader.next() {
        Ok(Some((event, _))) => Ok(event),
        Ok(None) | Err(Error::Shrunk { .. }) => {
            let reason = "the file ends before it does".to_owned();
            Err(Error::Message { path: place.file.to_path_buf(), offset: place.offset, reason })
        }
        Err(error) => Err(error),
    }
}

/// Opens a file, if it is a plain one: reading what is none may wait for ever.
fn plain(path: &Path) -> Result<File, Error> {
    let data = std::fs::metadata(path).map_err(Error::disk("cannot open", path))?;
    if !data.is_file() {
        let what = if data.is_dir() { "it is a folder" } else { "it is no plain file" };
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, what);
        return Err(Error::disk("cannot open", path)(source));
    }
    File::open(path).map_err(Error::disk("cannot open", path))
}

fn decode(path: &Path, offset: u64, rest: &[u8]) -> Result<Event, Error> {
    let Some(data) = frame::checked(rest) else {
        let length = rest.len().saturating_sub(FOOTER) as u64;
        return Err(Error::Checksum { path: path.to_owned(), offset, length });
    };
    let wrong = |reason: String| Error::Message { path: path.to_owned(), offset, reason };
    // Before memory is taken for them.
    let values = || parts(data, 5).flat_map(|summary| parts(summary, 1));
    if values().count() > MOST_VALUES {
        return Err(wrong(format!("it has more than {MOST_VALUES} values")));
    }
    let tensors = || values().flat_map(|value| parts(value, 8));
    let texts = tensors().map(|tensor| fields(tensor).count()).sum::<usize>();
    let dims = tensors().flat_map(|tensor| parts(tensor, 2)).map(|shape| fields(shape).count());
    if texts.saturating_add(dims.sum()) > MOST_TEXTS {
        return Err(wrong(format!("its tensors have more than {MOST_TEXTS} texts or dimensions")));
    }
    Event::decode(data).map_err(|error| wrong(error.to_string()))
}

/// The contents of a message's fields of that number.
pub(crate) fn parts(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    fields(message).filter(move |(tag, _)| *tag == number).map(|(_, content)| content)
}

/// The fields of a message with the bytes of those that have a length, as far as it can be
/// followed.
pub(crate) fn fields(mut message: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let (tag, wire) = decode_key(&mut message).ok()?;
        if wire != WireType::LengthDelimited {
            skip_field(wire, tag, &mut message, DecodeContext::default()).ok()?;
            return Some((tag, &[][..]));
        }
        let length = decode_varint(&mut message).ok()?;
        let (content, rest) = message.split_at_checked(usize::try_from(length).ok()?)?;
        message = rest;
        Some((tag, content))
    })
}
