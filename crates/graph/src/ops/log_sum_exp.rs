//! The logarithm of a sum of exponentials, built from a shift that keeps them from overflowing.

use abeyance_ir::{
    AttributeSet, DType, DTypes, Differentiability, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};
use abeyance_kernels::reduce::Operation;

use super::reduce::{self, ReduceAttributes, reduced_shape, resolve_axes};
use crate::{Axes, Expr, Float, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&FiniteMax];

/// The largest where that is finite, else 0: what [`Tensor::reduce_logsumexp`] subtracts and adds
/// again. It cancels out, so that gradients take it for a constant.
pub struct FiniteMax;

impl Operator for FiniteMax {
    fn signature(&self) -> &Signature {
        const OPERAND: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];
        const {
            &Signature::new(
                "reduce_finite_max",
                "the largest along some axes where that is finite, else 0",
                OPERAND,
            )
            .attributes(ReduceAttributes::SPECS)
            .differentiability(Differentiability::None("is a shift that cancels out"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ReduceAttributes { axes, keep_dims } = cx.attributes();
        let shape = cx.shape(0);
        let axes = resolve_axes(&axes, shape.len())?;
        let reduced = reduced_shape(&shape, &axes, keep_dims);
        cx.tensor(cx.dtype(0), reduced)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        reduce::lower(cx, Operation::FiniteMax)
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        reduce::split(cx, &cx.attributes())
    }

    fn samples(&self) -> Vec<Sample> {
        let values = Domain::Values(&[0.5, f64::INFINITY, -1.0, 2.0, f64::NEG_INFINITY]);
        reduce::samples(DType::F64, &values)
    }
}

impl<'g> Expr<'g> {
    /// ln Σ eˣ along some axes, without overflow.
    pub fn reduce_logsumexp(self, axes: impl Axes) -> Self {
        let list = axes.list();
        let shift = self.over(&FiniteMax, list.kept());
        let total = (self - shift).exp().reduce_sum(list.kept());
        (total.log() + shift).drop_kept(&list)
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// ln Σ eˣ over `..` (everything), `-1`, `[0, 2]` or [`keep_dims`](crate::keep_dims) of these,
    /// without overflow:
    ///
    /// ```text
    /// ln Σ exp(x - shift) + shift, shift the largest x, or 0 where that is infinite
    /// ```
    ///
    /// TensorFlow's `reduce_logsumexp`. Of nothing, and where all are -∞, it is -∞; where one is ∞
    /// it is ∞; NaN passes through. The gradient is the cotangent times softmax(x), and NaN where
    /// the result is infinite.
    #[track_caller]
    pub fn reduce_logsumexp<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let graph = self.graph();
        let _call = graph.call("reduce_logsumexp");
        graph.within("reduce_logsumexp", || self.map::<T>(|x| x.reduce_logsumexp(axes))).into()
    }
}
