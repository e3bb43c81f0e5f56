//! Element types as both sides call them.

use abeyance_ir::DType;

use crate::proto::tensor_proto::DataType;

/// The element type that a number of ONNX's stands for.
///
/// # Errors
/// What it is called, where there is no such element type here.
pub(crate) fn read(number: i32) -> Result<DType, String> {
    match DataType::try_from(number) {
        Ok(DataType::Float) => Ok(DType::F32),
        Ok(DataType::Double) => Ok(DType::F64),
        Ok(DataType::Int32) => Ok(DType::I32),
        Ok(DataType::Int64) => Ok(DType::I64),
        Ok(DataType::Uint8) => Ok(DType::U8),
        Ok(DataType::Bool) => Ok(DType::Bool),
        Ok(other) => Err(format!("there are no elements of type {} here", other.as_str_name())),
        Err(_) => Err(format!("{number} is not the number of an element type")),
    }
}

/// The number that an element type has in ONNX.
pub(crate) fn write(dtype: DType) -> i32 {
    let data_type = match dtype {
        DType::F32 => DataType::Float,
        DType::F64 => DataType::Double,
        DType::I32 => DataType::Int32,
        DType::I64 => DataType::Int64,
        DType::U8 => DataType::Uint8,
        DType::Bool => DataType::Bool,
    };
    data_type.into()
}
