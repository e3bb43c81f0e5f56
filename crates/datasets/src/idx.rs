//! Reading IDX files, the format in which MNIST and its relatives are published.
//!
//! An IDX file is one array: two zero bytes, a byte for the element type, a byte for the number of
//! dimensions, each dimension as a big-endian `u32`, then the elements in row-major order,
//! big-endian (the format is described by Y. LeCun with the MNIST files).
//!
//! | type byte | `08` | `09` | `0b` | `0c` | `0d` | `0e` |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | element | `u8` | `i8` | `i16` | `i32` | `f32` | `f64` |
//!
//! A gzipped file is recognised by its first two bytes, whatever its name.
//!
//! ```
//! use abeyance_datasets::idx::{self, Idx};
//!
//! let file = [0, 0, 0x08, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
//! let matrix: Idx<u8> = idx::from_reader(file.as_slice(), "a matrix")?;
//! assert_eq!(matrix.dims, [2, 3]);
//! assert_eq!(matrix.data, [1, 2, 3, 4, 5, 6]);
//!
//! let error = idx::from_reader::<u8>(&file[..16], "a shorter one").unwrap_err();
//! assert!(error.to_string().contains("promises 6 bytes"));
//! # Ok::<(), idx::IdxError>(())
//! ```

mod element;
mod error;
mod foreign_format;
mod source;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use ndarray::{ArrayD, IxDyn, ShapeError};

pub use element::Element;
pub use error::{IdxError, IdxErrorKind};
pub use foreign_format::ForeignFormat;

use element::element_name;
use source::Source;

/// The most bytes of elements that one file may hold: 4 GiB.
///
/// A header that claims more is refused before anything is read. It bounds what a small gzipped
/// file can expand to.
pub const MAX_BYTES: u64 = 1 << 32;

/// How many bytes past the promised end are counted before the error says "or more".
const TRAILING_COUNTED: u64 = 1 << 16;

/// How many bytes of a file that is not IDX are looked at to say what it is instead.
const HEAD: u64 = 32;

/// One array read from an IDX file: its dimensions, and its elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Idx<T> {
    /// The length of each dimension, the slowest first. Their product is `data.len()`; without
    /// dimensions it is 1.
    pub dims: Vec<usize>,
    /// The elements in row-major order.
    pub data: Vec<T>,
}

impl<T> Idx<T> {
    /// The elements as an array; copies nothing.
    ///
    /// # Errors
    /// If `data` and `dims` were changed after reading so that they no longer agree.
    pub fn into_array(self) -> Result<ArrayD<T>, ShapeError> {
        ArrayD::from_shape_vec(IxDyn(&self.dims), self.data)
    }
}

/// Reads the IDX file at `path`, gzipped or not.
///
/// # Errors
/// An [`IdxError`] naming the file: it is missing, no regular file, empty, something else than IDX,
/// of other elements than `T`, shorter or longer than its header promises, larger than
/// [`MAX_BYTES`], or cannot be read.
pub fn read<T: Element>(path: impl AsRef<Path>) -> Result<Idx<T>, IdxError> {
    let path = path.as_ref();
    open(path)
        .and_then(|file| decode(&mut &file))
        .map_err(|kind| IdxError::new(path.display().to_string(), kind))
}

/// Reads one IDX file, gzipped or not, from `reader` to its end; `name` is what errors call it.
///
/// # Errors
/// As [`read`], but for what concerns paths.
pub fn from_reader<T: Element>(
    mut reader: impl Read,
    name: impl Into<String>,
) -> Result<Idx<T>, IdxError> {
    decode(&mut reader).map_err(|kind| IdxError::new(name.into(), kind))
}

fn open(path: &Path) -> Result<File, IdxErrorKind> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => IdxErrorKind::Missing,
        _ => IdxErrorKind::Io(error),
    })?;
    if metadata.is_dir() {
        return Err(IdxErrorKind::Directory);
    }
    // Opening a pipe waits for a writer, and a device may never end.
    if !metadata.is_file() {
        return Err(IdxErrorKind::NotRegular);
    }
    File::open(path).map_err(IdxErrorKind::Io)
}

