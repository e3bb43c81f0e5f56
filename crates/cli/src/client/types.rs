//! The Rust types of inputs and outputs.

use std::fmt;

use abeyance::ir::{DType, Dim, Graph, NodeId};

/// An array of Rust of more bytes is none: it is made on the stack before it gets where it belongs.
const MOST_ARRAY_BYTES: usize = 256 << 10;

/// The type of a tensor in a client, in which a wrong element type, rank or known size is an error
/// of the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RustType {
    /// Of a number.
    pub dtype: DType,
    /// The dimensions that are counted at run time, outermost: all up to the last unknown one, and
    /// those of large arrays.
    pub counted: usize,
    /// The known sizes of an element, outermost first.
    pub sizes: Vec<usize>,
}

impl RustType {
    /// The type of a node's value.
    pub fn of(graph: &Graph, node: NodeId) -> Self {
        let dtype = graph.node(node).ty.tensor().map_or(DType::F32, |ty| ty.dtype);
        let shape = graph.shape(node).unwrap_or_default();
        let last = shape.iter().rposition(|dim| matches!(dim, Dim::Symbol(_)));
        let mut counted = last.map_or(0, |last| last + 1);
        let known: Vec<usize> = shape.iter().map(|dim| dim.known().unwrap_or(1)).collect();
        let bytes = |counted: usize| {
            let sizes = known.get(counted..).unwrap_or_default();
            sizes.iter().try_fold(dtype.size(), |bytes, &size| bytes.checked_mul(size))
        };
        while counted < known.len() && bytes(counted).is_none_or(|bytes| bytes > MOST_ARRAY_BYTES) {
            counted += 1;
        }
        Self { dtype, counted, sizes: known.get(counted..).unwrap_or_default().to_vec() }
    }
}

impl fmt::Display for RustType {
    /// `Vec<[f32; 10]>`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.dtype.name().to_owned();
        let element =
            self.sizes.iter().rev().fold(number, |inner, size| format!("[{inner}; {size}]"));
        match self.counted {
            0 => f.write_str(&element),
            1 => write!(f, "Vec<{element}>"),
            rank => write!(f, "Grid<{element}, {rank}>"),
        }
    }
}

/// The protocol's name of an element type.
pub fn datatype(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "FP32",
        DType::F64 => "FP64",
        DType::I32 => "INT32",
        DType::I64 => "INT64",
        DType::U8 => "UINT8",
        DType::Bool => "BOOL",
    }
}
