//! The inputs and outputs of a signature: names, element types, shapes.

use abeyance_ir::{self as ir, DType, Dim, NodeId};
use abeyance_session::Value;

use crate::request_error::RequestError;

/// An input or an output.
#[derive(Clone, Debug)]
pub(crate) struct TensorSpec {
    pub(crate) name: Box<str>,
    pub(crate) dtype: DType,
    /// Sizes, outermost first; `None` where any fits.
    pub(crate) shape: Vec<Option<usize>>,
}

impl TensorSpec {
    pub(crate) fn new(graph: &ir::Graph, name: &str, node: NodeId) -> Self {
        let known = |dim: &Dim| dim.known();
        Self {
            name: name.into(),
            dtype: graph.node(node).ty.tensor().map_or(DType::F32, |tensor| tensor.dtype),
            shape: graph.shape(node).unwrap_or_default().iter().map(known).collect(),
        }
    }

    /// The shape as protocols write it: -1 where any size fits.
    pub(crate) fn sizes(&self) -> Vec<i64> {
        let size = |size: &Option<usize>| size.map_or(-1, |size| size as i64);
        self.shape.iter().map(size).collect()
    }

    /// Name, datatype and shape as the Open Inference Protocol's metadata have them.
    pub(crate) fn metadata(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "datatype": datatype(self.dtype), "shape": self.sizes(),
        })
    }

    /// True if a value of these can be fed.
    ///
    /// # Errors
    /// What is wrong, with the name of the input.
    pub(crate) fn check(&self, dtype: DType, dims: &[usize]) -> Result<(), RequestError> {
        let name = &self.name;
        if dtype != self.dtype {
            let (given, wanted) = (datatype(dtype), datatype(self.dtype));
            return Err(RequestError::invalid(format!(
                "input `{name}` has datatype {given}, and the model takes {wanted}"
            )));
        }
        let fits = |(wanted, given): (&Option<usize>, &usize)| wanted.is_none_or(|w| w == *given);
        if dims.len() != self.shape.len() || !self.shape.iter().zip(dims).all(fits) {
            let wanted = self.sizes();
            let free = if wanted.contains(&-1) { " (-1 is any size)" } else { "" };
            return Err(RequestError::invalid(format!(
                "input `{name}` has shape {dims:?}, and the model takes {wanted:?}{free}"
            )));
        }
        Ok(())
    }

    /// Zeros for it, with so many rows; `None` if sizes beyond the first are unknown, or too many.
    pub(crate) fn zeros(&self, rows: usize) -> Option<Value> {
        let rest = self.shape.get(1..).unwrap_or_default().iter().copied();
        let first = self.shape.first().map(|first| first.unwrap_or(rows));
        let dims: Option<Vec<usize>> = first.into_iter().map(Some).chain(rest).collect();
        let dims = dims?;
        let count = ir::element_count(&dims).filter(|count| *count < 1 << 28)?;
        let array = ir::Array {
            dtype: self.dtype,
            dims: dims.iter().copied().collect(),
            bytes: vec![0; count * self.dtype.size()],
        };
        Some(Value::from(&array))
    }
}

/// The Open Inference Protocol's name of an element type.
pub(crate) fn datatype(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "FP32",
        DType::F64 => "FP64",
        DType::I32 => "INT32",
        DType::I64 => "INT64",
        DType::U8 => "UINT8",
        DType::Bool => "BOOL",
    }
}

/// The element type of that name.
///
/// # Errors
/// There is none, or models here have none.
pub(crate) fn dtype_of(name: &str) -> Result<DType, RequestError> {
    Ok(match name {
        "FP32" => DType::F32,
        "FP64" => DType::F64,
        "INT32" => DType::I32,
        "INT64" => DType::I64,
        "UINT8" => DType::U8,
        "BOOL" => DType::Bool,
        "FP16" | "BF16" | "INT8" | "INT16" | "UINT16" | "UINT32" | "UINT64" | "BYTES" => {
            return Err(RequestError::invalid(format!(
                "no model here takes datatype {name}; they take FP32, FP64, INT32, INT64, UINT8 and BOOL"
            )));
        }
        _ => {
            let name: String = name.chars().take(40).collect();
            return Err(RequestError::invalid(format!(
                "there is no datatype `{name}`; FP32, FP64, INT32, INT64, UINT8 and BOOL are taken"
            )));
        }
    })
}
