//! The bytes of a file, decompressed if it is gzipped, read in growing steps.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::IdxErrorKind;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The most memory taken before a byte of what is asked for has been seen.
const FIRST_RESERVE: u64 = 1 << 20;

pub(super) struct Source<'r> {
    reader: Box<dyn Read + 'r>,
    gzip: bool,
    /// Bytes handed out so far, decompressed.
    position: u64,
}

impl<'r> Source<'r> {
    /// Looks at the first two bytes of `reader` and decompresses it if they are those of gzip.
    pub(super) fn new(reader: &'r mut dyn Read) -> Result<Self, IdxErrorKind> {
        let mut magic = Vec::new();
        (&mut *reader)
            .take(GZIP_MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(IdxErrorKind::Io)?;
        let gzip = magic == GZIP_MAGIC;
        let whole = Cursor::new(magic).chain(reader);
        let reader: Box<dyn Read + 'r> =
            if gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Self { reader, gzip, position: 0 })
    }

    /// Appends the next `limit` bytes to `into`, or as many as there are.
    ///
    /// Memory grows with the bytes that arrive, not with `limit`, and running out of it is an
    /// error.
    pub(super) fn read_up_to(
        &mut self,
        limit: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), IdxErrorKind> {
        let no_memory = || IdxErrorKind::Memory { bytes: limit };
        let reserve = usize::try_from(limit.min(FIRST_RESERVE)).map_err(|_| no_memory())?;
        into.try_reserve(reserve).map_err(|_| no_memory())?;

        let before = into.len();
        // `read_to_end` reserves fallibly, and by what it has read so far.
        let outcome = self.reader.by_ref().take(limit).read_to_end(into);
        self.position += (into.len() - before) as u64;
        outcome.map(drop).map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => no_memory(),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
                if self.gzip =>
            {
                IdxErrorKind::Gzip { after: self.position, detail: error.to_string() }
            }
            _ => IdxErrorKind::Io(error),
        })
    }
}
