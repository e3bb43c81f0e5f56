//! Choosing between two tensors element by element.

use abeyance_ir::{
    Cotangents, DType, DTypes, Derivation, Domain, Fault, Fusibility, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Type,
};
use abeyance_kernels::elementwise;
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};

use super::binary::scalars;
use super::{traffic, with_moved};
use crate::{Element, Expr, ExprOperand, Operand, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Select];

/// `x` where the condition holds, else `y`: the side that is not taken leaves no trace, even if it
/// is infinite or NaN. Gradient: for each side the cotangent where it was taken, else 0.
pub struct Select;

impl Operator for Select {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::in_group("condition", DTypes::BOOL, 1),
            OperandSpec::new("x", DTypes::ANY),
            OperandSpec::new("y", DTypes::ANY),
        ];
        const {
            &Signature::new("select", "x where the condition holds, else y", OPERANDS)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let sides = cx.broadcast(&cx.shape(1), &cx.shape(2))?;
        let shape = cx.broadcast(&cx.shape(0), &sides)?;
        cx.tensor(cx.dtype(1), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (condition, cotangent) = (cx.operand(0), cx.cotangent());
        Ok(cx.each_wanted(|index| {
            let taken = match index {
                0 => return None,
                1 => condition.select(cotangent, 0.0),
                _ => condition.select(0.0, cotangent),
            };
            Some(taken.unbroadcast(cx.operand(index)))
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let scalars = scalars(cx);
        let len = cx.result.len();
        let cost = Cost { flops: len as f64, bytes: traffic(cx) };
        let kernel = with_moved!(cx.result.dtype, T => {
            let chunk = elementwise_chunk(len, 1 + 3 * size_of::<T>()) * size_of::<T>();
            Kernel::single(3, chunk, cost, move |call| {
                let (condition, start) = (call.input::<u8>(0), call.start::<T>());
                let (x, y) = (call.input::<T>(1), call.input::<T>(2));
                elementwise::select(condition, x, y, call.output(), start, scalars);
                Ok(())
            })
        });
        Ok(kernel.into())
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [[&[usize]; 3]; 9] = [
            [&[], &[], &[]],
            [&[5], &[5], &[5]],
            [&[2, 3], &[3], &[2, 3]],
            [&[2, 3], &[], &[2, 1]],
            [&[2, 1], &[2, 3], &[1, 3]],
            [&[], &[2, 3], &[3]],
            [&[3], &[], &[]],
            [&[0, 3], &[3], &[0, 3]],
            [&[1], &[0], &[1]],
        ];
        let usual = Domain::Between(-2.0, 2.0);
        shapes
            .into_iter()
            .map(|[condition, x, y]| {
                Sample::default()
                    .operand(DType::Bool, condition, Domain::Values(&[1.0, 0.0, 0.0]))
                    .float(x, usual.clone())
                    .float(y, usual.clone())
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// `x` where this truth value holds, else `y`; of the two one at least is an expression.
    pub fn select(self, x: impl ExprOperand<'g>, y: impl ExprOperand<'g>) -> Self {
        let like = x.of_type().or(y.of_type()).unwrap_or(self);
        self.apply_to(&Select, &[self, x.expr(like), y.expr(like)], ())
    }
}

impl<'g> Tensor<'g, bool> {
    /// `x` where this is true, else `y`; the three broadcast. The side that is not taken leaves no
    /// trace in the value or the gradient, even if it is infinite or NaN.
    #[track_caller]
    pub fn select<T: Element>(
        self,
        x: impl Operand<'g, T>,
        y: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("select");
        let this = self.beside(x).beside(y);
        let x = x.node(this.graph());
        this.zip(y, |condition, y| condition.select(y.at(x), y))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn all_three_broadcast() {
        let g = Graph::new();
        let condition = g.placeholder::<bool>("condition", dims![_, 1]);
        let x = g.placeholder::<i32>("x", dims![3]);
        assert_eq!(condition.select(x, 0).to_string(), "select : i32[N, 3]");
        assert_eq!(condition.select(1.5f32, 0.0).to_string(), "select_1 : f32[N, 1]");
        g.check().unwrap();
    }
}
