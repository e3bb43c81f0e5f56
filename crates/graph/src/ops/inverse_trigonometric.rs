//! Angles of a sine, a cosine, a tangent: `asin`, `acos`, `atan`. Those of f32 go through f64, so
//! that their results are rounded once.

use abeyance_ir::{Domain, Operator, Signature};

use super::hyperbolic::through_f64;
use super::unary::{FLOAT, USUAL, Unary, unary_methods};
use super::with_float;
use crate::{Float, Rule, Tensor};

const INSIDE: Domain = Domain::Between(-0.8, 0.8);

/// The angle from -π/2 to π/2 whose sine is x; NaN beyond ±1. Gradient: the cotangent over √((1 -
/// x)(1 + x)).
pub static ASIN: Unary = Unary {
    signature: Signature::new("asin", "the angle in radians whose sine is x", FLOAT),
    lower: through_f64!(60.0, f64::asin),
    gradient: |cx| cx.chain(cx.operand(0).one_less_square().rsqrt()),
    domain: INSIDE,
};

/// The angle from 0 to π whose cosine is x; NaN beyond ±1. Gradient: minus the cotangent over √((1
/// - x)(1 + x)).
pub static ACOS: Unary = Unary {
    signature: Signature::new("acos", "the angle in radians whose cosine is x", FLOAT),
    lower: through_f64!(60.0, f64::acos),
    gradient: |cx| cx.chain(-cx.operand(0).one_less_square().rsqrt()),
    domain: INSIDE,
};

/// The angle from -π/2 to π/2 whose tangent is x. Gradient: the cotangent over x² + 1.
pub static ATAN: Unary = Unary {
    signature: Signature::new("atan", "the angle in radians whose tangent is x", FLOAT),
    lower: through_f64!(50.0, f64::atan),
    gradient: |cx| {
        let (inverse, squares) = cx.operand(0).reduced_squares();
        cx.chain(inverse * (inverse / squares))
    },
    domain: USUAL,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&ASIN, &ACOS, &ATAN];

unary_methods! {
    /// The angle from -π/2 to π/2 whose sine this is; NaN beyond ±1.
    asin ASIN;
    /// The angle from 0 to π whose cosine this is; NaN beyond ±1.
    acos ACOS;
    /// The angle from -π/2 to π/2 whose tangent this is.
    atan ATAN;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The angle in radians, from -π/2 to π/2, whose sine this is; NaN beyond ±1. The gradient at
    /// ±1 is infinite.
    #[track_caller]
    pub fn asin(self) -> Tensor<'g, T> {
        self.map(|x| x.asin())
    }

    /// The angle in radians, from 0 to π, whose cosine this is; NaN beyond ±1. The gradient at ±1
    /// is infinite.
    #[track_caller]
    pub fn acos(self) -> Tensor<'g, T> {
        self.map(|x| x.acos())
    }

    /// The angle in radians, from -π/2 to π/2, whose tangent this is; of a point see
    /// [`Tensor::atan2`].
    #[track_caller]
    pub fn atan(self) -> Tensor<'g, T> {
        self.map(|x| x.atan())
    }
}
