//! The Rust types of elements.

use abeyance_ir::DType;
use bytemuck::Pod;

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that tensors hold: `f32 f64 i32 i64 u8 bool`.
pub trait Element:
    sealed::Sealed + Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static
{
    /// The same as a value.
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

/// Elements one can add and multiply: all but `bool`. Integers wrap around.
pub trait Number: Element {}
/// Numbers with a sign: all numbers but `u8`.
pub trait Signed: Number {}
/// Floating point numbers, for which derivatives exist.
pub trait Float: Signed {
    /// The nearest number of this type.
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
