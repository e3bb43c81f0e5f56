//! Functions of one element: `exp`, `relu` and their kind.

use abeyance_ir::{
    Cotangents, DTypes, Derivation, Differentiability, Domain, Fault, Fusibility, Inference,
    Lowered, Lowering, OperandSpec, Operator, Sample, Signature, Type,
};
use abeyance_kernels::element::{Element as Stored, Number as StoredNumber};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::{elementwise, elementwise_chunk};

use super::with_type;
use crate::{Element, Expr, Float, Number, Rule, Signed, Tensor};

/// An operator that gives each element a function of it.
pub struct Unary {
    pub(super) signature: Signature,
    pub(super) lower: fn(&Lowering<'_>) -> Result<Lowered, Fault>,
    /// The vector-Jacobian product: the operand's cotangent.
    pub(super) gradient: for<'c> fn(&'c Derivation<'_>) -> Expr<'c>,
    pub(super) domain: Domain,
}

impl Operator for Unary {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only((self.gradient)(cx)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        (self.lower)(cx)
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        shapes(self.domain.clone())
    }
}

/// One sample for each of a scalar, odd sizes, a matrix, a stretch longer than any register, and
/// nothing.
pub(crate) fn shapes(domain: Domain) -> Vec<Sample> {
    let shapes: [&[usize]; 6] = [&[], &[3], &[2, 5], &[1, 7, 1], &[37], &[0, 3]];
    shapes.into_iter().map(|dims| Sample::default().float(dims, domain.clone())).collect()
}

/// A loop over all elements; `flops` is the arithmetic of one.
pub(crate) fn map<T: Stored, U: Stored>(
    cx: &Lowering<'_>,
    flops: f64,
    function: impl Fn(T) -> U + Send + Sync + 'static,
) -> Kernel {
    let len = cx.result.len();
    let bytes = size_of::<T>() + size_of::<U>();
    let cost = Cost { flops: flops * len as f64, bytes: (len * bytes) as f64 };
    let chunk = elementwise_chunk(len, bytes) * size_of::<U>();
    Kernel::single(1, chunk, cost, move |call| {
        let (x, start) = (call.input::<T>(0), call.start::<U>());
        elementwise::map(
            x,
            call.output::<U>(),
            start,
            #[inline(always)]
            |x| function(x),
        );
        Ok(())
    })
}

/// As [`map`], compiled once and not for each instruction set: for functions without vectors.
pub(crate) fn map_once<T: Stored>(
    cx: &Lowering<'_>,
    flops: f64,
    function: fn(f64) -> f64,
) -> Kernel {
    let len = cx.result.len();
    let bytes = 2 * size_of::<T>();
    let cost = Cost { flops: flops * len as f64, bytes: (len * bytes) as f64 };
    let chunk = elementwise_chunk(len, bytes) * size_of::<T>();
    Kernel::single(1, chunk, cost, move |call| {
        let (x, start) = (call.input::<T>(0), call.start::<T>());
        let out = call.output::<T>();
        for (o, &x) in out.iter_mut().zip(&x[start..]) {
            *o = T::from_f64(function(x.cast::<f64>()));
        }
        Ok(())
    })
}

/// A loop for each float type. The body is that of a generic function: of a concrete `f32`,
/// `x.exp()` would be the platform's, not the one of [`Real`] that vectorises.
macro_rules! real {
    ($flops:expr, |$x:ident| $body:expr) => {
        |cx| {
            #[inline(always)]
            fn of<T: abeyance_kernels::element::Real>($x: T) -> T {
                $body
            }
            $crate::ops::with_float!(cx.result.dtype, T => {
                Ok($crate::ops::unary::map::<T, T>(cx, $flops, #[inline(always)] |x| of(x)).into())
            })
        }
    };
}
pub(super) use real;

/// A loop for each number type.
macro_rules! number {
    ($flops:expr, |$x:ident| $body:expr) => {
        |cx| {
            with_type!(cx.result.dtype, T => {
                Ok(map::<T, T>(cx, $flops, #[inline(always)] |$x| $body).into())
            })
        }
    };
}

const ANY: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
const NUMBER: &[OperandSpec] = &[OperandSpec::new("x", DTypes::NUMBER)];
const SIGNED: &[OperandSpec] = &[OperandSpec::new("x", DTypes::SIGNED)];
pub(super) const FLOAT: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];
pub(super) const USUAL: Domain = Domain::Between(-2.0, 2.0);
pub(super) const POSITIVE: Domain = Domain::Between(0.4, 3.0);

/// `x` itself. Gradient: the cotangent.
pub static IDENTITY: Unary = Unary {
    signature: Signature::new("identity", "x", ANY),
    lower: |_| Ok(Lowered::Alias(0)),
    gradient: |cx| cx.cotangent(),
    domain: USUAL,
};

/// `x` itself, for gradients a constant.
pub static STOP_GRADIENT: Unary = Unary {
    signature: Signature::new("stop_gradient", "x, taken for a constant by gradients", ANY)
        .differentiability(Differentiability::None("stops gradients on purpose")),
    lower: |_| Ok(Lowered::Alias(0)),
    gradient: |cx| cx.operand(0).fill_like(0.0),
    domain: USUAL,
};

/// `-x`.
pub static NEG: Unary = Unary {
    signature: Signature::new("neg", "-x", SIGNED),
    lower: number!(1.0, |x| x.wrapping_neg()),
    gradient: |cx| -cx.cotangent(),
    domain: USUAL,
};

/// `|x|`. Gradient: the cotangent times `sign(x)`, so 0 at 0.
pub static ABS: Unary = Unary {
    signature: Signature::new("abs", "|x|", SIGNED).differentiability(Differentiability::Piecewise),
    lower: number!(1.0, |x| x.absolute()),
    gradient: |cx| cx.chain(cx.operand(0).sign()),
    domain: Domain::AwayFromZero,
};

/// -1, 0 or 1. Gradient: 0.
pub static SIGN: Unary = Unary {
    signature: Signature::new("sign", "-1, 0 or 1 as x is negative, zero or positive", SIGNED)
        .differentiability(Differentiability::Piecewise),
    lower: number!(1.0, |x| x.sign()),
    gradient: |cx| cx.operand(0).fill_like(0.0),
    domain: Domain::AwayFromZero,
};

/// eˣ. Gradient: the cotangent times the result.
pub static EXP: Unary = Unary {
    signature: Signature::new("exp", "e to the power of x", FLOAT),
    lower: real!(20.0, |x| x.exp()),
    gradient: |cx| cx.chain(cx.result()),
    domain: USUAL,
};

/// eˣ - 1. Gradient: the cotangent times eˣ.
pub static EXPM1: Unary = Unary {
    signature: Signature::new("expm1", "e to the power of x, less 1", FLOAT),
    lower: real!(20.0, |x| x.exp_m1()),
    // Not from the result: that plus 1 has lost its digits where x is far below 0.
    gradient: |cx| cx.chain(cx.operand(0).exp()),
    domain: USUAL,
};

/// The natural logarithm. Gradient: the cotangent over `x`.
pub static LOG: Unary = Unary {
    signature: Signature::new("log", "the natural logarithm of x", FLOAT),
    lower: real!(20.0, |x| x.ln()),
    gradient: |cx| cx.chain_over(cx.operand(0)),
    domain: POSITIVE,
};

/// ln(1 + x). Gradient: the cotangent over 1 + x.
pub static LOG1P: Unary = Unary {
    signature: Signature::new("log1p", "the natural logarithm of 1 + x", FLOAT),
    lower: real!(20.0, |x| x.ln_1p()),
    gradient: |cx| cx.chain_over(cx.operand(0) + 1.0),
    domain: Domain::Between(-0.6, 2.0),
};

/// √x. Gradient: the cotangent over twice the result.
pub static SQRT: Unary = Unary {
    signature: Signature::new("sqrt", "the square root of x", FLOAT),
    lower: real!(4.0, |x| x.sqrt()),
    gradient: |cx| cx.chain_over(cx.result() + cx.result()),
    domain: POSITIVE,
};

/// 1/√x. Gradient: the cotangent times -y³/2.
pub static RSQRT: Unary = Unary {
    signature: Signature::new("rsqrt", "1 over the square root of x", FLOAT),
    lower: real!(5.0, |x| T::ONE / x.sqrt()),
    gradient: |cx| cx.chain(cx.result().square() * cx.result() * -0.5),
    domain: POSITIVE,
};

/// 1/x. Gradient: the cotangent times -y².
pub static RECIPROCAL: Unary = Unary {
    signature: Signature::new("reciprocal", "1 over x", FLOAT),
    lower: real!(4.0, |x| T::ONE / x),
    gradient: |cx| cx.chain(-cx.result().square()),
    domain: POSITIVE,
};

/// x². Gradient: the cotangent times 2x.
pub static SQUARE: Unary = Unary {
    signature: Signature::new("square", "x times x", NUMBER),
    lower: number!(1.0, |x| StoredNumber::wrapping_mul(x, x)),
    gradient: |cx| cx.chain(cx.operand(0) + cx.operand(0)),
    domain: USUAL,
};

/// The hyperbolic tangent. Gradient: the cotangent times 1 - tanh²x, from x:
/// [`TANH_SLOPE`](super::slope::TANH_SLOPE).
pub static TANH: Unary = Unary {
    signature: Signature::new("tanh", "the hyperbolic tangent of x", FLOAT),
    lower: real!(20.0, |x| x.tanh()),
    gradient: |cx| cx.chain(cx.operand(0).tanh_slope()),
    domain: USUAL,
};

/// 1 / (1 + e⁻ˣ). Gradient: the cotangent times sigmoid(x)·sigmoid(-x), from x:
/// [`SIGMOID_SLOPE`](super::slope::SIGMOID_SLOPE).
pub static SIGMOID: Unary = Unary {
    signature: Signature::new("sigmoid", "1 / (1 + exp(-x))", FLOAT),
    lower: real!(20.0, |x| x.sigmoid()),
    gradient: |cx| cx.chain(cx.operand(0).sigmoid_slope()),
    domain: USUAL,
};

/// max(x, 0); NaN stays NaN. Gradient: 0 where x ≤ 0 (so at 0), else the cotangent, also where x is
/// NaN.
pub static RELU: Unary = Unary {
    signature: Signature::new("relu", "x where it is positive, else 0", NUMBER)
        .differentiability(Differentiability::Piecewise)
        .zeroing_gradient(),
    lower: number!(1.0, |x| x.relu()),
    gradient: |cx| {
        let zero = cx.operand(0).number(0.0);
        cx.operand(0).less_equal(zero).select(zero, cx.cotangent())
    },
    domain: Domain::AwayFromZero,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[
    &IDENTITY,
    &STOP_GRADIENT,
    &NEG,
    &ABS,
    &SIGN,
    &EXP,
    &EXPM1,
    &LOG,
    &LOG1P,
    &SQRT,
    &RSQRT,
    &RECIPROCAL,
    &SQUARE,
    &TANH,
    &SIGMOID,
    &RELU,
];

/// Methods of [`Expr`] that append an operator of one operand and no attributes.
macro_rules! unary_methods {
    ($($(#[$doc:meta])* $method:ident $operator:ident;)*) => {
        impl<'g> $crate::Expr<'g> {$(
            $(#[$doc])*
            pub fn $method(self) -> Self {
                self.apply(&$operator, ())
            }
        )*}
    };
}
pub(super) use unary_methods;

unary_methods! {
    /// The expression itself, as a node of its own.
    identity IDENTITY;
    /// The expression itself, which gradients take for a constant.
    stop_gradient STOP_GRADIENT;
    /// |x|.
    abs ABS;
    /// -1, 0 or 1.
    sign SIGN;
    /// eˣ.
    exp EXP;
    /// eˣ - 1, accurate near 0.
    expm1 EXPM1;
    /// The natural logarithm.
    log LOG;
    /// ln(1 + x), accurate near 0.
    log1p LOG1P;
    /// √x.
    sqrt SQRT;
    /// 1/√x.
    rsqrt RSQRT;
    /// 1/x.
    reciprocal RECIPROCAL;
    /// x².
    square SQUARE;
    /// The hyperbolic tangent.
    tanh TANH;
    /// 1 / (1 + e⁻ˣ).
    sigmoid SIGMOID;
    /// max(x, 0).
    relu RELU;
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The tensor itself, as a node of its own.
    #[track_caller]
    pub fn identity(self) -> Tensor<'g, T> {
        self.map(|x| x.identity())
    }

    /// The tensor itself, which gradients take for a constant.
    #[track_caller]
    pub fn stop_gradient(self) -> Tensor<'g, T> {
        self.map(|x| x.stop_gradient())
    }
}

impl<'g, T: Signed> Tensor<'g, T> {
    /// |x|; integers wrap. Its derivative at 0 is taken to be 0.
    #[track_caller]
    pub fn abs(self) -> Tensor<'g, T> {
        self.map(|x| x.abs())
    }

    /// -1, 0 or 1; NaN stays NaN.
    #[track_caller]
    pub fn sign(self) -> Tensor<'g, T> {
        self.map(|x| x.sign())
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// x²; integers wrap.
    #[track_caller]
    pub fn square(self) -> Tensor<'g, T> {
        self.map(|x| x.square())
    }

    /// max(x, 0); NaN stays NaN. Its derivative at 0 is taken to be 0.
    #[track_caller]
    pub fn relu(self) -> Tensor<'g, T> {
        self.map(|x| x.relu())
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// eˣ
    #[track_caller]
    pub fn exp(self) -> Tensor<'g, T> {
        self.map(|x| x.exp())
    }

    /// eˣ - 1, accurate near 0.
    #[track_caller]
    pub fn expm1(self) -> Tensor<'g, T> {
        self.map(|x| x.expm1())
    }

    /// The natural logarithm: -∞ at 0, NaN below.
    #[track_caller]
    pub fn log(self) -> Tensor<'g, T> {
        self.map(|x| x.log())
    }

    /// ln(1 + x), accurate near 0: -∞ at -1, NaN below.
    #[track_caller]
    pub fn log1p(self) -> Tensor<'g, T> {
        self.map(|x| x.log1p())
    }

    /// √x, NaN below 0.
    #[track_caller]
    pub fn sqrt(self) -> Tensor<'g, T> {
        self.map(|x| x.sqrt())
    }

    /// 1/√x: ∞ at 0, NaN below.
    #[track_caller]
    pub fn rsqrt(self) -> Tensor<'g, T> {
        self.map(|x| x.rsqrt())
    }

    /// 1/x: ∞ at 0, -∞ at -0.
    #[track_caller]
    pub fn reciprocal(self) -> Tensor<'g, T> {
        self.map(|x| x.reciprocal())
    }

    /// The hyperbolic tangent.
    #[track_caller]
    pub fn tanh(self) -> Tensor<'g, T> {
        self.map(|x| x.tanh())
    }

    /// 1 / (1 + e⁻ˣ), without overflow on either side.
    #[track_caller]
    pub fn sigmoid(self) -> Tensor<'g, T> {
        self.map(|x| x.sigmoid())
    }
}
