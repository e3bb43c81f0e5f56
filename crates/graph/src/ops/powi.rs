//! Floats to the power of integers, every bit of which counts: `powi`.

use abeyance_ir::{
    Cotangents, DType, DTypes, Derivation, Domain, Fault, Fusibility, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Type,
};
use abeyance_kernels::element::{Element as Stored, Real};

use super::binary::{binary_methods, zip_once};
use super::with_float;
use crate::{Float, Index, Operand, Rule, Tensor};

/// `x` to the power of the integer `n`, which broadcast; 1 for n = 0, whatever x is. A cast of `n`
/// to the type of `x` would lose digits from 2²⁴ or 2⁵³ on, and with them the sign of (-1)ⁿ.
/// Gradient: for `x` the cotangent times n·xⁿ⁻¹, and 0 where n is 0.
pub struct Powi;

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Powi];

impl Operator for Powi {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] =
            &[OperandSpec::new("x", DTypes::FLOAT), OperandSpec::in_group("n", DTypes::INDEX, 1)];
        const { &Signature::new("powi", "x to the power of the integer n", OPERANDS) }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.broadcast(&cx.shape(0), &cx.shape(1))?;
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (x, n) = (cx.operand(0), cx.operand(1));
        Ok(cx.each_wanted(|index| {
            (index == 0).then(|| {
                // For n = 0 any power will do that is finite for every x, which 0⁻¹ is not: then
                // all derivatives are 0.
                let some = n.equal(0.0).select(1.0, n);
                let slope = x.powi(some - 1.0) * n.cast(x.dtype().unwrap_or(DType::F32));
                cx.chain(slope).unbroadcast(x)
            })
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let is_long = cx.operands.get(1).is_some_and(|n| n.dtype == DType::I64);
        with_float!(cx.result.dtype, T => {
            let of = |x: T, n: i64| <T as Stored>::from_f64(power(Real::to_f64(x), n));
            let kernel = if is_long {
                zip_once::<T, i64, T>(cx, 60.0, of)
            } else {
                zip_once::<T, i32, T>(cx, 60.0, move |x, n| of(x, n.into()))
            };
            Ok(kernel.into())
        })
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [(&[usize], &[usize]); 8] = [
            (&[], &[]),
            (&[3], &[3]),
            (&[2, 3], &[3]),
            (&[3], &[2, 3]),
            (&[2, 3], &[]),
            (&[2, 1], &[1, 3]),
            (&[0, 3], &[3]),
            (&[1], &[0]),
        ];
        let dtypes = [DType::I32, DType::I64].into_iter().cycle();
        let sample = |((x, n), dtype): ((&[usize], &[usize]), DType)| {
            let exponents = Domain::Values(&[3.0, -2.0, 0.0, 1.0, 2.0]);
            Sample::default().float(x, Domain::AwayFromZero).operand(dtype, n, exponents)
        };
        shapes.into_iter().zip(dtypes).map(sample).collect()
    }
}

fn power(x: f64, n: i64) -> f64 {
    // Rounded, a large exponent is still as large, but always even.
    let size = x.abs().powf(n as f64);
    if n & 1 == 1 { size.copysign(x) } else { size }
}

binary_methods! {
    /// This to the power of integers.
    powi Powi;
}

impl<'g, T: Float> Tensor<'g, T> {
    /// This to the power of integers, which broadcast: 1 for n = 0, whatever this is. Every bit of
    /// `n` counts, where [`Tensor::pow`] takes exponents of the type of its base: (-1)ⁿ has the
    /// right sign for any `n`. The gradient is n·xⁿ⁻¹, and 0 where n is 0.
    #[track_caller]
    pub fn powi<I: Index>(self, n: impl Operand<'g, I>) -> Tensor<'g, T> {
        self.zip(n, |x, n| x.powi(n))
    }
}
