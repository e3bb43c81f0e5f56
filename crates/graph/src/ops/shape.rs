//! The same elements in another arrangement: `reshape`, `transpose`, `expand_dims`, `squeeze`,
//! `broadcast_to`.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Dim, Domain, Extent, Fault, Fusibility,
    Graph as Ir, Inference, Integers, Lowered, Lowering, Naming, OperandSpec, Operator, Rows,
    Sample, Shape, Signature, Split, Splitting, Type, attributes, element_count, known_dims,
    resolve_axis,
};
use abeyance_kernels::broadcast::Broadcast;
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout::{self, Transpose as TransposeLoops};
use smallvec::SmallVec;

use super::reduce::resolve_axes;
use super::with_moved;
use crate::{Dimension, Dimensions, Element, Expr, Rule, Tensor};

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

attributes! {
    /// The dimensions of a [`Reshape`].
    pub struct ReshapeAttributes {
        /// Shape of the result, which holds as many elements.
        to: Shape,
    }
}

/// The same elements in row-major order under other dimensions.
pub struct Reshape;

impl Operator for Reshape {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("reshape", "the same elements under other dimensions", ANY)
                .attributes(ReshapeAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let from = cx.shape(0);
        let ReshapeAttributes { mut to } = cx.attributes();
        match quotient(&from, &to) {
            Quotient::Equal | Quotient::Open => {}
            Quotient::Differ => return Err(mismatch(cx, &from, &to)),
            Quotient::Needs(index, dim) => {
                to[index] = cx.unify(to[index], dim).unwrap_or(dim);
            }
        }
        cx.tensor(cx.dtype(0), to)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(back_to_operand(cx))
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok(Lowered::Alias(0))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        regrouped(cx)
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[1, 1]),
            (&[1], &[]),
            (&[6], &[2, 3]),
            (&[2, 3, 5], &[5, 6]),
            (&[0, 3], &[7, 0]),
            (&[3, 1], &[3]),
        ];
        cases
            .into_iter()
            .map(|(from, to)| {
                Sample::new(ReshapeAttributes { to: to_shape(to) }).float(from, USUAL)
            })
            .collect()
    }
}

/// How reshaped elements lie: along the axis of the result before which there are as many elements
/// as before the operand's. Of both, a row is a stretch of elements as long as the other's.
fn regrouped(cx: &Splitting<'_>) -> Split {
    let find = || {
        let from = cx.axis(0)?;
        let (shape, to) = (cx.shape(0), cx.result());
        let lead = Extent::of(&shape[..from])?;
        let stretch = Extent::of(&shape[from + 1..])?.times(cx.each())?;
        // Axes of size 1 stand at either side of it.
        (0..to.len())
            .filter(|&axis| to[axis].known().is_none())
            .filter(|&axis| Extent::of(&to[..axis]).is_some_and(|before| before == lead))
            .find_map(|axis| {
                let each = stretch.over(&Extent::of(&to[axis + 1..])?)?;
                Some(Split::Along(Rows { axis, each }))
            })
    };
    find().unwrap_or(Split::Mixed)
}

/// What is left of one product of dimensions over another.
enum Quotient {
    /// Nothing: they are the same.
    Equal,
    /// They cannot be the same.
    Differ,
    /// They are the same if the target's dimension at this index is this.
    Needs(usize, Dim),
    /// Not known until sizes are.
    Open,
}

/// Compares the number of elements of two shapes, cancelling what stands on both sides.
fn quotient(from: &[Dim], to: &[Dim]) -> Quotient {
    if let (Some(from), Some(to)) = (known_dims(from), known_dims(to)) {
        return match (element_count(&from), element_count(&to)) {
            (Some(a), Some(b)) if a == b => Quotient::Equal,
            _ => Quotient::Differ,
        };
    }
    let product = |shape: &[Dim]| -> Option<usize> {
        let known: SmallVec<[usize; 4]> = shape.iter().filter_map(|dim| dim.known()).collect();
        element_count(&known)
    };
    let symbols = |shape: &[Dim]| -> SmallVec<[Dim; 4]> {
        shape.iter().filter(|dim| dim.known().is_none()).copied().collect()
    };
    let (Some(a), Some(b)) = (product(from), product(to)) else {
        return Quotient::Differ;
    };
    let mut left = symbols(from);
    let mut right: SmallVec<[(usize, Dim); 4]> = SmallVec::new();
    for (index, &dim) in to.iter().enumerate().filter(|(_, dim)| dim.known().is_none()) {
        match left.iter().position(|&other| other == dim) {
            Some(place) => {
                left.swap_remove(place);
            }
            None => right.push((index, dim)),
        }
    }
    match (&left[..], &right[..]) {
        ([], []) if a == b => Quotient::Equal,
        // With an unknown dimension on both sides the other sizes may still differ if that
        // dimension is 0.
        ([], []) if a == 0 || b == 0 => Quotient::Open,
        ([], []) => Quotient::Differ,
        ([], &[(index, _)]) if b != 0 && a % b == 0 => Quotient::Needs(index, Dim::Known(a / b)),
        ([], &[_]) if b != 0 => Quotient::Differ,
        (&[dim], &[(index, _)]) if a == b => Quotient::Needs(index, dim),
        _ => Quotient::Open,
    }
}

