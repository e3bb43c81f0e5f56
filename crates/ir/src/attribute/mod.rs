//! The constants an operator carries: axes, flags, target shapes, initial values.
//!
//! Texts, files and the graph handle them as lists of [`Attribute`] values; operators declare them
//! as structs with [`attributes!`](crate::attributes) and never see a position.

mod declare;

pub use declare::{
    AttributeReader, AttributeSet, AttributeValue, concat as concat_specs, field_name,
};

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytemuck::Pod;
use smallvec::SmallVec;

use crate::{Body, DType, Dims, Shape};

/// A list of integers among the attributes of a node: axes, strides.
pub type Integers = SmallVec<[i64; 4]>;

/// An array of numbers inside a graph: a constant, or a variable's initial value.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The element type; booleans are bytes 0 or 1.
    pub dtype: DType,
    /// The sizes of all dimensions; none for a scalar.
    pub dims: Dims,
    /// The elements in row-major order, little-endian.
    pub bytes: Vec<u8>,
}

impl Array {
    /// The array of these elements. `elements` must be as many as `dims` says.
    pub fn new<T: Pod>(dtype: DType, dims: &[usize], elements: &[T]) -> Array {
        Array { dtype, dims: dims.into(), bytes: bytemuck::cast_slice(elements).to_vec() }
    }

    /// A scalar of a type, from a number that is rounded or truncated as `as` does.
    pub fn scalar(dtype: DType, value: f64) -> Array {
        let mut bytes = Vec::with_capacity(8);
        match dtype {
            DType::F32 => bytes.extend((value as f32).to_le_bytes()),
            DType::F64 => bytes.extend(value.to_le_bytes()),
            DType::I32 => bytes.extend((value as i32).to_le_bytes()),
            DType::I64 => bytes.extend((value as i64).to_le_bytes()),
            DType::U8 => bytes.push(value as u8),
            DType::Bool => bytes.push((value != 0.0).into()),
        }
        Array { dtype, dims: Dims::new(), bytes }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// True if it has no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The elements, copied. `T` must be the type `dtype` stands for (`u8` for booleans).
    pub fn elements<T: Pod>(&self) -> Vec<T> {
        self.bytes.chunks_exact(size_of::<T>().max(1)).map(bytemuck::pod_read_unaligned).collect()
    }
}

/// The first value of a variable. A session makes it from its seed and the variable's name.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer {
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// These elements; a scalar fills the whole shape.
    Constant(Arc<Array>),
    /// Normal distribution.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        stddev: f64,
    },
    /// Normal distribution cut off at two standard deviations, TensorFlow's `truncated_normal`.
    TruncatedNormal {
        /// Mean before cutting.
        mean: f64,
        /// Standard deviation before cutting.
        stddev: f64,
    },
    /// Even distribution in `[low, high)`.
    Uniform {
        /// Lowest value.
        low: f64,
        /// First value above.
        high: f64,
    },
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// `true` or `false`
    Flag(bool),
    /// `-1`
    Integer(i64),
    /// `0.5`
    Real(f64),
    /// `"layer 1"`
    Text(Arc<str>),
    /// `f32`
    DType(DType),
    /// `[N, 784]`
    Shape(Shape),
    /// `[0, -1]`
    Integers(Integers),
    /// `[[1.0, 2.0], [3.0, 4.0]]`
    Array(Arc<Array>),
    /// `truncated_normal(0, 0.1)`
    Initializer(Initializer),
    /// A branch or the body of a loop; printed as a block before the node's line.
    Body(Arc<Body>),
}

/// The variants of [`Attribute`], by which an operator says which one it expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AttributeKind {
    Flag,
    Integer,
    Real,
    Text,
    DType,
    Shape,
    Integers,
    Array,
    Initializer,
    Body,
}

impl Attribute {
    fn is_identical(&self, other: &Attribute) -> bool {
        match (self, other) {
            (Attribute::Real(a), Attribute::Real(b)) => a.to_bits() == b.to_bits(),
            (Attribute::Array(a), Attribute::Array(b)) => Arc::ptr_eq(a, b) || **a == **b,
            (Attribute::Body(a), Attribute::Body(b)) => Arc::ptr_eq(a, b),
            // Only variables have first values, and two variables are never one.
            (Attribute::Initializer(_), Attribute::Initializer(_)) => false,
            _ => self == other,
        }
    }

