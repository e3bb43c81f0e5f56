//! Division that rounds down, and what it leaves: `floor_div`, `modulo`.

use abeyance_ir::{Differentiability, Domain, Operator, Signature};
use abeyance_kernels::element::Number as StoredNumber;

use super::binary::{BY_ZERO, Binary, NUMBER, binary_methods, zip_or_fail};
use super::with_type;
use crate::{Number, Operand, Rule, Tensor};

/// Numbers whose quotients are away from whole ones.
const DOMAINS: [Domain; 2] =
    [Domain::Values(&[5.3, -2.6, 7.9, 1.7]), Domain::Values(&[1.5, -2.0, 0.7])];

/// `x / y` rounded down; integers wrap, and fail where `y` is 0. Gradient: 0 for both.
pub static FLOOR_DIV: Binary = Binary {
    signature: Signature::new("floor_div", "x / y rounded down", NUMBER)
        .differentiability(Differentiability::Piecewise),
    total: false,
    lower: |cx| {
        with_type!(cx.result.dtype, T => {
            Ok(zip_or_fail::<T>(cx, 6.0, BY_ZERO, T::floor_quotient).into())
        })
    },
    gradient: |cx, index| cx.operand(index).fill_like(0.0),
    domains: DOMAINS,
};

/// The remainder of the division of `x` by `y` that rounds down, with the sign of `y`; integers
/// fail where `y` is 0. Gradient: the cotangent, and minus the cotangent times `floor_div(x, y)`.
pub static MODULO: Binary = Binary {
    signature: Signature::new(
        "modulo",
        "what is left of x / y rounded down, with the sign of y",
        NUMBER,
    )
    .differentiability(Differentiability::Piecewise),
    total: false,
    lower: |cx| {
        let message = "an integer modulo zero";
        with_type!(cx.result.dtype, T => Ok(zip_or_fail::<T>(cx, 12.0, message, T::modulo).into()))
    },
    gradient: |cx, index| {
        let (x, y) = (cx.operand(0), cx.operand(1));
        if index == 0 { cx.cotangent() } else { cx.chain(-x.floor_div(y)) }
    },
    domains: DOMAINS,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&FLOOR_DIV, &MODULO];

binary_methods! {
    /// The quotient rounded down.
    floor_div FLOOR_DIV;
    /// The remainder of `floor_div`, with the sign of the divisor.
    modulo MODULO;
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The quotient rounded down, where `/` of integers rounds towards 0: TensorFlow's `floor_div`.
    /// The two broadcast. An integer divided by 0 is an error at run time. Its gradient is 0.
    ///
    /// It goes with [`Tensor::modulo`]: `a = a.floor_div(b) * b + a.modulo(b)`, as Python's `//`
    /// and `%` do. So 55 by 0.1 is 549 and leaves 0.09999999999999695: the `f64` next to 0.1 is a
    /// little more than a tenth, though 55 / 0.1 rounds to 550.
    #[track_caller]
    pub fn floor_div(self, divisor: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(divisor, |x, y| x.floor_div(y))
    }

    /// The remainder of [`Tensor::floor_div`], with the sign of the divisor: TensorFlow's
    /// `floormod`, -7 modulo 3 is 2. The two broadcast. An integer modulo 0 is an error at run
    /// time, a float modulo 0 is NaN.
    #[track_caller]
    pub fn modulo(self, divisor: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(divisor, |x, y| x.modulo(y))
    }
}
