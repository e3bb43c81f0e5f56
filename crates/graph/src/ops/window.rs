//! Boxes whose place or size is settled only when the graph runs: what the gradients of `concat`,
//! `slice` and `pad` are made of where the dimensions that they cut are not known.

use abeyance_ir::{
    Array, AttributeSet, Cotangents, DType, DTypes, Derivation, Dim, Dims, Domain, Fault,
    Inference, Lowered, Lowering, OperandSpec, Operator, Sample, Shape, Signature, Split,
    Splitting, Type, attributes, resolve_axis,
};
use abeyance_kernels::launch::{Failure, Kernel};
use abeyance_kernels::layout;

use super::slice::{copy_loop, each};
use super::with_moved;
use crate::{Expr, Rule};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SliceAt, &PadAt];

const OPERANDS: &[OperandSpec] = &[
    OperandSpec::new("x", DTypes::ANY),
    OperandSpec::in_group("offset", DTypes::of(&[DType::I64]), 1),
];

attributes! {
    /// A box in a tensor, which an offset moves along an axis.
    pub struct WindowAttributes {
        /// First element of the box along each dimension, at an offset of 0.
        begin: Integers,
        /// Axis along which the offset moves the box; a negative one counts from the end.
        axis: i64,
        /// Shape of the result: of the box where it is cut out, else of what it is put into.
        shape: Shape,
    }
}

/// Checks that `inner` fits into `outer` where it begins, as far as sizes are known.
fn check(
    cx: &Inference<'_>,
    attributes: &WindowAttributes,
    inner: &[Dim],
    outer: &[Dim],
) -> Result<(), Fault> {
    if cx.rank(1) != 0 {
        return Err(Fault::new(format!(
            "the offset is a number, not a tensor of shape {}",
            cx.display(&cx.shape(1))
        )));
    }
    let begin = each("begin", &attributes.begin, outer.len())?;
    cx.axis(attributes.axis, outer.len())?;
    let fits = |((&inner, &outer), &begin): ((&Dim, &Dim), &usize)| match (inner, outer) {
        (Dim::Known(size), Dim::Known(n)) => begin.checked_add(size).is_some_and(|end| end <= n),
        _ => true,
    };
    if inner.len() == outer.len() && inner.iter().zip(outer).zip(&begin).all(fits) {
        Ok(())
    } else {
        Err(Fault::new(format!(
            "a box of shape {} at {begin:?} is not within the shape {}",
            cx.display(inner),
            cx.display(outer)
        )))
    }
}

/// A box that reaches along an axis as far as the tensor does has the same rows along it.
fn apart(cx: &Splitting<'_>) -> Split {
    let WindowAttributes { begin, axis: moved, .. } = cx.attributes();
    let moved = resolve_axis(moved, cx.rank(0)).ok();
    let is_whole = |axis: &usize| {
        Some(*axis) != moved
            && begin.get(*axis) == Some(&0)
            && cx.result().get(*axis) == cx.shape(0).get(*axis)
    };
    cx.along_if(cx.axis(0).filter(is_whole))
}

/// Where a box lies within a tensor.
struct Window {
    begin: Dims,
    axis: usize,
    /// The elements behind the box, at an offset of 0.
    after: Dims,
}

impl Window {
    fn new(cx: &Lowering<'_>, inner: &[usize], outer: &[usize]) -> Result<Self, Fault> {
        let WindowAttributes { begin, axis, .. } = cx.attributes();
        let begin = each("begin", &begin, outer.len())?;
        let axis = resolve_axis(axis, outer.len())?;
        let after: Option<Dims> = outer
            .iter()
            .zip(&begin)
            .zip(inner)
            .map(|((n, begin), size)| n.checked_sub(*begin)?.checked_sub(*size))
            .collect();
        match after {
            Some(after) => Ok(Self { begin, axis, after }),
            None => Err(Fault::new("the box is not within the tensor")),
        }
    }

    /// How far the box is moved along the axis.
    fn offset(&self, offset: &[i64]) -> Result<usize, Failure> {
        let offset = offset.first().copied().unwrap_or(0);
        let room = self.after[self.axis];
        match usize::try_from(offset) {
            Ok(offset) if offset <= room => Ok(offset),
            _ => Err(Failure(format!(
                "an offset of {offset} along axis {} is not from 0 to {room}",
                self.axis
            ))),
        }
    }
}

/// The box of a given shape in `x` that begins at `begin`, moved by `offset` along an axis.
/// Gradient: [`PadAt`].
pub struct SliceAt;

