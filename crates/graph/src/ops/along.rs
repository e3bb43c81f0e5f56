//! Elements of each row by their places in it: `take_along`, and its gradient `add_along`.

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Dim, Domain, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type, attributes,
    resolve_axis,
};
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout;
use abeyance_kernels::{elementwise_chunk, rows_chunk};

use super::index::constant_out_of_range;
use super::{traffic, with_float, with_index, with_moved};
use crate::{Element, Expr, Index, Operand, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&TakeAlong, &AddAlong];

/// The dimensions before the last of two operands, which have to be equal, and the last of each.
fn rows(cx: &mut Inference<'_>) -> Result<(Shape, Dim, Dim), Fault> {
    let (x, indices) = (cx.shape(0), cx.shape(1));
    let (Some((&n, outer)), Some((&k, other))) = (x.split_last(), indices.split_last()) else {
        return Err(Fault::new("a scalar has no rows"));
    };
    let outer = cx.same_shape(outer, other).map_err(|_| {
        Fault::new(format!(
            "{} and {} have to be equal but for the last dimension",
            cx.display(&x),
            cx.display(&indices)
        ))
    })?;
    Ok((outer, n, k))
}

/// `y[.., j] = x[.., indices[.., j]]` for `x[.., n]` and `indices[.., k]`. An index outside `0..n`
/// fails at run time. NumPy's `take_along_axis`, TensorFlow's `tf.gather` with `batch_dims`.
/// Gradient: [`AddAlong`].
pub struct TakeAlong;

