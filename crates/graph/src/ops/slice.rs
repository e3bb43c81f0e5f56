//! Boxes cut out of tensors, and tensors put into larger ones: `slice` and `pad`.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Dim, Dims, Domain, Fault, Inference, Lowered,
    Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type, attributes,
};
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout;

use super::with_moved;
use crate::{Element, Expr, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Slice, &Pad];

const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];

/// The numbers of an attribute that has one for each dimension and none below 0.
pub(crate) fn each(name: &str, values: &[i64], rank: usize) -> Result<Dims, Fault> {
    check_length(name, values, rank)?;
    values
        .iter()
        .map(|&value| {
            usize::try_from(value).map_err(|_| {
                Fault::new(format!("{name} = {values:?} holds {value}, which is no size"))
            })
        })
        .collect()
}

pub(crate) fn check_length(name: &str, values: &[i64], rank: usize) -> Result<(), Fault> {
    if values.len() == rank {
        Ok(())
    } else {
        Err(Fault::new(format!(
            "{name} = {values:?} is not a number for each of {rank} dimensions"
        )))
    }
}

attributes! {
    /// The box that is cut out.
    pub struct SliceAttributes {
        /// First element along each dimension, counted from 0.
        begin: Integers,
        /// Number of elements along each dimension; -1 is all up to the end.
        size: Integers,
    }
}

/// The part of `x` that begins at `begin` and has `size` elements along each dimension, all up to
/// the end where that is -1: TensorFlow's `slice`. Gradient: the cotangent, padded with zeros.
pub struct Slice;

