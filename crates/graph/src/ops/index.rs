//! Rows by their numbers: `gather`, `scatter_add`, `one_hot`.

use abeyance_ir::{
    Attribute, AttributeKind, AttributeSpec, Attributes, Calculus, Cotangents, DType, DTypes,
    Derivation, Dim, Domain, Fault, Graph as Ir, Inference, Lowered, Lowering, NodeId, OperandSpec,
    Operator, Sample, Shape, Signature, Type,
};
use abeyance_kernels::element::Number as _;
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout;

use super::{traffic, with_index, with_type};
use crate::{Dimensions, Element, Index, Number, Operand, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Gather, &ScatterAdd, &OneHot];

/// The shape of a row of an array of rows.
fn row(cx: &Inference<'_>, shape: &[Dim]) -> Result<Shape, Fault> {
    match shape.split_first() {
        Some((_, row)) => Ok(row.into()),
        None => Err(Fault::new(format!(
            "the shape {} is a scalar's, which has no rows",
            cx.display(shape)
        ))),
    }
}

/// # Errors
/// Indices into an array of no rows.
fn some_row(rows: Option<&Dim>, indices: &[Dim]) -> Result<(), Fault> {
    let some = |dim: &Dim| matches!(dim, Dim::Known(size) if *size > 0);
    match rows == Some(&Dim::Known(0)) && indices.iter().all(some) {
        true => Err(Fault::new("every index is out of range: there are no rows at all")),
        false => Ok(()),
    }
}

/// The rows of an array `[n, ...]` that indices of any shape name. An index outside `0..n` fails at run time. Gradient:
/// the cotangent's rows, added where they came from.
pub struct Gather;

impl Operator for Gather {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::new("params", DTypes::ANY),
            OperandSpec::in_group("indices", DTypes::INDEX, 1),
        ];
        const { &Signature::new("gather", "the rows of params that indices name", OPERANDS).masking() }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (params, mut shape) = (cx.shape(0), cx.shape(1));
        let row = row(cx, &params)?;
        some_row(params.first(), &shape)?;
        shape.extend(row);
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &mut Derivation<'_>) -> Result<Cotangents, Fault> {
        let (params, indices, cotangent) = (cx.operand(0), cx.operand(1), cx.cotangent());
        let shape = cx.shape(params);
        let added = cx.wanted(0).then(|| scatter_add(cx.graph(), indices, cotangent, shape));
        Ok(Cotangents::from_slice(&[added, None]))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (limit, width) = rows(cx.operands[0].dims);
        let plan = layout::Gather::new(limit, width);
        let (len, size) = (cx.result.len(), cx.result.dtype.size());
        let cost = Cost {
            flops: 0.0,
            bytes: 2.0 * cx.result.bytes() as f64 + cx.operands[1].bytes() as f64,
        };
        let chunk = elementwise_chunk(len, 2 * size) * size;
        with_type!(cx.result.dtype, T => with_index!(cx.operands[1].dtype, I => {
            Ok(Kernel::single(2, chunk, cost, move |call| {
                let (params, indices) = (call.input::<T>(0), call.input::<I>(1));
                let start = call.start::<T>();
                plan.run(params, indices, call.output(), start)
            })
            .into())
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .map(|(params, indices)| {
                Sample::default().float(params, USUAL).operand(DType::I64, indices, ROWS)
            })
            .collect()
    }
}

const USUAL: Domain = Domain::Between(-2.0, 2.0);
const ROWS: Domain = Domain::Values(&[2.0, 0.0, 2.0, 1.0]);

/// Shapes of arrays and of indices into them.
fn cases() -> [(&'static [usize], &'static [usize]); 7] {
    [
        (&[3], &[]),
        (&[5], &[3]),
        (&[3, 2], &[4]),
        (&[4, 2, 3], &[2, 2]),
        (&[3, 2], &[0]),
        (&[3, 0], &[2]),
        (&[3, 33], &[5, 1]),
    ]
}

/// The number of rows of an array and the elements of one.
pub(super) fn rows(dims: &[usize]) -> (usize, usize) {
    match dims.split_first() {
        Some((&limit, row)) => (limit, row.iter().product()),
        None => (0, 0),
    }
}

/// Zeros `[n, ...]` to which rows are added at indices, in their order: the gradient of [`Gather`]. Gradient: the
/// cotangent's rows.
pub struct ScatterAdd;

impl Operator for ScatterAdd {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[
            OperandSpec::in_group("indices", DTypes::INDEX, 1),
            OperandSpec::new("updates", DTypes::NUMBER),
        ];
        const ATTRIBUTES: &[AttributeSpec] =
            &[AttributeSpec::required("shape", AttributeKind::Shape)];
        const {
            &Signature::new(
                "scatter_add",
                "zeros to which updates are added at the rows that indices name",
                OPERANDS,
            )
            .attributes(ATTRIBUTES)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let (indices, updates) = (cx.shape(0), cx.shape(1));
        let shape = cx.shape_attribute(0);
        let mut expected = indices.clone();
        expected.extend(row(cx, &shape)?);
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
        some_row(shape.first(), &cx.shape(0))?;
        cx.tensor(cx.dtype(1), shape)
    }

    fn gradient(&self, cx: &mut Derivation<'_>) -> Result<Cotangents, Fault> {
        let (indices, cotangent) = (cx.operand(0), cx.cotangent());
        let rows = cx.wanted(1).then(|| gather(cx.graph(), cotangent, indices));
        Ok(Cotangents::from_slice(&[None, rows]))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let (limit, width) = rows(cx.result.dims);
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
            Ok(Kernel::single(2, chunk, cost, move |call| {
                let (indices, updates) = (call.input::<I>(0), call.input::<T>(1));
                let start = call.start::<T>();
                layout::scatter_add(updates, indices, limit, width, call.output(), start)
            })
            .into())
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        cases()
            .into_iter()
            .map(|(params, indices)| {
                let shape = params.iter().map(|&dim| dim.into()).collect();
                let updates = [indices, &params[1..]].concat();
                Sample::new(Attributes::of([Attribute::Shape(shape)]))
                    .operand(DType::I32, indices, ROWS)
                    .float(&updates, USUAL)
            })
            .collect()
    }
}

/// For each index a row of `depth` elements, 1 at the index and 0 elsewhere; all 0 if the index is out of range.
pub struct OneHot;

impl Operator for OneHot {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("indices", DTypes::INDEX)];
        const ATTRIBUTES: &[AttributeSpec] = &[
            AttributeSpec::required("depth", AttributeKind::Integer),
            AttributeSpec::required("dtype", AttributeKind::DType),
        ];
        const {
            &Signature::new(
                "one_hot",
                "for each index a row with 1 there and 0 elsewhere",
                OPERANDS,
            )
            .attributes(ATTRIBUTES)
            .calculus(Calculus::None("takes integers"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let depth = cx.attributes().integer(0);
        let Ok(depth) = usize::try_from(depth) else {
            return Err(Fault::new(format!("depth = {depth} is not a size")));
        };
        let mut shape = cx.shape(0);
        shape.push(Dim::Known(depth));
        cx.tensor(cx.attributes().dtype(1), shape)
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
                Sample::new(one_hot_attributes(depth, dtype)).operand(DType::I64, dims, values)
            })
            .collect()
    }
}

