//! Tensors of gRPC's messages: raw bytes, or lists of elements.

use abeyance_ir::DType;
use abeyance_session::Value;
use ndarray::{ArrayD, IxDyn};

use super::inference::InferTensorContents;
use crate::model::datatype;
use crate::request_error::RequestError;

/// The array of a list of elements.
///
/// # Errors
/// The elements are in another field than the datatype's, are more or fewer than the shape says, or
/// are not the datatype's.
pub(super) fn value(
    contents: &InferTensorContents,
    dtype: DType,
    dims: &[usize],
) -> Result<Value, RequestError> {
    let lists = [
        ("bool_contents", contents.bool_contents.len()),
        ("int_contents", contents.int_contents.len()),
        ("int64_contents", contents.int64_contents.len()),
        ("uint_contents", contents.uint_contents.len()),
        ("uint64_contents", contents.uint64_contents.len()),
        ("fp32_contents", contents.fp32_contents.len()),
        ("fp64_contents", contents.fp64_contents.len()),
        ("bytes_contents", contents.bytes_contents.len()),
    ];
    let field = match dtype {
        DType::F32 => "fp32_contents",
        DType::F64 => "fp64_contents",
        DType::I32 => "int_contents",
        DType::I64 => "int64_contents",
        DType::U8 => "uint_contents",
        DType::Bool => "bool_contents",
    };
    if let Some((other, count)) = lists.iter().find(|(name, count)| *name != field && *count > 0) {
        return Err(RequestError::invalid(format!(
            "`contents.{other}` has {count} elements, and those of {} are in `{field}`",
            datatype(dtype)
        )));
    }
    let array = |count: usize| {
        RequestError::invalid(format!(
            "`contents.{field}` has {count} elements, which do not fill shape {dims:?}"
        ))
    };
    fn shaped<T: Clone>(
        elements: &[T],
        dims: &[usize],
        wrong: impl Fn(usize) -> RequestError,
    ) -> Result<ArrayD<T>, RequestError> {
        if abeyance_ir::element_count(dims) != Some(elements.len()) {
            return Err(wrong(elements.len()));
        }
        ArrayD::from_shape_vec(IxDyn(dims), elements.to_vec()).map_err(|_| wrong(elements.len()))
    }
    Ok(match dtype {
        DType::F32 => Value::F32(shaped(&contents.fp32_contents, dims, array)?),
        DType::F64 => Value::F64(shaped(&contents.fp64_contents, dims, array)?),
        DType::I32 => Value::I32(shaped(&contents.int_contents, dims, array)?),
        DType::I64 => Value::I64(shaped(&contents.int64_contents, dims, array)?),
        DType::Bool => Value::Bool(shaped(&contents.bool_contents, dims, array)?),
        DType::U8 => {
            let bytes: Result<Vec<u8>, _> =
                contents.uint_contents.iter().map(|&number| u8::try_from(number)).collect();
            let bytes = bytes.map_err(|_| {
                RequestError::invalid("`contents.uint_contents` holds a number that UINT8 has not")
            })?;
            Value::U8(shaped(&bytes, dims, array)?)
        }
    })
}