fn mismatch(cx: &Inference<'_>, from: &[Dim], to: &[Dim]) -> Fault {
    // `784·N`, or nothing where the product is beyond all bounds.
    let count = |shape: &[Dim]| -> Option<String> {
        let (known, unknown): (Vec<Dim>, Vec<Dim>) =
            shape.iter().partition(|dim| dim.known().is_some());
        let known = element_count(&known_dims(&known)?)?;
        let mut factors = vec![known.to_string()];
        if known == 1 && !unknown.is_empty() {
            factors.clear();
        }
        let names = unknown.iter().map(|&dim| cx.display(&[dim]));
        factors.extend(names.map(|name| name.trim_matches(['[', ']']).to_owned()));
        Some(factors.join("·"))
    };
    let (a, b) = (count(from), count(to));
    let fault = Fault::new(match (a, b) {
        (Some(a), Some(b)) => format!(
            "the {a} elements of {} do not fill the {b} of {}",
            cx.display(from),
            cx.display(to)
        ),
        _ => format!("the elements of {} do not fill {}", cx.display(from), cx.display(to)),
    });
    if known_dims(from).is_some() && known_dims(to).is_none() {
        // It is open already, and no size will do.
        fault
    } else {
        fault.help("leave one dimension open with `_` to have it worked out")
    }
}

/// The cotangent in the operand's shape.
fn back_to_operand(cx: &Derivation<'_>) -> Cotangents {
    cx.only(cx.cotangent().reshape(cx.operand(0).shape()))
}

attributes! {
    /// The order of a [`Transpose`].
    pub struct TransposeAttributes {
        /// Operand's axis that each axis of the result is; negative ones count from the end.
        order: Integers,
    }
}

/// Dimensions in another order.
pub struct Transpose;

impl Operator for Transpose {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("transpose", "the dimensions in another order", ANY)
                .attributes(TransposeAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, shape.len())?;
        cx.tensor(cx.dtype(0), order.iter().map(|&axis| shape[axis]).collect())
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let rank = cx.operand(0).rank();
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, rank)?;
        let mut back = vec![0; rank];
        for (place, &axis) in order.iter().enumerate() {
            back[axis] = place;
        }
        Ok(cx.only(cx.cotangent().transpose_to(&back)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, dims.len())?;
        let plan = TransposeLoops::new(dims, &order);
        if plan.is_identity() {
            return Ok(Lowered::Alias(0));
        }
        Ok(with_moved!(cx.result.dtype, T => movement::<T>(cx, move |x, out, start| plan.run(x, out, start))).into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let order = permutation(&cx.attributes::<TransposeAttributes>().order, cx.rank(0));
        let axis = cx.axis(0).zip(order.ok());
        cx.along_if(axis.and_then(|(axis, order)| order.iter().position(|&from| from == axis)))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[], &[]),
            (&[3], &[0]),
            (&[2, 3], &[1, 0]),
            (&[2, 3, 5], &[2, 0, 1]),
            (&[0, 3], &[1, 0]),
            (&[1, 4, 1, 2], &[3, 2, 1, 0]),
        ];
        cases
            .into_iter()
            .map(|(dims, order)| {
                Sample::new(TransposeAttributes { order: integers(order) }).float(dims, USUAL)
            })
            .collect()
    }
}

