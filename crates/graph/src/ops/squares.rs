//! Sums of squares that neither overflow nor vanish, and roots of them: what norms, deviations and
//! normalizations are made of.

use abeyance_ir::{
    AttributeSet, Attributes, Cotangents, DType, DTypes, Derivation, Domain, Fault, Inference,
    Lowered, Lowering, OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};
use abeyance_kernels::element::Real;
use abeyance_kernels::launch::{Cost, Kernel, Source, Step, Target};
use abeyance_kernels::reduce::squares::{Measure, Squares, Sum};
use smallvec::smallvec;

use super::reduce::{ReduceAttributes, Reduced, reduced_shape, resolve_axes};
use super::with_float;
use crate::{Axes, Expr, Float, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&EUCLIDEAN_NORM, &WIDE_EUCLIDEAN_NORM, &ROOT_MEAN_SQUARE, &MEAN_SQUARE];

/// An operator on the squares of all elements along some axes, which are added up in f64, and of
/// f64 as numbers scaled by a power of two where that is needed.
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

/// √Σx² in f64, which holds the norm of all f32 too. Gradient: as of the norm in the operand's
/// type.
pub static WIDE_EUCLIDEAN_NORM: SquareReduction = SquareReduction {
    signature: Signature::new(
        "reduce_wide_euclidean_norm",
        "the root of the sum of the squares along some axes, as f64",
        OPERAND,
    )
    .attributes(ReduceAttributes::SPECS),
    kind: Kind::WideNorm,
};

/// √(Σx²/n + epsilon). Gradient: the cotangent times x over n times the root, and 0 where that is
/// 0. Of nothing it is NaN.
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

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (reduce, _) = self.attributes(|| cx.attributes(), || cx.attributes());
        let (x, cotangent) = (cx.operand(0), cx.cotangent());
        let reduced = Reduced::new(&reduce, x.rank())?;
        let share = match self.kind {
            Kind::Norm | Kind::WideNorm => cotangent,
            Kind::RootMean => reduced.per_element(x, cotangent, 1.0),
            Kind::Mean => reduced.per_element(x, cotangent, 2.0),
        };
        let share = reduced.beside(x, share);
        let wide = if self.kind == Kind::WideNorm { x.cast(DType::F64) } else { x };
        let local = if self.kind == Kind::Mean {
            wide
        } else {
            let root = reduced.beside(x, cx.result());
            // Nothing over infinity is 0, and so are its derivatives.
            wide / root.equal(0.0).select(f64::INFINITY, root)
        };
        let slope = cx.times(share, local);
        Ok(cx.only(match x.dtype() {
            Some(dtype) if self.kind == Kind::WideNorm => slope.cast(dtype),
            _ => slope,
        }))
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

impl<'g> Expr<'g> {
    /// √Σx² along some axes.
    pub fn euclidean_norm(self, axes: impl Axes) -> Self {
        self.squares(&EUCLIDEAN_NORM, axes, 0.0)
    }

    /// √Σx² over all axes as f64: the norm of gradients, of whatever type they are.
    pub fn wide_euclidean_norm(self) -> Self {
        self.squares(&WIDE_EUCLIDEAN_NORM, .., 0.0)
    }

    /// √(Σx²/n + epsilon) along some axes.
    pub fn root_mean_square(self, axes: impl Axes, epsilon: f64) -> Self {
        self.squares(&ROOT_MEAN_SQUARE, axes, epsilon)
    }

    /// Σx²/n along some axes.
    pub fn mean_square(self, axes: impl Axes) -> Self {
        self.squares(&MEAN_SQUARE, axes, 0.0)
    }

    fn squares(self, operator: &'static SquareReduction, axes: impl Axes, epsilon: f64) -> Self {
        self.apply(operator, operator.own(self.reduction(axes), epsilon))
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// √Σx²
    #[track_caller]
    pub(super) fn euclidean_norm(self, axes: impl Axes) -> Tensor<'g, T> {
        self.map(|x| x.euclidean_norm(axes))
    }

    /// √(Σx²/n + epsilon)
    #[track_caller]
    pub(super) fn root_mean_square(self, axes: impl Axes, epsilon: f64) -> Tensor<'g, T> {
        self.map(|x| x.root_mean_square(axes, epsilon))
    }

    /// Σx²/n
    #[track_caller]
    pub(super) fn mean_square(self, axes: impl Axes) -> Tensor<'g, T> {
        self.map(|x| x.mean_square(axes))
    }
}
