//! Floats to whole numbers: `floor`, `ceil`, `round`. Their gradient is 0.

use abeyance_ir::{Derivation, Differentiability, Domain, Operator, Signature};

use super::unary::{FLOAT, Unary, real, unary_methods};
use crate::{Expr, Float, Rule, Tensor};

const fn signature(name: &'static str, summary: &'static str) -> Signature {
    Signature::new(name, summary, FLOAT).differentiability(Differentiability::Piecewise)
}

/// Away from whole numbers and the halves between them.
const DOMAIN: Domain = Domain::Values(&[0.3, -1.4, 2.7, -0.2, 1.6]);

/// Zeros: between its steps the function is constant.
fn no_slope<'c>(cx: &'c Derivation<'_>) -> Expr<'c> {
    cx.operand(0).fill_like(0.0)
}

/// The largest whole number not above. Gradient: 0.
pub static FLOOR: Unary = Unary {
    signature: signature("floor", "the largest whole number not above x"),
    lower: real!(1.0, |x| x.floor()),
    gradient: no_slope,
    domain: DOMAIN,
};

/// The smallest whole number not below. Gradient: 0.
pub static CEIL: Unary = Unary {
    signature: signature("ceil", "the smallest whole number not below x"),
    lower: real!(1.0, |x| x.ceil()),
    gradient: no_slope,
    domain: DOMAIN,
};

/// The nearest whole number, halves to the even one. Gradient: 0.
pub static ROUND: Unary = Unary {
    signature: signature("round", "the nearest whole number, halves to the even one"),
    lower: real!(1.0, |x| x.round_ties_even()),
    gradient: no_slope,
    domain: DOMAIN,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&FLOOR, &CEIL, &ROUND];

unary_methods! {
    /// The largest whole number not above.
    floor FLOOR;
    /// The smallest whole number not below.
    ceil CEIL;
    /// The nearest whole number, halves to the even one.
    round ROUND;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The largest whole number not above. Its gradient is 0.
    #[track_caller]
    pub fn floor(self) -> Tensor<'g, T> {
        self.map(|x| x.floor())
    }

    /// The smallest whole number not below. Its gradient is 0.
    #[track_caller]
    pub fn ceil(self) -> Tensor<'g, T> {
        self.map(|x| x.ceil())
    }

    /// The nearest whole number, halves to the even one: 2 for 2.5 and 1.5. Its gradient is 0.
    #[track_caller]
    pub fn round(self) -> Tensor<'g, T> {
        self.map(|x| x.round())
    }
}