fn permutation(order: &[i64], rank: usize) -> Result<SmallVec<[usize; 4]>, Fault> {
    if order.len() != rank {
        return Err(Fault::new(format!(
            "an order of {} axes for a tensor of {rank} dimensions",
            order.len()
        )));
    }
    resolve_axes(order, rank)?;
    order.iter().map(|&axis| resolve_axis(axis, rank)).collect()
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

attributes! {
    /// The axis of an [`ExpandDims`].
    pub struct ExpandDimsAttributes {
        /// Dimension of the result that is new; a negative one counts from the result's end.
        axis: i64,
    }
}

/// Additional dimensions of size 1.
pub struct ExpandDims;

impl Operator for ExpandDims {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("expand_dims", "an additional dimension of size 1", ANY)
                .attributes(ExpandDimsAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let mut shape = cx.shape(0);
        let ExpandDimsAttributes { axis } = cx.attributes();
        let axis = resolve_axis(axis, shape.len() + 1)?;
        shape.insert(axis, Dim::Known(1));
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(back_to_operand(cx))
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok(Lowered::Alias(0))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let ExpandDimsAttributes { axis: new } = cx.attributes();
        let new = resolve_axis(new, cx.rank(0) + 1).ok();
        cx.along_if(cx.axis(0).zip(new).map(|(axis, new)| axis + usize::from(new <= axis)))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], i64); 5] =
            [(&[], 0), (&[3], 0), (&[3], -1), (&[2, 5], 1), (&[0, 2], 2)];
        cases
            .into_iter()
            .map(|(dims, axis)| Sample::new(ExpandDimsAttributes { axis }).float(dims, USUAL))
            .collect()
    }
}

attributes! {
    /// The axes of a [`Squeeze`].
    pub struct SqueezeAttributes {
        /// Dimensions of size 1 that go; negative ones count from the end.
        axes: Integers,
    }
}

/// Without some dimensions of size 1.
pub struct Squeeze;

impl Operator for Squeeze {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new("squeeze", "without some dimensions of size 1", ANY)
                .attributes(SqueezeAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let shape = cx.shape(0);
        let axes = resolve_axes(&cx.attributes::<SqueezeAttributes>().axes, shape.len())?;
        for &axis in &axes {
            if cx.unify(shape[axis], Dim::Known(1)).is_none() {
                return Err(Fault::new(format!(
                    "dimension {axis} of {} is not 1",
                    cx.display(&shape)
                ))
                .help("only dimensions of size 1 can be left out; `reshape` merges others"));
            }
        }
        let kept = (0..shape.len()).filter(|axis| !axes.contains(axis));
        cx.tensor(cx.dtype(0), kept.map(|axis| shape[axis]).collect())
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(back_to_operand(cx))
    }

    fn lower(&self, _: &Lowering<'_>) -> Result<Lowered, Fault> {
        Ok(Lowered::Alias(0))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let gone = resolve_axes(&cx.attributes::<SqueezeAttributes>().axes, cx.rank(0)).ok();
        let axis = cx.axis(0).zip(gone).filter(|(axis, gone)| !gone.contains(axis));
        cx.along_if(axis.map(|(axis, gone)| axis - gone.iter().filter(|&&g| g < axis).count()))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 5] =
            [(&[], &[]), (&[1], &[0]), (&[3, 1], &[1]), (&[1, 2, 1], &[0, 2]), (&[0, 1], &[1])];
        cases
            .into_iter()
            .map(|(dims, axes)| {
                Sample::new(SqueezeAttributes { axes: integers(axes) }).float(dims, USUAL)
            })
            .collect()
    }
}

attributes! {
    /// The dimensions of a [`BroadcastTo`].
    pub struct BroadcastToAttributes {
        /// Shape that is filled.
        to: Shape,
    }
}

/// Repeated along dimensions of size 1 to fill a shape.
pub struct BroadcastTo;

