//! The kinds of floats: `is_nan`, `is_inf`, `is_finite`.

use abeyance_ir::{
    DType, Differentiability, Domain, Fault, Fusibility, Inference, Lowered, Lowering, Operator,
    Sample, Signature, Type,
};
use abeyance_kernels::element::Number as _;

use super::unary::{FLOAT, map, shapes, unary_methods};
use super::with_float;
use crate::{Float, Tensor};

/// An operator that says of each float whether it is of a kind.
pub struct Classify {
    signature: Signature,
    lower: fn(&Lowering<'_>) -> Result<Lowered, Fault>,
}

impl Operator for Classify {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        cx.tensor(DType::Bool, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        (self.lower)(cx)
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        shapes(Domain::Values(&[0.5, f64::NAN, f64::INFINITY, 0.0, f64::NEG_INFINITY]))
    }
}

/// A loop for each float type.
macro_rules! lower {
    (|$x:ident| $body:expr) => {
        |cx| {
            with_float!(cx.operands[0].dtype, T => {
                Ok(map::<T, u8>(cx, 1.0, #[inline(always)] |$x| u8::from($body)).into())
            })
        }
    };
}

const fn signature(name: &'static str, summary: &'static str) -> Signature {
    Signature::new(name, summary, FLOAT)
        .differentiability(Differentiability::None("gives truth values"))
}

/// True if it is not a number.
pub static IS_NAN: Classify =
    Classify { signature: signature("is_nan", "whether x is NaN"), lower: lower!(|x| x.is_nan()) };

/// True if it is ∞ or -∞.
pub static IS_INF: Classify = Classify {
    signature: signature("is_inf", "whether x is infinite"),
    lower: lower!(|x| x.absolute() == T::INFINITY),
};

/// True if it is neither infinite nor NaN.
pub static IS_FINITE: Classify = Classify {
    signature: signature("is_finite", "whether x is neither infinite nor NaN"),
    lower: lower!(|x| x.is_finite()),
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&IS_NAN, &IS_INF, &IS_FINITE];

unary_methods! {
    /// True if elements are NaN.
    is_nan IS_NAN;
    /// True if elements are ∞ or -∞.
    is_inf IS_INF;
    /// True if elements are neither infinite nor NaN.
    is_finite IS_FINITE;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// True if elements are NaN.
    #[track_caller]
    pub fn is_nan(self) -> Tensor<'g, bool> {
        self.map(|x| x.is_nan())
    }

    /// True if elements are ∞ or -∞.
    #[track_caller]
    pub fn is_inf(self) -> Tensor<'g, bool> {
        self.map(|x| x.is_inf())
    }

    /// True if elements are neither infinite nor NaN.
    #[track_caller]
    pub fn is_finite(self) -> Tensor<'g, bool> {
        self.map(|x| x.is_finite())
    }
}
