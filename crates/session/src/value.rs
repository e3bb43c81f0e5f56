//! Arrays whose element type is known only when the program runs.

use abeyance_graph::Element;
use abeyance_ir::{Array, DType};
use ndarray::{ArrayD, Dimension, IxDyn};

/// An array whose element type is known only when the program runs: fetching an
/// [`AnyTensor`](abeyance_graph::AnyTensor) gives one, and feeding one takes one. It is made from
/// any `ndarray` array or number, and `g.constant_of(&value)` makes it part of a graph.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_ir::DType;
/// use abeyance_session::{feeds, Session, Value};
/// use ndarray::array;
/// // As read from a file: what they hold is known only now.
/// let (table, row) = (Value::from(array![[1.0f32, 2.0], [3.0, 4.0]]), Value::from(1i64));
/// let g = Graph::new();
/// let table = g.constant_of(&table);
/// let at = g.placeholder_of("at", row.dtype(), dims![]);
/// let picked = match (table.typed::<f32>(), at.typed::<i64>()) {
///     (Some(table), Some(at)) => table.gather(at).erase(),
///     _ => table,
/// };
/// let session = Session::new(&g)?;
/// assert_eq!(session.run(picked, feeds![at => &row])?, array![3.0f32, 4.0].into());
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value {
    F32(ArrayD<f32>),
    F64(ArrayD<f64>),
    I32(ArrayD<i32>),
    I64(ArrayD<i64>),
    U8(ArrayD<u8>),
    Bool(ArrayD<bool>),
}

/// Evaluates an expression for the array of whichever element type a value has.
macro_rules! each {
    ($value:expr, $array:ident => $result:expr) => {
        match $value {
            $crate::Value::F32($array) => $result,
            $crate::Value::F64($array) => $result,
            $crate::Value::I32($array) => $result,
            $crate::Value::I64($array) => $result,
            $crate::Value::U8($array) => $result,
            $crate::Value::Bool($array) => $result,
        }
    };
}
pub(crate) use each;

impl Value {
    /// Makes a value of elements as they lie in memory, aligned for their type.
    pub(crate) fn from_parts(dtype: DType, dims: &[usize], bytes: &[u8]) -> Self {
        match dtype {
            DType::F32 => Value::F32(array_of(dims, bytes)),
            DType::F64 => Value::F64(array_of(dims, bytes)),
            DType::I32 => Value::I32(array_of(dims, bytes)),
            DType::I64 => Value::I64(array_of(dims, bytes)),
            DType::U8 => Value::U8(array_of(dims, bytes)),
            DType::Bool => Value::Bool(array_of(dims, bytes)),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Value::F32(_) => DType::F32,
            Value::F64(_) => DType::F64,
            Value::I32(_) => DType::I32,
            Value::I64(_) => DType::I64,
            Value::U8(_) => DType::U8,
            Value::Bool(_) => DType::Bool,
        }
    }

    /// The sizes of all dimensions; none for a number.
    pub fn shape(&self) -> &[usize] {
        each!(self, array => array.shape())
    }

    /// The elements as numbers in row-major order, truth values as 0 and 1. Integers beyond 2^53
    /// are rounded.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Value::F32(array) => array.iter().map(|&x| x.into()).collect(),
            Value::F64(array) => array.iter().copied().collect(),
            Value::I32(array) => array.iter().map(|&x| x.into()).collect(),
            Value::I64(array) => array.iter().map(|&x| x as f64).collect(),
            Value::U8(array) => array.iter().map(|&x| x.into()).collect(),
            Value::Bool(array) => array.iter().map(|&x| f64::from(u8::from(x))).collect(),
        }
    }

    /// The array as a graph or a file holds it.
    pub fn to_array(&self) -> Array {
        fn stored<T: Element>(array: &ArrayD<T>) -> Array {
            let elements: Vec<T::Stored> = array.iter().map(|&element| element.store()).collect();
            Array::new(T::DTYPE, array.shape(), &elements)
        }
        each!(self, array => stored(array))
    }
}

/// An array of elements as they lie in memory, aligned for their type.
pub(crate) fn array_of<T: Element>(dims: &[usize], bytes: &[u8]) -> ArrayD<T> {
    let stored: &[T::Stored] = bytemuck::cast_slice(bytes);
    let elements = stored.iter().map(|&stored| T::load(stored)).collect();
    // Buffers have as many bytes as the sizes say.
    ArrayD::from_shape_vec(IxDyn(dims), elements).unwrap_or_default()
}

macro_rules! from_elements {
    ($($variant:ident $type:ty),*) => {$(
        impl<D: Dimension> From<ndarray::Array<$type, D>> for Value {
            fn from(array: ndarray::Array<$type, D>) -> Self {
                Value::$variant(array.into_dyn())
            }
        }
        impl From<$type> for Value {
            fn from(number: $type) -> Self {
                Value::$variant(ndarray::arr0(number).into_dyn())
            }
        }
    )*};
}
from_elements!(F32 f32, F64 f64, I32 i32, I64 i64, U8 u8, Bool bool);

impl From<&Value> for Array {
    /// [`Value::to_array`].
    fn from(value: &Value) -> Self {
        value.to_array()
    }
}

impl From<Value> for Array {
    /// [`Value::to_array`].
    fn from(value: Value) -> Self {
        value.to_array()
    }
}

impl From<&Array> for Value {
    /// An array that a graph or a file holds. `bytes` must be as many as `dims` says.
    fn from(array: &Array) -> Self {
        fn loaded<T: Element>(array: &Array) -> ArrayD<T> {
            let elements = array.elements::<T::Stored>().into_iter().map(T::load).collect();
            ArrayD::from_shape_vec(&array.dims[..], elements).unwrap_or_default()
        }
        match array.dtype {
            DType::F32 => Value::F32(loaded(array)),
            DType::F64 => Value::F64(loaded(array)),
            DType::I32 => Value::I32(loaded(array)),
            DType::I64 => Value::I64(loaded(array)),
            DType::U8 => Value::U8(loaded(array)),
            DType::Bool => Value::Bool(loaded(array)),
        }
    }
}
