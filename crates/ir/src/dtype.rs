//! Element types and sets of them.

use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DType {
    /// 32-bit IEEE 754 float.
    F32 = 0,
    /// 64-bit IEEE 754 float.
    F64 = 1,
    /// 32-bit signed integer.
    I32 = 2,
    /// 64-bit signed integer.
    I64 = 3,
    /// 8-bit unsigned integer.
    U8 = 4,
    /// Truth value, stored as one byte that is 0 or 1.
    Bool = 5,
}

impl DType {
    /// Every element type, in the order of its tag.
    pub const ALL: [DType; 6] =
        [DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::Bool];

    /// The name in printouts: Rust's own.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::Bool => "bool",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|dtype| dtype.name() == name)
    }

    /// Bytes an element takes.
    pub const fn size(self) -> usize {
        match self {
            DType::F32 | DType::I32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::U8 | DType::Bool => 1,
        }
    }

    /// True if derivatives exist for it: `f32` and `f64`.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of element types, as an operator's signature allows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DTypes(u8);

impl DTypes {
    /// `f32 f64`
    pub const FLOAT: DTypes = DTypes::of(&[DType::F32, DType::F64]);
    /// `i32 i64`
    pub const INDEX: DTypes = DTypes::of(&[DType::I32, DType::I64]);
    /// `i32 i64 u8`
    pub const INTEGER: DTypes = DTypes::of(&[DType::I32, DType::I64, DType::U8]);
    /// Everything one can add: all but `bool`.
    pub const NUMBER: DTypes = DTypes(DTypes::FLOAT.0 | DTypes::INTEGER.0);
    /// Numbers with a sign: all but `bool` and `u8`.
    pub const SIGNED: DTypes = DTypes(DTypes::FLOAT.0 | DTypes::INDEX.0);
    /// `bool`
    pub const BOOL: DTypes = DTypes::of(&[DType::Bool]);
    /// All of them.
    pub const ANY: DTypes = DTypes(DTypes::NUMBER.0 | DTypes::BOOL.0);

    /// The set of just these.
    pub const fn of(list: &[DType]) -> DTypes {
        let mut bits = 0;
        let mut index = 0;
        while index < list.len() {
            bits |= 1 << list[index] as u8;
            index += 1;
        }
        DTypes(bits)
    }

    /// True if `dtype` is in the set.
    pub const fn contains(self, dtype: DType) -> bool {
        self.0 & (1 << dtype as u8) != 0
    }

    /// The members in the order of their tags.
    pub fn iter(self) -> impl Iterator<Item = DType> {
        DType::ALL.into_iter().filter(move |&dtype| self.contains(dtype))
    }
}

impl fmt::Display for DTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, dtype) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(dtype.name())?;
        }
        Ok(())
    }
}
