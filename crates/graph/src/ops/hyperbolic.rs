//! Hyperbolic functions besides `tanh`, and their inverses: `sinh`, `cosh`, `asinh`, `acosh`,
//! `atanh`. Those of f32 go through f64, so that their results are rounded once; none overflows
//! before its result does.

use abeyance_ir::{DType, Domain, Operator, Signature};

use super::unary::{FLOAT, USUAL, Unary, unary_methods};
use super::with_float;
use crate::{Expr, Float, Rule, Tensor};

/// A loop over a function of f64, for each float type.
macro_rules! through_f64 {
    ($flops:expr, $function:expr) => {
        |cx| {
            with_float!(cx.result.dtype, T => {
                Ok($crate::ops::unary::map_once::<T>(cx, $flops, $function).into())
            })
        }
    };
}
pub(super) use through_f64;

/// (eˣ - e⁻ˣ) / 2. Gradient: the cotangent times cosh x.
pub static SINH: Unary = Unary {
    signature: Signature::new("sinh", "the hyperbolic sine of x", FLOAT),
    lower: through_f64!(60.0, f64::sinh),
    gradient: |cx| cx.chain(cx.operand(0).cosh()),
    domain: USUAL,
};

/// (eˣ + e⁻ˣ) / 2. Gradient: the cotangent times sinh x.
pub static COSH: Unary = Unary {
    signature: Signature::new("cosh", "the hyperbolic cosine of x", FLOAT),
    lower: through_f64!(60.0, f64::cosh),
    gradient: |cx| cx.chain(cx.operand(0).sinh()),
    domain: USUAL,
};

/// The inverse of sinh, ln(x + √(x² + 1)). Gradient: the cotangent over √(x² + 1).
pub static ASINH: Unary = Unary {
    signature: Signature::new("asinh", "the inverse of the hyperbolic sine", FLOAT),
    lower: through_f64!(80.0, asinh_of),
    gradient: |cx| {
        let (inverse, squares) = cx.operand(0).reduced_squares();
        cx.chain(inverse * squares.rsqrt())
    },
    domain: USUAL,
};

/// The inverse of cosh, ln(x + √(x² - 1)); NaN below 1. Gradient: the cotangent over √(x - 1) √(x +
/// 1).
pub static ACOSH: Unary = Unary {
    signature: Signature::new("acosh", "the inverse of the hyperbolic cosine", FLOAT),
    lower: through_f64!(80.0, acosh_of),
    gradient: |cx| {
        let x = cx.operand(0);
        cx.chain((x - 1.0).rsqrt() * (x + 1.0).rsqrt())
    },
    domain: Domain::Between(1.3, 3.0),
};

/// The inverse of tanh, ln((1 + x) / (1 - x)) / 2; ±∞ at ±1 and NaN beyond. Gradient: the cotangent
/// over (1 - x)(1 + x).
pub static ATANH: Unary = Unary {
    signature: Signature::new("atanh", "the inverse of the hyperbolic tangent", FLOAT),
    lower: through_f64!(80.0, atanh_of),
    gradient: |cx| cx.chain(cx.operand(0).one_less_square().reciprocal()),
    domain: Domain::Between(-0.8, 0.8),
};

impl<'g> Expr<'g> {
    /// (1 - x)(1 + x): 1 - x² with its digits where x is near ±1.
    pub(super) fn one_less_square(self) -> Self {
        (1.0 - self) * (1.0 + self)
    }

    /// q = 1 / a and (x q)² + q², for an a near the larger of |x| and 1: so √(x² + 1) is the root
    /// of the second over q, without an x² that overflows. What is made of them in that way does
    /// not depend on a, which gradients take for a constant.
    pub(super) fn reduced_squares(self) -> (Self, Self) {
        // Below the largest numbers, whose inverses are subnormal; what exceeds it by its square is
        // infinite.
        let largest = if self.dtype() == Some(DType::F64) { 1e290 } else { 1e30 };
        let size = self.abs().maximum(1.0).minimum(largest).stop_gradient();
        let inverse = size.reciprocal();
        (inverse, (self * inverse).square() + inverse.square())
    }
}

