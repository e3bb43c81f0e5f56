//! The operators of the gradient of `reduce_prod`: for each element of a row, the product of the
//! others.

use abeyance_ir::{
    Cotangents, DTypes, Derivation, Domain, Fault, Inference, Lowered, Lowering, OperandSpec,
    Operator, Sample, Shape, Signature, Split, Splitting, Type,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::prod_except::prod_except;
use abeyance_kernels::rows_chunk;

use super::cumulative::CumulativeAttributes;
use super::{shape, with_type};
use crate::{Expr, Rule};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&ProdOthers];

/// For each element of a row, the product of the others in the row. Linear in the length of the
/// row, and right also where elements are 0. Gradient: that of the product of those before and
/// those behind, so that `reduce_prod` has derivatives of any order.
pub struct ProdOthers;

impl Operator for ProdOthers {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::NUMBER)];
        const {
            &Signature::new(
                "prod_others",
                "for each element, the product of the others along the last axis",
                OPERANDS,
            )
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        rows(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let x = cx.operand(0);
        let [before, behind] = [false, true].map(|reverse| x.cumprod(-1, true, reverse));
        let part = |y, other, reverse| {
            let attributes = CumulativeAttributes { axis: -1, exclusive: true, reverse };
            x.cumprod_gradient(y, cx.chain(other), attributes, cx.masked())
        };
        Ok(cx.only(part(before, behind, false) + part(behind, before, true)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (n, chunk, cost) = row_loop(cx, 2.0);
        Ok(with_type!(cx.result.dtype, T => Kernel::single(1, chunk, cost, move |call| {
            let start = call.start::<T>();
            prod_except(call.input::<T>(0), n, call.output(), start);
            Ok(())
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(0))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [&[usize]; 5] = [&[1], &[5], &[2, 3], &[3, 1, 4], &[0, 3]];
        cases
            .into_iter()
            .map(|dims| Sample::default().float(dims, Domain::Values(&[0.5, -1.5, 0.0, 2.0, 1.25])))
            .collect()
    }
}

fn rows(cx: &mut Inference<'_>) -> Result<Type, Fault> {
    let shape = cx.shape(0);
    if shape.is_empty() {
        Err(Fault::new("a scalar has no row"))
    } else {
        cx.tensor(cx.dtype(0), shape)
    }
}

/// The length of a row, the chunk of whole rows, and the cost.
fn row_loop(cx: &Lowering<'_>, flops: f64) -> (usize, usize, Cost) {
    let n = cx.result.dims.last().copied().unwrap_or(1);
    let len = cx.result.len();
    let size = cx.result.dtype.size();
    let rows = len.checked_div(n).unwrap_or(0);
    let cost = Cost { flops: flops * len as f64, bytes: (3 * len * size) as f64 };
    (n, rows_chunk(rows, n, 3 * n * size) * size, cost)
}

impl<'g> Expr<'g> {
    /// For each element, the product of the others along `axes`.
    pub fn prod_others(self, axes: &[usize]) -> Self {
        let full = self.shape();
        let kept: Vec<usize> = (0..full.len()).filter(|axis| !axes.contains(axis)).collect();
        let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
        let moved: Shape = order.iter().map(|&axis| full[axis]).collect();
        // Rows: the kept dimensions, then all reduced ones as one.
        let mut rows: Shape = kept.iter().map(|&axis| full[axis]).collect();
        let row: Shape = axes.iter().map(|&axis| full[axis]).collect();
        rows.push(self.graph(|graph| shape::product(graph, &row)));
        let mut back = vec![0; order.len()];
        for (place, &axis) in order.iter().enumerate() {
            back[axis] = place;
        }
        let others = self.transpose_to(&order).reshape(rows).apply(&ProdOthers, ());
        others.reshape(moved).transpose_to(&back)
    }
}
