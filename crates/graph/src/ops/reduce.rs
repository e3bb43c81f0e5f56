//! Reductions over some or all dimensions: `reduce_sum`, `reduce_mean`, `reduce_max`, `reduce_min`,
//! `reduce_prod`.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Differentiability, Dim, Domain, Fault, Inference,
    Layout, LayoutRule, Lowered, Lowering, OperandSpec, Operator, OperatorRef, Sample, Shape,
    Signature, Split, Splitting, Type, resolve_axis,
};
use abeyance_kernels::conv::ChannelSum;
use abeyance_kernels::launch::{Cost, Kernel, Source, Step, Target};
use abeyance_kernels::reduce::{Operation, Reduction, TwoStage};
use smallvec::{SmallVec, smallvec};

use super::{with_float, with_type};
use crate::{Axes, AxisList, Expr, Number, Rule, Tensor};

/// An operator that combines all elements along some axes into one.
pub struct Reduce {
    signature: Signature,
    operation: Operation,
    gradient: for<'c> fn(&'c Derivation<'_>, &Reduced) -> Expr<'c>,
    domain: Domain,
}

const OPERAND: &[OperandSpec] = &[OperandSpec::new("x", DTypes::NUMBER)];

abeyance_ir::attributes! {
    /// The attributes of a reduction: its axes.
    pub struct ReduceAttributes {
        /// Axes to reduce, each once; negative ones count from the end.
        axes: Integers,
        /// True if the reduced axes stay, with size 1.
        keep_dims: bool = false,
    }
}

impl Operator for Reduce {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ReduceAttributes { axes, keep_dims } = cx.attributes();
        let shape = cx.shape(0);
        let axes = resolve_axes(&axes, shape.len())?;
        let needs_one = matches!(self.operation, Operation::Max | Operation::Min);
        if needs_one && axes.iter().any(|&axis| shape[axis] == Dim::Known(0)) {
            return Err(Fault::new(format!(
                "of no elements none is the {}: a reduced dimension of {} is 0",
                if matches!(self.operation, Operation::Max) { "largest" } else { "smallest" },
                cx.display(&shape)
            )));
        }
        cx.tensor(cx.dtype(0), reduced_shape(&shape, &axes, keep_dims))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let reduced = Reduced::new(&cx.attributes(), cx.operand(0).rank())?;
        Ok(cx.only((self.gradient)(cx, &reduced)))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        if self.operation == Operation::Sum
            && let Some(sum) = channel_sum(cx)?
        {
            return with_float!(cx.result.dtype, T => Ok(sum.kernel::<T>(cx.operands[0].layout).into()));
        }
        lower(cx, self.operation)
    }

    fn layouts(&self, cx: &Lowering<'_>) -> Vec<LayoutRule> {
        match channel_sum(cx) {
            Ok(Some(_)) if self.operation == Operation::Sum => {
                vec![LayoutRule::new(&[Layout::Nhwc16n], Layout::RowMajor)]
            }
            _ => Vec::new(),
        }
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        split(cx, &cx.attributes())
    }

    fn samples(&self) -> Vec<Sample> {
        samples(abeyance_ir::DType::F64, &self.domain)
    }
}

/// Reductions of one and of several dimensions, at either end and between, kept and not.
pub(super) fn samples(dtype: abeyance_ir::DType, domain: &Domain) -> Vec<Sample> {
    let cases: [(&[usize], &[i64], bool); 8] = [
        (&[], &[], false),
        (&[5], &[0], false),
        (&[2, 3], &[1], false),
        (&[2, 3], &[0], true),
        (&[2, 3, 4], &[0, 2], false),
        (&[2, 3, 2], &[-2], true),
        (&[1, 7], &[0, 1], false),
        (&[0, 3], &[1], false),
    ];
    cases
        .into_iter()
        .map(|(dims, axes, keep_dims)| {
            Sample::new(ReduceAttributes { axes: axes.into(), keep_dims }).operand(
                dtype,
                dims,
                domain.clone(),
            )
        })
        .collect()
}

/// The sum over all pixels of some images, for each channel: the gradient of a bias. It has loops
/// of its own, which give the same bits for images in blocks.
fn channel_sum(cx: &Lowering<'_>) -> Result<Option<ChannelSum>, Fault> {
    let &[images, height, width, channels] = cx.operands[0].dims else { return Ok(None) };
    let ReduceAttributes { axes, keep_dims: _ } = cx.attributes();
    let axes = resolve_axes(&axes, 4)?;
    let sum = ChannelSum { images, pixels: height * width, channels };
    let fits = axes[..] == [0, 1, 2] && cx.result.dtype.is_float() && sum.prefers_blocks();
    Ok(fits.then_some(sum))
}

