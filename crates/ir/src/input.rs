//! The operator of a body's inputs.

use crate::{
    Attribute, AttributeSet, Attributes, Differentiability, Effect, Fault, Graph, Inference,
    Lowered, Lowering, NodeId, Operator, OperatorRef, Sample, Signature, TensorType, Type,
};

crate::attributes! {
    /// The type of a body's input.
    pub struct InputAttributes {
        /// Element type of the value.
        dtype: DType,
        /// Shape of the value.
        shape: Shape,
    }
}

/// The operator of a value that is given to a body. Stands in bodies only.
pub struct Input;

const INPUT: &str = "input";

/// True if an operator is [`Input`].
pub(crate) fn is_input(operator: &OperatorRef) -> bool {
    operator.signature().name == INPUT
}

impl Operator for Input {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(INPUT, "a value that is given to a body", &[])
                .attributes(InputAttributes::SPECS)
                .effect(Effect::Feed)
                .differentiability(Differentiability::None("does not depend on other nodes"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let InputAttributes { dtype, shape } = cx.attributes();
        cx.tensor(dtype, shape)
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Err(Fault::new("an input has no value of its own"))
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

impl Graph {
    /// Appends an input of a body, with a name made from `name`.
    pub fn input(&mut self, name: &str, ty: TensorType) -> NodeId {
        let attributes = Attributes::of([Attribute::DType(ty.dtype), Attribute::Shape(ty.shape)]);
        self.add_like(name, &Input, &[], attributes)
    }
}