/// From here on 1 beside x², or x - 1 beside x, changes nothing.
const FAR: f64 = 1e10;

fn asinh_of(x: f64) -> f64 {
    let size = x.abs();
    let value = if size > FAR {
        size.ln() + std::f64::consts::LN_2
    } else {
        // x + √(x² + 1) - 1, whose last two terms are x² / (1 + √(x² + 1)).
        (size + size * size / (1.0 + size.hypot(1.0))).ln_1p()
    };
    value.copysign(x)
}

fn acosh_of(x: f64) -> f64 {
    if x > FAR {
        return x.ln() + std::f64::consts::LN_2;
    }
    let above = x - 1.0;
    if above < 0.0 { f64::NAN } else { (above + (above * (above + 2.0)).sqrt()).ln_1p() }
}

fn atanh_of(x: f64) -> f64 {
    let size = x.abs();
    (0.5 * (2.0 * size / (1.0 - size)).ln_1p()).copysign(x)
}

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SINH, &COSH, &ASINH, &ACOSH, &ATANH];

unary_methods! {
    /// The hyperbolic sine.
    sinh SINH;
    /// The hyperbolic cosine.
    cosh COSH;
    /// The inverse of the hyperbolic sine.
    asinh ASINH;
    /// The inverse of the hyperbolic cosine; NaN below 1.
    acosh ACOSH;
    /// The inverse of the hyperbolic tangent; ±∞ at ±1, NaN beyond.
    atanh ATANH;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// The hyperbolic sine, (eˣ - e⁻ˣ) / 2.
    #[track_caller]
    pub fn sinh(self) -> Tensor<'g, T> {
        self.map(|x| x.sinh())
    }

    /// The hyperbolic cosine, (eˣ + e⁻ˣ) / 2.
    #[track_caller]
    pub fn cosh(self) -> Tensor<'g, T> {
        self.map(|x| x.cosh())
    }

    /// The inverse of [`Tensor::sinh`], ln(x + √(x² + 1)).
    #[track_caller]
    pub fn asinh(self) -> Tensor<'g, T> {
        self.map(|x| x.asinh())
    }

    /// The inverse of [`Tensor::cosh`], ln(x + √(x² - 1)): 0 or more; NaN below 1. The gradient at
    /// 1 is infinite.
    #[track_caller]
    pub fn acosh(self) -> Tensor<'g, T> {
        self.map(|x| x.acosh())
    }

    /// The inverse of [`Tensor::tanh`]: ±∞ at ±1, NaN beyond.
    #[track_caller]
    pub fn atanh(self) -> Tensor<'g, T> {
        self.map(|x| x.atanh())
    }
}

#[cfg(test)]
mod tests {
    use super::{acosh_of, asinh_of, atanh_of};

    /// Within so many units of the last place of f64.
    #[track_caller]
    fn near(x: f64, y: f64) {
        assert!(x == y || (x - y).abs() <= 4.0 * f64::EPSILON * y.abs(), "{x:e} and not {y:e}");
    }

    #[test]
    fn inverses_have_their_digits_near_their_borders_and_far_out() {
        // Computed with 60 digits.
        near(asinh_of(1e-300), 1e-300);
        near(asinh_of(-1e-8), -1e-8);
        near(asinh_of(0.5), 0.481_211_825_059_603_5);
        near(asinh_of(1e300), 691.468_675_078_773_7);
        near(acosh_of(1.0), 0.0);
        near(acosh_of(1.0 + f64::EPSILON), 2.107_342_425_544_701_6e-8);
        near(acosh_of(2.0), 1.316_957_896_924_816_7);
        near(acosh_of(1e300), 691.468_675_078_773_7);
        near(atanh_of(1e-10), 1e-10);
        near(atanh_of(-0.5), -0.549_306_144_334_054_8);
        near(atanh_of(1.0), f64::INFINITY);
        assert!(acosh_of(0.99).is_nan() && acosh_of(-3.0).is_nan() && atanh_of(1.5).is_nan());
        assert!(asinh_of(-0.0).is_sign_negative() && atanh_of(-0.0).is_sign_negative());
    }
}
