//! Logic of truth values: `logical_and`, `logical_or`, `logical_xor`, `logical_not`, and the
//! operators `& | ^ !` for them.

use std::ops::{BitAnd, BitOr, BitXor, Not};

use abeyance_ir::{
    DType, DTypes, Differentiability, Domain, Fault, Fusibility, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Type,
};
use abeyance_kernels::launch::Kernel;

use super::binary::{binary_methods, zip};
use super::unary::{map, unary_methods};
use crate::{Operand, Tensor};

/// An operator on truth values, which broadcast.
pub struct Logical {
    signature: Signature,
    lower: fn(&Lowering<'_>) -> Kernel,
}

impl Operator for Logical {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = match cx.operands() {
            1 => cx.shape(0),
            _ => cx.broadcast(&cx.shape(0), &cx.shape(1))?,
        };
        cx.tensor(DType::Bool, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok((self.lower)(cx).into())
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [[&[usize]; 2]; 6] = [
            [&[], &[]],
            [&[5], &[5]],
            [&[2, 3], &[3]],
            [&[], &[7]],
            [&[2, 1, 3], &[5, 1]],
            [&[0, 3], &[3]],
        ];
        let domains: [&'static [f64]; 2] = [&[1.0, 0.0], &[0.0, 1.0, 1.0, 0.0]];
        let sample = |shapes: [&[usize]; 2]| {
            let operands = shapes.into_iter().zip(domains);
            operands
                .take(self.signature.operands.len())
                .fold(Sample::default(), |sample, (dims, values)| {
                    sample.operand(DType::Bool, dims, Domain::Values(values))
                })
        };
        shapes.into_iter().map(sample).collect()
    }
}

const ONE: &[OperandSpec] = &[OperandSpec::new("x", DTypes::BOOL)];
const TWO: &[OperandSpec] =
    &[OperandSpec::new("x", DTypes::BOOL), OperandSpec::new("y", DTypes::BOOL)];

const fn signature(
    name: &'static str,
    summary: &'static str,
    operands: &'static [OperandSpec],
) -> Signature {
    Signature::new(name, summary, operands)
        .differentiability(Differentiability::None("gives truth values"))
}

/// True if both are true.
pub static LOGICAL_AND: Logical = Logical {
    signature: signature("logical_and", "whether x and y are true", TWO),
    lower: |cx| {
        zip::<u8, u8, u8>(
            cx,
            1.0,
            #[inline(always)]
            |x, y| x & y,
        )
    },
};

/// True if at least one is true.
pub static LOGICAL_OR: Logical = Logical {
    signature: signature("logical_or", "whether x or y is true", TWO),
    lower: |cx| {
        zip::<u8, u8, u8>(
            cx,
            1.0,
            #[inline(always)]
            |x, y| x | y,
        )
    },
};

/// True if exactly one is true.
pub static LOGICAL_XOR: Logical = Logical {
    signature: signature("logical_xor", "whether just one of x and y is true", TWO),
    lower: |cx| {
        zip::<u8, u8, u8>(
            cx,
            1.0,
            #[inline(always)]
            |x, y| x ^ y,
        )
    },
};

/// True if it is false.
pub static LOGICAL_NOT: Logical = Logical {
    signature: signature("logical_not", "whether x is false", ONE),
    lower: |cx| {
        map::<u8, u8>(
            cx,
            1.0,
            #[inline(always)]
            |x| x ^ 1,
        )
    },
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&LOGICAL_AND, &LOGICAL_OR, &LOGICAL_XOR, &LOGICAL_NOT];

unary_methods! {
    /// True where this is false.
    logical_not LOGICAL_NOT;
}

binary_methods! {
    /// True if both are true.
    logical_and LOGICAL_AND;
    /// True if at least one is true.
    logical_or LOGICAL_OR;
    /// True if exactly one is true.
    logical_xor LOGICAL_XOR;
}

impl<'g> Tensor<'g, bool> {
    /// True if both are true; the two tensors broadcast. Also written `a & b`.
    #[track_caller]
    pub fn logical_and(self, other: impl Operand<'g, bool>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.logical_and(y))
    }

    /// True if at least one is true; the two tensors broadcast. Also written `a | b`.
    #[track_caller]
    pub fn logical_or(self, other: impl Operand<'g, bool>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.logical_or(y))
    }

    /// True if exactly one is true; the two tensors broadcast. Also written `a ^ b`.
    #[track_caller]
    pub fn logical_xor(self, other: impl Operand<'g, bool>) -> Tensor<'g, bool> {
        self.zip(other, |x, y| x.logical_xor(y))
    }

    /// True where this is false. Also written `!a`.
    #[track_caller]
    pub fn logical_not(self) -> Tensor<'g, bool> {
        self.map(|x| x.logical_not())
    }
}

macro_rules! overload {
    ($($trait:ident $method:ident $function:ident;)*) => {$(
        impl<'g, O: Operand<'g, bool>> $trait<O> for Tensor<'g, bool> {
            type Output = Tensor<'g, bool>;
            #[track_caller]
            fn $method(self, other: O) -> Tensor<'g, bool> {
                self.zip(other, |x, y| x.$function(y))
            }
        }
    )*};
}
overload! {
    BitAnd bitand logical_and;
    BitOr bitor logical_or;
    BitXor bitxor logical_xor;
}

impl<'g> Not for Tensor<'g, bool> {
    type Output = Tensor<'g, bool>;
    #[track_caller]
    fn not(self) -> Tensor<'g, bool> {
        self.map(|x| x.logical_not())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn operators_are_the_methods() {
        let g = Graph::new();
        let x = g.placeholder::<bool>("x", dims![2, 1]);
        let y = g.placeholder::<bool>("y", dims![3]);
        assert_eq!((x & y).to_string(), "logical_and : bool[2, 3]");
        assert_eq!((x | false).to_string(), "logical_or : bool[2, 1]");
        assert_eq!((x ^ y).to_string(), "logical_xor : bool[2, 3]");
        assert_eq!((!x).to_string(), "logical_not : bool[2, 1]");
        g.check().unwrap();
    }
}
