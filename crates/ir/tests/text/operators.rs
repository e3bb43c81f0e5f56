//! Operators to write texts with. None of them can run.

use abeyance_ir::{
    AttributeSet, DTypes, Effect, Fault, Inference, Lowered, Lowering, OperandSpec, Operator,
    OperatorRef, Registry, Sample, Signature, Type,
};

macro_rules! operator {
    ($(#[$doc:meta])* $name:ident, $signature:expr, |$cx:ident| $infer:expr) => {
        $(#[$doc])*
        pub struct $name;

        impl Operator for $name {
            fn signature(&self) -> &Signature {
                const { &$signature }
            }

            fn infer(&self, $cx: &mut Inference<'_>) -> Result<Type, Fault> {
                $infer
            }

            fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
                Err(Fault::new("only for texts"))
            }

            fn samples(&self) -> Vec<Sample> {
                Vec::new()
            }
        }
    };
}

const ONE: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
const TWO: &[OperandSpec] =
    &[OperandSpec::new("a", DTypes::ANY), OperandSpec::new("b", DTypes::ANY)];

abeyance_ir::attributes! {
    pub struct SourceAttributes {
        dtype: DType,
        shape: Shape,
    }
}
abeyance_ir::attributes! {
    pub struct VariableAttributes {
        initial: Initializer,
        dtype: DType,
        shape: Shape,
        trainable: bool = true,
    }
}
abeyance_ir::attributes! {
    pub struct ConstantAttributes {
        value: ArrayRef,
    }
}
abeyance_ir::attributes! {
    pub struct EveryAttributes {
        flag: bool = false,
        count: i64 = 1,
        rate: f64 = 0.0,
        axes: Integers = [0, -1],
        r#as: DType,
        to: Shape,
        table: ArrayRef,
        start: Initializer,
    }
}

operator!(
    /// A value that is fed.
    Source,
    Signature::new("source", "", &[])
        .attributes(SourceAttributes::SPECS)
        .effect(Effect::Feed),
    |cx| {
        let SourceAttributes { dtype, shape } = cx.attributes();
        cx.tensor(dtype, shape)
    }
);

operator!(
    /// A value that lasts.
    Variable,
    Signature::new("variable", "", &[])
        .attributes(VariableAttributes::SPECS)
        .effect(Effect::Read),
    |cx| {
        let VariableAttributes { dtype, shape, .. } = cx.attributes();
        cx.tensor(dtype, shape)
    }
);

operator!(
    /// An array.
    Constant,
    Signature::new("constant", "", &[])
        .attributes(ConstantAttributes::SPECS),
    |cx| {
        let ConstantAttributes { value } = cx.attributes();
        let shape = value.dims.iter().map(|&dim| dim.into()).collect();
        cx.tensor(value.dtype, shape)
    }
);

operator!(
    /// Elementwise, with broadcasting.
    Add,
    Signature::new("add", "", TWO),
    |cx| {
        let (a, b) = (cx.shape(0), cx.shape(1));
        let shape = cx.broadcast(&a, &b)?;
        cx.tensor(cx.dtype(0), shape)
    }
);

operator!(
    /// A result of its operand's shape.
    Negate,
    Signature::new("negate", "", ONE),
    |cx| {
        let shape = cx.shape(0);
        cx.tensor(cx.dtype(0), shape)
    }
);

operator!(
    /// One behind the other: a size that follows from two others.
    Concat,
    Signature::new("concat", "", TWO),
    |cx| {
        let (mut shape, other) = (cx.shape(0), cx.shape(1));
        let (Some(&a), Some(&b)) = (shape.first(), other.first()) else {
            return Err(Fault::new("a scalar has no dimensions"));
        };
        shape[0] = match (a.known(), b.known()) {
            (Some(a), Some(b)) => a.wrapping_add(b).into(),
            _ => cx.derived(),
        };
        cx.tensor(cx.dtype(0), shape)
    }
);

operator!(
    /// Some of the rows: how many is found when the graph runs.
    Filter,
    Signature::new("filter", "", ONE),
    |cx| {
        let mut shape = cx.shape(0);
        let rows = cx.derived();
        match shape.first_mut() {
            Some(first) => *first = rows,
            None => return Err(Fault::new("a scalar has no rows")),
        }
        cx.tensor(cx.dtype(0), shape)
    }
);

operator!(
    /// Attributes of every kind; the result has the type that they say.
    Every,
    Signature::new("every", "", ONE).attributes(EveryAttributes::SPECS),
    |cx| {
        let EveryAttributes { r#as, to, .. } = cx.attributes();
        cx.tensor(r#as, to)
    }
);

operator!(
    /// Order without a value.
    Group,
    Signature::new("group", "", ONE).variadic().effect(Effect::Order),
    |_cx| Ok(Type::Operation)
);

/// All of them.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    let all: [&'static dyn Operator; 9] =
        [&Source, &Variable, &Constant, &Add, &Negate, &Concat, &Filter, &Every, &Group];
    for operator in all {
        registry.register(OperatorRef::Static(operator));
    }
    registry
}
