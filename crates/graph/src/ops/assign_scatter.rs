//! Changing some rows or elements of a variable: `assign_scatter` and its siblings.

use abeyance_ir::{
    AttributeSet, DTypes, Differentiability, Dim, Effect, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Shape, Signature, Type, attributes, element_count,
};
use abeyance_kernels::element::Number as StoredNumber;
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout::ScatterInto;

use super::gather_nd::width;
use super::index::constant_out_of_range;
use super::{traffic, with_index, with_moved, with_type};
use crate::{Element, Expr, Index, Number, Operand, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&ASSIGN_SCATTER, &ASSIGN_SCATTER_ADD, &ASSIGN_SCATTER_SUB];

attributes! {
    /// The rows of a [`ScatterWrite`].
    pub struct AssignScatterAttributes {
        /// Number of leading dimensions that an index counts over, in row-major order.
        dims: i64 = 1,
    }
}

/// An operator that changes the rows of a variable that indices name, in the order of the indices,
/// and is the new value.
///
/// A row is what is left of the variable behind its first `dims` dimensions, which an index counts
/// in row-major order.
pub struct ScatterWrite {
    signature: Signature,
    lower: fn(&Lowering<'_>, ScatterInto) -> Result<Kernel, Fault>,
}

impl Operator for ScatterWrite {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (variable, indices, updates) = (cx.shape(0), cx.shape(1), cx.shape(2));
        let counted = counted(&cx.attributes(), variable.len())?;
        let mut expected = indices.clone();
        expected.extend_from_slice(&variable[counted..]);
        cx.same_shape(&updates, &expected).map_err(|_| {
            Fault::new(format!(
                "updates of shape {} are not rows of the variable {} for indices of shape {}: those are {}",
                cx.display(&updates),
                cx.display(&variable),
                cx.display(&indices),
                cx.display(&expected),
            ))
        })?;
        // The updates may have told how many indices there are.
        let some = |dim: &Dim| matches!(dim, Dim::Known(size) if *size > 0);
        if variable[..counted].contains(&Dim::Known(0)) && cx.shape(1).iter().all(some) {
            return Err(Fault::new("every index is out of range: the variable has no rows at all"));
        }
        cx.tensor(cx.dtype(0), variable)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        let counted = counted(&cx.attributes(), dims.len())?;
        let limit = element_count(&dims[..counted])
            .ok_or_else(|| Fault::new("the numbers of the rows are beyond 2^63"))?;
        let width = dims[counted..].iter().product();
        Ok((self.lower)(cx, ScatterInto::new(limit, width))?.into())
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

/// Over how many dimensions an index counts.
fn counted(attributes: &AssignScatterAttributes, rank: usize) -> Result<usize, Fault> {
    match usize::try_from(attributes.dims) {
        Ok(dims) if dims <= rank => Ok(dims),
        Ok(1) => Err(Fault::new("the variable is a scalar, which has no rows")
            .help("`assign` changes it as a whole")),
        _ => Err(Fault::new(format!(
            "an index does not count over {} dimensions of a variable of {rank}",
            attributes.dims
        ))),
    }
}

/// The bytes of a part and the work of all. Each part reads all indices, so there are not many.
fn parts(cx: &Lowering<'_>) -> (usize, Cost) {
    let (len, size) = (cx.result.len(), cx.result.dtype.size());
    let part = elementwise_chunk(len, 2 * size).max(len.div_ceil(16));
    let count = len.div_ceil(part.max(1));
    let flops = cx.operands[2].len() as f64 + count as f64 * cx.operands[1].len() as f64;
    (part * size, Cost { flops, bytes: traffic(cx) })
}

const NO_GRADIENT: Differentiability = Differentiability::None("changes a variable");
const INDICES: OperandSpec = OperandSpec::in_group("indices", DTypes::INDEX, 1);
const NUMBER: &[OperandSpec] = &[
    OperandSpec::new("variable", DTypes::NUMBER),
    INDICES,
    OperandSpec::new("updates", DTypes::NUMBER),
];
const ANY: &[OperandSpec] =
    &[OperandSpec::new("variable", DTypes::ANY), INDICES, OperandSpec::new("updates", DTypes::ANY)];

const fn signature(
    name: &'static str,
    summary: &'static str,
    operands: &'static [OperandSpec],
) -> Signature {
    Signature::new(name, summary, operands)
        .attributes(AssignScatterAttributes::SPECS)
        .effect(Effect::Write)
        .differentiability(NO_GRADIENT)
}

/// Rows become the updates, the last one of a row that is named several times.
pub static ASSIGN_SCATTER: ScatterWrite = ScatterWrite {
    signature: signature("assign_scatter", "gives some rows of a variable new values", ANY),
    lower: |cx, plan| {
        let (chunk, cost) = parts(cx);
        with_moved!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(3, chunk, cost, move |call| {
                let (x, ids, updates) = (call.input::<T>(0), call.input::<I>(1), call.input(2));
                let start = call.start::<T>();
                plan.run([x, updates], ids, call.output(), start, |row, update| *row = update)
            }))
        }))
    },
};

