//! Conversion between element types.

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Domain, Fault, Fusibility, Inference,
    Lowered, Lowering, OperandSpec, Operator, Sample, Signature, Type,
};
use abeyance_kernels::elementwise;
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};

use super::{traffic, with_type};
use crate::{Element, Expr, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Cast];

abeyance_ir::attributes! {
    /// To what elements are converted.
    pub struct CastAttributes {
        /// Element type of the result.
        dtype: DType,
    }
}

/// `x` as another element type. Gradient: between floats the cotangent, cast back; else there is
/// none.
pub struct Cast;

impl Operator for Cast {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
        const {
            &Signature::new("cast", "x as another element type", OPERANDS)
                .attributes(CastAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let CastAttributes { dtype } = cx.attributes();
        cx.tensor(dtype, cx.shape(0))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let CastAttributes { dtype: to } = cx.attributes();
        let from = cx.operand(0).dtype().filter(|from| from.is_float() && to.is_float());
        Ok(cx.each_wanted(|_| from.map(|from| cx.cotangent().cast(from))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (from, to) = (cx.operands[0].dtype, cx.result.dtype);
        if from == to || (from, to) == (DType::Bool, DType::U8) {
            return Ok(Lowered::Alias(0));
        }
        let len = cx.result.len();
        let cost = Cost { flops: len as f64, bytes: traffic(cx) };
        let chunk = elementwise_chunk(len, from.size() + to.size()) * to.size();
        let kernel = with_type!(from, T => match to {
            DType::Bool => Kernel::single(1, chunk, cost, |call| {
                let start = call.start::<u8>();
                elementwise::cast_to_bool(call.input::<T>(0), call.output(), start);
                Ok(())
            }),
            _ => with_type!(to, U => Kernel::single(1, chunk, cost, |call| {
                let start = call.start::<U>();
                elementwise::cast(call.input::<T>(0), call.output::<U>(), start);
                Ok(())
            })),
        });
        Ok(kernel.into())
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        let to = |dtype| Sample::new(CastAttributes { dtype });
        // Differences cannot be taken through f32, so the gradient is checked where the type stays.
        let shapes: [&[usize]; 5] = [&[], &[3], &[2, 5], &[1, 7, 1], &[0, 3]];
        let mut samples: Vec<Sample> = shapes
            .into_iter()
            .map(|dims| to(DType::F64).float(dims, Domain::Between(-2.0, 2.0)))
            .collect();
        let values = Domain::Values(&[0.0, 1.0, 2.75, 100.0]);
        for from in DType::ALL.into_iter().filter(|&from| from != DType::F64) {
            for dtype in DType::ALL {
                samples.push(to(dtype).operand(from, &[5], values.clone()));
            }
        }
        samples
    }
}

impl<'g> Expr<'g> {
    /// The elements in another type, rounded or truncated as `as` does.
    pub fn cast(self, dtype: DType) -> Self {
        self.apply(&Cast, CastAttributes { dtype })
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The tensor as another element type. Floats become integers by truncation, within the bounds
    /// of the type, and NaN becomes 0; integers wrap into smaller ones; `bool` counts as 0 and 1,
    /// and everything but 0 is true. There is a gradient between floats only.
    #[track_caller]
    pub fn cast<U: Element>(self) -> Tensor<'g, U> {
        self.map(|x| x.cast(U::DTYPE))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn the_shape_stays() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        assert_eq!(x.cast::<i64>().to_string(), "cast : i64[N, 3]");
        assert_eq!(x.less(0.0).cast::<f64>().to_string(), "cast_1 : f64[N, 3]");
        g.check().unwrap();
    }
}