fn decode<T: Element>(reader: &mut dyn Read) -> Result<Idx<T>, IdxErrorKind> {
    let mut source = Source::new(reader)?;
    let rank = read_magic::<T>(&mut source)?;
    let dims = read_dims(&mut source, rank)?;
    let (shape, promised) = checked_shape(&dims, T::SIZE)?;

    let mut bytes = Vec::new();
    source.read_up_to(promised, &mut bytes)?;
    let found = bytes.len() as u64;
    if found < promised {
        return Err(IdxErrorKind::Truncated { dims, promised, found });
    }
    // Reading on also makes the gzip decoder compare its checksum.
    let mut rest = Vec::new();
    source.read_up_to(TRAILING_COUNTED, &mut rest)?;
    if !rest.is_empty() {
        return Err(IdxErrorKind::Trailing {
            dims,
            promised,
            extra: rest.len() as u64,
            more: rest.len() as u64 == TRAILING_COUNTED,
        });
    }
    let data = T::from_big_endian(bytes).map_err(|_| IdxErrorKind::Memory { bytes: promised })?;
    Ok(Idx { dims: shape, data })
}

/// Reads the four bytes of the magic number: the number of dimensions of a file of `T`, else what
/// is wrong with it.
fn read_magic<T: Element>(source: &mut Source<'_>) -> Result<u8, IdxErrorKind> {
    let mut head = Vec::new();
    source.read_up_to(4, &mut head)?;
    match *head.as_slice() {
        [] => Err(IdxErrorKind::Empty),
        [0, 0, code, rank] if code == T::CODE => Ok(rank),
        [0, 0, code, _] => Err(match element_name(code) {
            Some(found) => IdxErrorKind::OtherElement { found, wanted: T::NAME },
            None => IdxErrorKind::UnknownElement { code },
        }),
        [0] | [0, 0] | [0, 0, _] => {
            Err(IdxErrorKind::ShortHeader { expected: 4, found: head.len() as u64 })
        }
        _ => {
            source.read_up_to(HEAD - 4, &mut head)?;
            Err(IdxErrorKind::NotIdx { looks_like: foreign_format::recognise(&head), head })
        }
    }
}

fn read_dims(source: &mut Source<'_>, rank: u8) -> Result<Vec<u32>, IdxErrorKind> {
    let expected = 4 * u64::from(rank);
    let mut bytes = Vec::new();
    source.read_up_to(expected, &mut bytes)?;
    if (bytes.len() as u64) < expected {
        return Err(IdxErrorKind::ShortHeader {
            expected: 4 + expected,
            found: 4 + bytes.len() as u64,
        });
    }
    let (dims, _) = bytes.as_chunks::<4>();
    Ok(dims.iter().map(|&dim| u32::from_be_bytes(dim)).collect())
}

/// The dimensions as an array wants them, and the bytes they promise, or an error beyond
/// [`MAX_BYTES`].
///
/// A dimension of 0 counts as 1 against the ceiling: an array of no images of a size that no array
/// can have is refused.
fn checked_shape(dims: &[u32], element: usize) -> Result<(Vec<usize>, u64), IdxErrorKind> {
    let oversized = || IdxErrorKind::Oversized { dims: dims.to_vec(), element: element as u64 };
    let extent = dims
        .iter()
        .try_fold(element as u64, |product, &dim| product.checked_mul(u64::from(dim.max(1))))
        .filter(|&bytes| bytes <= MAX_BYTES && isize::try_from(bytes).is_ok())
        .ok_or_else(oversized)?;
    let shape = dims
        .iter()
        .map(|&dim| usize::try_from(dim))
        .collect::<Result<_, _>>()
        .map_err(|_| oversized())?;
    let promised = if dims.contains(&0) { 0 } else { extent };
    Ok((shape, promised))
}
