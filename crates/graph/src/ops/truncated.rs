//! The remainder of the division that rounds towards 0: `truncate_mod`, C's `fmod` and `%`.

use abeyance_ir::{Differentiability, Domain, Operator, Signature};

use super::binary::{Binary, NUMBER, binary_methods, zip_or_fail};
use super::with_type;
use crate::{Number, Operand, Rule, Tensor};

/// `x - y · (x / y rounded towards 0)` without any rounding, with the sign of `x`; integers fail
/// where `y` is 0. Gradient: the cotangent, and minus the cotangent times the quotient rounded
/// towards 0.
pub static TRUNCATE_MOD: Binary = Binary {
    signature: Signature::new(
        "truncate_mod",
        "what is left of x / y rounded towards 0, with the sign of x",
        NUMBER,
    )
    .differentiability(Differentiability::Piecewise),
    total: false,
    lower: |cx| {
        let message = "an integer divided by zero";
        with_type!(cx.result.dtype, T => Ok(zip_or_fail::<T>(cx, 12.0, message, T::rest).into()))
    },
    gradient: |cx, index| {
        let (x, y, rest) = (cx.operand(0), cx.operand(1), cx.result());
        // x less what is left is a multiple of y: the quotient is whole, or as near as numbers are.
        if index == 0 { cx.cotangent() } else { cx.chain((rest - x) / y) }
    },
    // Quotients that are away from whole numbers.
    domains: [Domain::Values(&[5.3, -2.6, 7.9, 1.7]), Domain::Values(&[1.5, -2.0, 0.7])],
};

/// A number that can be divided.
trait Rest: Sized {
    /// The remainder; `None` for an integer divided by 0.
    fn rest(self, divisor: Self) -> Option<Self>;
}

macro_rules! rest {
    ($($t:ident)*; $($i:ident)*) => {
        $(impl Rest for $t {
            #[inline(always)]
            fn rest(self, divisor: Self) -> Option<Self> {
                Some(self % divisor)
            }
        })*
        $(impl Rest for $i {
            #[inline(always)]
            fn rest(self, divisor: Self) -> Option<Self> {
                (divisor != 0).then(|| self.wrapping_rem(divisor))
            }
        })*
    };
}
rest!(f32 f64; i32 i64 u8);

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&TRUNCATE_MOD];

binary_methods! {
    /// The remainder of the division that rounds towards 0, with the sign of this.
    truncate_mod TRUNCATE_MOD;
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The remainder of the division that rounds towards 0, with the sign of this and not of the
    /// divisor: TensorFlow's `truncatemod`, C's `fmod`. -7 by 3 leaves -1, where [`Tensor::modulo`]
    /// gives 2. It is exact: 1e10 by 3 leaves 1, and 5 by ∞ 5. The two broadcast. An integer
    /// divided by 0 is an error at run time, a float by 0 or an infinite one by anything leaves
    /// NaN.
    #[track_caller]
    pub fn truncate_mod(self, divisor: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(divisor, |x, y| x.truncate_mod(y))
    }
}
