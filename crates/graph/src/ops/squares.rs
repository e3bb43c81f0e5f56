//! Sums of squares that neither overflow nor vanish, and roots of them: what norms, deviations and normalizations are made
//! of.

use abeyance_ir::{
    AttributeSet, Attributes, Cotangents, DType, DTypes, Derivation, Domain, Fault, Graph as Ir,
    Inference, Lowered, Lowering, NodeId, OperandSpec, Operator, Sample, Shape, Signature, Split,
    Splitting, Type,
};
use abeyance_kernels::element::Real;
use abeyance_kernels::launch::{Cost, Kernel, Source, Step, Target};
use abeyance_kernels::reduce::squares::{Measure, Squares, Sum};
use smallvec::smallvec;

use super::reduce::{ReduceAttributes, reduced_shape, resolve_axes};
use super::{binary, cast, comparison, scalar_like, select, shape, source, with_float};
use crate::{AxisList, Float, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&EUCLIDEAN_NORM, &WIDE_EUCLIDEAN_NORM, &ROOT_MEAN_SQUARE, &MEAN_SQUARE];

/// An operator on the squares of all elements along some axes, which are added up in f64, and of f64 as numbers scaled by a
/// power of two where that is needed.
pub struct SquareReduction {
    signature: Signature,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Norm,
    /// The norm in f64, whatever the operand's type.
    WideNorm,
    RootMean,
    Mean,
}

const OPERAND: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];

abeyance_ir::attributes! {
    /// Which axes are reduced, and what is added to the mean of the squares.
    pub struct RootMeanSquareAttributes {
        ..reduce: ReduceAttributes,
        /// Number that is added to the mean before the root is taken, 0 or more and finite.
        epsilon: f64,
    }
}

/// √Σx². Gradient: the cotangent times x over the norm, and 0 where that is 0. Of nothing it is 0.
pub static EUCLIDEAN_NORM: SquareReduction = SquareReduction {
    signature: Signature::new(
        "reduce_euclidean_norm",
        "the root of the sum of the squares along some axes",
        OPERAND,
    )
    .attributes(ReduceAttributes::SPECS),
    kind: Kind::Norm,
};

/// √Σx² in f64, which holds the norm of all f32 too. Gradient: as of the norm in the operand's type.
pub static WIDE_EUCLIDEAN_NORM: SquareReduction = SquareReduction {
    signature: Signature::new(
        "reduce_wide_euclidean_norm",
        "the root of the sum of the squares along some axes, as f64",
        OPERAND,
    )
    .attributes(ReduceAttributes::SPECS),
    kind: Kind::WideNorm,
};

/// √(Σx²/n + epsilon). Gradient: the cotangent times x over n times the root, and 0 where that is 0. Of nothing it is NaN.
pub static ROOT_MEAN_SQUARE: SquareReduction = SquareReduction {
    signature: Signature::new(
        "reduce_root_mean_square",
        "the root of epsilon and the mean of the squares along some axes",
        OPERAND,
    )
    .attributes(RootMeanSquareAttributes::SPECS),
    kind: Kind::RootMean,
};

/// Σx²/n. Gradient: the cotangent times 2x/n. Of nothing it is NaN.
pub static MEAN_SQUARE: SquareReduction = SquareReduction {
    signature: Signature::new(
        "reduce_mean_square",
        "the mean of the squares along some axes",
        OPERAND,
    )
    .attributes(ReduceAttributes::SPECS),
    kind: Kind::Mean,
};

