//! Rows by their numbers: `gather`, `scatter_add`, `one_hot`.

use abeyance_ir::{
    AttributeSet, Cotangents, DType, DTypes, Derivation, Differentiability, Dim, Domain, Fault,
    Graph as Ir, Inference, Lowered, Lowering, NodeId, OperandSpec, Operator, Sample, Shape,
    Signature, Split, Splitting, Type, resolve_axis,
};
use abeyance_kernels::element::Number as _;
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout;

use super::source::{Constant, ConstantAttributes};
use super::{traffic, with_index, with_moved, with_type};
use crate::{Dimensions, Element, Expr, Index, Number, Operand, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Gather, &ScatterAdd, &OneHot];

abeyance_ir::attributes! {
    /// Where rows are taken.
    pub struct GatherAttributes {
        /// Axis of the array that the indices count along; a negative one counts from the end.
        axis: i64 = 0,
    }
}

abeyance_ir::attributes! {
    /// To what rows are added, and where.
    pub struct ScatterAddAttributes {
        /// Shape of the result.
        shape: Shape,
        /// Axis of the result that the indices count along; a negative one counts from the end.
        axis: i64 = 0,
    }
}

abeyance_ir::attributes! {
    /// The row that stands for an index.
    pub struct OneHotAttributes {
        /// Number of elements that stand for an index, 0 or more.
        depth: i64,
        /// Element type of the result.
        dtype: DType,
    }
}

/// The dimension of an array along which its rows are counted.
fn row_axis(cx: &Inference<'_>, shape: &[Dim], axis: i64) -> Result<usize, Fault> {
    match shape {
        [] => Err(Fault::new(format!(
            "the shape {} is a scalar's, which has no rows",
            cx.display(shape)
        ))),
        _ => cx.axis(axis, shape.len()),
    }
}

/// The shape of an array with indices in place of one of its dimensions.
fn picked(shape: &[Dim], axis: usize, indices: &[Dim]) -> Shape {
    let mut picked = Shape::from(&shape[..axis]);
    picked.extend_from_slice(indices);
    picked.extend_from_slice(&shape[axis + 1..]);
    picked
}

/// # Errors
/// Indices into an array of no rows.
fn some_row(rows: Option<&Dim>, indices: &[Dim]) -> Result<(), Fault> {
    let some = |dim: &Dim| matches!(dim, Dim::Known(size) if *size > 0);
    if rows == Some(&Dim::Known(0)) && indices.iter().all(some) {
        Err(Fault::new("every index is out of range: there are no rows at all"))
    } else {
        Ok(())
    }
}

/// The rows of an array `[n, ...]` that indices of any shape name; with an `axis`, the slices
/// `[.., n, ..]` along it. An index outside `0..n` fails at run time. TensorFlow's `tf.gather`.
/// Gradient: the cotangent's rows, added where they came from.
pub struct Gather;

