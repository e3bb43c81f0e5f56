//! Arrays of numbers as messages and back.

use abeyance_ir::{Array, DType, Dims, element_count};

use crate::element_type;
use crate::error::ProblemKind;
use crate::proto::TensorProto;
use crate::proto::tensor_proto::DataLocation;

/// The most dimensions that an array may have.
const MAX_RANK: usize = 32;

/// The array that a message holds.
///
/// # Errors
/// Its elements are of a type that does not exist here, are in another file, or are not as many as
/// its sizes say. Nothing is allocated for sizes that the elements do not bear out.
pub(crate) fn read(tensor: &TensorProto) -> Result<Array, ProblemKind> {
    let wrong = |what: String| Err(ProblemKind::Wrong(what));
    if tensor.data_location == Some(DataLocation::External.into()) {
        let entry = tensor.external_data.iter().find(|entry| entry.key() == "location");
        return Err(ProblemKind::External(entry.map_or("", |entry| entry.value()).to_owned()));
    }
    if tensor.segment.is_some() {
        return Err(ProblemKind::Unsupported("arrays in segments are not read".to_owned()));
    }
    let dtype = element_type::read(tensor.data_type()).map_err(ProblemKind::Unsupported)?;
    if tensor.dims.len() > MAX_RANK {
        return wrong(format!("{} dimensions are more than {MAX_RANK}", tensor.dims.len()));
    }
    let dims: Option<Dims> = tensor.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let Some((dims, count)) = dims.and_then(|dims| element_count(&dims).map(|count| (dims, count)))
    else {
        return wrong(format!("{:?} are not the sizes of an array", tensor.dims));
    };
    let bytes = match tensor.raw_data.as_deref() {
        Some(raw) if !raw.is_empty() || count == 0 => raw.to_vec(),
        _ => typed_elements(tensor, dtype),
    };
    if Some(bytes.len()) != count.checked_mul(dtype.size()) {
        return wrong(format!(
            "{} bytes are not the elements of an array of {dtype} with sizes {:?}",
            bytes.len(),
            tensor.dims
        ));
    }
    if dtype == DType::Bool && bytes.iter().any(|&byte| byte > 1) {
        return wrong("a truth value is neither 0 nor 1".to_owned());
    }
    Ok(Array { dtype, dims, bytes })
}

/// The elements from the field that its type has. Small types stand in the field of `i32`.
fn typed_elements(tensor: &TensorProto, dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F32 => tensor.float_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DType::F64 => tensor.double_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DType::I32 => tensor.int32_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DType::I64 => tensor.int64_data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        DType::U8 => tensor.int32_data.iter().map(|&value| value as u8).collect(),
        DType::Bool => tensor.int32_data.iter().map(|&value| (value != 0).into()).collect(),
    }
}

/// The message that holds an array.
pub(crate) fn write(name: &str, array: &Array) -> TensorProto {
    TensorProto {
        name: (!name.is_empty()).then(|| name.to_owned()),
        dims: array.dims.iter().map(|&dim| dim as i64).collect(),
        data_type: Some(element_type::write(array.dtype)),
        raw_data: Some(array.bytes.clone()),
        ..TensorProto::default()
    }
}

/// The elements as `i64`, if they are integers.
pub(crate) fn integers(array: &Array) -> Option<Vec<i64>> {
    match array.dtype {
        DType::I32 => Some(array.elements::<i32>().into_iter().map(i64::from).collect()),
        DType::I64 => Some(array.elements()),
        DType::U8 => Some(array.bytes.iter().map(|&byte| byte.into()).collect()),
        _ => None,
    }
}

/// The elements as `f64`.
pub(crate) fn reals(array: &Array) -> Vec<f64> {
    match array.dtype {
        DType::F32 => array.elements::<f32>().into_iter().map(f64::from).collect(),
        DType::F64 => array.elements(),
        DType::I32 => array.elements::<i32>().into_iter().map(f64::from).collect(),
        DType::I64 => array.elements::<i64>().into_iter().map(|value| value as f64).collect(),
        DType::U8 | DType::Bool => array.bytes.iter().map(|&byte| byte.into()).collect(),
    }
}
