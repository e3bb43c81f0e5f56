//! Truth along some or all dimensions: `reduce_any`, `reduce_all`.

use abeyance_ir::{
    AttributeSet, DType, DTypes, Differentiability, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};
use abeyance_kernels::reduce::Operation;

use super::reduce::{self, ReduceAttributes, reduce_methods, reduced_shape, resolve_axes};
use crate::{Axes, Tensor};

/// An operator that says whether something holds along some dimensions.
pub struct Quantifier {
    signature: Signature,
    operation: Operation,
}

impl Operator for Quantifier {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ReduceAttributes { axes, keep_dims } = cx.attributes();
        let shape = cx.shape(0);
        let axes = resolve_axes(&axes, shape.len())?;
        let reduced = reduced_shape(&shape, &axes, keep_dims);
        cx.tensor(DType::Bool, reduced)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        reduce::lower(cx, self.operation)
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        reduce::split(cx, &cx.attributes())
    }

    fn samples(&self) -> Vec<Sample> {
        reduce::samples(DType::Bool, &Domain::Values(&[1.0, 0.0, 1.0, 1.0, 1.0]))
    }
}

const fn signature(name: &'static str, summary: &'static str) -> Signature {
    const OPERAND: &[OperandSpec] = &[OperandSpec::new("x", DTypes::BOOL)];
    Signature::new(name, summary, OPERAND)
        .attributes(ReduceAttributes::SPECS)
        .differentiability(Differentiability::None("gives truth values"))
}

/// True if any is true. Of nothing none is.
pub static ANY: Quantifier = Quantifier {
    signature: signature("reduce_any", "whether any is true along some axes"),
    operation: Operation::Any,
};

/// True if all are true. Of nothing all are.
pub static ALL: Quantifier = Quantifier {
    signature: signature("reduce_all", "whether all are true along some axes"),
    operation: Operation::All,
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&ANY, &ALL];

reduce_methods! {
    /// True if any is true along some axes.
    reduce_any ANY;
    /// True if all are true along some axes.
    reduce_all ALL;
}

impl<'g> Tensor<'g, bool> {
    /// True if any is true over `..` (everything), `-1`, `[0, 2]` or
    /// [`keep_dims`](crate::keep_dims) of these; false for nothing.
    #[track_caller]
    pub fn reduce_any<A: Axes>(self, axes: A) -> A::Output<'g, bool> {
        self.map::<bool>(|x| x.reduce_any(axes)).into()
    }

    /// True if all are true; true for nothing.
    #[track_caller]
    pub fn reduce_all<A: Axes>(self, axes: A) -> A::Output<'g, bool> {
        self.map::<bool>(|x| x.reduce_all(axes)).into()
    }
}