fn one_hot_attributes(depth: i64, dtype: DType) -> Attributes {
    Attributes::of([Attribute::Integer(depth), Attribute::DType(dtype)])
}

/// Appends `gather(params, indices)`.
pub fn gather(graph: &mut Ir, params: NodeId, indices: NodeId) -> NodeId {
    graph.add(&Gather, &[params, indices], Attributes::none())
}

/// Appends `scatter_add(indices, updates)`.
pub fn scatter_add(graph: &mut Ir, indices: NodeId, updates: NodeId, shape: Shape) -> NodeId {
    let attributes = Attributes::of([Attribute::Shape(shape)]);
    graph.add(&ScatterAdd, &[indices, updates], attributes)
}

/// Appends `one_hot(indices)`.
pub fn one_hot(graph: &mut Ir, indices: NodeId, depth: i64, dtype: DType) -> NodeId {
    graph.add(&OneHot, &[indices], one_hot_attributes(depth, dtype))
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The rows of this tensor `[n, ...]` that `indices` of any shape name, as `indices.shape + [...]`: an embedding
    /// look-up. An index outside `0..n` fails at run time, naming its place.
    #[track_caller]
    pub fn gather<I: Index>(self, indices: impl Operand<'g, I>) -> Tensor<'g, T> {
        self.with(indices, gather)
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// Zeros of a shape `[n, ...]` to which the rows of this tensor, `indices.shape + [...]`, are added where `indices` say,
    /// in their order: TensorFlow's `unsorted_segment_sum`. An index outside `0..n` fails at run time.
    #[track_caller]
    pub fn scatter_add<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        shape: impl Into<Dimensions>,
    ) -> Tensor<'g, T> {
        let this = self.beside(indices);
        let indices = indices.node(this.graph());
        this.graph().with_shape("what is added to", shape, |graph, shape| {
            scatter_add(graph, indices, this.id(), shape)
        })
    }
}

impl<'g, I: Index> Tensor<'g, I> {
    /// For each index a row of `depth` elements, 1 (`true`) at the index and 0 elsewhere; all 0 if the index is out of range, as
    /// in TensorFlow.
    #[track_caller]
    pub fn one_hot<T: Element>(self, depth: usize) -> Tensor<'g, T> {
        // A depth beyond i64 is as much too large as i64::MAX is.
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        self.then(|graph, indices| one_hot(graph, indices, depth, T::DTYPE))
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
        g.zeros::<f32>(dims![0, 2]).gather(0i64);
        g.zeros::<f32>(dims![3]).scatter_add(0i64, dims![4, 2]);
        g.constant(1i64).one_hot::<f32>(usize::MAX);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "which has no rows",
            "every index is out of range",
            "updates of shape [3] are not rows of [4, 2] for indices of shape []: those are [2]",
            "larger than any memory",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