impl Operator for SliceAt {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("slice_at", "a box cut out of x at an offset along an axis", OPERANDS)
                .attributes(WindowAttributes::SPECS)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let attributes: WindowAttributes = cx.attributes();
        check(cx, &attributes, &attributes.shape, &cx.shape(0))?;
        cx.tensor(cx.dtype(0), attributes.shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(undone(cx, Expr::pad_at))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (outer, inner) = (cx.operands[0].dims, cx.result.dims);
        let window = Window::new(cx, inner, outer)?;
        let plan = layout::Slice::new(outer, &window.begin, inner);
        let stride: usize = outer[window.axis + 1..].iter().product();
        let (chunk, cost) = copy_loop(cx);
        Ok(with_moved!(cx.result.dtype, T => Kernel::single(2, chunk, cost, move |call| {
            let offset = window.offset(call.input(1))?;
            let (x, start) = (call.input::<T>(0), call.start::<T>());
            plan.run(&x[offset * stride..], call.output(), start);
            Ok(())
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        apart(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        samples(true)
    }
}

/// Zeros of a given shape with `x` at `begin`, moved by `offset` along an axis. Gradient:
/// [`SliceAt`].
pub struct PadAt;

impl Operator for PadAt {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("pad_at", "zeros with x at an offset along an axis", OPERANDS)
                .attributes(WindowAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let attributes: WindowAttributes = cx.attributes();
        check(cx, &attributes, &cx.shape(0), &attributes.shape)?;
        cx.tensor(cx.dtype(0), attributes.shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(undone(cx, Expr::slice_at))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let window = Window::new(cx, cx.operands[0].dims, cx.result.dims)?;
        let dims = Dims::from(cx.operands[0].dims);
        let (chunk, cost) = copy_loop(cx);
        Ok(with_moved!(cx.result.dtype, T => Kernel::single(2, chunk, cost, move |call| {
            let offset = window.offset(call.input(1))?;
            let (mut before, mut after) = (window.begin.clone(), window.after.clone());
            before[window.axis] += offset;
            after[window.axis] -= offset;
            // Made anew for each part: a few divisions, and without an allocation up to four
            // dimensions.
            let plan = layout::Pad::new(&dims, &before, &after);
            let start = call.start::<T>();
            plan.run(call.input::<T>(0), call.output(), start, T::default());
            Ok(())
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        apart(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        samples(false)
    }
}

/// The cotangent of a box by the operator that undoes it.
fn undone<'c>(
    cx: &'c Derivation<'_>,
    undo: fn(Expr<'c>, Expr<'c>, &[i64], i64, Shape) -> Expr<'c>,
) -> Cotangents {
    let WindowAttributes { begin, axis, .. } = cx.attributes();
    let (x, offset) = (cx.operand(0), cx.operand(1));
    cx.each_wanted(|index| {
        (index == 0).then(|| undo(cx.cotangent(), offset, &begin, axis, x.shape()))
    })
}

/// Samples of boxes: of cutting them out, or of putting them in.
fn samples(cut: bool) -> Vec<Sample> {
    type Case = (&'static [usize], &'static [usize], &'static [i64], i64, &'static [f64]);
    let cases: [Case; 7] = [
        (&[1], &[1], &[0], 0, &[0.0]),
        (&[2], &[5], &[1], 0, &[1.0]),
        (&[2, 3], &[2, 7], &[0, 1], -1, &[3.0]),
        (&[2, 3], &[5, 4], &[1, 1], 0, &[2.0]),
        (&[3, 2, 2], &[3, 4, 2], &[0, 0, 0], 1, &[2.0]),
        (&[0, 3], &[4, 3], &[0, 0], 0, &[4.0]),
        (&[33, 5], &[70, 5], &[0, 0], 0, &[20.0]),
    ];
    cases
        .into_iter()
        .map(|(inner, outer, begin, axis, offset)| {
            let (from, to) = if cut { (outer, inner) } else { (inner, outer) };
            let shape = to.iter().map(|&dim| dim.into()).collect();
            Sample::new(WindowAttributes { begin: begin.into(), axis, shape })
                .float(from, Domain::Between(-2.0, 2.0))
                .operand(DType::I64, &[], Domain::Values(offset))
        })
        .collect()
}

impl<'g> Expr<'g> {
    /// The box of a shape that begins at `begin`, moved by `offset` along an axis.
    pub fn slice_at(self, offset: Self, begin: &[i64], axis: i64, shape: Shape) -> Self {
        let attributes = WindowAttributes { begin: begin.into(), axis, shape };
        self.apply_to(&SliceAt, &[self, offset], attributes)
    }

    /// Zeros of a shape with this at `begin`, moved by `offset` along an axis.
    pub fn pad_at(self, offset: Self, begin: &[i64], axis: i64, shape: Shape) -> Self {
        let attributes = WindowAttributes { begin: begin.into(), axis, shape };
        self.apply_to(&PadAt, &[self, offset], attributes)
    }

    /// An offset that is known.
    pub(super) fn offset(self, value: usize) -> Self {
        self.constant(Array::new(DType::I64, &[], &[value as i64]))
    }

    /// The offset of what stands behind a dimension.
    pub(super) fn offset_of(self, dim: Dim) -> Self {
        self.size(DType::I64, Shape::from_slice(&[dim]))
    }
}