/// The loops of a reduction that has [`ReduceAttributes`]: in one step, or in two where many
/// elements become few.
pub(super) fn lower(cx: &Lowering<'_>, operation: Operation) -> Result<Lowered, Fault> {
    let ReduceAttributes { axes, keep_dims: _ } = cx.attributes();
    let dims = cx.operands[0].dims;
    let axes = resolve_axes(&axes, dims.len())?;
    // A finite maximum is not the element itself where that is infinite.
    if axes.iter().all(|&axis| dims[axis] == 1) && operation != Operation::FiniteMax {
        return Ok(Lowered::Alias(0));
    }
    let cost = Cost {
        flops: cx.operands[0].len() as f64,
        bytes: (cx.operands[0].bytes() + cx.result.bytes()) as f64,
    };
    let kernel = with_type!(cx.result.dtype, T => {
            let size = size_of::<T>();
            let stages = if operation == Operation::Mean && !cx.result.dtype.is_float() {
    None
    } else {
    TwoStage::new(dims, &axes)
    };
            match stages {
                None => {
                    let plan = Reduction::new(dims, &axes);
                    Kernel::single(1, plan.chunk(size) * size, cost, move |call| {
                        let start = call.start::<T>();
                        plan.run(operation, call.input::<T>(0), call.output::<T>(), start)
                    })
                }
                Some(plan) => {
                    let last = plan.clone();
                    let (scratch, chunk) = (plan.scratch() * size, plan.chunk() * size);
                    Kernel {
                        scratch: smallvec![scratch],
                        steps: [
                            Step {
                                reads: smallvec![Source::Operand(0)],
                                writes: Target::Scratch(0),
                                chunk,
                                cost,
                                workspace: 0,
                                run: Box::new(move |call| {
                                    let start = call.start::<T>();
                                    plan.partials(operation, call.input::<T>(0), call.output::<T>(), start)
                                }),
                            },
                            Step {
                                reads: smallvec![Source::Scratch(0)],
                                writes: Target::Output,
                                chunk: cx.result.bytes().max(1),
                                cost: Cost { flops: (scratch / size) as f64, bytes: scratch as f64 },
                                workspace: 0,
                                run: Box::new(move |call| {
                                    let start = call.start::<T>();
                                    last.combine(operation, call.input::<T>(0), call.output::<T>(), start)
                                }),
                            },
                        ]
                        .into_iter()
                        .collect(),
                    }
                }
            }
        });
    Ok(kernel.into())
}

/// The dimensions that a list of axes means, in increasing order.
///
/// # Errors
/// An axis out of range, or one named twice.
pub(crate) fn resolve_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, Fault> {
    let mut resolved = Vec::with_capacity(axes.len().min(rank));
    for &axis in axes {
        let axis = resolve_axis(axis, rank)?;
        if resolved.contains(&axis) {
            return Err(Fault::new(format!("axis {axis} is named twice")));
        }
        resolved.push(axis);
    }
    resolved.sort_unstable();
    Ok(resolved)
}

pub(super) fn reduced_shape(shape: &[Dim], axes: &[usize], keep_dims: bool) -> Shape {
    shape
        .iter()
        .enumerate()
        .filter_map(|(axis, &dim)| match (axes.contains(&axis), keep_dims) {
            (false, _) => Some(dim),
            (true, true) => Some(Dim::Known(1)),
            (true, false) => None,
        })
        .collect()
}

/// How the result of a reduction lies. Elements that stand at different places of the other axes
/// never meet, but behind an axis that is reduced their number decides the order in which floats
/// are combined, and so the last bits.
pub(super) fn split(cx: &Splitting<'_>, attributes: &ReduceAttributes) -> Split {
    let (Some(axis), Ok(axes)) = (cx.axis(0), resolve_axes(&attributes.axes, cx.rank(0))) else {
        return Split::Mixed;
    };
    let before = axes.iter().filter(|&&other| other < axis);
    let is_ordered = before.clone().any(|&other| cx.shape(0)[other] != Dim::Known(1))
        && cx.results().iter().any(|result| result.dtype.is_float());
    if axes.contains(&axis) || is_ordered {
        Split::Mixed
    } else if attributes.keep_dims {
        cx.along(axis)
    } else {
        cx.along(axis - before.count())
    }
}

/// The dimensions that a node reduces, for its gradient rule.
pub(super) struct Reduced {
    /// In increasing order.
    axes: Vec<usize>,
    keep_dims: bool,
}