impl Operator for Slice {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("slice", "a box cut out of x", OPERANDS)
                .attributes(SliceAttributes::SPECS)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let dims = cx.shape(0);
        let SliceAttributes { begin, size: sizes } = cx.attributes();
        let begin = each("begin", &begin, dims.len())?;
        check_length("size", &sizes, dims.len())?;
        let mut shape = Shape::new();
        for (axis, ((&dim, &begin), &size)) in dims.iter().zip(&begin).zip(&sizes).enumerate() {
            let beyond = |size: usize| {
                Fault::new(format!(
                    "{size} elements from {begin} on reach beyond the end of dimension {axis} of {}",
                    cx.display(&dims)
                ))
            };
            let wanted = match size {
                -1 => None,
                _ => Some(usize::try_from(size).map_err(|_| {
                    Fault::new(format!("size = {sizes:?} holds {size}, which is no size"))
                        .help("-1 stands for all elements up to the end")
                })?),
            };
            shape.push(match (dim, wanted) {
                (Dim::Known(n), None) => Dim::Known(n.checked_sub(begin).ok_or_else(|| beyond(0))?),
                (Dim::Known(n), Some(size)) => match begin.checked_add(size) {
                    Some(end) if end <= n => Dim::Known(size),
                    _ => return Err(beyond(size)),
                },
                (Dim::Symbol(_), Some(size)) => Dim::Known(size),
                (Dim::Symbol(_), None) if begin == 0 => dim,
                (Dim::Symbol(_), None) => cx.derived(),
            });
        }
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (cotangent, full) = (cx.cotangent(), cx.operand(0).shape());
        let SliceAttributes { begin: before, size: sizes } = cx.attributes();
        // What stands around the box can be said in numbers unless an unknown dimension is cut.
        let after: Option<Vec<i64>> = full
            .iter()
            .zip(before.iter().zip(&sizes))
            .map(|(&dim, (&begin, &size))| match (dim, begin, size) {
                (Dim::Known(_), _, -1) | (Dim::Symbol(_), 0, -1) => Some(0),
                (Dim::Known(n), ..) => Some(i64::try_from(n).ok()? - begin - size),
                _ => None,
            })
            .collect();
        Ok(cx.only(match after {
            Some(after) => cotangent.pad(&before, &after),
            None => cotangent.pad_at(cotangent.offset(0), &before, 0, full),
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (dims, size) = (cx.operands[0].dims, cx.result.dims);
        if dims == size {
            return Ok(Lowered::Alias(0));
        }
        let begin = each("begin", &cx.attributes::<SliceAttributes>().begin, dims.len())?;
        let plan = layout::Slice::new(dims, &begin, size);
        let (chunk, cost) = copy_loop(cx);
        Ok(with_moved!(cx.result.dtype, T => Kernel::single(1, chunk, cost, move |call| {
            let start = call.start::<T>();
            plan.run(call.input::<T>(0), call.output(), start);
            Ok(())
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let SliceAttributes { begin, size } = cx.attributes();
        let is_cut = |axis: usize| begin.get(axis) != Some(&0) || size.get(axis) != Some(&-1);
        cx.apart_from(is_cut)
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[i64], &[i64]); 9] = [
            (&[], &[], &[]),
            (&[5], &[1], &[3]),
            (&[2, 3], &[0, 1], &[-1, -1]),
            (&[2, 3], &[0, 0], &[2, 3]),
            (&[3, 4, 2], &[1, 0, 1], &[2, -1, 1]),
            (&[4], &[4], &[-1]),
            (&[4, 3], &[1, 3], &[2, 0]),
            (&[0, 3], &[0, 1], &[0, 2]),
            (&[33, 5], &[16, 2], &[17, 2]),
        ];
        cases
            .into_iter()
            .map(|(dims, begin, size)| {
                Sample::new(SliceAttributes { begin: begin.into(), size: size.into() })
                    .float(dims, Domain::Between(-2.0, 2.0))
            })
            .collect()
    }
}

/// How a result is copied together: the bytes of a chunk, and the cost.
pub(crate) fn copy_loop(cx: &Lowering<'_>) -> (usize, Cost) {
    let size = cx.result.dtype.size();
    let cost = Cost { flops: 0.0, bytes: 2.0 * cx.result.bytes() as f64 };
    (elementwise_chunk(cx.result.len(), 2 * size) * size, cost)
}

attributes! {
    /// The elements that are put around a tensor.
    pub struct PadAttributes {
        /// Number of elements before the tensor along each dimension.
        before: Integers,
        /// Number of elements after the tensor along each dimension.
        after: Integers,
    }
}

/// `x` with zeros (`false`) around it, `before` and `after` it along each dimension. Gradient: the
/// cotangent's part that stands where `x` does.
pub struct Pad;

impl Operator for Pad {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("pad", "x with zeros around it", OPERANDS)
                .attributes(PadAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        padded(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let PadAttributes { before, after } = cx.attributes();
        Ok(cx.only(cx.cotangent().unpad(&before, &after, cx.operand(0).shape())))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        if dims == cx.result.dims {
            return Ok(Lowered::Alias(0));
        }
        let PadAttributes { before, after } = cx.attributes();
        let before = each("before", &before, dims.len())?;
        let after = each("after", &after, dims.len())?;
        let plan = layout::Pad::new(dims, &before, &after);
        let (chunk, cost) = copy_loop(cx);
        Ok(with_moved!(cx.result.dtype, T => Kernel::single(1, chunk, cost, move |call| {
            let start = call.start::<T>();
            plan.run(call.input::<T>(0), call.output(), start, T::default());
            Ok(())
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.along_if(cx.axis(0).filter(|&axis| !is_padded(cx, axis)))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[i64], &[i64]); 8] = [
            (&[], &[], &[]),
            (&[5], &[1], &[0]),
            (&[2, 3], &[0, 1], &[2, 0]),
            (&[2, 3], &[0, 0], &[0, 0]),
            (&[3, 1, 2], &[1, 0, 1], &[0, 2, 1]),
            (&[0, 3], &[0, 1], &[0, 2]),
            (&[0, 3], &[1, 0], &[1, 0]),
            (&[33, 5], &[2, 1], &[1, 2]),
        ];
        cases
            .into_iter()
            .map(|(dims, before, after)| {
                Sample::new(PadAttributes { before: before.into(), after: after.into() })
                    .float(dims, Domain::Between(-2.0, 2.0))
            })
            .collect()
    }
}

/// True if something is put around a tensor along an axis, by an operator of [`PadAttributes`].
pub(crate) fn is_padded(cx: &Splitting<'_>, axis: usize) -> bool {
    let PadAttributes { before, after } = cx.attributes();
    [before, after].iter().any(|around| around.get(axis) != Some(&0))
}

/// The shape rule of padding, of an operator of [`PadAttributes`].
pub(crate) fn padded(cx: &mut Inference<'_>) -> Result<Type, Fault> {
    let dims = cx.shape(0);
    let PadAttributes { before, after } = cx.attributes();
    let before = each("before", &before, dims.len())?;
    let after = each("after", &after, dims.len())?;
    let mut shape = Shape::new();
    for ((&dim, &before), &after) in dims.iter().zip(&before).zip(&after) {
        let too_large = || {
            Fault::new(format!(
                "{before} and {after} more elements make a dimension of {} too large",
                cx.display(&dims)
            ))
        };
        let more = before.checked_add(after).ok_or_else(too_large)?;
        shape.push(match dim {
            Dim::Known(n) => Dim::Known(n.checked_add(more).ok_or_else(too_large)?),
            Dim::Symbol(_) if more == 0 => dim,
            Dim::Symbol(_) => cx.derived(),
        });
    }
    cx.tensor(cx.dtype(0), shape)
}

impl<'g> Expr<'g> {
    /// The part that begins at `begin` and has `size` elements along each dimension, -1 for all.
    pub fn slice(self, begin: &[i64], size: &[i64]) -> Self {
        self.apply(&Slice, SliceAttributes { begin: begin.into(), size: size.into() })
    }

    /// The expression with zeros (`false`) before and after it along each dimension.
    pub fn pad(self, before: &[i64], after: &[i64]) -> Self {
        self.apply(&Pad, PadAttributes { before: before.into(), after: after.into() })
    }

    /// The part of shape `inner` of a padded expression that it was before.
    pub(crate) fn unpad(self, before: &[i64], after: &[i64], inner: Shape) -> Self {
        let sizes: Option<Vec<i64>> = inner
            .iter()
            .zip(before.iter().zip(after))
            .map(|(&dim, around)| match (dim, around) {
                (_, (0, 0)) => Some(-1),
                (Dim::Known(n), _) => i64::try_from(n).ok(),
                _ => None,
            })
            .collect();
        match sizes {
            Some(sizes) => self.slice(before, &sizes),
            None => self.slice_at(self.offset(0), before, 0, inner),
        }
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The part of the tensor that begins at `begin` and has `size` elements along each dimension,
    /// where -1 stands for all up to the end: `x.slice([0, 2], [-1, 3])` is NumPy's `x[:, 2:5]`.
    /// Going beyond the end is a mistake, or a failure when the sizes are fed.
    #[track_caller]
    pub fn slice(self, begin: impl AsRef<[i64]>, size: impl AsRef<[i64]>) -> Tensor<'g, T> {
        self.map(|x| x.slice(begin.as_ref(), size.as_ref()))
    }

    /// The tensor with zeros (`false`) around it: how many before and after it along each
    /// dimension, `x.pad([[0, 0], [1, 2]])`.
    #[track_caller]
    pub fn pad(self, paddings: impl AsRef<[[i64; 2]]>) -> Tensor<'g, T> {
        let _call = self.graph().call("pad");
        let (before, after): (Vec<i64>, Vec<i64>) =
            paddings.as_ref().iter().map(|&[before, after]| (before, after)).unzip();
        self.map(|x| x.pad(&before, &after))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn an_unknown_dimension_that_is_not_cut_stays_itself() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 5]);
        assert_eq!(x.slice([0, 1], [-1, 3]).to_string(), "slice : f32[N, 3]");
        assert_eq!(x.slice([1, 1], [-1, -1]).to_string(), "slice_1 : f32[D, 4]");
        assert_eq!(x.slice([1, 5], [2, 0]).to_string(), "slice_2 : f32[2, 0]");
        assert_eq!(x.pad([[0, 0], [1, 2]]).to_string(), "pad : f32[N, 8]");
        assert_eq!(x.pad([[0, 1], [0, 0]]).to_string(), "pad_1 : f32[D2, 5]");
        g.check().unwrap();
    }

    #[test]
    fn hostile_numbers_are_mistakes() {
        let g = Graph::new();
        let x = g.zeros::<f32>(dims![2, 5]);
        let most = i64::MAX;
        for (begin, size) in [([0, most], [1, most]), ([0, -1], [1, 1]), ([0, 6], [1, -1])] {
            x.slice(begin, size);
        }
        x.slice([0, 2], [1, -2]);
        x.slice([0], [1]);
        x.pad([[0, most], [most, most]]);
        x.pad([[0, 0], [0, -1]]);
        let count = g.check().unwrap_err().0.len();
        assert_eq!(count, 7);
    }
}