impl Operator for Gather {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::new("params", DTypes::ANY),
            OperandSpec::in_group("indices", DTypes::INDEX, 1),
        ];
        const {
            &Signature::new("gather", "the rows of params that indices name", OPERANDS)
                .attributes(GatherAttributes::SPECS)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let GatherAttributes { axis } = cx.attributes();
        let (params, indices) = (cx.shape(0), cx.shape(1));
        let axis = row_axis(cx, &params, axis)?;
        some_row(params.get(axis), &indices)?;
        cx.tensor(cx.dtype(0), picked(&params, axis, &indices))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (params, indices) = (cx.operand(0), cx.operand(1));
        let GatherAttributes { axis } = cx.attributes();
        Ok(cx.each_wanted(|index| {
            (index == 0).then(|| cx.cotangent().scatter_add_along(indices, params.shape(), axis))
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let GatherAttributes { axis } = cx.attributes();
        let (limit, width) = rows(cx.operands[0].dims, axis)?;
        let plan = layout::Gather::new(limit, width);
        let (len, size) = (cx.result.len(), cx.result.dtype.size());
        let cost = Cost {
            flops: 0.0,
            bytes: 2.0 * cx.result.bytes() as f64 + cx.operands[1].bytes() as f64,
        };
        let chunk = elementwise_chunk(len, 2 * size) * size;
        with_moved!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(2, chunk, cost, move |call| {
                let (params, indices) = (call.input::<T>(0), call.input::<I>(1));
                let start = call.start::<T>();
                plan.run(params, indices, call.output(), start)
            })
            .into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let GatherAttributes { axis } = cx.attributes();
        let Ok(along) = resolve_axis(axis, cx.rank(0)) else {
            return Split::Mixed;
        };
        match (cx.axis(0), cx.axis(1)) {
            (Some(axis), None) if axis < along => cx.along(axis),
            (Some(axis), None) if axis > along => cx.along(axis - 1 + cx.rank(1)),
            (None, Some(axis)) => cx.along(along + axis),
            _ => Split::Mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .map(|(params, indices, axis)| {
                Sample::new(GatherAttributes { axis }).float(params, USUAL).operand(
                    DType::I64,
                    indices,
                    ROWS,
                )
            })
            .collect()
    }
}

const USUAL: Domain = Domain::Between(-2.0, 2.0);
const ROWS: Domain = Domain::Values(&[2.0, 0.0, 2.0, 1.0]);

type Case = (&'static [usize], &'static [usize], i64);

/// Shapes of arrays and of indices into them, and the axis along which these count.
fn cases() -> [Case; 11] {
    [
        (&[3], &[], 0),
        (&[5], &[3], 0),
        (&[3, 2], &[4], 0),
        (&[4, 2, 3], &[2, 2], 0),
        (&[3, 2], &[0], 0),
        (&[3, 0], &[2], 0),
        (&[3, 33], &[5, 1], 0),
        (&[2, 3], &[], 1),
        (&[2, 4], &[5], -1),
        (&[2, 3, 3], &[2, 2], 1),
        (&[0, 3], &[2], 1),
    ]
}

/// The number of rows of an array along an axis and the elements of one.
pub(super) fn rows(dims: &[usize], axis: i64) -> Result<(usize, usize), Fault> {
    let axis = resolve_axis(axis, dims.len())?;
    Ok((dims[axis], dims[axis + 1..].iter().product()))
}

/// Zeros `[n, ...]` to which rows are added at indices, in their order; with an `axis`, slices
/// along it: the gradient of [`Gather`]. Gradient: the cotangent's rows.
pub struct ScatterAdd;

impl Operator for ScatterAdd {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::in_group("indices", DTypes::INDEX, 1),
            OperandSpec::new("updates", DTypes::NUMBER),
        ];
        const {
            &Signature::new(
                "scatter_add",
                "zeros to which updates are added at the rows that indices name",
                OPERANDS,
            )
            .attributes(ScatterAddAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let ScatterAddAttributes { shape, axis } = cx.attributes();
        let (indices, updates) = (cx.shape(0), cx.shape(1));
        let axis = row_axis(cx, &shape, axis)?;
        let expected = picked(&shape, axis, &indices);
        cx.same_shape(&updates, &expected).map_err(|_| {
            Fault::new(format!(
                "updates of shape {} are not rows of {} for indices of shape {}: those are {}",
                cx.display(&updates),
                cx.display(&shape),
                cx.display(&indices),
                cx.display(&expected),
            ))
        })?;
        // The updates may have told how many indices there are.
        some_row(shape.get(axis), &cx.shape(0))?;
        cx.tensor(cx.dtype(1), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let ScatterAddAttributes { shape: _, axis } = cx.attributes();
        Ok(cx.each_wanted(|index| {
            (index == 1).then(|| cx.cotangent().gather_along(cx.operand(0), axis))
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let ScatterAddAttributes { shape: _, axis } = cx.attributes();
        let (limit, width) = rows(cx.result.dims, axis)?;
        let plan = layout::ScatterAdd::new(limit, width);
        let (len, size) = (cx.result.len(), cx.result.dtype.size());
        // Each part reads all indices, so there are not many parts.
        let part = elementwise_chunk(len, 2 * size).max(len.div_ceil(16));
        let parts = len.div_ceil(part.max(1));
        let cost = Cost {
            flops: cx.operands[1].len() as f64 + parts as f64 * cx.operands[0].len() as f64,
            bytes: 2.0 * cx.result.bytes() as f64 + cx.operands[1].bytes() as f64,
        };
        let chunk = part * size;
        with_type!(cx.result.dtype, T => with_index!(cx.operands[0].dtype, I => {
            let wide = layout::ScatterAdd::is_wide::<T>(cx.operands[0].len());
            let kernel = Kernel::single(2, chunk, cost, move |call| {
                let start = call.start::<T>();
                let (inputs, outputs, workspace) = call.split();
                let (indices, updates) = (inputs.get::<I>(0), inputs.get::<T>(1));
                let out = outputs.first().cast::<T>();
                if wide {
                    let sums = bytemuck::cast_slice_mut(workspace);
                    return plan.run_wide(updates, indices, sums, out, start);
                }
                plan.run(updates, indices, out, start)
            });
            let workspace = if wide { part.min(len) * size_of::<f64>() } else { 0 };
            Ok(kernel.with_workspace(workspace).into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let ScatterAddAttributes { shape: _, axis } = cx.attributes();
        let Ok(along) = resolve_axis(axis, cx.result().len()) else {
            return Split::Mixed;
        };
        match (cx.axis(0), cx.axis(1)) {
            (None, Some(axis)) if axis < along => cx.along(axis),
            (None, Some(axis)) if axis >= along + cx.rank(0) => cx.along(axis + 1 - cx.rank(0)),
            _ => Split::Mixed,
        }
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .map(|(params, indices, axis)| {
                let shape = params.iter().map(|&dim| dim.into()).collect();
                let at = axis.rem_euclid(params.len() as i64) as usize;
                let updates = [&params[..at], indices, &params[at + 1..]].concat();
                Sample::new(ScatterAddAttributes { shape, axis })
                    .operand(DType::I32, indices, ROWS)
                    .float(&updates, USUAL)
            })
            .collect()
    }
}

/// For each index a row of `depth` elements, 1 at the index and 0 elsewhere; all 0 if the index is
/// out of range.
pub struct OneHot;

impl Operator for OneHot {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("indices", DTypes::INDEX)];
        const {
            &Signature::new(
                "one_hot",
                "for each index a row with 1 there and 0 elsewhere",
                OPERANDS,
            )
            .attributes(OneHotAttributes::SPECS)
            .differentiability(Differentiability::None("takes integers"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let OneHotAttributes { depth, dtype } = cx.attributes();
        let Ok(depth) = usize::try_from(depth) else {
            return Err(Fault::new(format!("depth = {depth} is not a size")));
        };
        let mut shape = cx.shape(0);
        shape.push(Dim::Known(depth));
        cx.tensor(dtype, shape)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let depth = cx.result.dims.last().copied().unwrap_or(0);
        let (len, size) = (cx.result.len(), cx.result.dtype.size());
        let cost = Cost { flops: 0.0, bytes: traffic(cx) };
        let chunk = elementwise_chunk(len, size) * size;
        with_type!(cx.result.dtype, T => with_index!(cx.operands[0].dtype, I => {
            Ok(Kernel::single(1, chunk, cost, move |call| {
                let (indices, start) = (call.input::<I>(0), call.start::<T>());
                layout::one_hot(indices, depth, T::ONE, T::ZERO, call.output(), start);
                Ok(())
            })
            .into())
        }))
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.along_if(cx.axis(0))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], i64, DType); 6] = [
            (&[], 3, DType::F64),
            (&[5], 3, DType::F32),
            (&[2, 3], 4, DType::I32),
            (&[3], 1, DType::Bool),
            (&[0], 3, DType::F64),
            (&[3], 0, DType::F64),
        ];
        cases
            .into_iter()
            .map(|(dims, depth, dtype)| {
                let values = Domain::Values(&[2.0, 0.0, -1.0, 1.0, 7.0]);
                Sample::new(OneHotAttributes { depth, dtype }).operand(DType::I64, dims, values)
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The rows that indices name.
    pub fn gather(self, indices: Self) -> Self {
        self.gather_along(indices, 0)
    }

    /// The slices along an axis that indices name.
    pub fn gather_along(self, indices: Self, axis: i64) -> Self {
        self.apply_to(&Gather, &[self, indices], GatherAttributes { axis })
    }

    /// Zeros of a shape to which the rows of this are added where indices say.
    pub fn scatter_add(self, indices: Self, shape: Shape) -> Self {
        self.scatter_add_along(indices, shape, 0)
    }

    /// Zeros of a shape to which slices along an axis are added where indices say.
    pub fn scatter_add_along(self, indices: Self, shape: Shape, axis: i64) -> Self {
        self.apply_to(&ScatterAdd, &[indices, self], ScatterAddAttributes { shape, axis })
    }

    /// For each index a row of `depth` elements, 1 at the index and 0 elsewhere.
    pub fn one_hot(self, depth: i64, dtype: DType) -> Self {
        self.apply(&OneHot, OneHotAttributes { depth, dtype })
    }
}

/// The fault of indices that are part of the graph: one that is not below the size of the dimension
/// it counts along. `dims` holds that dimension for each of the last axis' places, or one for all.
pub(crate) fn constant_out_of_range(graph: &Ir, indices: NodeId, dims: &[Dim]) -> Option<Fault> {
    let node = graph.node(indices);
    if !node.is(&Constant) {
        return None;
    }
    let ConstantAttributes { value } = node.attributes.read();
    let values: Vec<i64> = match value.dtype {
        DType::I32 => value.elements::<i32>().into_iter().map(i64::from).collect(),
        DType::I64 => value.elements(),
        _ => return None,
    };
    let width = dims.len().max(1);
    values.iter().enumerate().find_map(|(place, &index)| {
        let size = graph.symbols().resolve(*dims.get(place % width)?).known()?;
        let inside = usize::try_from(index).is_ok_and(|index| index < size);
        (!inside).then(|| {
            Fault::new(format!(
                "index {index} at position {} is out of range: the dimension has size {size}",
                place / width
            ))
        })
    })
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The rows of this tensor `[n, ...]` that `indices` of any shape name, as
    /// `indices.shape + [...]`. TensorFlow's `tf.gather`. An index outside `0..n` is a mistake
    /// where both are known, else it fails at run time, naming its position. Gradient: the
    /// cotangent's rows, added where they came from.
    #[track_caller]
    pub fn gather<I: Index>(self, indices: impl Operand<'g, I>) -> Tensor<'g, T> {
        let _call = self.graph().call("gather");
        self.gather_along(indices, 0)
    }

    /// The slices along `axis` that `indices` of any shape name, whose dimensions stand in its
    /// place: `[a, n, b]` with indices `[i, j]` along axis 1 is `[a, i, j, b]`. TensorFlow's
    /// `tf.gather` with `axis`; errors and gradient as [`Tensor::gather`].
    #[track_caller]
    pub fn gather_along<I: Index>(self, indices: impl Operand<'g, I>, axis: i64) -> Tensor<'g, T> {
        let _call = self.graph().call("gather_along");
        let this = self.beside(indices);
        let indices = indices.node(this.graph());
        let wrong = {
            let ir = this.graph().ir();
            let shape = ir.shape(this.id()).unwrap_or_default();
            resolve_axis(axis, shape.len())
                .ok()
                .and_then(|axis| constant_out_of_range(&ir, indices, &shape[axis..=axis]))
        };
        match wrong {
            Some(mut fault) => {
                fault.message = format!("gather: {}", fault.message);
                this.fault(fault)
            }
            None => this.map(|x| x.gather_along(x.at(indices), axis)),
        }
    }

    /// The rows of this table `[n, ...]` that `ids` name: [`Tensor::gather`] under its usual name.
    /// TensorFlow's `tf.nn.embedding_lookup`.
    #[track_caller]
    pub fn embedding_lookup<I: Index>(self, ids: impl Operand<'g, I>) -> Tensor<'g, T> {
        let _call = self.graph().call("embedding_lookup");
        self.gather(ids)
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// Zeros of a shape `[n, ...]` to which the rows of this tensor, `indices.shape + [...]`, are
    /// added where `indices` say, in their order: TensorFlow's `unsorted_segment_sum`. An index
    /// outside `0..n` is a mistake where it is known, else it fails at run time.
    #[track_caller]
    pub fn scatter_add<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        shape: impl Into<Dimensions>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("scatter_add");
        self.scatter_add_along(indices, shape, 0)
    }

    /// Adds slices along `axis` of the result: the gradient of [`Tensor::gather_along`].
    #[track_caller]
    pub fn scatter_add_along<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        shape: impl Into<Dimensions>,
        axis: i64,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("scatter_add_along");
        let this = self.beside(indices);
        let indices = indices.node(this.graph());
        this.graph().with_shape("what is added to", shape, |graph, shape| {
            let wrong = resolve_axis(axis, shape.len())
                .ok()
                .and_then(|axis| constant_out_of_range(graph, indices, &shape[axis..=axis]));
            Expr::with(graph, this.id(), |x| {
                let added = match wrong {
                    Some(fault) => x.mistake("scatter_add", fault),
                    None => x.scatter_add_along(x.at(indices), shape, axis),
                };
                added.id()
            })
        })
    }
}

impl<'g, I: Index> Tensor<'g, I> {
    /// For each index a row of `depth` elements, 1 (`true`) at the index and 0 elsewhere; all 0 if
    /// the index is out of range, as in TensorFlow.
    #[track_caller]
    pub fn one_hot<T: Element>(self, depth: usize) -> Tensor<'g, T> {
        // A depth beyond i64 is as much too large as i64::MAX is.
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        self.map(|indices| indices.one_hot(depth, T::DTYPE))
    }

    /// For each index `depth` elements along a dimension that is new at `axis` (0: in front, -1: at
    /// the end), `on` at the index and `off` elsewhere: TensorFlow's
    /// `tf.one_hot(indices, depth, on_value, off_value, axis)`. `on` and `off` are numbers or
    /// tensors that broadcast to the result, and have gradients. It is a mistake if there is no
    /// such axis, or if they do not broadcast.
    #[track_caller]
    pub fn one_hot_values<T: Element>(
        self,
        depth: usize,
        axis: i64,
        on: impl Operand<'g, T>,
        off: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("one_hot_values");
        if self.is_invalid() {
            return self.map(|x| x);
        }
        let rank = self.shape().len();
        let axis = match resolve_axis(axis, rank + 1) {
            Ok(axis) => axis,
            Err(mut fault) => {
                fault.message = format!("one_hot_values: {}", fault.message);
                return self.fault(fault);
            }
        };
        let this = self.beside(on).beside(off);
        let (on, off) = (on.node(this.graph()), off.node(this.graph()));
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        let mut order: Vec<usize> = (0..rank).collect();
        order.insert(axis, rank);
        this.map(|indices| {
            let hot = indices.one_hot(depth, DType::Bool).transpose_to(&order);
            hot.select(hot.at(on), hot.at(off))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn rows_take_the_place_of_indices() {
        let g = Graph::new();
        let table = g.placeholder::<f32>("table", dims![100, 8]);
        let words = g.placeholder::<i32>("words", dims![_, 20]);
        let rows = table.gather(words);
        assert_eq!(rows.to_string(), "gather : f32[N, 20, 8]");
        let back = rows.scatter_add(words, dims![100, 8]);
        assert_eq!(back.to_string(), "scatter_add : f32[100, 8]");
        let hot = words.one_hot::<bool>(7);
        assert_eq!(hot.to_string(), "one_hot : bool[N, 20, 7]");
        g.check().unwrap();
    }

    #[test]
    fn rows_that_cannot_be_are_mistakes() {
        let g = Graph::new();
        g.constant(1.0f32).gather(0i64);
        let index = g.placeholder::<i64>("index", dims![]);
        g.zeros::<f32>(dims![0, 2]).gather(index);
        g.zeros::<f32>(dims![3]).scatter_add(0i64, dims![4, 2]);
        g.constant(1i64).one_hot::<f32>(usize::MAX);
        g.zeros::<f32>(dims![3, 2]).gather_along(2i64, 1);
        g.zeros::<f32>(dims![3, 2]).gather_along(0i64, 2);
        g.zeros::<f32>(dims![2]).scatter_add(-1i32, dims![3, 2]);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "which has no rows",
            "every index is out of range",
            "updates of shape [3] are not rows of [4, 2] for indices of shape []: those are [2]",
            "larger than any memory",
            "gather: index 2 at position 0 is out of range: the dimension has size 2",
            "axis 2 is out of range",
            "scatter_add: index -1 at position 0 is out of range: the dimension has size 3",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