impl Operator for BroadcastTo {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "broadcast_to",
                "repeated along dimensions of size 1 to fill a shape",
                ANY,
            )
            .attributes(BroadcastToAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let from = cx.shape(0);
        let BroadcastToAttributes { to } = cx.attributes();
        let shape = cx.broadcast(&from, &to)?;
        // Some of its dimensions may be known only now.
        let filled: Shape = to.iter().map(|&dim| cx.resolve(dim)).collect();
        if shape == filled {
            cx.tensor(cx.dtype(0), shape)
        } else {
            Err(Fault::new(format!(
                "{} does not broadcast to {}: it is larger",
                cx.display(&from),
                cx.display(&to)
            )))
        }
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only(cx.cotangent().unbroadcast(cx.operand(0))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        if cx.operands[0].len() == cx.result.len() {
            return Ok(Lowered::Alias(0));
        }
        let plan = Broadcast::new(cx.result.dims, [cx.operands[0].dims]);
        Ok(with_moved!(cx.result.dtype, T => movement::<T>(cx, move |x, out, start| {
            layout::broadcast_to(&plan, x, out, start)
        }))
        .into())
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::AnyRange
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.pointwise()
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 7] = [
            (&[], &[]),
            (&[], &[2, 3]),
            (&[3], &[2, 3]),
            (&[2, 1], &[2, 5]),
            (&[1, 3], &[0, 3]),
            (&[0, 1], &[0, 3]),
            (&[7], &[7]),
        ];
        cases
            .into_iter()
            .map(|(from, to)| {
                Sample::new(BroadcastToAttributes { to: to_shape(to) }).float(from, USUAL)
            })
            .collect()
    }
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
pub(super) fn derived(graph: &mut Ir) -> Dim {
    Dim::Symbol(graph.symbols_mut().fresh(Naming::Derived))
}

impl<'g> Expr<'g> {
    /// The same elements in row-major order under other dimensions.
    pub fn reshape(self, to: Shape) -> Self {
        self.apply(&Reshape, ReshapeAttributes { to })
    }

    /// The dimensions in another order: dimension `i` of the result is dimension `order[i]`.
    pub fn transpose_by(self, order: &[i64]) -> Self {
        self.apply(&Transpose, TransposeAttributes { order: order.into() })
    }

    /// The dimensions in another order, or the expression itself if that changes nothing.
    pub fn transpose_to(self, order: &[usize]) -> Self {
        if order.iter().enumerate().all(|(place, &axis)| place == axis) {
            return self;
        }
        self.apply(&Transpose, TransposeAttributes { order: integers(order) })
    }

    /// The expression with one axis moved behind the others, itself if it is the last.
    pub(crate) fn move_last(self, axis: usize) -> Self {
        let rank = self.rank();
        if axis >= rank {
            return self; // Wrong already, and reported.
        }
        let order: Vec<usize> = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
        self.transpose_to(&order)
    }

    /// The elements repeated to fill a shape, or the expression itself if it has that shape.
    pub fn broadcast_to(self, to: Shape) -> Self {
        if self.graph(|graph| graph.shape(self.id()) == Some(graph.resolve(&to))) {
            return self;
        }
        self.apply(&BroadcastTo, BroadcastToAttributes { to })
    }

    /// The expression with a new dimension of size 1 before dimension `axis` (-1: at the end).
    pub fn expand_dims(self, axis: i64) -> Self {
        self.apply(&ExpandDims, ExpandDimsAttributes { axis })
    }

    /// The expression without the dimensions `axes`, which must be 1.
    pub fn squeeze(self, axes: &[i64]) -> Self {
        self.apply(&Squeeze, SqueezeAttributes { axes: axes.into() })
    }

    /// One dimension in place of `count` from dimension `at` on; of none, a new one of size 1.
    ///
    /// One such dimension at a time can be worked out when the others are symbols.
    pub(crate) fn merge(self, at: usize, count: usize) -> Self {
        let mut to = self.shape();
        if count == 1 || at + count > to.len() {
            return self;
        }
        let one = self.graph(|graph| product(graph, &to[at..at + count]));
        to.drain(at..at + count);
        to.insert(at, one);
        self.reshape(to)
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The same elements in row-major order under other dimensions. One of them may be `_`: it is
    /// worked out, for symbolic dimensions too (`[N, 28, 28, 1]` to `dims![_, 784]` is `[N, 784]`).
    /// Copies nothing.
    #[track_caller]
    pub fn reshape(self, to: impl Into<Dimensions>) -> Tensor<'g, T> {
        let to = to.into();
        let open = to.0.iter().filter(|dim| **dim == Dimension::Unknown).count();
        if open > 1 {
            return self.fault(
                Fault::new(format!(
                    "reshape: {open} dimensions are `_`, and at most one can be worked out"
                ))
                .help("take the others from a tensor: `dims![x.dim(0), _]`"),
            );
        }
        self.map(|x| {
            // Of the open dimension a symbol is made only if it cannot be worked out.
            let from = x.shape();
            let open = to.0.iter().position(|dim| *dim == Dimension::Unknown);
            let mut rest = to.clone();
            if let Some(index) = open {
                rest.0[index] = Dimension::Known(1);
            }
            let mut shape = x.graph(|graph| rest.resolve(graph.symbols_mut()));
            if let Some(index) = open {
                if shape.contains(&Dim::Known(0)) {
                    let fault = x.graph(|graph| any_size(graph, &from, &shape, index));
                    return x.mistake("reshape", fault);
                }
                shape[index] = missing(&from, &shape).unwrap_or_else(|| x.graph(derived));
            }
            x.reshape(shape)
        })
    }