impl Reduced {
    /// # Errors
    /// As [`resolve_axes`].
    pub(super) fn new(attributes: &ReduceAttributes, rank: usize) -> Result<Self, Fault> {
        let axes = resolve_axes(&attributes.axes, rank)?;
        Ok(Self { axes, keep_dims: attributes.keep_dims })
    }

    /// The axes as a reduction takes them.
    fn list(&self) -> AxisList {
        let axes = self.axes.iter().map(|&axis| axis as i64).collect();
        AxisList { axes: Some(axes), keep_dims: self.keep_dims }
    }

    /// A value of the reduced shape with the reduced dimensions as 1, so that it broadcasts to the
    /// operand's.
    pub(super) fn beside<'g>(&self, x: Expr<'g>, value: Expr<'g>) -> Expr<'g> {
        let leading = self.axes.iter().enumerate().all(|(place, &axis)| place == axis);
        if self.keep_dims || leading {
            return value;
        }
        value.reshape(reduced_shape(&x.shape(), &self.axes, true))
    }

    /// A value of the reduced shape, stretched over the operand's shape again.
    fn restore<'g>(&self, x: Expr<'g>, value: Expr<'g>) -> Expr<'g> {
        self.beside(x, value).broadcast_to(x.shape())
    }

    /// `factor · value / n` where n elements of the operand make up one.
    pub(super) fn per_element<'g>(&self, x: Expr<'g>, value: Expr<'g>, factor: f64) -> Expr<'g> {
        let full = x.shape();
        let of: Shape = self.axes.iter().map(|&axis| full[axis]).collect();
        let known = of.iter().map(|dim| dim.known()).try_fold(1usize, |n, dim| n.checked_mul(dim?));
        let count = match (known, x.dtype()) {
            (Some(count), _) => x.number(count as f64 / factor),
            (None, Some(dtype)) if factor == 1.0 => x.size(dtype, of),
            (None, Some(dtype)) => x.size(dtype, of) / factor,
            (None, None) => x.invalid(),
        };
        value / count
    }
}

/// The cotangent, shared evenly among the extreme elements, and 0 for all others. Where the result
/// is NaN none is extreme, and 0 / 0 shares are NaN for all: so NaN reaches the gradient.
fn share_among_ties<'c>(
    cx: &'c Derivation<'_>,
    reduced: &Reduced,
    short_of: impl FnOnce(Expr<'c>, Expr<'c>) -> Expr<'c>,
) -> Expr<'c> {
    let x = cx.operand(0);
    let extreme = reduced.restore(x, cx.result());
    let ties = x.equal(extreme).cast(x.dtype().unwrap_or(abeyance_ir::DType::F32));
    let count = reduced.restore(x, ties.reduce_sum(reduced.list()));
    let share = reduced.restore(x, cx.cotangent()) * (ties / count);
    // Where an element is none of the extreme ones, an infinite cotangent does not count.
    short_of(x, extreme).select(0.0, share)
}

/// The sum, Σx. Gradient: the cotangent for each element. The sum of nothing is 0.
pub static SUM: Reduce = Reduce {
    signature: Signature::new("reduce_sum", "the sum along some axes", OPERAND)
        .attributes(ReduceAttributes::SPECS),
    operation: Operation::Sum,
    gradient: |cx, reduced| reduced.restore(cx.operand(0), cx.cotangent()),
    domain: Domain::Between(-2.0, 2.0),
};

/// The mean, Σx / n. Gradient: the cotangent over n for each element. The mean of nothing is NaN,
/// and fails for integers.
pub static MEAN: Reduce = Reduce {
    signature: Signature::new("reduce_mean", "the mean along some axes", OPERAND)
        .attributes(ReduceAttributes::SPECS),
    operation: Operation::Mean,
    gradient: |cx, reduced| {
        let x = cx.operand(0);
        reduced.restore(x, reduced.per_element(x, cx.cotangent(), 1.0))
    },
    domain: Domain::Between(-2.0, 2.0),
};

/// The largest element; NaN if any is. Gradient: the cotangent, shared evenly among ties; NaN where
/// the result is.
pub static MAX: Reduce = Reduce {
    signature: Signature::new("reduce_max", "the largest along some axes", OPERAND)
        .attributes(ReduceAttributes::SPECS)
        .differentiability(Differentiability::Piecewise)
        .zeroing_gradient(),
    operation: Operation::Max,
    gradient: |cx, reduced| share_among_ties(cx, reduced, |x, most| x.less(most)),
    domain: Domain::Distinct,
};

