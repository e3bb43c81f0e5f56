//! An event file that may grow, of which there can be thousands: it is open only while there is
//! something to read.

use std::path::{Path, PathBuf};

use crate::proto::Event;
use crate::{Error, EventReader, Place};

/// The events of a file, now and later.
#[derive(Debug)]
pub(crate) struct Tail {
    path: PathBuf,
    reader: Option<EventReader>,
    /// The offset of the next record, in bytes.
    offset: u64,
    /// The file's length when it was opened last.
    length: Option<u64>,
    /// The identity of the file when it was opened last.
    file: Option<Identity>,
    /// True once nothing behind can be read, which has been told.
    is_over: bool,
}

/// The device and number of a file, which tell it from another of the same name.
type Identity = (u64, u64);

impl Tail {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, reader: None, offset: 0, length: None, file: None, is_over: false }
    }

    /// True if the name belongs to another file by now.
    pub(crate) fn is_replaced(&self) -> bool {
        self.length.is_some() && identity(&self.path) != self.file
    }

    /// The next event and where it lies; none where there is no further whole record now.
    ///
    /// # Errors
    /// As [`EventReader::open`] and [`EventReader::next`], each once.
    pub(crate) fn next(&mut self) -> Result<Option<(Event, Place)>, Error> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                // One that is gone has been resumed under another name.
                let length = std::fs::metadata(&self.path).ok().map(|data| data.len());
                if self.is_over || length.is_none() || length == self.length {
                    return Ok(None);
                }
                (self.length, self.file) = (length, identity(&self.path));
                match EventReader::open_at(&self.path, self.offset) {
                    Ok(reader) => self.reader.insert(reader),
                    Err(error) => {
                        self.is_over = true;
                        return Err(error);
                    }
                }
            }
        };
        let next = reader.next();
        if reader.is_stopped() || !matches!(next, Ok(Some(_)) | Err(_)) {
            (self.offset, self.is_over) = (reader.offset(), reader.is_stopped());
            self.reader = None;
        }
        next
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

/// The identity of a file on systems where files have no number of their own: the same for every
/// file that is there.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    path.is_file().then_some((0, 0))
}
