//! The file format: `safetensors`, with one entry of its metadata for what is not a tensor.
//! `docs/format.md` describes it.

use std::collections::BTreeMap;

use abeyance_ir::{Array, DType, element_count};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The entry of the metadata. One alone, since the library writes several in an order that changes
/// from run to run.
const ENTRY: &str = "abeyance";

/// The length of the header stands before it.
const HEAD: usize = 8;

/// The version of the entry. Readers refuse newer ones.
const VERSION: u32 = 1;

/// The advice for a damaged file.
const ANOTHER_COPY: &str = "take another copy of it, or the checkpoint before this one";

/// The entry of a checkpoint besides the values of variables: counters, seed, notes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) version: u32,
    /// The graph's name.
    pub(crate) graph: String,
    /// A hash of the graph's text.
    pub(crate) fingerprint: String,
    pub(crate) seed: u64,
    pub(crate) step: u64,
    pub(crate) draws: u64,
    /// Settings of the training, by the keys of [`Checkpoint::note`](crate::Checkpoint::note).
    pub(crate) notes: BTreeMap<String, String>,
    /// CRC-32C of the entry, with this field empty, and of the tensors: see [`checksum`].
    pub(crate) checksum: String,
}

/// Tensors by name.
pub(crate) type Tensors = BTreeMap<String, Array>;

/// CRC-32C of the metadata as JSON without their checksum, and of each tensor in the order of
/// names: length and bytes of the name, tag of the element type, number of dimensions, dimensions,
/// bytes. Numbers are 64 bits, little-endian.
fn checksum(metadata: &Metadata, tensors: &Tensors) -> Result<String, Error> {
    let json = serde_json::to_string(&Metadata { checksum: String::new(), ..metadata.clone() })
        .map_err(|error| Error::damaged(error.to_string()))?;
    let number =
        |sum: u32, number: usize| crc32c::crc32c_append(sum, &(number as u64).to_le_bytes());
    let mut sum = crc32c::crc32c(json.as_bytes());
    for (name, array) in tensors {
        sum = number(sum, name.len());
        sum = crc32c::crc32c_append(sum, name.as_bytes());
        sum = number(sum, array.dtype as usize);
        sum = number(sum, array.dims.len());
        for &dim in &array.dims {
            sum = number(sum, dim);
        }
        sum = crc32c::crc32c_append(sum, &array.bytes);
    }
    Ok(format!("{sum:08x}"))
}

/// The bytes of a checkpoint, the same for the same metadata and tensors.
pub(crate) fn write(metadata: &Metadata, tensors: &Tensors) -> Result<Vec<u8>, Error> {
    let mut metadata = Metadata { version: VERSION, ..metadata.clone() };
    metadata.checksum = checksum(&metadata, tensors)?;
    let json =
        serde_json::to_string(&metadata).map_err(|error| Error::damaged(error.to_string()))?;
    let mut views = Vec::with_capacity(tensors.len());
    for (name, array) in tensors {
        let view = TensorView::new(dtype(array.dtype), array.dims.to_vec(), &array.bytes)
            .map_err(|error| Error::damaged(format!("variable `{name}`: {error}")))?;
        views.push((name, view));
    }
    safetensors::serialize(views, Some([(ENTRY.to_owned(), json)].into_iter().collect()))
        .map_err(|error| Error::damaged(error.to_string()))
}

/// Reads the bytes of a checkpoint: metadata, unless another program wrote it, and tensors.
pub(crate) fn read(bytes: &[u8]) -> Result<(Option<Metadata>, Tensors), Error> {
    let damaged = |error: safetensors::SafeTensorError| {
        // The library names one of several, and not always the same.
        let what = match error {
            safetensors::SafeTensorError::InvalidOffset(_) => {
                "tensors lie over each other or with gaps between them".to_owned()
            }
            other => other.to_string(),
        };
        Error::damaged(format!("this is no checkpoint, or it is damaged: {what}"))
            .advise("checkpoints are `safetensors` files; take another copy, or the checkpoint before this one")
    };
    crate::header::check(bytes).map_err(|fault| {
        Error::damaged(format!("this is no checkpoint, or it is damaged: {fault}"))
    })?;
    let (length, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let data = bytes.get(HEAD + length..).unwrap_or_default();
    let mut tensors = Tensors::new();
    let mut foreign = Vec::new();
    for (name, info) in header.tensors() {
        let (from, to) = info.data_offsets;
        let data = data.get(from..to).unwrap_or_default();
        let view = TensorView::new(info.dtype, info.shape.clone(), data).map_err(damaged)?;
        match known_dtype(view.dtype()) {
            Some(dtype) => drop(tensors.insert(name.clone(), array(&name, dtype, &view)?)),
            None => foreign.push(format!("`{name}` is {:?}", view.dtype())),
        }
    }
    if !foreign.is_empty() {
        foreign.sort();
        let message = format!("element types that no graph has: {}", foreign.join(", "));
        return Err(
            Error::damaged(message).advise("convert them to f32, f64, i32, i64, u8 or bool")
        );
    }
    let metadata = header.metadata().as_ref();
    match metadata.and_then(|metadata| metadata.get(ENTRY)) {
        Some(entry) => Ok((Some(read_entry(entry, &tensors)?), tensors)),
        // A damaged name of the entry must not make one of ours another program's, which has no
        // checksum.
        None => {
            let mut others = metadata.into_iter().flat_map(|metadata| metadata.values());
            if others.any(|value| serde_json::from_str::<Metadata>(value).is_ok()) {
                return Err(Error::damaged(
                    "it is damaged: its metadata is not under the key `abeyance`",
                )
                .advise(ANOTHER_COPY));
            }
            Ok((None, tensors))
        }
    }
}

/// The array of a tensor.
///
/// # Errors
/// The tensor has not as many bytes as its shape says, or truth values other than 0 and 1.
fn array(name: &str, dtype: DType, view: &TensorView<'_>) -> Result<Array, Error> {
    let count = element_count(view.shape()).and_then(|count| count.checked_mul(dtype.size()));
    if count != Some(view.data().len()) {
        return Err(Error::damaged(format!("`{name}` has not as many bytes as its shape says")));
    }
    if dtype == DType::Bool && view.data().iter().any(|&byte| byte > 1) {
        return Err(Error::damaged(format!(
            "`{name}` holds a truth value that is neither 0 nor 1"
        )));
    }
    Ok(Array { dtype, dims: view.shape().into(), bytes: view.data().to_vec() })
}

/// Reads the entry of the metadata, and compares its checksum.
fn read_entry(entry: &str, tensors: &Tensors) -> Result<Metadata, Error> {
    let unreadable = |error: serde_json::Error| {
        Error::damaged(format!("it is damaged: its metadata cannot be read: {error}"))
    };
    let Version { version } = serde_json::from_str(entry).map_err(unreadable)?;
    if version != VERSION {
        return Err(Error::damaged(format!(
            "it is of version {version}, and this program reads version {VERSION}"
        ))
        .advise("read it with a newer version of Abeyance"));
    }
    let metadata: Metadata = serde_json::from_str(entry).map_err(unreadable)?;
    if checksum(&metadata, tensors)? == metadata.checksum {
        Ok(metadata)
    } else {
        Err(Error::damaged("it is damaged: its checksum does not agree with its bytes")
            .advise(ANOTHER_COPY))
    }
}

/// The version of an entry, whatever else is in it.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

fn known_dtype(found: Dtype) -> Option<DType> {
    DType::ALL.into_iter().find(|&known| dtype(known) == found)
}