/// Rows grow by the updates, one after the other.
pub static ASSIGN_SCATTER_ADD: ScatterWrite = ScatterWrite {
    signature: signature("assign_scatter_add", "adds to some rows of a variable", NUMBER),
    lower: |cx, plan| {
        let (chunk, cost) = parts(cx);
        with_type!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(3, chunk, cost, move |call| {
                let (x, ids, updates) = (call.input::<T>(0), call.input::<I>(1), call.input(2));
                let start = call.start::<T>();
                plan.run([x, updates], ids, call.output(), start, |row, update| {
                    *row = StoredNumber::wrapping_add(*row, update);
                })
            }))
        }))
    },
};

/// Rows shrink by the updates, one after the other.
pub static ASSIGN_SCATTER_SUB: ScatterWrite = ScatterWrite {
    signature: signature("assign_scatter_sub", "subtracts from some rows of a variable", NUMBER),
    lower: |cx, plan| {
        let (chunk, cost) = parts(cx);
        with_type!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(3, chunk, cost, move |call| {
                let (x, ids, updates) = (call.input::<T>(0), call.input::<I>(1), call.input(2));
                let start = call.start::<T>();
                plan.run([x, updates], ids, call.output(), start, |row, update| {
                    *row = StoredNumber::wrapping_sub(*row, update);
                })
            }))
        }))
    },
};

impl<'g> Expr<'g> {
    /// The new value of this variable, whose rows behind its first `dims` dimensions are changed.
    pub fn write_rows(
        self,
        operator: &'static ScatterWrite,
        indices: Expr<'g>,
        updates: Expr<'g>,
        dims: usize,
    ) -> Self {
        let attributes = AssignScatterAttributes { dims: dims as i64 };
        self.apply_to(operator, &[self, indices, updates], attributes)
    }

    /// Writes slices at indices that are the coordinates along the last axis of `indices`.
    pub fn write_slices(
        self,
        what: &str,
        operator: &'static ScatterWrite,
        indices: Expr<'g>,
        updates: Expr<'g>,
    ) -> Self {
        if self.dtype().is_none() || indices.dtype().is_none() {
            return self.invalid();
        }
        let shape = self.shape();
        match self.graph(|graph| width(graph, indices.id(), &shape)) {
            Ok(width) => {
                let rows = indices.ravel_index(Shape::from(&shape[..width]));
                self.write_rows(operator, rows, updates, width)
            }
            Err(fault) => self.mistake(what, fault),
        }
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// Gives the rows of this variable `[n, ...]` that `indices` name new values at the end of the
    /// run: `updates` are `indices.shape + [...]`. Of several updates of one row the last is kept.
    /// TensorFlow's `tf.scatter_update`.
    ///
    /// As with [`Tensor::assign`] the result is the new value of the whole variable, the variable
    /// itself keeps its value until the run ends, and for good if the run fails; a write that is
    /// ordered behind another of the same variable builds on it. The whole variable is copied once,
    /// so this costs what an `assign` costs.
    ///
    /// It is a mistake if this tensor is not a variable, if the updates are not such rows, or if an
    /// index that is part of the graph is outside `0..n`; one that is found at run time fails,
    /// naming its position.
    #[track_caller]
    pub fn assign_scatter<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("assign_scatter");
        self.write_rows("assign_scatter", &ASSIGN_SCATTER, indices, updates)
    }