    fn hash_bits(&self, hasher: &mut impl Hasher) {
        match self {
            Attribute::Flag(value) => value.hash(hasher),
            Attribute::Integer(value) => value.hash(hasher),
            Attribute::Real(value) => value.to_bits().hash(hasher),
            Attribute::Text(value) => value.hash(hasher),
            Attribute::Integers(values) => values.hash(hasher),
            Attribute::Array(array) => {
                array.bytes.iter().take(64).for_each(|byte| byte.hash(hasher))
            }
            // Rarely what tells two apart.
            Attribute::DType(_)
            | Attribute::Shape(_)
            | Attribute::Initializer(_)
            | Attribute::Body(_) => {}
        }
    }

    /// The variant.
    pub fn kind(&self) -> AttributeKind {
        match self {
            Attribute::Flag(_) => AttributeKind::Flag,
            Attribute::Integer(_) => AttributeKind::Integer,
            Attribute::Real(_) => AttributeKind::Real,
            Attribute::Text(_) => AttributeKind::Text,
            Attribute::DType(_) => AttributeKind::DType,
            Attribute::Shape(_) => AttributeKind::Shape,
            Attribute::Integers(_) => AttributeKind::Integers,
            Attribute::Array(_) => AttributeKind::Array,
            Attribute::Initializer(_) => AttributeKind::Initializer,
            Attribute::Body(_) => AttributeKind::Body,
        }
    }
}

/// An attribute's name, kind and default in an operator's signature.
#[derive(Clone, Copy, Debug)]
pub struct AttributeSpec {
    /// Name in printouts.
    pub name: &'static str,
    /// Kind of the value.
    pub kind: AttributeKind,
    /// Default, which is not printed. An attribute without one is required.
    pub default: Option<DefaultAttribute>,
    /// Meaning, one sentence.
    pub summary: &'static str,
}

/// A default that fits into a constant.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum DefaultAttribute {
    Flag(bool),
    Integer(i64),
    Real(f64),
    Text(&'static str),
    Integers(&'static [i64]),
}

impl From<DefaultAttribute> for Attribute {
    fn from(default: DefaultAttribute) -> Self {
        match default {
            DefaultAttribute::Flag(value) => Attribute::Flag(value),
            DefaultAttribute::Integer(value) => Attribute::Integer(value),
            DefaultAttribute::Real(value) => Attribute::Real(value),
            DefaultAttribute::Text(value) => Attribute::Text(value.into()),
            DefaultAttribute::Integers(values) => Attribute::Integers(values.into()),
        }
    }
}

/// The attributes of a node, in the order of its operator's signature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(SmallVec<[Box<Attribute>; 1]>);

impl Attributes {
    /// True if two lists are equal to the last bit. `==` takes 0 for -0, and NaN for unequal to
    /// itself.
    pub fn is_identical(&self, other: &Attributes) -> bool {
        let mut pairs = self.iter().zip(other.iter());
        self.len() == other.len() && pairs.all(|(a, b)| a.is_identical(b))
    }

    /// Hashes the values, such that lists that [are identical](Attributes::is_identical) have the
    /// same hash.
    pub fn hash_bits(&self, hasher: &mut impl Hasher) {
        self.iter().for_each(|value| value.hash_bits(hasher));
    }

    /// A list of no attributes.
    pub fn none() -> Self {
        Self::default()
    }

    /// The list of these values, in the order of the operator's signature. It is for values that
    /// were read from a text or a file; programs convert a declared set:
    /// `Conv2dAttributes { .. }.into()`.
    pub fn of(values: impl IntoIterator<Item = Attribute>) -> Self {
        Self(values.into_iter().map(Box::new).collect())
    }

    /// The number of attributes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter().map(|value| &**value)
    }

    /// All bodies.
    pub fn bodies(&self) -> impl Iterator<Item = &Arc<Body>> {
        self.iter().filter_map(|value| match value {
            Attribute::Body(body) => Some(body),
            _ => None,
        })
    }
}