impl Operator for TakeAlong {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::new("x", DTypes::ANY),
            OperandSpec::in_group("indices", DTypes::INDEX, 1),
        ];
        const {
            &Signature::new("take_along", "the elements of each row that indices name", OPERANDS)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (mut shape, n, k) = rows(cx)?;
        shape.push(k);
        let some = |dim: &Dim| matches!(dim, Dim::Known(size) if *size > 0);
        if n == Dim::Known(0) && shape.iter().all(some) {
            return Err(Fault::new(
                "every index is out of range: the rows have no elements at all",
            ));
        }
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (x, indices) = (cx.operand(0), cx.operand(1));
        Ok(cx.each_wanted(|index| {
            (index == 0).then(|| cx.cotangent().add_along(indices, x.shape()))
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (n, k) = (last(cx.operands[0].dims), last(cx.result.dims));
        let size = cx.result.dtype.size();
        let cost = Cost { flops: 0.0, bytes: traffic(cx) };
        let chunk = elementwise_chunk(cx.result.len(), 2 * size + 8) * size;
        with_moved!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(2, chunk, cost, move |call| {
                let (x, indices, start) = (call.input::<T>(0), call.input::<I>(1), call.start::<T>());
                layout::take_along(x, n, indices, k, call.output(), start)
            })
            .into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let last = cx.rank(1).saturating_sub(1);
        match (cx.axis(0), cx.axis(1)) {
            (None, Some(axis)) if axis == last => cx.along(last),
            _ => cx.apart_from(|axis| axis == last),
        }
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .map(|(outer, n, k)| {
                Sample::default().float(&[outer, &[n]].concat(), USUAL).operand(
                    DType::I32,
                    &[outer, &[k]].concat(),
                    PLACES,
                )
            })
            .collect()
    }
}

const USUAL: Domain = Domain::Between(-2.0, 2.0);
const PLACES: Domain = Domain::Values(&[2.0, 0.0, 2.0, 1.0, 1.0]);

/// The dimensions before the last, and the last of the elements and of the indices.
fn cases() -> [(&'static [usize], usize, usize); 6] {
    [(&[], 3, 1), (&[], 3, 5), (&[2], 3, 4), (&[2, 3], 4, 2), (&[0], 3, 2), (&[3], 5, 0)]
}

fn last(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(1)
}

attributes! {
    /// The target of an [`AddAlong`].
    pub struct AddAlongAttributes {
        /// Shape of the result, whose rows the indices point into.
        shape: Shape,
    }
}

/// Zeros of a shape `[.., n]` to which `x[.., j]` is added at `indices[.., j]` of each row, in
/// their order. Gradient: [`TakeAlong`].
pub struct AddAlong;

impl Operator for AddAlong {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::new("x", DTypes::FLOAT),
            OperandSpec::in_group("indices", DTypes::INDEX, 1),
        ];
        const {
            &Signature::new(
                "add_along",
                "zeros to which x is added at the places of each row that indices name",
                OPERANDS,
            )
            .attributes(AddAlongAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (outer, j, k) = rows(cx)?;
        let AddAlongAttributes { shape } = cx.attributes();
        let fits = match shape.split_last() {
            Some((_, before)) => cx.same_shape(before, &outer).is_ok() && cx.unify(j, k).is_some(),
            None => false,
        };
        if fits {
            cx.tensor(cx.dtype(0), shape)
        } else {
            Err(Fault::new(format!(
                "{} cannot be added to rows of {} at {}",
                cx.display(&cx.shape(0)),
                cx.display(&shape),
                cx.display(&cx.shape(1))
            )))
        }
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.each_wanted(|index| (index == 0).then(|| cx.cotangent().take_along(cx.operand(1)))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (k, n) = (last(cx.operands[0].dims), last(cx.result.dims));
        let size = cx.result.dtype.size();
        let cost = Cost { flops: cx.operands[0].len() as f64, bytes: traffic(cx) };
        let rows = cx.result.len().checked_div(n).unwrap_or(0);
        let each = (n * size).saturating_add(k.saturating_mul(size + 8));
        let chunk = rows_chunk(rows, n, each) * size;
        with_float!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(2, chunk, cost, move |call| {
                let (x, indices, start) = (call.input::<T>(0), call.input::<I>(1), call.start::<T>());
                layout::add_along(x, indices, k, n, call.output(), start)
            })
            .into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.apart_from(|axis| axis + 1 == cx.rank(0))
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .map(|(outer, n, k)| {
                let shape: Shape = outer.iter().chain([&n]).map(|&dim| dim.into()).collect();
                let dims = [outer, &[k]].concat();
                Sample::new(AddAlongAttributes { shape }).float(&dims, USUAL).operand(
                    DType::I64,
                    &dims,
                    PLACES,
                )
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The elements of each row that indices name.
    pub fn take_along(self, indices: Self) -> Self {
        self.apply_to(&TakeAlong, &[self, indices], ())
    }

    /// Zeros of a shape to which this is added at the places of each row that indices name.
    pub fn add_along(self, indices: Self, shape: Shape) -> Self {
        self.apply_to(&AddAlong, &[self, indices], AddAlongAttributes { shape })
    }

    /// The expression with one axis exchanged with the last: done twice, it is back.
    pub(crate) fn swap_last(self, axis: usize) -> Self {
        let rank = self.rank();
        if axis >= rank {
            return self; // Wrong already, and reported.
        }
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(axis, rank - 1);
        self.transpose_to(&order)
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The elements that `indices` name along an axis, each for its own place:
    /// `y[i, j] = x[i, indices[i, j]]` for the last. The other dimensions have to be equal. NumPy's
    /// `take_along_axis`. An index out of range is a mistake where it is known, else it fails at
    /// run time, naming its position. Gradient: the cotangent, added where its elements came from.
    #[track_caller]
    pub fn take_along_axis<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        axis: i64,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("take_along_axis");
        let axis = match resolve_axis(axis, self.shape().len()) {
            Ok(axis) => axis,
            Err(mut fault) => {
                fault.message = format!("take_along_axis: {}", fault.message);
                return self.fault(fault);
            }
        };
        let this = self.beside(indices);
        let indices = indices.node(this.graph());
        let wrong = {
            let ir = this.graph().ir();
            let shape = ir.shape(this.id()).unwrap_or_default();
            let dim = shape.get(axis..=axis).unwrap_or_default();
            constant_out_of_range(&ir, indices, dim)
        };
        if let Some(mut fault) = wrong {
            fault.message = format!("take_along_axis: {}", fault.message);
            return this.fault(fault);
        }
        this.map(|x| {
            let [x, indices] = [x, x.at(indices)].map(|x| x.swap_last(axis));
            x.take_along(indices).swap_last(axis)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn other_dimensions_are_equal() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let at = g.placeholder::<i32>("at", dims![_, 5]);
        let y = x.take_along_axis(at, -1);
        assert_eq!(y.to_string(), "take_along : f32[N, 5]");
        assert_eq!(x.dim(0), at.dim(0));
        g.check().unwrap();
        x.take_along_axis(g.zeros::<i64>(dims![7]), 1);
        x.take_along_axis(0i64, 1);
        x.take_along_axis(at, 2);
        g.zeros::<f32>(dims![2, 0]).take_along_axis(g.zeros::<i64>(dims![2, 1]), 1);
        x.take_along_axis(g.constant_array(&ndarray::arr2(&[[0i64, 3]])), 1);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "[N, 3] and [7] have to be equal but for the last dimension",
            "a scalar has no rows",
            "take_along_axis: axis 2 is out of range",
            "every index is out of range",
            "take_along_axis: index 3 at position 1 is out of range: the dimension has size 3",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
