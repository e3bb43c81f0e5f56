//! Elements and slices by all their coordinates: `gather_nd` and `scatter_nd`, made of
//! `ravel_index` and the operators on rows.

use abeyance_ir::{
    AttributeSet, DType, DTypes, Differentiability, Dim, Domain, Fault, Graph as Ir, Inference,
    Lowered, Lowering, NodeId, OperandSpec, Operator, Sample, Shape, Signature, Split, Splitting,
    Type, attributes, element_count, known_dims,
};
use abeyance_kernels::elementwise_chunk;
use abeyance_kernels::launch::{Cost, Kernel};
use abeyance_kernels::layout;

use super::index::constant_out_of_range;
use super::shape::product;
use super::{traffic, with_index};
use crate::{Dimensions, Element, Expr, Index, Number, Operand, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&RavelIndex];

attributes! {
    /// The dimensions in which the coordinates of a [`RavelIndex`] count.
    pub struct RavelIndexAttributes {
        /// Shape whose elements are numbered.
        shape: Shape,
    }
}

/// The numbers in row-major order of the elements of a shape whose coordinates stand along the last
/// axis: `[.., k]` to `[..]` for a shape of k dimensions. A coordinate outside its dimension fails
/// at run time. NumPy's `ravel_multi_index`.
pub struct RavelIndex;

impl Operator for RavelIndex {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("indices", DTypes::INDEX)];
        const {
            &Signature::new(
                "ravel_index",
                "the numbers of elements from their coordinates",
                OPERANDS,
            )
            .attributes(RavelIndexAttributes::SPECS)
            .differentiability(Differentiability::None("takes integers"))
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let indices = cx.shape(0);
        let RavelIndexAttributes { shape: of } = cx.attributes();
        let Some((&width, rest)) = indices.split_last() else {
            return Err(Fault::new("a scalar holds no coordinates")
                .help("coordinates stand along the last axis: a vector is those of one element"));
        };
        if cx.unify(width, Dim::Known(of.len())).is_none() {
            return Err(Fault::new(format!(
                "the last dimension of {} is not a coordinate for each of {} dimensions of {}",
                cx.display(&indices),
                of.len(),
                cx.display(&of)
            )));
        }
        cx.tensor(DType::I64, rest.into())
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let RavelIndexAttributes { shape } = cx.attributes();
        let Some(of) = known_dims(&shape) else {
            return Err(Fault::new("the size of a dimension is not known"));
        };
        if element_count(&of).is_none() {
            return Err(Fault::new(format!(
                "the numbers of the elements of {of:?} are beyond 2^63"
            )));
        }
        let cost = Cost { flops: 2.0 * cx.operands[0].len() as f64, bytes: traffic(cx) };
        let chunk = elementwise_chunk(cx.result.len(), 8 * (1 + of.len())) * size_of::<i64>();
        with_index!(cx.operands[0].dtype, I => {
            Ok(Kernel::single(1, chunk, cost, move |call| {
                let (indices, start) = (call.input::<I>(0), call.start::<i64>());
                layout::ravel(indices, &of, call.output(), start)
            })
            .into())
        })
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let RavelIndexAttributes { shape } = cx.attributes();
        if shape.iter().any(|&dim| cx.grows(dim)) {
            Split::Mixed
        } else {
            cx.apart_from(|axis| axis + 1 == cx.rank(0))
        }
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 6] = [
            (&[2], &[3, 4]),
            (&[5, 2], &[3, 2]),
            (&[2, 3, 1], &[2]),
            (&[3, 0], &[]),
            (&[0, 2], &[3, 4]),
            (&[2, 3], &[2, 5, 2]),
        ];
        cases
            .into_iter()
            .map(|(dims, of)| {
                let shape = of.iter().map(|&dim| dim.into()).collect();
                let values = Domain::Values(&[1.0, 0.0, 1.0, 1.0]);
                Sample::new(RavelIndexAttributes { shape }).operand(DType::I64, dims, values)
            })
            .collect()
    }
}

/// How many coordinates each index has, for a tensor of this rank.
pub(super) fn width(graph: &Ir, indices: NodeId, shape: &[Dim]) -> Result<usize, Fault> {
    let of = graph.shape(indices).unwrap_or_default();
    let shown = |shape: &[Dim]| graph.symbols().display(shape).to_string();
    match of.last() {
        Some(&Dim::Known(width)) if width <= shape.len() => {
            match constant_out_of_range(graph, indices, &shape[..width]) {
                Some(fault) => Err(fault),
                None => Ok(width),
            }
        }
        Some(&Dim::Known(width)) => Err(Fault::new(format!(
            "indices of shape {} have {width} coordinates, and {} has {} dimensions",
            shown(&of),
            shown(shape),
            shape.len()
        ))),
        Some(_) => Err(Fault::new(format!(
            "the last dimension of {}, how many coordinates an index has, is not known",
            shown(&of)
        ))),
        None => Err(Fault::new("a scalar holds no coordinates")
            .help("coordinates stand along the last axis: a vector is those of one element")),
    }
}