    /// Sets slices whose coordinates stand along the last axis of `indices`: `indices[.., k]` name
    /// slices behind the first k dimensions, single elements if k is the rank, and `updates` are
    /// `indices.shape[..-1] + shape[k..]`. TensorFlow's `tf.scatter_nd_update`.
    #[track_caller]
    pub fn assign_scatter_nd<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("assign_scatter_nd");
        self.write_nd("assign_scatter_nd", &ASSIGN_SCATTER, indices, updates)
    }

    #[track_caller]
    fn write_rows<I: Index>(
        self,
        what: &str,
        operator: &'static ScatterWrite,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let this = self.beside(indices).beside(updates);
        let indices = indices.node(this.graph());
        let updates = updates.node(this.graph());
        let wrong = {
            let ir = this.graph().ir();
            let shape = ir.shape(this.id()).unwrap_or_default();
            constant_out_of_range(&ir, indices, shape.get(..1).unwrap_or_default())
        };
        match wrong {
            Some(mut fault) => {
                fault.message = format!("{what}: {}", fault.message);
                this.fault(fault)
            }
            None => this.map(|variable| {
                variable.write_rows(operator, variable.at(indices), variable.at(updates), 1)
            }),
        }
    }

    #[track_caller]
    fn write_nd<I: Index>(
        self,
        what: &str,
        operator: &'static ScatterWrite,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let this = self.beside(indices).beside(updates);
        let indices = indices.node(this.graph());
        let updates = updates.node(this.graph());
        this.map(|variable| {
            variable.write_slices(what, operator, variable.at(indices), variable.at(updates))
        })
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// Adds `updates` to the rows of this variable that `indices` name, at the end of the run:
    /// TensorFlow's `tf.scatter_add`. Several updates of one row are added one after the other in
    /// the order of their indices, whatever the number of threads. See [`Tensor::assign_scatter`].
    /// ([`Tensor::scatter_add`] makes a new tensor and changes no variable.)
    #[track_caller]
    pub fn assign_scatter_add<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("assign_scatter_add");
        self.write_rows("assign_scatter_add", &ASSIGN_SCATTER_ADD, indices, updates)
    }

    /// Subtracts `updates` from the rows of this variable that `indices` name, otherwise as
    /// [`Tensor::assign_scatter_add`]: TensorFlow's `tf.scatter_sub`.
    #[track_caller]
    pub fn assign_scatter_sub<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("assign_scatter_sub");
        self.write_rows("assign_scatter_sub", &ASSIGN_SCATTER_SUB, indices, updates)
    }

    /// [`Tensor::assign_scatter_add`] with coordinates, as [`Tensor::assign_scatter_nd`]:
    /// TensorFlow's `tf.scatter_nd_add`.
    #[track_caller]
    pub fn assign_scatter_nd_add<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("assign_scatter_nd_add");
        self.write_nd("assign_scatter_nd_add", &ASSIGN_SCATTER_ADD, indices, updates)
    }

    /// [`Tensor::assign_scatter_sub`] with coordinates, as [`Tensor::assign_scatter_nd`]:
    /// TensorFlow's `tf.scatter_nd_sub`.
    #[track_caller]
    pub fn assign_scatter_nd_sub<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        updates: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("assign_scatter_nd_sub");
        self.write_nd("assign_scatter_nd_sub", &ASSIGN_SCATTER_SUB, indices, updates)
    }
}
