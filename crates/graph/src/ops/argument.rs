//! The place of the largest or smallest element along an axis.

use abeyance_ir::{
    AttributeSet, DType, DTypes, Differentiability, Dim, Domain, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, Sample, Signature, Split, Splitting, Type, resolve_axis,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::reduce::ArgReduction;
use abeyance_kernels::rows_chunk;

use super::{traffic, with_type};
use crate::{Expr, Number, Tensor};

/// An operator that gives the place along an axis of the element that wins.
pub struct Argument {
    signature: Signature,
    largest: bool,
}

impl Operator for Argument {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ArgumentAttributes { axis } = cx.attributes();
        let mut shape = cx.shape(0);
        let axis = cx.axis(axis, shape.len())?;
        if shape[axis] == Dim::Known(0) {
            return Err(Fault::new(format!(
                "dimension {axis} of {} has no elements, so none is the {}",
                cx.display(&shape),
                if self.largest { "largest" } else { "smallest" },
            )));
        }
        shape.remove(axis);
        cx.tensor(DType::I64, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let ArgumentAttributes { axis } = cx.attributes();
        let dims = cx.operands[0].dims;
        let axis = resolve_axis(axis, dims.len())?;
        let plan = ArgReduction::new(dims, axis);
        let cost = Cost { flops: cx.operands[0].len() as f64, bytes: traffic(cx) };
        let largest = self.largest;
        let kernel = with_type!(cx.operands[0].dtype, T => {
                    let each = dims[axis].saturating_mul(size_of::<T>()).saturating_add(size_of::<i64>());
                    let chunk = rows_chunk(cx.result.len(), 1, each) * size_of::<i64>();
                    Kernel::single(1, chunk, cost, move |call| {
                        let (x, start) = (call.input::<T>(0), call.start::<i64>());
                        if largest {
        plan.argmax(x, call.output(), start)
        } else {
        plan.argmin(x, call.output(), start)
        }
                    })
                });
        Ok(kernel.into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let ArgumentAttributes { axis } = cx.attributes();
        let along = resolve_axis(axis, cx.rank(0)).ok();
        match (cx.axis(0), along) {
            (Some(axis), Some(along)) if axis != along => {
                cx.along(axis - usize::from(along < axis))
            }
            _ => Split::Mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], i64); 7] = [
            (&[1], 0),
            (&[5], -1),
            (&[2, 3], 1),
            (&[2, 3], 0),
            (&[3, 4, 2], 1),
            (&[0, 3], 1),
            (&[40, 3], -1),
        ];
        cases
            .into_iter()
            .map(|(dims, axis)| {
                let values = Domain::Values(&[0.5, 2.0, -1.0, 2.0, 0.0]);
                Sample::new(ArgumentAttributes { axis }).float(dims, values)
            })
            .collect()
    }
}

const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::NUMBER)];

abeyance_ir::attributes! {
    /// Along what the place is looked for.
    pub struct ArgumentAttributes {
        /// Axis along which places count, gone in the result; a negative one counts from the end.
        axis: i64,
    }
}

const fn signature(name: &'static str, summary: &'static str) -> Signature {
    Signature::new(name, summary, OPERANDS)
        .attributes(ArgumentAttributes::SPECS)
        .differentiability(Differentiability::None("gives positions"))
}

/// The place of the largest element, the first of equal ones, and of the first NaN if there is one.
pub static ARGMAX: Argument = Argument {
    signature: signature("argmax", "the place of the largest element along an axis"),
    largest: true,
};

/// The place of the smallest element, the first of equal ones, and of the first NaN if there is
/// one.
pub static ARGMIN: Argument = Argument {
    signature: signature("argmin", "the place of the smallest element along an axis"),
    largest: false,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&ARGMAX, &ARGMIN];

impl<'g> Expr<'g> {
    /// The place of the largest element along an axis.
    pub fn argmax(self, axis: i64) -> Self {
        self.apply(&ARGMAX, ArgumentAttributes { axis })
    }

    /// The place of the smallest element along an axis.
    pub fn argmin(self, axis: i64) -> Self {
        self.apply(&ARGMIN, ArgumentAttributes { axis })
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The place of the largest element along an axis, counted from 0; the axis is gone from the
    /// shape. Of equal ones it is the first, and if there is a NaN, the first NaN. An axis without
    /// elements is an error.
    #[track_caller]
    pub fn argmax(self, axis: i64) -> Tensor<'g, i64> {
        self.map(|x| x.argmax(axis))
    }

    /// The place of the smallest element along an axis, otherwise as [`Tensor::argmax`].
    #[track_caller]
    pub fn argmin(self, axis: i64) -> Tensor<'g, i64> {
        self.map(|x| x.argmin(axis))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn the_axis_is_gone() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3, 4]);
        assert_eq!(x.argmax(-1).to_string(), "argmax : i64[N, 3]");
        assert_eq!(x.argmin(0).to_string(), "argmin : i64[3, 4]");
        g.check().unwrap();
    }

    #[test]
    fn nothing_has_no_largest() {
        let g = Graph::new();
        g.zeros::<f32>(dims![2, 0]).argmax(1);
        let message = g.check().unwrap_err().to_string();
        assert!(message.contains("dimension 1 of [2, 0] has no elements, so none is the largest"));
    }
}