impl Operator for SquareReduction {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (reduce, epsilon) = self.attributes(|| cx.attributes(), || cx.attributes());
        // Also if it is NaN.
        if !(0.0..f64::INFINITY).contains(&epsilon) {
            return Err(Fault::new(format!(
                "an epsilon of {epsilon} cannot be added to a mean of squares"
            ))
            .help("it has to be 0 or more, and finite"));
        }
        let shape = cx.shape(0);
        let axes = resolve_axes(&reduce.axes, shape.len())?;
        let dtype = match self.kind {
            Kind::WideNorm => DType::F64,
            _ => cx.dtype(0),
        };
        cx.tensor(dtype, reduced_shape(&shape, &axes, reduce.keep_dims))
    }

    fn gradient(&self, cx: &mut Derivation<'_>) -> Result<Cotangents, Fault> {
        let (reduce, _) = self.attributes(|| cx.attributes(), || cx.attributes());
        let x = cx.operand_id(0);
        let axes = resolve_axes(&reduce.axes, cx.shape(x).len())?;
        let (y, cotangent) = (cx.result_id(), cx.cotangent_id());
        let share = match self.kind {
            Kind::Norm | Kind::WideNorm => cotangent,
            Kind::RootMean => per_element(cx, x, cotangent, &axes, 1.0),
            Kind::Mean => per_element(cx, x, cotangent, &axes, 2.0),
        };
        let share = kept(cx, share, &axes, reduce.keep_dims);
        let wide = match self.kind {
            Kind::WideNorm => cast::cast(cx.graph(), x, DType::F64),
            _ => x,
        };
        let local = match self.kind {
            Kind::Mean => wide,
            _ => {
                let root = kept(cx, y, &axes, reduce.keep_dims);
                // Nothing over infinity is 0, and so are its derivatives.
                let graph = cx.graph();
                let zero = scalar_like(graph, root, 0.0);
                let infinity = scalar_like(graph, root, f64::INFINITY);
                let flat = comparison::equal(graph, root, zero);
                let safe = select::select(graph, flat, infinity, root);
                binary::div(graph, wide, safe)
            }
        };
        let slope = match cx.masked() {
            true => binary::mul_no_nan(cx.graph(), local, share),
            false => binary::mul(cx.graph(), share, local),
        };
        let slope = match cx.graph().node(x).ty.tensor().map(|tensor| tensor.dtype) {
            Some(dtype) if self.kind == Kind::WideNorm => cast::cast(cx.graph(), slope, dtype),
            _ => slope,
        };
        Ok(cx.only_id(slope))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (reduce, epsilon) = self.attributes(|| cx.attributes(), || cx.attributes());
        let measure = match self.kind {
            Kind::Norm | Kind::WideNorm => Measure::Length,
            Kind::RootMean => Measure::Root(epsilon),
            Kind::Mean => Measure::Mean,
        };
        let dims = cx.operands[0].dims;
        let axes = resolve_axes(&reduce.axes, dims.len())?;
        let plan = Squares::new(dims, &axes);
        with_float!(cx.operands[0].dtype, T => {
            Ok(match self.kind {
                Kind::WideNorm => kernel::<T, f64>(cx, plan, measure),
                _ => kernel::<T, T>(cx, plan, measure),
            }.into())
        })
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let (reduce, _) = self.attributes(|| cx.attributes(), || cx.attributes());
        super::reduce::split(cx, &reduce)
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[i64], bool); 8] = [
            (&[], &[], false),
            (&[5], &[0], false),
            (&[2, 3], &[1], false),
            (&[2, 3], &[0], true),
            (&[2, 3, 4], &[0, 2], false),
            (&[2, 3, 2], &[-2], true),
            (&[1, 7], &[0, 1], false),
            (&[3, 0], &[0], false),
        ];
        let sample = |(dims, axes, keep_dims): (&[usize], &[i64], bool)| {
            let domain = Domain::Values(&[0.5, -1.5, 2.0, 1.25, -0.75]);
            let reduce = ReduceAttributes { axes: axes.into(), keep_dims };
            Sample::new(self.own(reduce, 0.25)).float(dims, domain)
        };
        cases.into_iter().map(sample).collect()
    }
}

impl SquareReduction {
    /// The attributes, read as those the operator has; with an epsilon of 0 where there is none.
    fn attributes(
        &self,
        rooted: impl FnOnce() -> RootMeanSquareAttributes,
        plain: impl FnOnce() -> ReduceAttributes,
    ) -> (ReduceAttributes, f64) {
        if self.kind == Kind::RootMean {
            let RootMeanSquareAttributes { reduce, epsilon } = rooted();
            (reduce, epsilon)
        } else {
            (plain(), 0.0)
        }
    }

    /// The attributes for a node of the operator, without the epsilon where it has none.
    fn own(&self, reduce: ReduceAttributes, epsilon: f64) -> Attributes {
        if self.kind == Kind::RootMean {
            RootMeanSquareAttributes { reduce, epsilon }.into()
        } else {
            reduce.into()
        }
    }
}

/// The loops, in one step or, where many elements become few, in two.
fn kernel<T: Real, U: Real>(cx: &Lowering<'_>, plan: Squares, measure: Measure) -> Kernel {
    let bytes = (cx.operands[0].bytes() + cx.result.bytes()) as f64;
    let cost = Cost { flops: 2.0 * cx.operands[0].len() as f64, bytes };
    if plan.blocks() == 1 {
        let chunk = plan.chunk(size_of::<T>()) * size_of::<U>();
        return Kernel::single(1, chunk, cost, move |call| {
            let start = call.start::<U>();
            plan.run(measure, call.input::<T>(0), call.output::<U>(), start);
            Ok(())
        });
    }
    let row = plan.outputs() * size_of::<Sum>();
    let scratch = plan.scratch() * size_of::<Sum>();
    let last = plan.clone();
    Kernel {
        scratch: smallvec![scratch],
        steps: [
            Step {
                reads: smallvec![Source::Operand(0)],
                writes: Target::Scratch(0),
                chunk: row,
                cost,
                workspace: 0,
                run: Box::new(move |call| {
                    let start = call.start::<Sum>();
                    plan.partials(call.input::<T>(0), call.output::<Sum>(), start);
                    Ok(())
                }),
            },
            Step {
                reads: smallvec![Source::Scratch(0)],
                writes: Target::Output,
                chunk: cx.result.bytes().max(1),
                cost: Cost {
                    flops: (4 * scratch / size_of::<Sum>()) as f64,
                    bytes: scratch as f64,
                },
                workspace: 0,
                run: Box::new(move |call| {
                    let start = call.start::<U>();
                    last.combine(measure, call.input::<Sum>(0), call.output::<U>(), start);
                    Ok(())
                }),
            },
        ]
        .into_iter()
        .collect(),
    }
}

