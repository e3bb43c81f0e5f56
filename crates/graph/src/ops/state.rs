//! Changing variables, and nodes that are run for their effect.

use abeyance_ir::{
    DTypes, Differentiability, Effect, Fault, Fusibility, Inference, Lowered, Lowering, NodeId,
    OperandSpec, Operator, Sample, Signature, Type,
};
use abeyance_kernels::element::Number as StoredNumber;
use abeyance_kernels::launch::{Cost, Kernel, Source};
use abeyance_kernels::{elementwise, elementwise_chunk};

use super::binary::{binary_methods, zip};
use super::with_type;
use crate::{Element, Expr, Graph, Number, Operand, Operation, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&ASSIGN, &ASSIGN_ADD, &ASSIGN_SUB, &Group];

/// An operator that gives a variable a new value, which is also its own value.
pub struct Write {
    signature: Signature,
    lower: fn(&Lowering<'_>) -> Kernel,
}

impl Operator for Write {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (variable, value) = (cx.shape(0), cx.shape(1));
        let shape = cx.same_shape(&variable, &value).map_err(|_| {
            let fault = Fault::new(format!(
                "a variable of shape {} cannot take a value of shape {}",
                cx.display(&variable),
                cx.display(&value)
            ));
            if value.is_empty() {
                fault.help("one number for all: `x.broadcast_to(variable.shape())`")
            } else {
                fault
            }
        })?;
        cx.tensor(cx.dtype(0), shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok((self.lower)(cx).into())
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

const NO_GRADIENT: Differentiability = Differentiability::None("changes a variable");
const NUMBER: &[OperandSpec] =
    &[OperandSpec::new("variable", DTypes::NUMBER), OperandSpec::new("value", DTypes::NUMBER)];

/// The variable becomes the value.
pub static ASSIGN: Write = Write {
    signature: Signature::new(
        "assign",
        "gives a variable a new value, and is that value",
        &[OperandSpec::new("variable", DTypes::ANY), OperandSpec::new("value", DTypes::ANY)],
    )
    .effect(Effect::Write)
    .differentiability(NO_GRADIENT),
    lower: |cx| {
        let len = cx.result.bytes();
        let cost = Cost { flops: 0.0, bytes: 2.0 * len as f64 };
        let mut kernel = Kernel::single(1, elementwise_chunk(len, 2), cost, |call| {
            let start = call.start::<u8>();
            elementwise::copy(call.input::<u8>(0), call.output(), start);
            Ok(())
        });
        kernel.steps[0].reads = [Source::Operand(1)].into_iter().collect();
        kernel
    },
};

/// The variable grows by the value.
pub static ASSIGN_ADD: Write = Write {
    signature: Signature::new("assign_add", "adds a value to a variable, and is the sum", NUMBER)
        .effect(Effect::Write)
        .differentiability(NO_GRADIENT),
    lower: |cx| {
        with_type!(cx.result.dtype, T => {
            zip::<T, T, T>(cx, 1.0, #[inline(always)] |x, y| StoredNumber::wrapping_add(x, y))
        })
    },
};

/// The variable shrinks by the value.
pub static ASSIGN_SUB: Write = Write {
    signature: Signature::new(
        "assign_sub",
        "subtracts a value from a variable, and is the difference",
        NUMBER,
    )
    .effect(Effect::Write)
    .differentiability(NO_GRADIENT),
    lower: |cx| {
        with_type!(cx.result.dtype, T => {
            zip::<T, T, T>(cx, 1.0, #[inline(always)] |x, y| StoredNumber::wrapping_sub(x, y))
        })
    },
};

/// Runs its operands; has no value. Without operands it does nothing.
pub struct Group;

impl Operator for Group {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("inputs", DTypes::ANY)];
        const {
            &Signature::new("group", "runs its operands", OPERANDS)
                .variadic()
                .effect(Effect::Order)
                .differentiability(Differentiability::None("has no value"))
        }
    }

    fn infer(&self, _: &mut Inference<'_>) -> Result<Type, Fault> {
        Ok(Type::Operation)
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Err(Fault::new("a group has no value"))
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

binary_methods! {
    /// The new value of this variable, which becomes the other.
    assign ASSIGN;
    /// The new value of this variable, to which the other is added.
    assign_add ASSIGN_ADD;
    /// The new value of this variable, from which the other is subtracted.
    assign_sub ASSIGN_SUB;
}

impl<'g> Expr<'g> {
    /// A node of this expression's graph that runs others, and has no value.
    pub fn group(self, inputs: &[Expr<'g>]) -> Self {
        self.apply_to(&Group, inputs, ())
    }
}

impl Graph {
    /// An operation that runs others: their effects, in whatever order their dependencies leave
    /// open.
    #[track_caller]
    pub fn group<'g>(
        &'g self,
        inputs: impl IntoIterator<Item = impl Into<Operation<'g>>>,
    ) -> Operation<'g> {
        let _call = self.call("group");
        let inputs: Vec<NodeId> =
            inputs.into_iter().map(|input| self.import(input.into().into())).collect();
        Operation(self.any(self.build(|graph| graph.add(&Group, &inputs, ()))))
    }

    /// An operation that does nothing itself: something to hang an order on, see [`Graph::after`].
    #[track_caller]
    pub fn no_op(&self) -> Operation<'_> {
        let _call = self.call("no_op");
        Operation(self.apply(&Group, &[], ()))
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// Gives this variable a new value at the end of the run. The result is that value, for whoever
    /// needs it in the same run; the variable itself keeps its old value until the run ends, and
    /// for good if the run fails.
    ///
    /// It is a mistake if this tensor is not a variable, or the shapes differ. Two writes of one
    /// variable in one run need an order between them ([`Graph::after`]); the later one builds on
    /// the earlier.
    #[track_caller]
    pub fn assign(self, value: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(value, |variable, value| variable.assign(value))
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// Adds to this variable at the end of the run; the result is the sum. See [`Tensor::assign`].
    #[track_caller]
    pub fn assign_add(self, value: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(value, |variable, value| variable.assign_add(value))
    }

    /// Subtracts from this variable at the end of the run; the result is the difference. See
    /// [`Tensor::assign`].
    #[track_caller]
    pub fn assign_sub(self, value: impl Operand<'g, T>) -> Tensor<'g, T> {
        self.zip(value, |variable, value| variable.assign_sub(value))
    }
}
