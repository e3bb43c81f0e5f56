//! `transpose`: the dimensions in another order.

use abeyance_ir::{
    AttributeSet, Cotangents, Derivation, Fault, Inference, Lowered, Lowering, Operator, Sample,
    Signature, Split, Splitting, Type, attributes, resolve_axis,
};
use abeyance_kernels::layout::Transpose as TransposeLoops;
use smallvec::SmallVec;

use super::{ANY, USUAL, integers, movement};
use crate::ops::reduce::resolve_axes;
use crate::ops::with_moved;
use crate::{Element, Expr, Rule, Tensor};

attributes! {
    /// The order of a [`Transpose`].
    pub struct TransposeAttributes {
        /// Operand's axis that each axis of the result is; negative ones count from the end.
        order: Integers,
    }
}

/// Dimensions in another order.
pub struct Transpose;

impl Operator for Transpose {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("transpose", "the dimensions in another order", ANY)
                .attributes(TransposeAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, shape.len())?;
        cx.tensor(cx.dtype(0), order.iter().map(|&axis| shape[axis]).collect())
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let rank = cx.operand(0).rank();
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, rank)?;
        let mut back = vec![0; rank];
        for (place, &axis) in order.iter().enumerate() {
            back[axis] = place;
        }
        Ok(cx.only(cx.cotangent().transpose_to(&back)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, dims.len())?;
        let plan = TransposeLoops::new(dims, &order);
        if plan.is_identity() {
            return Ok(Lowered::Alias(0));
        }
        Ok(with_moved!(cx.result.dtype, T => movement::<T>(cx, move |x, out, start| plan.run(x, out, start))).into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, cx.rank(0));
        let axis = cx.axis(0).zip(order.ok());
        cx.along_if(axis.and_then(|(axis, order)| order.iter().position(|&from| from == axis)))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[]),
            (&[3], &[0]),
            (&[2, 3], &[1, 0]),
            (&[2, 3, 5], &[2, 0, 1]),
            (&[0, 3], &[1, 0]),
            (&[1, 4, 1, 2], &[3, 2, 1, 0]),
        ];
        cases
            .into_iter()
            .map(|(dims, order)| {
                Sample::new(TransposeAttributes { order: integers(order) }).float(dims, USUAL)
            })
            .collect()
    }
}

fn permutation(order: &[i64], rank: usize) -> Result<SmallVec<[usize; 4]>, Fault> {
    if order.len() != rank {
        return Err(Fault::new(format!(
            "an order of {} axes for a tensor of {rank} dimensions",
            order.len()
        )));
    }
    resolve_axes(order, rank)?;
    order.iter().map(|&axis| resolve_axis(axis, rank)).collect()
}

impl<'g> Expr<'g> {
    /// The dimensions in another order: dimension `i` of the result is dimension `order[i]`.
    pub fn transpose_by(self, order: &[i64]) -> Self {
        self.apply(&Transpose, TransposeAttributes { order: order.into() })
    }

    /// The dimensions in another order, or the expression itself if that changes nothing.
    pub fn transpose_to(self, order: &[usize]) -> Self {
        if order.iter().enumerate().all(|(place, &axis)| place == axis) {
            return self;
        }
        self.apply(&Transpose, TransposeAttributes { order: integers(order) })
    }

    /// The expression with one axis moved behind the others, itself if it is the last.
    pub(crate) fn move_last(self, axis: usize) -> Self {
        let rank = self.rank();
        if axis >= rank {
            return self; // Wrong already, and reported.
        }
        let order: Vec<usize> = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
        self.transpose_to(&order)
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The dimensions in reverse order: for a matrix, its transpose.
    #[track_caller]
    pub fn transpose(self) -> Tensor<'g, T> {
        let _call = self.graph().call("transpose");
        let order: Vec<i64> = (0..self.shape().len() as i64).rev().collect();
        self.transpose_by(&order)
    }

    /// The dimensions in another order: dimension `i` of the result is dimension `order[i]`.
    #[track_caller]
    pub fn transpose_by(self, order: &[i64]) -> Tensor<'g, T> {
        let _call = self.graph().call("transpose_by");
        self.map(|x| x.transpose_by(order))
    }
}