/// `factor · cotangent / n` where n elements make up one.
fn per_element(
    cx: &mut Derivation<'_>,
    x: NodeId,
    cotangent: NodeId,
    axes: &[usize],
    factor: f64,
) -> NodeId {
    let full = cx.shape(x);
    let of: Shape = axes.iter().map(|&axis| full[axis]).collect();
    let known = of.iter().map(|dim| dim.known()).try_fold(1usize, |n, dim| n.checked_mul(dim?));
    let graph = cx.graph();
    let count = match (known, graph.node(x).ty.tensor().map(|tensor| tensor.dtype)) {
        (Some(count), _) => scalar_like(graph, x, count as f64 / factor),
        (None, Some(dtype)) => {
            let size = source::size(graph, dtype, of);
            match factor {
                1.0 => size,
                _ => {
                    let factor = scalar_like(graph, x, factor);
                    binary::div(graph, size, factor)
                }
            }
        }
        (None, None) => source::invalid(graph),
    };
    binary::div(graph, cotangent, count)
}

/// A value of the reduced shape with the reduced dimensions as 1, so that it broadcasts to the operand's.
fn kept(cx: &mut Derivation<'_>, value: NodeId, axes: &[usize], keep_dims: bool) -> NodeId {
    let leading = axes.iter().enumerate().all(|(place, &axis)| place == axis);
    if keep_dims || leading {
        return value;
    }
    let kept = reduced_shape(&cx.shape(cx.operand_id(0)), axes, true);
    shape::reshape(cx.graph(), value, kept)
}

impl<'g, T: Float> Tensor<'g, T> {
    /// √Σx²
    #[track_caller]
    pub(super) fn euclidean_norm(self, list: &AxisList) -> Tensor<'g, T> {
        self.squares(&EUCLIDEAN_NORM, list, 0.0)
    }

    /// √(Σx²/n + epsilon)
    #[track_caller]
    pub(super) fn root_mean_square(self, list: &AxisList, epsilon: f64) -> Tensor<'g, T> {
        self.squares(&ROOT_MEAN_SQUARE, list, epsilon)
    }

    /// Σx²/n
    #[track_caller]
    pub(super) fn mean_square(self, list: &AxisList) -> Tensor<'g, T> {
        self.squares(&MEAN_SQUARE, list, 0.0)
    }

    #[track_caller]
    fn squares(
        self,
        operator: &'static SquareReduction,
        AxisList { axes, keep_dims }: &AxisList,
        epsilon: f64,
    ) -> Tensor<'g, T> {
        self.then(|graph, x| match axes {
            Some(axes) => append(graph, operator, x, axes, *keep_dims, epsilon),
            None => append(graph, operator, x, &all_axes(graph, x), *keep_dims, epsilon),
        })
    }
}

fn all_axes(graph: &Ir, x: NodeId) -> Vec<i64> {
    let rank = graph.shape(x).map_or(0, |shape| shape.len());
    (0..rank as i64).collect()
}

fn append(
    graph: &mut Ir,
    operator: &'static SquareReduction,
    x: NodeId,
    axes: &[i64],
    keep_dims: bool,
    epsilon: f64,
) -> NodeId {
    let reduce = ReduceAttributes { axes: axes.into(), keep_dims };
    graph.add(operator, &[x], operator.own(reduce, epsilon))
}

/// Appends √Σx².
pub fn euclidean_norm(graph: &mut Ir, x: NodeId, axes: &[i64], keep_dims: bool) -> NodeId {
    append(graph, &EUCLIDEAN_NORM, x, axes, keep_dims, 0.0)
}

/// Appends √(Σx²/n + epsilon).
pub fn root_mean_square(
    graph: &mut Ir,
    x: NodeId,
    axes: &[i64],
    keep_dims: bool,
    epsilon: f64,
) -> NodeId {
    append(graph, &ROOT_MEAN_SQUARE, x, axes, keep_dims, epsilon)
}

/// Appends Σx²/n.
pub fn mean_square(graph: &mut Ir, x: NodeId, axes: &[i64], keep_dims: bool) -> NodeId {
    append(graph, &MEAN_SQUARE, x, axes, keep_dims, 0.0)
}

/// Appends √Σx² over all axes as f64: the norm of gradients, of whatever type they are.
pub fn wide_euclidean_norm(graph: &mut Ir, x: NodeId) -> NodeId {
    let axes = all_axes(graph, x);
    append(graph, &WIDE_EUCLIDEAN_NORM, x, &axes, false, 0.0)
}
