//! Arithmetic of two tensors that broadcast: `add`, `mul`, `maximum` and their kind.

use abeyance_ir::{
    Cotangents, DTypes, Derivation, Differentiability, Domain, Fault, Fusibility, Inference,
    Lowered, Lowering, OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};
use abeyance_kernels::broadcast::Broadcast;
use abeyance_kernels::element::{Element as Stored, Number as StoredNumber};
use abeyance_kernels::launch::{Cost, Failure, Kernel};
use abeyance_kernels::{elementwise, elementwise_chunk};

use super::with_type;
use crate::{Expr, Number, Operand, Rule, Tensor};

/// An operator on two operands that broadcast.
pub struct Binary {
    pub(super) signature: Signature,
    /// True if it has a result for any two integers; every one has for any two floats.
    pub(super) total: bool,
    pub(super) lower: fn(&Lowering<'_>) -> Result<Lowered, Fault>,
    /// The cotangent of an operand, before it is summed over the dimensions in which that was
    /// stretched.
    pub(super) gradient: for<'c> fn(&'c Derivation<'_>, usize) -> Expr<'c>,
    pub(super) domains: [Domain; 2],
}

impl Operator for Binary {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.broadcast(&cx.shape(0), &cx.shape(1))?;
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.each_wanted(|index| (self.gradient)(cx, index).unbroadcast(cx.operand(index))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        (self.lower)(cx)
    }

    fn fusibility(&self, cx: &Lowering<'_>) -> Fusibility {
        if self.total || cx.result.dtype.is_float() {
            Fusibility::Elementwise
        } else {
            Fusibility::Opaque
        }
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.pointwise()
    }

