//! Functions of angles: `sin`, `cos`, `tan`, `atan2`. They are the platform's, right for huge arguments too.

use abeyance_ir::{
    Attributes, DTypes, Domain, Graph as Ir, NodeId, OperandSpec, Operator, Signature,
};
use abeyance_kernels::element::Real;

use super::binary::{self, Binary, zip};
use super::unary::{self, FLOAT, USUAL, Unary, real};
use super::{chain, comparison, scalar_like, select, with_float};
use crate::{Float, Operand, Tensor};

/// The sine. Gradient: the cotangent times cos x.
pub static SIN: Unary = Unary {
    signature: Signature::new("sin", "the sine of x radians", FLOAT),
    lower: real!(30.0, |x| x.sin()),
    gradient: |cx| {
        let x = cx.operand(0);
        let slope = cos(cx.graph(), x);
        Ok(chain(cx, slope))
    },
    domain: USUAL,
};

/// The cosine. Gradient: the cotangent times -sin x.
pub static COS: Unary = Unary {
    signature: Signature::new("cos", "the cosine of x radians", FLOAT),
    lower: real!(30.0, |x| x.cos()),
    gradient: |cx| {
        let x = cx.operand(0);
        let sine = sin(cx.graph(), x);
        let slope = unary::neg(cx.graph(), sine);
        Ok(chain(cx, slope))
    },
    domain: USUAL,
};

/// The tangent. Gradient: the cotangent times 1 + y².
pub static TAN: Unary = Unary {
    signature: Signature::new("tan", "the tangent of x radians", FLOAT),
    lower: real!(40.0, |x| x.tan()),
    gradient: |cx| {
        let y = cx.result();
        let squared = unary::square(cx.graph(), y);
        let one = scalar_like(cx.graph(), y, 1.0);
        let slope = binary::add(cx.graph(), squared, one);
        Ok(chain(cx, slope))
    },
    // Away from the poles at ±π/2.
    domain: Domain::Between(-1.2, 1.2),
};

const POINT: &[OperandSpec] =
    &[OperandSpec::new("y", DTypes::FLOAT), OperandSpec::new("x", DTypes::FLOAT)];

/// The angle of the point (x, y). Gradient: the cotangent times x/(x² + y²) for y, and times -y/(x² + y²) for x, without squares
/// that overflow or vanish.
pub static ATAN2: Binary = Binary {
    signature: Signature::new(
        "atan2",
        "the angle of the point (x, y) in radians, from -pi to pi",
        POINT,
    ),
    total: true,
    lower: |cx| {
        with_float!(cx.result.dtype, T => {
            Ok(zip::<T, T, T>(cx, 60.0, #[inline(always)] |y, x| Real::atan2(y, x)).into())
        })
    },
    gradient: |cx, index| {
        let (y, x) = (cx.operand(0), cx.operand(1));
        let graph = cx.graph();
        // With the larger side l and the ratio r of the two: 1/(l(1 + r²)) is the larger side over the squares, r times that the smaller.
        let [tall, wide] = [y, x].map(|side| unary::abs(graph, side));
        let along_x = comparison::greater_equal(graph, wide, tall);
        let long = select::select(graph, along_x, x, y);
        let short = select::select(graph, along_x, y, x);
        let ratio = binary::div(graph, short, long);
        let squared = unary::square(graph, ratio);
        let one = scalar_like(graph, x, 1.0);
        let stretch = binary::add(graph, squared, one);
        let squares = binary::mul(graph, long, stretch);
        let larger = binary::div(graph, one, squares);
        let smaller = binary::div(graph, ratio, squares);
        let slope = match index {
            0 => select::select(graph, along_x, larger, smaller),
            _ => {
                let side = select::select(graph, along_x, smaller, larger);
                unary::neg(graph, side)
            }
        };
        chain(cx, slope)
    },
    // Away from the jump where x is negative and y is 0.
    domains: [Domain::AwayFromZero, Domain::Between(0.3, 2.0)],
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SIN, &COS, &TAN, &ATAN2];

/// Appends `sin(x)`.
pub fn sin(graph: &mut Ir, x: NodeId) -> NodeId {
    graph.add(&SIN, &[x], Attributes::none())
}

/// Appends `cos(x)`.
pub fn cos(graph: &mut Ir, x: NodeId) -> NodeId {
    graph.add(&COS, &[x], Attributes::none())
}

/// Appends `tan(x)`.
pub fn tan(graph: &mut Ir, x: NodeId) -> NodeId {
    graph.add(&TAN, &[x], Attributes::none())
}

/// Appends `atan2(y, x)`.
pub fn atan2(graph: &mut Ir, y: NodeId, x: NodeId) -> NodeId {
    graph.add(&ATAN2, &[y, x], Attributes::none())
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The sine, of radians; NaN at ±∞.
    #[track_caller]
    pub fn sin(self) -> Tensor<'g, T> {
        self.then(sin)
    }

    /// The cosine, of radians; NaN at ±∞.
    #[track_caller]
    pub fn cos(self) -> Tensor<'g, T> {
        self.then(cos)
    }

    /// The tangent, of radians; NaN at ±∞.
    #[track_caller]
    pub fn tan(self) -> Tensor<'g, T> {
        self.then(tan)
    }

    /// The angle of the points (`x`, this), in radians from -π to π; the two broadcast. At (0, 0) it is 0 or ±π by the signs
    /// of the zeros, and the gradient NaN.
    #[track_caller]
    pub fn atan2(self, x: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.with(x, atan2)
    }
}
