//! Derivatives that are operators of their own, since written with the function's result they would cancel: that of the sigmoid,
//! y (1 - y), is 0 in `f32` from x = 17 on, where 4e-8 is right.

use abeyance_ir::{Attributes, Graph as Ir, NodeId, Operator, Signature};

use super::unary::{FLOAT, USUAL, Unary, real, sigmoid, tanh};
use super::{binary, chain, scalar_like};

/// The derivative of the sigmoid, e⁻ˣ / (1 + e⁻ˣ)². Gradient: the cotangent times -y·tanh(x / 2).
pub static SIGMOID_SLOPE: Unary = Unary {
    signature: Signature::new("sigmoid_slope", "the derivative of sigmoid(x)", FLOAT),
    lower: real!(22.0, |x| x.sigmoid_slope()),
    gradient: |cx| {
        let (x, y) = (cx.operand(0), cx.result());
        let graph = cx.graph();
        let half = scalar_like(graph, x, -0.5);
        let half = binary::mul(graph, x, half);
        let bend = tanh(graph, half);
        let slope = binary::mul(graph, y, bend);
        Ok(chain(cx, slope))
    },
    domain: USUAL,
};

/// The derivative of the hyperbolic tangent, 1 - tanh²x. Gradient: the cotangent times -2y·tanh x.
pub static TANH_SLOPE: Unary = Unary {
    signature: Signature::new("tanh_slope", "the derivative of tanh(x)", FLOAT),
    lower: real!(23.0, |x| x.tanh_slope()),
    gradient: |cx| {
        let (x, y) = (cx.operand(0), cx.result());
        let graph = cx.graph();
        let bend = tanh(graph, x);
        let product = binary::mul(graph, y, bend);
        let factor = scalar_like(graph, x, -2.0);
        let slope = binary::mul(graph, product, factor);
        Ok(chain(cx, slope))
    },
    domain: USUAL,
};

/// e^-x², the bell that is the derivative of the error function but for a factor. Gradient: the cotangent times -2x·y.
pub static GAUSSIAN: Unary = Unary {
    signature: Signature::new("gaussian", "exp(-x x)", FLOAT),
    lower: real!(28.0, |x| x.gaussian()),
    gradient: |cx| {
        let (x, y) = (cx.operand(0), cx.result());
        let graph = cx.graph();
        let factor = scalar_like(graph, x, -2.0);
        let twice = binary::mul(graph, x, factor);
        // 0 where x is infinite.
        let slope = binary::mul_no_nan(graph, twice, y);
        Ok(chain(cx, slope))
    },
    domain: USUAL,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SIGMOID_SLOPE, &TANH_SLOPE, &GAUSSIAN];

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
