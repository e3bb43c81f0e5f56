//! Tensors side by side: `concat`.

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Dim, Domain, Fault, Inference, Lowered, Lowering,
    OperandSpec, Operator, Sample, Signature, Split, Splitting, Type, attributes, resolve_axis,
};
use abeyance_kernels::launch::Kernel;
use abeyance_kernels::layout;

use super::slice::copy_loop;
use super::with_moved;
use crate::{Element, Expr, Graph, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&Concat];

attributes! {
    /// The axis of a [`Concat`].
    pub struct ConcatAttributes {
        /// Axis along which the sizes add up; a negative one counts from the end.
        axis: i64,
    }
}

/// Tensors one after the other along an axis. Gradient: for each its part of the cotangent.
pub struct Concat;

impl Operator for Concat {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::ANY)];
        const {
            &Signature::new("concat", "tensors one after the other along an axis", OPERANDS)
                .variadic()
                .attributes(ConcatAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        if cx.operands() == 0 {
            return Err(Fault::new("takes at least one operand"));
        }
        let mut shape = cx.shape(0);
        if shape.is_empty() {
            return Err(Fault::new("a scalar has no dimension to go along")
                .help("give each a dimension first: `x.reshape(dims![1])`"));
        }
        let ConcatAttributes { axis } = cx.attributes();
        let axis = cx.axis(axis, shape.len())?;
        let mut known = 0usize;
        let mut unknown = Vec::new();
        for index in 0..cx.operands() {
            let mut other = cx.shape(index);
            match other.get(axis) {
                Some(Dim::Known(size)) => {
                    known = known.checked_add(*size).ok_or_else(|| {
                        Fault::new("together the tensors are larger than any memory")
                    })?;
                }
                Some(&dim) => unknown.push(dim),
                None => {}
            }
            // Along the axis any size will do.
            if let Some(dim) = other.get_mut(axis) {
                *dim = shape[axis];
            }
            shape = cx.same_shape(&shape, &other).map_err(|_| {
                Fault::new(format!(
                    "operand {index} of shape {} does not fit behind one of shape {} along axis {axis}",
                    cx.display(&cx.shape(index)),
                    cx.display(&cx.shape(0)),
                ))
                .help("all sizes have to be equal but those along the axis")
            })?;
        }
        shape[axis] = match unknown[..] {
            [] => Dim::Known(known),
            [dim] if known == 0 => cx.resolve(dim),
            _ => cx.derived(),
        };
        cx.tensor(cx.dtype(0), shape)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (cotangent, count) = (cx.cotangent(), cx.operands());
        let rank = cotangent.rank();
        let ConcatAttributes { axis } = cx.attributes();
        let axis = resolve_axis(axis, rank)?;
        let mut cotangents = Cotangents::new();
        // Where the part of the next operand begins: the sum of the known sizes before it, and the
        // node of the sum of the others, if there are any.
        let mut begin = vec![0i64; rank];
        let mut offset: Option<Expr<'_>> = None;
        let last = (0..count).rev().find(|&index| cx.wanted(index));
        for index in 0..count {
            let shape = cx.operand(index).shape();
            let size = shape[axis];
            let part = cx.wanted(index).then(|| match (offset, size) {
                (None, Dim::Known(size)) => {
                    let mut sizes = vec![-1; rank];
                    sizes[axis] = size as i64;
                    cotangent.slice(&begin, &sizes)
                }
                _ => {
                    let offset = offset.unwrap_or_else(|| cotangent.offset(0));
                    cotangent.slice_at(offset, &begin, axis as i64, shape)
                }
            });
            cotangents.push(part.map(Expr::id));
            match size {
                Dim::Known(size) => begin[axis] = begin[axis].saturating_add(size as i64),
                Dim::Symbol(_) if last > Some(index) => {
                    let size = cotangent.offset_of(size);
                    offset = Some(offset.map_or(size, |before| before + size));
                }
                Dim::Symbol(_) => {}
            }
        }
        Ok(cotangents)
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        if cx.operands.len() == 1 {
            return Ok(Lowered::Alias(0));
        }
        let ConcatAttributes { axis } = cx.attributes();
        let axis = resolve_axis(axis, cx.result.dims.len())?;
        let shapes: Vec<&[usize]> = cx.operands.iter().map(|operand| operand.dims).collect();
        let plan = layout::Concat::new(&shapes, axis);
        let (chunk, cost) = copy_loop(cx);
        Ok(with_moved!(cx.result.dtype, T => Kernel::single(shapes.len(), chunk, cost, move |call| {
            let start = call.start::<T>();
            let (inputs, out) = call.inputs_and_output::<T>();
            plan.run(|index| inputs.get::<T>(index), out, start);
            Ok(())
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        let ConcatAttributes { axis: joined } = cx.attributes();
        let joined = resolve_axis(joined, cx.rank(0)).ok();
        cx.apart_from(|axis| joined.is_none_or(|joined| axis == joined))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[&[usize]], i64); 8] = [
            (&[&[3]], 0),
            (&[&[1], &[3]], 0),
            (&[&[2, 3], &[2, 1]], 1),
            (&[&[2, 3], &[1, 3], &[3, 3]], 0),
            (&[&[2, 3, 2], &[2, 1, 2], &[2, 4, 2]], -2),
            (&[&[2, 0], &[2, 3], &[2, 0]], -1),
            (&[&[0, 3], &[0, 2]], 1),
            (&[&[33, 5], &[33, 2]], 1),
        ];
        cases
            .into_iter()
            .map(|(shapes, axis)| {
                shapes.iter().fold(Sample::new(ConcatAttributes { axis }), |sample, dims| {
                    sample.float(dims, Domain::Between(-2.0, 2.0))
                })
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// Parts one after the other along an axis, of which this expression may be one.
    pub fn concat(self, parts: &[Self], axis: i64) -> Self {
        self.apply_to(&Concat, parts, ConcatAttributes { axis })
    }
}

impl Graph {
    /// Tensors one after the other along an axis; all other sizes have to be equal. At least one
    /// tensor is needed.
    #[track_caller]
    pub fn concat<'g, T: Element>(
        &'g self,
        inputs: impl IntoIterator<Item = Tensor<'g, T>>,
        axis: i64,
    ) -> Tensor<'g, T> {
        let inputs: Vec<_> = inputs.into_iter().map(Tensor::erase).collect();
        let home = self.innermost(&inputs);
        let inputs = home.import_all(&inputs);
        home.handle(home.build(|graph| graph.add(&Concat, &inputs, ConcatAttributes { axis })))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, Tensor, dims};

    #[test]
    fn sizes_along_the_axis_add_up() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let y = g.placeholder::<f32>("y", dims![_, 4]);
        assert_eq!(g.concat([x, y, x], -1).to_string(), "concat : f32[N, 10]");
        assert_eq!(x.dim(0), y.dim(0));
        assert_eq!(g.concat([x], 0).to_string(), "concat_1 : f32[N, 3]");
        assert_eq!(g.concat([x, x], 0).to_string(), "concat_2 : f32[D, 3]");
        g.check().unwrap();
    }

    #[test]
    fn what_does_not_fit_is_a_mistake() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let none: [Tensor<f32>; 0] = [];
        g.concat(none, 0);
        g.concat([x, g.zeros(dims![2, 4])], 0);
        let huge = g.placeholder::<u8>("huge", dims![isize::MAX as usize]);
        g.concat([huge, huge, huge], 0);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "takes at least one operand",
            "operand 1 of shape [2, 4] does not fit behind one of shape [N, 3] along axis 0",
            "larger than any memory",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