    /// The dimensions in reverse order: for a matrix, its transpose.
    #[track_caller]
    pub fn transpose(self) -> Tensor<'g, T> {
        let _call = self.graph().call("transpose");
        let order: Vec<i64> = (0..self.shape().len() as i64).rev().collect();
        self.transpose_by(&order)
    }

    /// The dimensions in another order: dimension `i` of the result is dimension `order[i]`.
    #[track_caller]
    pub fn transpose_by(self, order: &[i64]) -> Tensor<'g, T> {
        let _call = self.graph().call("transpose_by");
        self.map(|x| x.transpose_by(order))
    }

    /// With an additional dimension of size 1 before dimension `axis` (-1: at the end). Copies
    /// nothing.
    #[track_caller]
    pub fn expand_dims(self, axis: i64) -> Tensor<'g, T> {
        self.map(|x| x.expand_dims(axis))
    }

    /// Without the dimensions `axes`, which must be 1. Copies nothing.
    #[track_caller]
    pub fn squeeze(self, axes: &[i64]) -> Tensor<'g, T> {
        let _call = self.graph().call("squeeze");
        self.map(|x| x.squeeze(axes))
    }

    /// Without any of the dimensions that are known to be 1 while the graph is built: TensorFlow's
    /// `tf.squeeze(x)`. A dimension whose size is not known yet stays, also if 1 is fed to it
    /// later: the shape of every value is known before the graph runs. [`Tensor::squeeze`] leaves
    /// out such a one by its number. Copies nothing.
    #[track_caller]
    pub fn squeeze_all(self) -> Tensor<'g, T> {
        let _call = self.graph().call("squeeze_all");
        let shape = self.shape();
        let ones = (0..shape.len()).filter(|&axis| shape[axis] == Dim::Known(1));
        let ones: Vec<i64> = ones.map(|axis| axis as i64).collect();
        self.squeeze(&ones)
    }

    /// Repeated along dimensions of size 1, and along new ones in front, to fill a shape.
    #[track_caller]
    pub fn broadcast_to(self, to: impl Into<Dimensions>) -> Tensor<'g, T> {
        let to = to.into();
        if to.0.contains(&Dimension::Unknown) {
            return self.fault(
                Fault::new("broadcast_to: the shape has to be known")
                    .help("take unknown sizes from other tensors: `dims![x.dim(0), 10]`"),
            );
        }
        self.map(|x| {
            let to = x.graph(|graph| to.resolve(graph.symbols_mut()));
            // Of its own shape too, that the node can be named.
            x.apply(&BroadcastTo, BroadcastToAttributes { to })
        })
    }
}

/// The fault of an open dimension of `to`, at `open`, beside one of 0.
fn any_size(graph: &Ir, from: &[Dim], to: &[Dim], open: usize) -> Fault {
    let mut names: Vec<String> = to
        .iter()
        .map(|&dim| graph.symbols().display(&[dim]).to_string().trim_matches(['[', ']']).to_owned())
        .collect();
    names[open] = "_".to_owned();
    Fault::new(format!(
        "any size of `_` in [{}] gives 0 elements, so it cannot be worked out from {}",
        names.join(", "),
        graph.symbols().display(from)
    ))
    .help("say which size is meant: a number, or the dimension of a tensor, `dims![0, x.dim(1)]`")
}

/// The dimension that stands where `to` has a 1 for it, so that `to` has as many elements as
/// `from`.
fn missing(from: &[Dim], to: &[Dim]) -> Option<Dim> {
    let mut with = Shape::from(to);
    // A symbol of its own kind: never equal to one of `from`'s.
    with.push(Dim::Symbol(abeyance_ir::SymbolId::UNDETERMINED));
    match quotient(from, &with) {
        Quotient::Needs(_, dim) => Some(dim),
        // It does not divide: let the shape rule say so.
        _ if known_dims(from).is_some() && known_dims(to).is_some() => Some(Dim::Known(1)),
        _ => None,
    }
}
