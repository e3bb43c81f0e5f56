//! Elements at even steps, forwards and backwards: `strided_slice`, its gradient, and `reverse`.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Dim, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting, Type, attributes,
};
use abeyance_kernels::layout::{Steps, Strided, StridedScatter};
use smallvec::SmallVec;

use super::reduce::resolve_axes;
use super::shape::movement;
use super::slice::check_length;
use super::with_moved;
use crate::{Element, Expr, Rule, SlicePart, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&StridedSlice, &StridedSliceGrad, &Reverse];

const ANY: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
const USUAL: Domain = Domain::Between(-2.0, 2.0);

attributes! {
    /// Elements at even steps along each dimension, in TensorFlow's encoding: bit i of a mask is
    /// for dimension i.
    #[derive(Default)]
    pub struct StridedSliceAttributes {
        /// First place along each dimension; a negative one counts from the end.
        begin: Integers,
        /// Place along each dimension to stop before; a negative one counts from the end.
        end: Integers,
        /// Places from an element to the next along each dimension, not 0; negative goes backwards.
        strides: Integers,
        /// Dimensions, as bits, that are open where they begin, whatever `begin` says.
        begin_mask: i64 = 0,
        /// Dimensions, as bits, that are open where they end, whatever `end` says.
        end_mask: i64 = 0,
        /// Dimensions, as bits, of which only the element at `begin` is taken, and which go.
        shrink_axis_mask: i64 = 0,
    }
}

attributes! {
    /// Elements at even steps, and the shape in which they are placed.
    pub struct StridedSliceGradAttributes {
        /// Shape of the result.
        shape: Shape,
        ..parts: StridedSliceAttributes,
    }
}

attributes! {
    /// The axes of a [`Reverse`].
    pub struct ReverseAttributes {
        /// Axes along which the order is turned round; negative ones count from the end.
        axes: Integers,
    }
}

/// The part that is taken along each dimension of a tensor, in TensorFlow's encoding: a place
/// counted from the end if negative, and bits by dimension that say where `begin` and `end` are
/// open, and where only the element at `begin` is meant and its dimension goes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts(StridedSliceAttributes);

impl Parts {
    /// All of a tensor of this rank.
    pub fn all(rank: usize) -> Self {
        let mut parts = Parts::default();
        for _ in 0..rank {
            parts.push(None, None, 1);
        }
        parts
    }

    /// Along the next dimension, elements from `begin` to before `end`.
    pub fn push(&mut self, begin: Option<i64>, end: Option<i64>, stride: i64) {
        let bit = 1i64.checked_shl(self.0.begin.len() as u32).unwrap_or(0);
        self.0.begin_mask |= if begin.is_none() { bit } else { 0 };
        self.0.end_mask |= if end.is_none() { bit } else { 0 };
        self.0.begin.push(begin.unwrap_or(0));
        self.0.end.push(end.unwrap_or(0));
        self.0.strides.push(stride);
    }

    /// Along the next dimension, one element.
    pub fn push_index(&mut self, index: i64) {
        self.0.shrink_axis_mask |= 1i64.checked_shl(self.0.begin.len() as u32).unwrap_or(0);
        self.push(Some(index), Some(index.saturating_add(1)), 1);
    }

    /// These parts with other elements along one dimension.
    pub fn with(mut self, axis: usize, begin: Option<i64>, end: Option<i64>, stride: i64) -> Self {
        let bit = 1i64.checked_shl(axis as u32).unwrap_or(0);
        self.0.begin_mask &= !bit;
        self.0.end_mask &= !bit;
        self.0.begin_mask |= if begin.is_none() { bit } else { 0 };
        self.0.end_mask |= if end.is_none() { bit } else { 0 };
        if let (Some(b), Some(e), Some(s)) =
            (self.0.begin.get_mut(axis), self.0.end.get_mut(axis), self.0.strides.get_mut(axis))
        {
            (*b, *e, *s) = (begin.unwrap_or(0), end.unwrap_or(0), stride);
        }
        self
    }

    /// These parts with one element along one dimension, which goes.
    pub fn with_index(self, axis: usize, index: i64) -> Self {
        let mut parts = self.with(axis, Some(index), Some(index.saturating_add(1)), 1);
        parts.0.shrink_axis_mask |= 1i64.checked_shl(axis as u32).unwrap_or(0);
        parts
    }

