//! Integers of a model that are sizes: numbers, unknown dimensions, or what follows from those.
//!
//! Arithmetic gives an open size where the result depends on an unknown dimension.

use abeyance_ir::Dim;

/// An integer that is known when the model is imported, as far as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Size {
    /// A number.
    Number(i64),
    /// An unknown dimension.
    Dim(Dim),
    /// Something that follows from unknown dimensions.
    Open,
}

impl From<Dim> for Size {
    fn from(dim: Dim) -> Self {
        match dim {
            Dim::Known(size) => i64::try_from(size).map_or(Size::Open, Size::Number),
            Dim::Symbol(_) => Size::Dim(dim),
        }
    }
}

/// The sum.
pub(crate) fn add(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.wrapping_add(y)),
        (Size::Number(0), other) | (other, Size::Number(0)) => other,
        _ => Size::Open,
    }
}

/// The difference.
pub(crate) fn subtract(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.wrapping_sub(y)),
        (other, Size::Number(0)) => other,
        (Size::Dim(x), Size::Dim(y)) if x == y => Size::Number(0),
        _ => Size::Open,
    }
}

/// The product.
pub(crate) fn multiply(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.wrapping_mul(y)),
        (Size::Number(1), other) | (other, Size::Number(1)) => other,
        _ => Size::Open,
    }
}

/// The quotient, rounded towards 0.
pub(crate) fn divide(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => x.checked_div(y).map_or(Size::Open, Size::Number),
        (other, Size::Number(1)) => other,
        _ => Size::Open,
    }
}

/// The remainder, with the sign of the divisor.
pub(crate) fn remainder(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => match x.checked_rem(y) {
            Some(rest) if rest != 0 && (rest < 0) != (y < 0) => Size::Number(rest + y),
            Some(rest) => Size::Number(rest),
            None => Size::Open,
        },
        (Size::Dim(x), Size::Dim(y)) if x == y => Size::Number(0),
        _ => Size::Open,
    }
}

/// The larger one.
pub(crate) fn larger(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.max(y)),
        _ => Size::Open,
    }
}

/// The smaller one.
pub(crate) fn smaller(x: Size, y: Size) -> Size {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Size::Number(x.min(y)),
        _ => Size::Open,
    }
}

/// Compares two sizes; `None` where the answer is not known. A dimension is not negative.
pub(crate) fn equal(x: Size, y: Size) -> Option<bool> {
    match (x, y) {
        (Size::Number(x), Size::Number(y)) => Some(x == y),
        (Size::Dim(x), Size::Dim(y)) if x == y => Some(true),
        (Size::Dim(_), Size::Number(number)) | (Size::Number(number), Size::Dim(_))
            if number < 0 =>
        {
            Some(false)
        }
        _ => None,
    }
}
