//! Derivatives that are operators of their own, since written with the function's result they would
//! cancel: that of the sigmoid, y (1 - y), is 0 in `f32` from x = 17 on, where 4e-8 is right.

use abeyance_ir::{Operator, Signature};

use super::unary::{FLOAT, USUAL, Unary, real, unary_methods};
use crate::{Expr, Rule};

/// The derivative of the sigmoid, e⁻ˣ / (1 + e⁻ˣ)². Gradient: the cotangent times -y·tanh(x / 2).
pub static SIGMOID_SLOPE: Unary = Unary {
    signature: Signature::new("sigmoid_slope", "the derivative of sigmoid(x)", FLOAT),
    lower: real!(22.0, |x| x.sigmoid_slope()),
    gradient: |cx| cx.chain(cx.result() * (cx.operand(0) * -0.5).tanh()),
    domain: USUAL,
};

/// The derivative of the hyperbolic tangent, 1 - tanh²x. Gradient: the cotangent times -2y·tanh x.
pub static TANH_SLOPE: Unary = Unary {
    signature: Signature::new("tanh_slope", "the derivative of tanh(x)", FLOAT),
    lower: real!(23.0, |x| x.tanh_slope()),
    gradient: |cx| cx.chain(cx.result() * cx.operand(0).tanh() * -2.0),
    domain: USUAL,
};

/// e^-x², the bell that is the derivative of the error function but for a factor. Gradient: the
/// cotangent times -2x·y.
pub static GAUSSIAN: Unary = Unary {
    signature: Signature::new("gaussian", "exp(-x x)", FLOAT),
    lower: real!(28.0, |x| x.gaussian()),
    // 0 where x is infinite.
    gradient: |cx| cx.chain((cx.operand(0) * -2.0).mul_no_nan(cx.result())),
    domain: USUAL,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SIGMOID_SLOPE, &TANH_SLOPE, &GAUSSIAN];

unary_methods! {
    /// The derivative of the sigmoid.
    sigmoid_slope SIGMOID_SLOPE;
    /// The derivative of the hyperbolic tangent.
    tanh_slope TANH_SLOPE;
    /// e^-x².
    gaussian GAUSSIAN;
}

impl<'g> Expr<'g> {
    /// (1 - z)·sigmoid(x) - z·sigmoid(-x), which is sigmoid(x) - z and keeps its digits where z is
    /// 0 or 1.
    pub(super) fn sigmoid_less(self, z: Expr<'g>) -> Self {
        (1.0 - z) * self.sigmoid() - z * (-self).sigmoid()
    }
}
