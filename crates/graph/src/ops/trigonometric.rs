//! Functions of angles: `sin`, `cos`, `tan`, `atan2`. They are the platform's, right for huge
//! arguments too.

use abeyance_ir::{DTypes, Domain, OperandSpec, Operator, Signature};
use abeyance_kernels::element::Real;

use super::binary::{Binary, binary_methods, zip};
use super::unary::{FLOAT, USUAL, Unary, real, unary_methods};
use super::with_float;
use crate::{Float, Operand, Rule, Tensor};

/// The sine. Gradient: the cotangent times cos x.
pub static SIN: Unary = Unary {
    signature: Signature::new("sin", "the sine of x radians", FLOAT),
    lower: real!(30.0, |x| x.sin()),
    gradient: |cx| cx.chain(cx.operand(0).cos()),
    domain: USUAL,
};

/// The cosine. Gradient: the cotangent times -sin x.
pub static COS: Unary = Unary {
    signature: Signature::new("cos", "the cosine of x radians", FLOAT),
    lower: real!(30.0, |x| x.cos()),
    gradient: |cx| cx.chain(-cx.operand(0).sin()),
    domain: USUAL,
};

/// The tangent. Gradient: the cotangent times 1 + y².
pub static TAN: Unary = Unary {
    signature: Signature::new("tan", "the tangent of x radians", FLOAT),
    lower: real!(40.0, |x| x.tan()),
    gradient: |cx| cx.chain(cx.result().square() + 1.0),
    // Away from the poles at ±π/2.
    domain: Domain::Between(-1.2, 1.2),
};

const POINT: &[OperandSpec] =
    &[OperandSpec::new("y", DTypes::FLOAT), OperandSpec::new("x", DTypes::FLOAT)];

/// The angle of the point (x, y). Gradient: the cotangent times x/(x² + y²) for y, and times -y/(x²
/// + y²) for x, without squares that overflow or vanish.
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
        // With the larger side l and the ratio r of the two: 1/(l(1 + r²)) is the larger side over
        // the squares, r times that the smaller.
        let along_x = x.abs().greater_equal(y.abs());
        let long = along_x.select(x, y);
        let ratio = along_x.select(y, x) / long;
        let squares = long * (ratio.square() + 1.0);
        let (larger, smaller) = (1.0 / squares, ratio / squares);
        cx.chain(if index == 0 {
            along_x.select(larger, smaller)
        } else {
            -along_x.select(smaller, larger)
        })
    },
    // Away from the jump where x is negative and y is 0.
    domains: [Domain::AwayFromZero, Domain::Between(0.3, 2.0)],
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SIN, &COS, &TAN, &ATAN2];

unary_methods! {
    /// The sine, of radians.
    sin SIN;
    /// The cosine, of radians.
    cos COS;
    /// The tangent, of radians.
    tan TAN;
}

binary_methods! {
    /// The angle in radians of the points (`other`, this).
    atan2 ATAN2;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The sine, of radians; NaN at ±∞.
    #[track_caller]
    pub fn sin(self) -> Tensor<'g, T> {
        self.map(|x| x.sin())
    }

    /// The cosine, of radians; NaN at ±∞.
    #[track_caller]
    pub fn cos(self) -> Tensor<'g, T> {
        self.map(|x| x.cos())
    }

    /// The tangent, of radians; NaN at ±∞.
    #[track_caller]
    pub fn tan(self) -> Tensor<'g, T> {
        self.map(|x| x.tan())
    }

    /// The angle of the points (`x`, this), in radians from -π to π; the two broadcast. At (0, 0)
    /// it is 0 or ±π by the signs of the zeros, and the gradient NaN.
    #[track_caller]
    pub fn atan2(self, x: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(x, |x, y| x.atan2(y))
    }
}
