//! The Rust types of elements.

use std::ops::{Add, Div, Mul, Sub};

use abeyance_ir::DType;
use bytemuck::Pod;

use crate::{Operand, Scalar, Tensor};

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that tensors hold: `f32 f64 i32 i64 u8 bool`. A number of the type can stand
/// wherever a tensor of it can ([`Operand`]), in code for any such type too.
pub trait Element:
    sealed::Sealed
    + Copy
    + Default
    + PartialEq
    + std::fmt::Debug
    + Send
    + Sync
    + for<'g> Operand<'g, Self>
    + 'static
{
    /// The element type as a value.
    const DTYPE: DType;
    /// How an element lies in memory: the type itself, or a byte 0 or 1 for `bool`.
    type Stored: Pod;

    /// As it lies in memory.
    fn store(self) -> Self::Stored;

    /// From memory.
    fn load(stored: Self::Stored) -> Self;

    /// Elements as they lie in memory, when a slice of Rust's own is at hand.
    fn bytes(slice: &[Self]) -> &[u8];
}

/// Elements one can add and multiply: all but `bool`. Integers wrap around. A number stands on
/// either side of an operator: `x * two`, `two * x`.
pub trait Number:
    Element
    + for<'g> Add<Tensor<'g, Self>, Output = Tensor<'g, Self>>
    + for<'g> Sub<Tensor<'g, Self>, Output = Tensor<'g, Self>>
    + for<'g> Mul<Tensor<'g, Self>, Output = Tensor<'g, Self>>
    + for<'g> Div<Tensor<'g, Self>, Output = Tensor<'g, Self>>
    + for<'g> Add<Scalar<'g, Self>, Output = Scalar<'g, Self>>
    + for<'g> Sub<Scalar<'g, Self>, Output = Scalar<'g, Self>>
    + for<'g> Mul<Scalar<'g, Self>, Output = Scalar<'g, Self>>
    + for<'g> Div<Scalar<'g, Self>, Output = Scalar<'g, Self>>
{
}
/// Numbers with a sign: all numbers but `u8`.
pub trait Signed: Number {}
/// Floating point numbers, for which derivatives exist.
///
/// In code for both types a number is written with [`Float::from_f64`], since a literal such as
/// `2.0` is of one of them:
///
/// ```
/// use abeyance_graph::{dims, Float, Graph, Tensor};
/// fn scaled_sigmoid<'g, T: Float>(x: Tensor<'g, T>) -> Tensor<'g, T> {
///     let [one, two] = [1.0, 2.0].map(T::from_f64);
///     one - two * (x * two).sigmoid().pow(two)
/// }
/// let g = Graph::new();
/// assert_eq!(scaled_sigmoid(g.placeholder::<f32>("x", dims![_])).to_string(), "sub : f32[N]");
/// assert_eq!(scaled_sigmoid(g.placeholder::<f64>("y", dims![3])).to_string(), "sub_1 : f64[3]");
/// g.check().unwrap();
/// ```
pub trait Float: Signed {
    /// The nearest number of this type: what a literal is written with in code for both,
    /// `x * T::from_f64(2.0)`.
    fn from_f64(value: f64) -> Self;
}
/// Numbers that may count or index: `i32 i64`.
pub trait Index: Signed {}

macro_rules! number {
    ($($type:ident $dtype:ident),*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            type Stored = $type;
            fn store(self) -> $type { self }
            fn load(stored: $type) -> $type { stored }
            fn bytes(slice: &[$type]) -> &[u8] { bytemuck::cast_slice(slice) }
        }
        impl Number for $type {}
    )*};
}
number!(f32 F32, f64 F64, i32 I32, i64 I64, u8 U8);

impl sealed::Sealed for bool {}
impl Element for bool {
    const DTYPE: DType = DType::Bool;
    type Stored = u8;
    fn store(self) -> u8 {
        self.into()
    }
    fn load(stored: u8) -> bool {
        stored != 0
    }
    fn bytes(slice: &[bool]) -> &[u8] {
        bytemuck::cast_slice(slice)
    }
}

impl Signed for f32 {}
impl Signed for f64 {}
impl Signed for i32 {}
impl Signed for i64 {}
impl Index for i32 {}
impl Index for i64 {}
impl Float for f32 {
    fn from_f64(value: f64) -> f32 {
        value as f32
    }
}
impl Float for f64 {
    fn from_f64(value: f64) -> f64 {
        value
    }
}
