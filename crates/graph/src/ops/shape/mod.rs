//! Elements in another arrangement: `reshape`, `transpose`, `expand_dims`, `squeeze`,
//! `broadcast_to`, each in its file, and the loop and the dimensions that they share.

mod broadcast_to;
mod reshape;
mod transpose;
mod unit_dims;

pub use broadcast_to::{BroadcastTo, BroadcastToAttributes};
pub use reshape::{Reshape, ReshapeAttributes};
pub use transpose::{Transpose, TransposeAttributes};
pub use unit_dims::{ExpandDims, ExpandDimsAttributes, Squeeze, SqueezeAttributes};

use abeyance_ir::{
    Cotangents, DTypes, Derivation, Dim, Domain, Graph as Ir, Integers, Lowering, Naming,
    OperandSpec, Operator, Shape,
};
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};

use crate::Rule;

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&Reshape, &Transpose, &ExpandDims, &Squeeze, &BroadcastTo];

const ANY: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
const USUAL: Domain = Domain::Between(-2.0, 2.0);

fn to_shape(dims: &[usize]) -> Shape {
    dims.iter().map(|&dim| dim.into()).collect()
}

fn integers(values: &[usize]) -> Integers {
    values.iter().map(|&value| value as i64).collect()
}

/// The cotangent in the operand's shape.
fn back_to_operand(cx: &Derivation<'_>) -> Cotangents {
    cx.only(cx.cotangent().reshape(cx.operand(0).shape()))
}

/// A loop that only moves elements of one operand.
pub(crate) fn movement<T: abeyance_kernels::element::Element>(
    cx: &Lowering<'_>,
    run: impl Fn(&[T], &mut [T], usize) + Send + Sync + 'static,
) -> Kernel {
    let size = size_of::<T>();
    let cost = Cost { flops: 0.0, bytes: 2.0 * cx.result.bytes() as f64 };
    let chunk = elementwise_chunk(cx.result.len(), 2 * size) * size;
    Kernel::single(1, chunk, cost, move |call| {
        let (x, start) = (call.input::<T>(0), call.start::<T>());
        run(x, call.output::<T>(), start);
        Ok(())
    })
}

/// The dimension of as many elements as some dimensions: a number, one of them, or a new symbol.
pub(crate) fn product(graph: &mut Ir, dims: &[Dim]) -> Dim {
    dims.iter()
        .try_fold(Dim::Known(1), |product, &dim| match (product, dim) {
            (Dim::Known(1), dim) | (dim, Dim::Known(1)) => Some(dim),
            (Dim::Known(a), Dim::Known(b)) => a.checked_mul(b).map(Dim::Known),
            _ => None,
        })
        .unwrap_or_else(|| derived(graph))
}

/// A new dimension that follows from others.
pub(crate) fn derived(graph: &mut Ir) -> Dim {
    Dim::Symbol(graph.symbols_mut().fresh(Naming::Derived))
}
