//! Derivatives that are operators of their own, since written with the function's result they would cancel: that of the sigmoid,
//! y (1 - y), is 0 in `f32` from x = 17 on, where 4e-8 is right.

use abeyance_ir::{Attributes, Graph as Ir, NodeId, Operator, Signature};

use super::unary::{FLOAT, USUAL, Unary, real, sigmoid, unary_methods};
use super::{binary, scalar_like};
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

/// e^-x², the bell that is the derivative of the error function but for a factor. Gradient: the cotangent times -2x·y.
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
    /// (1 - z)·sigmoid(x) - z·sigmoid(-x), which is sigmoid(x) - z and keeps its digits where z is 0 or 1.
    pub(super) fn sigmoid_less(self, z: Expr<'g>) -> Self {
        (1.0 - z) * self.sigmoid() - z * (-self).sigmoid()
    }
}

/// Appends `sigmoid_slope(x)`.
pub fn sigmoid_slope(graph: &mut Ir, x: NodeId) -> NodeId {
    graph.add(&SIGMOID_SLOPE, &[x], Attributes::none())
}

/// Appends `tanh_slope(x)`.
pub fn tanh_slope(graph: &mut Ir, x: NodeId) -> NodeId {
    graph.add(&TANH_SLOPE, &[x], Attributes::none())
}

/// Appends `gaussian(x)`.
pub fn gaussian(graph: &mut Ir, x: NodeId) -> NodeId {
    graph.add(&GAUSSIAN, &[x], Attributes::none())
}

/// Appends (1 - z)·sigmoid(x) - z·sigmoid(-x), which is sigmoid(x) - z and keeps its digits where z is 0 or 1.
pub(super) fn sigmoid_less(graph: &mut Ir, x: NodeId, z: NodeId) -> NodeId {
    let one = scalar_like(graph, z, 1.0);
    let rest = binary::sub(graph, one, z);
    let up = sigmoid(graph, x);
    let negative = super::unary::neg(graph, x);
    let down = sigmoid(graph, negative);
    let (above, below) = (binary::mul(graph, rest, up), binary::mul(graph, z, down));
    binary::sub(graph, above, below)
}