/// The smallest element; NaN if any is. Gradient: the cotangent, shared evenly among ties; NaN
/// where the result is.
pub static MIN: Reduce = Reduce {
    signature: Signature::new("reduce_min", "the smallest along some axes", OPERAND)
        .attributes(ReduceAttributes::SPECS)
        .differentiability(Differentiability::Piecewise)
        .zeroing_gradient(),
    operation: Operation::Min,
    gradient: |cx, reduced| share_among_ties(cx, reduced, |x, least| x.greater(least)),
    domain: Domain::Distinct,
};

/// The product, Πx. Gradient: the cotangent times the product of the others, right also where
/// elements are 0. The product of nothing is 1.
pub static PROD: Reduce = Reduce {
    signature: Signature::new("reduce_prod", "the product along some axes", OPERAND)
        .attributes(ReduceAttributes::SPECS),
    operation: Operation::Prod,
    gradient: |cx, reduced| {
        let x = cx.operand(0);
        let others = x.prod_others(&reduced.axes);
        cx.times(reduced.restore(x, cx.cotangent()), others)
    },
    domain: Domain::Values(&[0.5, -1.5, 0.0, 2.0, 1.25]),
};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&SUM, &MEAN, &MAX, &MIN, &PROD];

impl<'g> Expr<'g> {
    /// Appends a reduction by an operator that has [`ReduceAttributes`].
    pub(super) fn over(self, operator: impl Into<OperatorRef>, axes: impl Axes) -> Self {
        self.apply(operator, self.reduction(axes))
    }

    /// The attributes of a reduction of this expression.
    pub(super) fn reduction(self, axes: impl Axes) -> ReduceAttributes {
        let AxisList { axes, keep_dims } = axes.list();
        // Printed as the user wrote them unless that was `..`.
        let axes = axes.unwrap_or_else(|| (0..self.rank() as i64).collect());
        ReduceAttributes { axes, keep_dims }
    }

    /// This expression, whose reduced dimensions were kept, without them unless `list` keeps them.
    pub(super) fn drop_kept(self, list: &AxisList) -> Self {
        if list.keep_dims {
            return self;
        }
        let kept = self.shape();
        let all: SmallVec<[i64; 4]> = (0..kept.len() as i64).collect();
        // What is wrong with the axes has been told where they were reduced.
        match resolve_axes(list.axes.as_ref().unwrap_or(&all), kept.len()) {
            Ok(axes) => self.reshape(reduced_shape(&kept, &axes, false)),
            Err(_) => self.invalid(),
        }
    }
}

/// Methods of [`Expr`] that append a reduction along some axes.
macro_rules! reduce_methods {
    ($($(#[$doc:meta])* $method:ident $operator:ident;)*) => {
        impl<'g> $crate::Expr<'g> {$(
            $(#[$doc])*
            pub fn $method(self, axes: impl $crate::Axes) -> Self {
                self.over(&$operator, axes)
            }
        )*}
    };
}
pub(super) use reduce_methods;

reduce_methods! {
    /// The sum along some axes.
    reduce_sum SUM;
    /// The mean along some axes.
    reduce_mean MEAN;
    /// The largest along some axes.
    reduce_max MAX;
    /// The smallest along some axes.
    reduce_min MIN;
    /// The product along some axes.
    reduce_prod PROD;
}

impl<'g, T: Number> Tensor<'g, T> {
    /// The sum over `..` (everything), `-1`, `[0, 2]` or [`keep_dims`](crate::keep_dims) of these;
    /// 0 for nothing. Integers wrap. Floats are added in a fixed order that depends on the shape
    /// alone.
    #[track_caller]
    pub fn reduce_sum<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        self.map::<T>(|x| x.reduce_sum(axes)).into()
    }

    /// The mean over some axes; NaN for no elements. That of integers is of their exact sum,
    /// rounded towards 0, and of no elements an error at run time.
    #[track_caller]
    pub fn reduce_mean<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        self.map::<T>(|x| x.reduce_mean(axes)).into()
    }

    /// The largest element over some axes; NaN if there is one. Of no elements it is an error.
    #[track_caller]
    pub fn reduce_max<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        self.map::<T>(|x| x.reduce_max(axes)).into()
    }

    /// The smallest element over some axes; NaN if there is one. Of no elements it is an error.
    #[track_caller]
    pub fn reduce_min<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        self.map::<T>(|x| x.reduce_min(axes)).into()
    }

    /// The product over some axes; 1 for no elements. Integers wrap.
    #[track_caller]
    pub fn reduce_prod<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        self.map::<T>(|x| x.reduce_prod(axes)).into()
    }
}