impl<'g> Expr<'g> {
    /// The numbers in row-major order of the elements of a shape whose coordinates these are.
    pub fn ravel_index(self, shape: Shape) -> Self {
        self.apply(&RavelIndex, RavelIndexAttributes { shape })
    }

    /// The slices whose coordinates stand along the last axis of `indices`.
    pub fn gather_nd(self, indices: Self) -> Self {
        if self.dtype().is_none() || indices.dtype().is_none() {
            return self.invalid();
        }
        let shape = self.shape();
        let width = match self.graph(|graph| width(graph, indices.id(), &shape)) {
            Ok(width) => width,
            Err(fault) => return self.mistake("gather_nd", fault),
        };
        self.merge(0, width).gather(indices.ravel_index(Shape::from(&shape[..width])))
    }

    /// Zeros of a shape to which this is added at the coordinates along the last axis of `indices`.
    pub fn scatter_nd(self, indices: Self, shape: Shape) -> Self {
        if self.dtype().is_none() || indices.dtype().is_none() {
            return self.invalid();
        }
        let width = match self.graph(|graph| width(graph, indices.id(), &shape)) {
            Ok(width) => width,
            Err(fault) => return self.mistake("scatter_nd", fault),
        };
        let (outer, row) = shape.split_at(width);
        let mut rows = Shape::from_slice(&[self.graph(|graph| product(graph, outer))]);
        rows.extend_from_slice(row);
        let numbers = indices.ravel_index(Shape::from(outer));
        self.scatter_add(numbers, rows).reshape(shape)
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The slices of this tensor whose coordinates stand along the last axis of `indices`:
    /// `indices[.., k]` of a tensor of r dimensions give `indices.shape[..-1] + shape[k..]`, single
    /// elements if k = r. TensorFlow's `tf.gather_nd`. A coordinate outside its dimension is a
    /// mistake where both are known, else it fails at run time, naming its position. Gradient: the
    /// cotangent's slices, added where they came from.
    #[track_caller]
    pub fn gather_nd<I: Index>(self, indices: impl Operand<'g, I>) -> Tensor<'g, T> {
        let _call = self.graph().call("gather_nd");
        let this = self.beside(indices);
        let indices = indices.node(this.graph());
        this.graph().within("gather_nd", || this.map(|x| x.gather_nd(x.at(indices))))
    }
}

impl<'g, T: Number> Tensor<'g, T> {
    /// Zeros of a shape to which the slices of this tensor are added at the coordinates that stand
    /// along the last axis of `indices`, in their order: TensorFlow's
    /// `tf.scatter_nd(indices, updates, shape)`, of which this is `updates`. Errors as
    /// [`Tensor::gather_nd`]. Gradient: the cotangent's slices.
    #[track_caller]
    pub fn scatter_nd<I: Index>(
        self,
        indices: impl Operand<'g, I>,
        shape: impl Into<Dimensions>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("scatter_nd");
        let this = self.beside(indices);
        let indices = indices.node(this.graph());
        let graph = this.graph();
        graph.within("scatter_nd", || {
            graph.with_shape("what is added to", shape, |graph, shape| {
                Expr::with(graph, this.id(), |x| x.scatter_nd(x.at(indices), shape).id())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn coordinates_stand_along_the_last_axis() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 4, 5]);
        let at = g.placeholder::<i32>("at", dims!["K", 2]);
        let y = x.gather_nd(at);
        assert_eq!(y.to_string(), "gather_nd : f32[K, 5]");
        let back = y.scatter_nd(at, dims![x.dim(0), 4, 5]);
        assert_eq!(back.to_string(), "scatter_nd : f32[N, 4, 5]");
        g.check().unwrap();
    }

    #[test]
    fn coordinates_that_cannot_be_are_mistakes() {
        let g = Graph::new();
        let x = g.zeros::<f32>(dims![2, 3]);
        let at = |rows: &[[i64; 2]]| {
            let flat = rows.concat();
            g.constant_array(&ndarray::Array2::from_shape_vec((rows.len(), 2), flat).unwrap())
        };
        x.gather_nd(at(&[[0, 0], [1, 3]]));
        x.gather_nd(g.constant(0i64));
        x.gather_nd(g.placeholder::<i64>("three", dims![3]));
        x.gather_nd(g.placeholder::<i64>("open", dims![2, _]));
        g.zeros::<f32>(dims![2]).scatter_nd(at(&[[0, 0], [-1, 0]]), dims![2, 3]);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "gather_nd: index 3 at position 1 is out of range: the dimension has size 3",
            "a scalar holds no coordinates",
            "have 3 coordinates, and [2, 3] has 2 dimensions",
            "is not known",
            "scatter_nd: index -1 at position 1 is out of range: the dimension has size 2",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