    fn samples(&self) -> Vec<Sample> {
        broadcasts(&self.domains[0], &self.domains[1])
    }
}

/// One sample for each way in which two shapes can meet.
pub(crate) fn broadcasts(x: &Domain, y: &Domain) -> Vec<Sample> {
    let shapes: [(&[usize], &[usize]); 9] = [
        (&[], &[]),
        (&[3], &[3]),
        (&[2, 3], &[3]),
        (&[3], &[2, 3]),
        (&[2, 3], &[]),
        (&[2, 1], &[1, 3]),
        (&[2, 1, 3], &[5, 1]),
        (&[0, 3], &[3]),
        (&[1], &[0]),
    ];
    shapes
        .into_iter()
        .map(|(a, b)| Sample::default().float(a, x.clone()).float(b, y.clone()))
        .collect()
}

/// The loop over a row of two operands; `flops` is the arithmetic of one element of the result.
pub(crate) fn zip<T: Stored, S: Stored, U: Stored>(
    cx: &Lowering<'_>,
    flops: f64,
    function: impl Fn(T, S) -> U + Send + Sync + 'static,
) -> Kernel {
    let scalars = scalars(cx);
    kernel::<T, S, U>(cx, flops, move |x, y, out, start| {
        elementwise::zip(
            x,
            y,
            out,
            start,
            scalars,
            #[inline(always)]
            |x, y| function(x, y),
        );
        Ok(())
    })
}

/// As [`zip`], compiled once and not for each instruction set: for functions without vectors.
pub(crate) fn zip_once<T: Stored, S: Stored, U: Stored>(
    cx: &Lowering<'_>,
    flops: f64,
    function: impl Fn(T, S) -> U + Send + Sync + 'static,
) -> Kernel {
    let scalars = scalars(cx);
    kernel::<T, S, U>(cx, flops, move |x, y, out, start| {
        elementwise::zip_once(x, y, out, start, scalars, &function);
        Ok(())
    })
}

/// A loop over two operands of numbers that has a result for any two floats, and fails with a
/// message where there is none for two integers. Integers broadcast, as the operator is opaque.
pub(crate) fn zip_or_fail<T: StoredNumber>(
    cx: &Lowering<'_>,
    flops: f64,
    message: &'static str,
    function: impl Fn(T, T) -> Option<T> + Send + Sync + 'static,
) -> Kernel {
    if T::IS_FLOAT {
        return zip_once(cx, flops, move |x, y| function(x, y).unwrap_or(T::ZERO));
    }
    let plan = Broadcast::new(cx.result.dims, [cx.operands[0].dims, cx.operands[1].dims]);
    kernel::<T, T, T>(cx, flops, move |x, y, out, start| {
        elementwise::try_binary(&plan, x, y, out, start, &function)
            .map_err(|at| Failure(format!("{message}, at element {at} of the result")))
    })
}

/// True for each operand that is one element for all of the result.
pub(crate) fn scalars<const N: usize>(cx: &Lowering<'_>) -> [bool; N] {
    let len = cx.result.len();
    std::array::from_fn(|index| cx.operands[index].len() == 1 && len != 1)
}

fn kernel<T: Stored, S: Stored, U: Stored>(
    cx: &Lowering<'_>,
    flops: f64,
    run: impl Fn(&[T], &[S], &mut [U], usize) -> Result<(), Failure> + Send + Sync + 'static,
) -> Kernel {
    let len = cx.result.len();
    let cost = Cost {
        flops: flops * len as f64,
        bytes: (cx.result.bytes() + cx.operands[0].bytes() + cx.operands[1].bytes()) as f64,
    };
    let bytes = size_of::<T>() + size_of::<S>() + size_of::<U>();
    let chunk = elementwise_chunk(len, bytes) * size_of::<U>();
    Kernel::single(2, chunk, cost, move |call| {
        let (x, y, start) = (call.input::<T>(0), call.input::<S>(1), call.start::<U>());
        run(x, y, call.output::<U>(), start)
    })
}

/// A loop for each number type.
macro_rules! number {
    ($flops:expr, |$x:ident, $y:ident| $body:expr) => {
        |cx| {
            with_type!(cx.result.dtype, T => {
                Ok(zip::<T, T, T>(cx, $flops, #[inline(always)] |$x, $y| $body).into())
            })
        }
    };
}

pub(super) const NUMBER: &[OperandSpec] =
    &[OperandSpec::new("x", DTypes::NUMBER), OperandSpec::new("y", DTypes::NUMBER)];
pub(super) const FLOAT: &[OperandSpec] =
    &[OperandSpec::new("x", DTypes::FLOAT), OperandSpec::new("y", DTypes::FLOAT)];
/// The failure of a division of integers.
pub(super) const BY_ZERO: &str = "division of an integer by zero";
const USUAL: Domain = Domain::Between(-2.0, 2.0);
const POSITIVE: Domain = Domain::Between(0.5, 2.5);

/// `x + y`; integers wrap. Gradient: the cotangent for both.
pub static ADD: Binary = Binary {
    signature: Signature::new("add", "x + y", NUMBER),
    total: true,
    lower: number!(1.0, |x, y| StoredNumber::wrapping_add(x, y)),
    gradient: |cx, _| cx.cotangent(),
    domains: [USUAL, USUAL],
};

/// `x - y`; integers wrap. Gradient: the cotangent, and the negative of it.
pub static SUB: Binary = Binary {
    signature: Signature::new("sub", "x - y", NUMBER),
    total: true,
    lower: number!(1.0, |x, y| StoredNumber::wrapping_sub(x, y)),
    gradient: |cx, index| if index == 0 { cx.cotangent() } else { -cx.cotangent() },
    domains: [USUAL, USUAL],
};

/// `x * y`; integers wrap. Gradient: the cotangent times the other.
pub static MUL: Binary = Binary {
    signature: Signature::new("mul", "x times y", NUMBER),
    total: true,
    lower: number!(1.0, |x, y| StoredNumber::wrapping_mul(x, y)),
    gradient: |cx, index| cx.chain(cx.operand(1 - index)),
    domains: [USUAL, USUAL],
};

/// `x * y`, and 0 where `y` is 0 even if `x` is infinite or NaN: TensorFlow's `multiply_no_nan`.
/// What gradients are multiplied with where a `select` may have put zeros into them, and slopes
/// with factors that say of a 0 that there is none.
pub static MUL_NO_NAN: Binary = Binary {
    signature: Signature::new(
        "mul_no_nan",
        "x times y, and 0 where y is 0 even if x is infinite or NaN",
        FLOAT,
    )
    .zeroing_gradient(),
    total: true,
    lower: number!(1.0, |x, y| if y == T::ZERO { T::ZERO } else { x * y }),
    gradient: |cx, index| {
        let (other, cotangent) = (cx.operand(1 - index), cx.cotangent());
        if index == 0 { cotangent.mul_no_nan(other) } else { other.mul_no_nan(cotangent) }
    },
    domains: [USUAL, USUAL],
};

/// `x / y`; integers truncate, and fail where `y` is 0. Gradient: the cotangent over `y`, and the
/// cotangent times -(x / y) / y.
pub static DIV: Binary = Binary {
    signature: Signature::new("div", "x / y", NUMBER),
    total: false,
    lower: |cx| {
        with_type!(cx.result.dtype, T => Ok(if T::IS_FLOAT {
            zip::<T, T, T>(cx, 4.0, #[inline(always)] |x, y| x.quotient(y).unwrap_or(T::ZERO))
        } else {
            zip_or_fail::<T>(cx, 4.0, BY_ZERO, T::quotient)
        }.into()))
    },
    gradient: |cx, index| {
        let (x, y) = (cx.operand(0), cx.operand(1));
        // Of the operands, even where something else is fed in place of the result; else the two
        // quotients are one.
        if index == 0 { cx.chain_over(y) } else { cx.chain(-(x / y / y)) }
    },
    domains: [USUAL, POSITIVE],
};

/// `x` to the power of `y`. Integers wrap and fail on a negative exponent. Gradient: the cotangent
/// times y·xʸ⁻¹, which is 0 where y is 0 whatever x is, and times xʸ·ln x where x > 0, else 0
/// (TensorFlow's rule).
pub static POW: Binary = Binary {
    signature: Signature::new("pow", "x to the power of y", NUMBER),
    total: false,
    lower: |cx| {
        let message = "an integer to the power of a negative exponent";
        with_type!(cx.result.dtype, T => Ok(zip_or_fail::<T>(cx, 40.0, message, T::power).into()))
    },
    gradient: |cx, index| {
        let (x, y) = (cx.operand(0), cx.operand(1));
        cx.chain(if index == 0 {
            // 0·0⁻¹ would be NaN, and so would be every derivative of a power by a higher order
            // than the exponent.
            x.pow(y - 1.0).mul_no_nan(y)
        } else {
            // Where x is infinite and the result 0, it stays 0.
            x.greater(0.0).select(x, 1.0).log().mul_no_nan(cx.result())
        })
    },
    domains: [POSITIVE, USUAL],
};

/// The larger one; NaN if either is. Gradient: the cotangent for the larger, for `x` at a tie, for
/// both at a NaN.
pub static MAXIMUM: Binary = Binary {
    signature: Signature::new("maximum", "the larger of x and y", NUMBER)
        .differentiability(Differentiability::Piecewise)
        .zeroing_gradient(),
    total: true,
    lower: number!(1.0, |x, y| x.greatest(y)),
    gradient: |cx, index| {
        let (x, y) = (cx.operand(0), cx.operand(1));
        unless(cx, if index == 0 { x.less(y) } else { x.greater_equal(y) })
    },
    domains: [Domain::Distinct, Domain::Distinct],
};

/// The smaller one; NaN if either is. Gradient: the cotangent for the smaller, for `x` at a tie,
/// for both at a NaN.
pub static MINIMUM: Binary = Binary {
    signature: Signature::new("minimum", "the smaller of x and y", NUMBER)
        .differentiability(Differentiability::Piecewise)
        .zeroing_gradient(),
    total: true,
    lower: number!(1.0, |x, y| x.least(y)),
    gradient: |cx, index| {
        let (x, y) = (cx.operand(0), cx.operand(1));
        unless(cx, if index == 0 { x.greater(y) } else { x.less_equal(y) })
    },
    domains: [Domain::Distinct, Domain::Distinct],
};

/// 0 where the operand is not the one that was taken, else the cotangent: also where one is NaN, so
/// that NaN reaches the gradient as it reached the result.
fn unless<'c>(cx: &'c Derivation<'_>, other_was_taken: Expr<'c>) -> Expr<'c> {
    other_was_taken.select(0.0, cx.cotangent())
}

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&ADD, &SUB, &MUL, &MUL_NO_NAN, &DIV, &POW, &MAXIMUM, &MINIMUM];

/// Methods of [`Expr`] that append an operator of two operands and no attributes.
macro_rules! binary_methods {
    ($($(#[$doc:meta])* $method:ident $operator:ident;)*) => {
        impl<'g> $crate::Expr<'g> {$(
            $(#[$doc])*
            pub fn $method(self, other: impl $crate::ExprOperand<'g>) -> Self {
                self.apply_to(&$operator, &[self, other.expr(self)], ())
            }
        )*}
    };
}
pub(super) use binary_methods;

binary_methods! {
    /// This times the other, and 0 where the other is 0 even if this is infinite or NaN.
    mul_no_nan MUL_NO_NAN;
    /// This to the power of the other.
    pow POW;
    /// The larger of the two; NaN if either is.
    maximum MAXIMUM;
    /// The smaller of the two; NaN if either is.
    minimum MINIMUM;
}

impl<'g, T: Number> Tensor<'g, T> {
    /// (x - y)² of two tensors that broadcast, TensorFlow's `squared_difference`; integers wrap. A
    /// subtraction and a square, without an operator of its own.
    #[track_caller]
    pub fn squared_difference(self, other: impl Operand<'g, T>) -> Tensor<'g, T> {
        let _call = self.graph().call("squared_difference");
        self.graph().within("squared_difference", || self.zip::<T, T>(other, |x, y| x - y).square())
    }

    /// `self` to the power of `exponent`, which broadcast. Integers wrap; a negative exponent of
    /// integers fails at run time.
    #[track_caller]
    pub fn pow(self, exponent: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(exponent, |x, y| x.pow(y))
    }

    /// The larger of the two, which broadcast; NaN if either is.
    #[track_caller]
    pub fn maximum(self, other: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(other, |x, y| x.maximum(y))
    }

    /// The smaller of the two, which broadcast; NaN if either is.
    #[track_caller]
    pub fn minimum(self, other: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(other, |x, y| x.minimum(y))
    }
}
