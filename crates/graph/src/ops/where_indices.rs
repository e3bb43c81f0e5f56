//! Where a condition holds: `where_indices`.

use abeyance_ir::{
    DType, DTypes, Differentiability, Dim, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Shape, Signature, Type,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout;

use super::traffic;
use super::unary::unary_methods;
use crate::Tensor;

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&WhereIndices];

/// The coordinates of the elements that are true, in row-major order, as rows of `[size, rank]`;
/// what is left are rows of -1.
pub struct WhereIndices;

impl Operator for WhereIndices {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("condition", DTypes::BOOL)];
        const {
            &Signature::new(
                "where_indices",
                "the coordinates of the elements that are true, then -1",
                OPERANDS,
            )
            .differentiability(Differentiability::None("gives positions"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        let mut size = Some(Dim::Known(1));
        for &dim in &shape {
            size = match (size, dim) {
                (Some(Dim::Known(1)), dim) | (Some(dim), Dim::Known(1)) => Some(dim),
                (Some(Dim::Known(a)), Dim::Known(b)) => Some(Dim::Known(
                    a.checked_mul(b)
                        .ok_or_else(|| Fault::new("the coordinates are larger than any memory"))?,
                )),
                _ => None,
            };
        }
        let size = size.unwrap_or_else(|| cx.derived());
        cx.tensor(DType::I64, Shape::from_slice(&[size, Dim::Known(shape.len())]))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = abeyance_ir::Dims::from(cx.operands[0].dims);
        let cost = Cost { flops: cx.result.len() as f64 * 4.0, bytes: traffic(cx) };
        // Where a row goes depends on all before it: one part.
        Ok(Kernel::single(1, cx.result.bytes(), cost, move |call| {
            layout::where_indices(call.input(0), &dims, call.output());
            Ok(())
        })
        .into())
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [&[usize]; 5] = [&[], &[5], &[2, 3], &[0, 3], &[3, 2, 2]];
        cases
            .into_iter()
            .map(|dims| {
                let values = Domain::Values(&[1.0, 0.0, 0.0, 1.0, 1.0]);
                Sample::default().operand(DType::Bool, dims, values)
            })
            .collect()
    }
}

unary_methods! {
    /// The coordinates of the elements that are true, then rows of -1.
    where_indices WhereIndices;
}

impl<'g> Tensor<'g, bool> {
    /// The coordinates of the elements that are true, in row-major order: rows of `[size, rank]`,
    /// of which those left over are -1.
    ///
    /// TensorFlow's `tf.where(condition)` gives just the rows of true elements. Here the shape of
    /// every value is known before the graph runs, so there are as many rows as elements; how many
    /// of them count is `condition.cast::<i64>().reduce_sum(..)`, and `strided_slice` takes the
    /// first few where a bound is known. TensorFlow's `tf.where(condition, x, y)` is
    /// [`Tensor::select`].
    #[track_caller]
    pub fn where_indices(self) -> Tensor<'g, i64> {
        self.map(|x| x.where_indices())
    }
}
