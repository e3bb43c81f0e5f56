//! The error function and its complement.

use abeyance_ir::{Derivation, Operator, Signature};

use super::unary::{FLOAT, USUAL, Unary, real, unary_methods};
use crate::{Expr, Float, Rule, Tensor};

/// The error function, 2/√π ∫₀ˣ e^-t² dt. Gradient: the cotangent times 2/√π e^-x².
pub static ERF: Unary = Unary {
    signature: Signature::new("erf", "the error function of x", FLOAT),
    lower: real!(60.0, |x| x.erf()),
    gradient: |cx| bell(cx, std::f64::consts::FRAC_2_SQRT_PI),
    domain: USUAL,
};

/// 1 less the error function. Gradient: the cotangent times -2/√π e^-x².
pub static ERFC: Unary = Unary {
    signature: Signature::new("erfc", "1 less the error function of x", FLOAT),
    lower: real!(60.0, |x| x.erfc()),
    gradient: |cx| bell(cx, -std::f64::consts::FRAC_2_SQRT_PI),
    domain: USUAL,
};

/// The cotangent times `height` e^-x².
fn bell<'c>(cx: &'c Derivation<'_>, height: f64) -> Expr<'c> {
    cx.chain(cx.operand(0).gaussian() * height)
}

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&ERF, &ERFC];

unary_methods! {
    /// The error function.
    erf ERF;
    /// 1 less the error function, accurate where that is small.
    erfc ERFC;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The error function, 2/√π ∫₀ˣ e^-t² dt: from -1 to 1.
    #[track_caller]
    pub fn erf(self) -> Tensor<'g, T> {
        self.map(|x| x.erf())
    }

    /// 1 less the error function, accurate where that is small: from 2 to 0.
    #[track_caller]
    pub fn erfc(self) -> Tensor<'g, T> {
        self.map(|x| x.erfc())
    }
}