    fn check(&self, rank: usize) -> Result<(), Fault> {
        check_length("begin", &self.0.begin, rank)?;
        check_length("end", &self.0.end, rank)?;
        check_length("strides", &self.0.strides, rank)?;
        match self.0.strides.iter().position(|&stride| stride == 0) {
            Some(axis) => Err(Fault::new(format!("the stride along dimension {axis} is 0"))),
            None => Ok(()),
        }
    }

    fn axis(&self, axis: usize) -> Part {
        let has = |mask: i64| mask >> axis & 1 == 1;
        Part {
            begin: (!has(self.0.begin_mask)).then_some(self.0.begin[axis]),
            end: (!has(self.0.end_mask)).then_some(self.0.end[axis]),
            stride: self.0.strides[axis],
            shrink: has(self.0.shrink_axis_mask),
        }
    }

    /// True if a dimension is taken whole, in its order.
    fn keeps(&self, axis: usize) -> bool {
        let part = self.axis(axis);
        part.is_whole() && part.stride == 1 && !part.shrink
    }

    /// How many of the dimensions before one go.
    fn gone_before(&self, axis: usize) -> usize {
        (0..axis).filter(|&other| self.axis(other).shrink).count()
    }

    /// Which elements are meant in a tensor of known sizes.
    fn steps(&self, dims: &[usize]) -> Result<SmallVec<[Steps; 4]>, Fault> {
        self.check(dims.len())?;
        dims.iter()
            .enumerate()
            .map(|(axis, &size)| self.axis(axis).steps(size, axis, || format!("{dims:?}")))
            .collect()
    }

    /// The shape of what is taken out of a tensor, and for each of its dimensions whether its size
    /// is known only when the graph runs.
    fn shape(&self, cx: &Inference<'_>, full: &[Dim]) -> Result<SmallVec<[Option<Dim>; 4]>, Fault> {
        self.check(full.len())?;
        let mut shape = SmallVec::new();
        for (axis, &dim) in full.iter().enumerate() {
            let part = self.axis(axis);
            let size = match dim {
                Dim::Known(size) => {
                    let steps = part.steps(size, axis, || cx.display(full))?;
                    Some(Dim::Known(steps.count))
                }
                Dim::Symbol(_) if part.is_whole() => Some(dim),
                Dim::Symbol(_) => None,
            };
            if !part.shrink {
                shape.push(size);
            }
        }
        Ok(shape)
    }
}

/// The part that is taken along one dimension.
struct Part {
    begin: Option<i64>,
    end: Option<i64>,
    stride: i64,
    shrink: bool,
}

impl Part {
    fn is_whole(&self) -> bool {
        self.begin.is_none() && self.end.is_none() && self.stride.unsigned_abs() == 1
    }

    /// Python's `slice.indices`: ends beyond the dimension are those of the dimension.
    ///
    /// # Errors
    /// An index that is not in the dimension.
    fn steps(&self, size: usize, axis: usize, shape: impl Fn() -> String) -> Result<Steps, Fault> {
        let n = size as i128;
        if self.shrink {
            let index = self.begin.map_or(0, i128::from);
            if !(-n..n).contains(&index) {
                return Err(Fault::new(format!(
                    "index {index} is out of range: dimension {axis} of {} has size {size}",
                    shape()
                )));
            }
            return Ok(Steps { begin: index.rem_euclid(n) as usize, step: 1, count: 1 });
        }
        let stride = i128::from(self.stride);
        // The first and last place at which a range may begin, or end, in its direction.
        let (low, high) = if stride < 0 { (-1, n - 1) } else { (0, n) };
        let place = |at: Option<i64>, open| match at.map(i128::from) {
            None => open,
            Some(at) if at < 0 => (at + n).max(low),
            Some(at) => at.min(high),
        };
        let (first, last) = if stride < 0 { (high, low) } else { (low, high) };
        let (begin, end) = (place(self.begin, first), place(self.end, last));
        let count = match stride < 0 {
            true if end < begin => (begin - end - 1) / -stride + 1,
            false if begin < end => (end - begin - 1) / stride + 1,
            _ => 0,
        };
        Ok(match count {
            0 => Steps { begin: 0, step: 1, count: 0 },
            // The step of a single element says nothing.
            1 => Steps { begin: begin as usize, step: 1, count: 1 },
            _ => Steps { begin: begin as usize, step: stride as isize, count: count as usize },
        })
    }
}

