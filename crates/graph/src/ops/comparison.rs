//! Comparisons of two tensors that broadcast: `equal`, `less` and their kind.

use abeyance_ir::{
    DType, DTypes, Differentiability, Domain, Fault, Fusibility, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Splitting, Type,
};

use super::binary::{binary_methods, broadcasts, zip};
use super::{random, with_type};
use crate::{Element, Number, Operand, Tensor};

/// An operator that says of each pair of elements whether something holds.
pub struct Comparison {
    signature: Signature,
    lower: fn(&Lowering<'_>) -> Result<Lowered, Fault>,
}

impl Operator for Comparison {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.broadcast(&cx.shape(0), &cx.shape(1))?;
        cx.tensor(DType::Bool, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        (self.lower)(cx)
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn is_settled(&self, cx: &Splitting<'_>) -> bool {
        std::ptr::eq(self, &LESS) && random::is_below(cx, 0, 1)
    }

    fn samples(&self) -> Vec<Sample> {
        // Few values, so that some meet their equals.
        let few = Domain::Values(&[1.0, -2.0, 0.0]);
        let mut samples = broadcasts(&few, &Domain::Values(&[1.0, 0.0, -2.0, 3.0]));
        samples.push(Sample::default().operand(DType::I32, &[2, 3], few.clone()).operand(
            DType::I32,
            &[3],
            few,
        ));
        samples
    }
}

/// A loop for each element type.
macro_rules! lower {
    (|$x:ident, $y:ident| $body:expr) => {
        |cx| {
            with_type!(cx.operands[0].dtype, T => {
                Ok(zip::<T, T, u8>(cx, 1.0, #[inline(always)] |$x, $y| u8::from($body)).into())
            })
        }
    };
}

const ANY: &[OperandSpec] =
    &[OperandSpec::new("x", DTypes::ANY), OperandSpec::new("y", DTypes::ANY)];
const NUMBER: &[OperandSpec] =
    &[OperandSpec::new("x", DTypes::NUMBER), OperandSpec::new("y", DTypes::NUMBER)];

const fn signature(
    name: &'static str,
    summary: &'static str,
    operands: &'static [OperandSpec],
) -> Signature {
    Signature::new(name, summary, operands)
        .differentiability(Differentiability::None("gives truth values"))
}

/// True if `x = y`. NaN equals nothing.
pub static EQUAL: Comparison = Comparison {
    signature: signature("equal", "whether x equals y", ANY),
    lower: lower!(|x, y| x == y),
};

/// True if `x ≠ y`. NaN differs from everything.
pub static NOT_EQUAL: Comparison = Comparison {
    signature: signature("not_equal", "whether x differs from y", ANY),
    lower: lower!(|x, y| x != y),
};

/// True if `x > y`; false if either is NaN.
pub static GREATER: Comparison = Comparison {
    signature: signature("greater", "whether x is above y", NUMBER),
    lower: lower!(|x, y| x > y),
};

/// True if `x ≥ y`; false if either is NaN.
pub static GREATER_EQUAL: Comparison = Comparison {
    signature: signature("greater_equal", "whether x is y or above", NUMBER),
    lower: lower!(|x, y| x >= y),
};

/// True if `x < y`; false if either is NaN.
pub static LESS: Comparison = Comparison {
    signature: signature("less", "whether x is below y", NUMBER),
    lower: lower!(|x, y| x < y),
};

/// True if `x ≤ y`; false if either is NaN.
pub static LESS_EQUAL: Comparison = Comparison {
    signature: signature("less_equal", "whether x is y or below", NUMBER),
    lower: lower!(|x, y| x <= y),
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&EQUAL, &NOT_EQUAL, &GREATER, &GREATER_EQUAL, &LESS, &LESS_EQUAL];

binary_methods! {
    /// True if elements are equal. NaN equals nothing.
    equal EQUAL;
    /// True if elements differ. NaN differs from everything.
    not_equal NOT_EQUAL;
    /// True if elements are above the other's; false if either is NaN.
    greater GREATER;
    /// True if elements are the other's or above; false if either is NaN.
    greater_equal GREATER_EQUAL;
    /// True if elements are below the other's; false if either is NaN.
    less LESS;
    /// True if elements are the other's or below; false if either is NaN.
    less_equal LESS_EQUAL;
}

impl<'g, T: Element> Tensor<'g, T> {
    /// True if elements are equal; the two tensors broadcast. NaN equals nothing.
    #[track_caller]
    pub fn equal(self, other: impl Operand<'g, T>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.equal(y))
    }

    /// True if elements differ; the two tensors broadcast. NaN differs from everything.
    #[track_caller]
    pub fn not_equal(self, other: impl Operand<'g, T>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.not_equal(y))
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// True if elements are above the other's; the two tensors broadcast. False if either is NaN.
    #[track_caller]
    pub fn greater(self, other: impl Operand<'g, T>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.greater(y))
    }

    /// True if elements are the other's or above; the two tensors broadcast. False if either is
    /// NaN.
    #[track_caller]
    pub fn greater_equal(self, other: impl Operand<'g, T>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.greater_equal(y))
    }

    /// True if elements are below the other's; the two tensors broadcast. False if either is NaN.
    #[track_caller]
    pub fn less(self, other: impl Operand<'g, T>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.less(y))
    }

    /// True if elements are the other's or below; the two tensors broadcast. False if either is
    /// NaN.
    #[track_caller]
    pub fn less_equal(self, other: impl Operand<'g, T>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.less_equal(y))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn comparisons_broadcast_and_give_truth_values() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        assert_eq!(x.less(0.5).to_string(), "less : bool[N, 3]");
        let same = x.equal(g.zeros(dims![3]));
        assert_eq!(same.not_equal(true).to_string(), "not_equal : bool[N, 3]");
        g.check().unwrap();
        x.greater(g.zeros::<f32>(dims![4]));
        let message = g.check().unwrap_err().to_string();
        assert!(message.contains("greater: the shapes [N, 3] and [4] do not broadcast"));
    }
}