/// Elements of `x` at even steps along each dimension, with Python's meaning of `begin:end:stride`:
/// places are counted from the end if negative, ends beyond the dimension are its ends, and a
/// negative stride goes backwards. Dimensions for which `shrink_axis_mask` has a bit are indexed at
/// `begin`, which must exist, and gone. TensorFlow's `tf.strided_slice`. Gradient: the cotangent at
/// its place among zeros.
pub struct StridedSlice;

impl Operator for StridedSlice {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("strided_slice", "elements of x at even steps", ANY)
                .attributes(StridedSliceAttributes::SPECS)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let parts = Parts(cx.attributes());
        let sizes = parts.shape(cx, &cx.shape(0))?;
        let shape = sizes.iter().map(|size| size.unwrap_or_else(|| cx.derived()));
        let shape = shape.collect();
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let full = cx.operand(0).shape();
        Ok(cx.only(cx.cotangent().strided_slice_grad(&Parts(cx.attributes()), full)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        let steps = Parts(cx.attributes()).steps(dims)?;
        Ok(pick(cx, &steps))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let parts = Parts(cx.attributes());
        let axis = cx.axis(0).filter(|&axis| parts.check(cx.rank(0)).is_ok() && parts.keeps(axis));
        cx.along_if(axis.map(|axis| axis - parts.gone_before(axis)))
    }

    fn samples(&self) -> Vec<Sample> {
        samples().into_iter().map(|(dims, parts)| Sample::new(parts.0).float(dims, USUAL)).collect()
    }
}

/// The elements of operand 0 that are meant.
pub(crate) fn pick(cx: &Lowering<'_>, steps: &[Steps]) -> Lowered {
    let dims = cx.operands[0].dims;
    let whole = dims
        .iter()
        .zip(steps)
        .all(|(&size, steps)| steps.count == size && (size == 1 || *steps == Steps::all(size)));
    if whole {
        return Lowered::Alias(0);
    }
    let plan = Strided::new(dims, steps);
    with_moved!(cx.result.dtype, T => movement::<T>(cx, move |x, out, start| plan.run(x, out, start)))
        .into()
}

/// Operand 0 at the places in the result that are meant, and zeros elsewhere.
pub(crate) fn place(cx: &Lowering<'_>, dims: &[usize], steps: &[Steps]) -> Lowered {
    let plan = StridedScatter::new(dims, steps);
    with_moved!(cx.result.dtype, T => movement::<T>(cx, move |x, out, start| plan.run(x, out, start)))
        .into()
}

/// Uses of [`StridedSlice`]: shapes, and what is taken.
fn samples() -> Vec<(&'static [usize], Parts)> {
    type Axis = (Option<i64>, Option<i64>, i64);
    const ALL: Axis = (None, None, 1);
    let cases: [(&'static [usize], &[Axis], &[usize]); 12] = [
        (&[], &[], &[]),
        (&[5], &[(None, None, -1)], &[]),
        (&[7], &[(Some(1), Some(6), 2)], &[]),
        (&[7], &[(Some(-2), Some(0), -3)], &[]),
        (&[3, 4], &[ALL, (Some(2), Some(3), 1)], &[1]),
        (&[3, 4], &[(Some(-1), Some(0), 1), (Some(3), None, -2)], &[0]),
        (&[2, 3, 4], &[(None, None, -1), ALL, (Some(1), Some(-1), 1)], &[]),
        (&[4], &[(Some(3), Some(1), 1)], &[]),
        (&[1, 3], &[(Some(1), None, 1), ALL], &[]),
        (&[0, 3], &[(None, None, -1), (None, Some(2), 1)], &[]),
        (&[3, 3], &[(Some(-9), Some(9), 1), (Some(9), Some(-9), -1)], &[]),
        (&[21, 5], &[(Some(1), None, 3), (None, None, 2)], &[]),
    ];
    cases
        .into_iter()
        .map(|(dims, axes, shrink)| {
            let mut parts = Parts::default();
            for (axis, &(begin, end, stride)) in axes.iter().enumerate() {
                if shrink.contains(&axis) {
                    parts.push_index(begin.unwrap_or(0))
                } else {
                    parts.push(begin, end, stride)
                }
            }
            (dims, parts)
        })
        .collect()
}

/// Zeros of a shape in which the elements that [`StridedSlice`] takes are those of the operand: its
/// gradient. Gradient: [`StridedSlice`].
pub struct StridedSliceGrad;

impl Operator for StridedSliceGrad {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("strided_slice_grad", "zeros with x at even steps", ANY)
                .attributes(StridedSliceGradAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let inner = cx.shape(0);
        let StridedSliceGradAttributes { shape: full, parts } = cx.attributes();
        let wanted = Parts(parts).shape(cx, &full)?;
        let fits = wanted.len() == inner.len()
            && wanted
                .iter()
                .zip(&inner)
                .all(|(size, &dim)| size.is_none_or(|size| cx.unify(size, dim).is_some()));
        if fits {
            cx.tensor(cx.dtype(0), full)
        } else {
            Err(Fault::new(format!(
                "{} is not the shape of what is taken out of {}",
                cx.display(&inner),
                cx.display(&full)
            )))
        }
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let StridedSliceGradAttributes { parts, .. } = cx.attributes();
        Ok(cx.only(cx.cotangent().strided_slice(&Parts(parts))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let StridedSliceGradAttributes { parts, .. } = cx.attributes();
        let steps = Parts(parts).steps(cx.result.dims)?;
        Ok(place(cx, cx.result.dims, &steps))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let StridedSliceGradAttributes { parts, .. } = cx.attributes();
        let (parts, rank) = (Parts(parts), cx.result().len());
        let from = |axis: &usize| Some(axis - parts.gone_before(*axis)) == cx.axis(0);
        let kept = |axis: &usize| parts.check(rank).is_ok() && parts.keeps(*axis);
        cx.along_if((0..rank).filter(kept).find(from))
    }

    fn samples(&self) -> Vec<Sample> {
        samples()
            .into_iter()
            .filter_map(|(dims, parts)| {
                let steps = parts.steps(dims).ok()?;
                let inner: Vec<usize> = steps
                    .iter()
                    .enumerate()
                    .filter(|(axis, _)| !parts.axis(*axis).shrink)
                    .map(|(_, steps)| steps.count)
                    .collect();
                let shape = dims.iter().map(|&dim| dim.into()).collect();
                let attributes = StridedSliceGradAttributes { shape, parts: parts.0 };
                Some(Sample::new(attributes).float(&inner, USUAL))
            })
            .collect()
    }
}

/// The elements in the opposite order along some axes. TensorFlow's `tf.reverse`. Gradient: the
/// cotangent, reversed.
pub struct Reverse;

impl Operator for Reverse {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("reverse", "the opposite order along some axes", ANY)
                .attributes(ReverseAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        resolve_axes(&cx.attributes::<ReverseAttributes>().axes, shape.len())?;
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let ReverseAttributes { axes } = cx.attributes();
        Ok(cx.only(cx.cotangent().reverse(&axes)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        let axes = resolve_axes(&cx.attributes::<ReverseAttributes>().axes, dims.len())?;
        let steps: SmallVec<[Steps; 4]> = dims
            .iter()
            .enumerate()
            .map(
                |(axis, &size)| {
                    if axes.contains(&axis) { Steps::reversed(size) } else { Steps::all(size) }
                },
            )
            .collect();
        Ok(pick(cx, &steps))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let turned = resolve_axes(&cx.attributes::<ReverseAttributes>().axes, cx.rank(0));
        cx.apart_from(|axis| turned.is_ok_and(|turned| turned.contains(&axis)))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[i64]); 6] = [
            (&[], &[]),
            (&[5], &[0]),
            (&[2, 3], &[-1]),
            (&[3, 1, 2], &[0, 1]),
            (&[0, 3], &[0, 1]),
            (&[33, 5], &[0]),
        ];
        cases
            .into_iter()
            .map(|(dims, axes)| {
                Sample::new(ReverseAttributes { axes: axes.into() }).float(dims, USUAL)
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The elements at even steps along each dimension.
    pub fn strided_slice(self, parts: &Parts) -> Self {
        self.apply(&StridedSlice, parts.0.clone())
    }

    /// Zeros of a shape in which the elements that `parts` takes are those of this.
    pub fn strided_slice_grad(self, parts: &Parts, shape: Shape) -> Self {
        let attributes = StridedSliceGradAttributes { shape, parts: parts.0.clone() };
        self.apply(&StridedSliceGrad, attributes)
    }

    /// The elements in the opposite order along some axes.
    pub fn reverse(self, axes: &[i64]) -> Self {
        self.apply(&Reverse, ReverseAttributes { axes: axes.into() })
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// A part of the tensor as NumPy would give it, written with [`slices!`](crate::slices):
    /// `x.strided_slice(slices![.., 2..-2, ..;-1, 0])`. Dimensions not mentioned are taken whole.
    /// TensorFlow's `tf.strided_slice` and `x[...]`.
    ///
    /// Places are counted from the end if negative, and the ends of ranges beyond a dimension are
    /// those of the dimension; an index must exist, else it is a mistake, or a failure when the
    /// size is fed. A step of 0 is a mistake. Gradient: the cotangent at its place among zeros.
    #[track_caller]
    pub fn strided_slice(self, parts: impl AsRef<[SlicePart]>) -> Tensor<'g, T> {
        let _call = self.graph().call("strided_slice");
        let (parts, rank) = (parts.as_ref(), self.shape().len());
        let count = |what: fn(&SlicePart) -> bool| parts.iter().filter(|part| what(part)).count();
        let rests = count(|part| matches!(part, SlicePart::Rest));
        let named = count(|part| matches!(part, SlicePart::Range { .. } | SlicePart::Index(_)));
        if rests > 1 {
            return self.fault(Fault::new("strided_slice: `...` can stand only once"));
        }
        let Some(rest) = rank.checked_sub(named) else {
            return self.fault(Fault::new(format!(
                "strided_slice: {named} parts for a tensor of {rank} dimensions"
            )));
        };
        self.map(|x| {
            let mut taken = Parts::default();
            let mut new = Vec::new();
            let mut place = 0;
            let whole = |taken: &mut Parts, count| {
                (0..count).for_each(|_| taken.push(None, None, 1));
                count
            };
            for &part in parts {
                match part {
                    SlicePart::Range { begin, end, step } => taken.push(begin, end, step),
                    SlicePart::Index(index) => taken.push_index(index),
                    SlicePart::Rest => place += whole(&mut taken, rest),
                    SlicePart::NewAxis => new.push(place),
                }
                place += usize::from(matches!(part, SlicePart::Range { .. } | SlicePart::NewAxis));
            }
            if rests == 0 {
                whole(&mut taken, rest);
            }
            let y = if taken == Parts::all(rank) { x } else { x.strided_slice(&taken) };
            new.into_iter().fold(y, |y, axis: usize| y.expand_dims(axis as i64))
        })
    }

    /// The elements in the opposite order along `axes`, negative ones counted from the end.
    /// TensorFlow's `tf.reverse`. An axis out of range or named twice is a mistake. Gradient: the
    /// cotangent, reversed.
    #[track_caller]
    pub fn reverse(self, axes: impl AsRef<[i64]>) -> Tensor<'g, T> {
        let _call = self.graph().call("reverse");
        self.map(|x| x.reverse(axes.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, NewAxis, dims, slices};

    #[test]
    fn an_unknown_dimension_that_is_whole_stays_itself() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 5]);
        let shape = |y: crate::Tensor<'_, f32>| y.to_string();
        assert_eq!(shape(x.strided_slice(slices![..;-1, 1..4])), "strided_slice : f32[N, 3]");
        assert_eq!(shape(x.strided_slice(slices![1.., -1])), "strided_slice_1 : f32[D]");
        assert_eq!(shape(x.strided_slice(slices![-1])), "strided_slice_2 : f32[5]");
        assert_eq!(
            shape(x.strided_slice(slices![.., NewAxis, .., NewAxis])),
            "expand_dims_1 : f32[N, 1, 5, 1]"
        );
        assert_eq!(x.strided_slice(slices![]).id(), x.id());
        assert_eq!(x.reverse([0, -1]).to_string(), "reverse : f32[N, 5]");
        g.check().unwrap();
    }

    #[test]
    fn what_cannot_be_is_a_mistake() {
        let g = Graph::new();
        let x = g.zeros::<f32>(dims![2, 5]);
        x.strided_slice(slices![..;0]);
        x.strided_slice(slices![.., 5]);
        x.strided_slice(slices![-3]);
        x.strided_slice(slices![.., .., ..]);
        x.strided_slice(slices![..., 0, ...]);
        x.reverse([2]);
        x.reverse([1, -1]);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "the stride along dimension 0 is 0",
            "index 5 is out of range: dimension 1 of [2, 5] has size 5",
            "index -3 is out of range: dimension 0 of [2, 5] has size 2",
            "3 parts for a tensor of 2 dimensions",
            "`...` can stand only once",
            "axis 2 is out of range",
            "axis 1 is named twice",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
