//! Tensors with something around them: `pad_constant`, and padding that mirrors what is inside.

use abeyance_ir::{
    Array, AttributeSet, Cotangents, DType, DTypes, Derivation, Dim, Domain, Fault, Inference,
    Lowered, Lowering, OperandSpec, Operator, Sample, Signature, Split, Splitting, Type,
};
use abeyance_kernels::launch::Kernel;
use abeyance_kernels::layout;

use super::slice::{self, PadAttributes, copy_loop, each};
use super::with_moved;
use crate::{Element, Expr, ExprOperand, Operand, Rule, Tensor};

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] = &[&PadConstant];

/// `x` with a value around it, `before` and `after` it along each dimension. TensorFlow's `tf.pad`
/// in mode CONSTANT. Gradient: of `x` the cotangent's part that stands where it does, of the value
/// the sum of the rest.
pub struct PadConstant;

impl Operator for PadConstant {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] =
            &[OperandSpec::new("x", DTypes::ANY), OperandSpec::new("value", DTypes::ANY)];
        const {
            &Signature::new("pad_constant", "x with a value around it", OPERANDS)
                .attributes(PadAttributes::SPECS)
                .zeroing_gradient()
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        if cx.rank(1) != 0 {
            return Err(Fault::new(format!(
                "the value around a tensor is a number, not a tensor of shape {}",
                cx.display(&cx.shape(1))
            )));
        }
        slice::padded(cx)
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let (x, cotangent) = (cx.operand(0), cx.cotangent());
        let PadAttributes { before, after } = cx.attributes();
        let axes: Vec<i64> = (0..before.len() as i64).collect();
        Ok(cx.each_wanted(|index| {
            if index == 0 {
                cotangent.unpad(&before, &after, x.shape())
            } else {
                let inside =
                    x.fill(Array::scalar(DType::Bool, 1.0), x.shape()).pad(&before, &after);
                inside.select(0.0, cotangent).reduce_sum(&axes[..])
            }
        }))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let dims = cx.operands[0].dims;
        if dims == cx.result.dims {
            return Ok(Lowered::Alias(0));
        }
        let PadAttributes { before, after } = cx.attributes();
        let before = each("before", &before, dims.len())?;
        let after = each("after", &after, dims.len())?;
        let plan = layout::Pad::new(dims, &before, &after);
        let (chunk, cost) = copy_loop(cx);
        Ok(with_moved!(cx.result.dtype, T => Kernel::single(2, chunk, cost, move |call| {
            let (start, value) = (call.start::<T>(), call.input::<T>(1)[0]);
            plan.run(call.input::<T>(0), call.output(), start, value);
            Ok(())
        }))
        .into())
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.along_if(cx.axis(0).filter(|&axis| !slice::is_padded(cx, axis)))
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[i64], &[i64]); 6] = [
            (&[], &[], &[]),
            (&[5], &[1], &[0]),
            (&[2, 3], &[0, 1], &[2, 0]),
            (&[3, 1, 2], &[1, 0, 1], &[0, 2, 1]),
            (&[0, 3], &[1, 0], &[1, 2]),
            (&[2, 2], &[0, 0], &[0, 0]),
        ];
        cases
            .into_iter()
            .map(|(dims, before, after)| {
                Sample::new(PadAttributes { before: before.into(), after: after.into() })
                    .float(dims, Domain::Between(-2.0, 2.0))
                    .float(&[], Domain::Values(&[0.75]))
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The expression with a value before and after it along each dimension.
    pub fn pad_constant(self, value: impl ExprOperand<'g>, before: &[i64], after: &[i64]) -> Self {
        let attributes = PadAttributes { before: before.into(), after: after.into() };
        self.apply_to(&PadConstant, &[self, value.expr(self)], attributes)
    }

    /// The expression mirrored at its ends.
    ///
    /// Around it stand the elements next to each end in the opposite order, `skip` of them left out
    /// (1 to leave out the outermost itself, 0 to begin with it).
    ///
    /// # Errors
    /// More elements around than there are to mirror.
    fn mirror(self, paddings: &[[i64; 2]], skip: i64) -> Result<Self, Fault> {
        let full = self.shape();
        let rank = full.len();
        if paddings.len() != rank {
            return Err(Fault::new(format!(
                "paddings = {paddings:?} are not two numbers for each of {rank} dimensions"
            )));
        }
        for (axis, (&dim, around)) in full.iter().zip(paddings).enumerate() {
            if let Some(&wrong) = around.iter().find(|&&size| size < 0) {
                return Err(Fault::new(format!(
                    "paddings = {paddings:?} hold {wrong}, which is no size"
                )));
            }
            if let Dim::Known(size) = dim
                && let Some(&wrong) = around.iter().find(|&&around| {
                    around > 0 && around as u64 > (size as u64).saturating_sub(skip as u64)
                })
            {
                return Err(Fault::new(format!(
                    "{wrong} elements around dimension {axis} of {} are more than it has to mirror",
                    self.graph(|graph| graph.symbols().display(&full).to_string())
                )));
            }
        }
        let mut y = self;
        for (axis, &[before, after]) in paddings.iter().enumerate() {
            let axes = [axis as i64];
            // The part from `begin` on.
            let part = |y: Self, begin: i64, size: i64| {
                let (mut from, mut sizes) = (vec![0; rank], vec![-1; rank]);
                (from[axis], sizes[axis]) = (begin, size);
                y.slice(&from, &sizes)
            };
            let mut row = Vec::with_capacity(3);
            if before > 0 {
                row.push(part(y, skip, before).reverse(&axes));
            }
            row.push(y);
            if after > 0 {
                row.push(match full[axis] {
                    Dim::Known(size) => part(y, size as i64 - skip - after, after).reverse(&axes),
                    // Counted from an end that is not known yet.
                    Dim::Symbol(_) => part(y.reverse(&axes), skip, after),
                });
            }
            if row.len() > 1 {
                y = y.concat(&row, axis as i64);
            }
        }
        Ok(y)
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// The tensor with a value around it: how many before and after it along each dimension,
    /// `x.pad_constant([[0, 0], [1, 2]], -1.0)`. TensorFlow's `tf.pad` in mode CONSTANT. Gradient:
    /// of the tensor the cotangent's part that stands where it does, of the value the sum of the
    /// rest. Negative sizes, and results beyond any memory, are mistakes.
    #[track_caller]
    pub fn pad_constant(
        self,
        paddings: impl AsRef<[[i64; 2]]>,
        value: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("pad_constant");
        let (before, after): (Vec<i64>, Vec<i64>) =
            paddings.as_ref().iter().map(|&[before, after]| (before, after)).unzip();
        self.zip(value, |x, value| x.pad_constant(value, &before, &after))
    }

    #[track_caller]
    fn pad_mirrored(self, name: &'static str, paddings: &[[i64; 2]], skip: i64) -> Tensor<'g, T> {
        let graph = self.graph();
        let _call = graph.call(name);
        graph.within(name, || {
            match self.visit(|x| x.mirror(paddings, skip).map(Expr::id)) {
                // A node of its own, that it can be named.
                Ok(id) if id == self.id() => self.identity(),
                Ok(id) => graph.handle(id),
                Err(fault) => self.fault(fault),
            }
        })
    }

    /// The tensor mirrored at its outermost elements, which are not repeated: `[1, 2, 3]` with
    /// `[[2, 1]]` is `[3, 2, 1, 2, 3, 2]`. TensorFlow's `tf.pad` in mode REFLECT. More elements
    /// around a dimension than its size less one are a mistake, or an error when the size is fed.
    /// Made of slices, `reverse` and `concat`.
    #[track_caller]
    pub fn pad_reflect(self, paddings: impl AsRef<[[i64; 2]]>) -> Tensor<'g, T> {
        self.pad_mirrored("pad_reflect", paddings.as_ref(), 1)
    }

    /// The tensor mirrored at its edges: `[1, 2, 3]` with `[[2, 1]]` is `[2, 1, 1, 2, 3, 3]`.
    /// TensorFlow's `tf.pad` in mode SYMMETRIC. More elements around a dimension than its size are
    /// a mistake, or an error when the size is fed.
    #[track_caller]
    pub fn pad_symmetric(self, paddings: impl AsRef<[[i64; 2]]>) -> Tensor<'g, T> {
        self.pad_mirrored("pad_symmetric", paddings.as_ref(), 0)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Graph, dims};

    #[test]
    fn what_is_around_adds_to_the_sizes() {
        let g = Graph::new();
        let x = g.placeholder::<f32>("x", dims![_, 3]);
        let y = x.pad_constant([[0, 0], [1, 2]], 1.5);
        assert_eq!(y.to_string(), "pad_constant : f32[N, 6]");
        let y = x.pad_reflect([[0, 0], [2, 1]]);
        assert_eq!(y.to_string(), "pad_reflect : f32[N, 6]");
        let y = x.pad_symmetric([[1, 0], [0, 0]]);
        assert_eq!(y.to_string(), "pad_symmetric : f32[D, 3]");
        g.check().unwrap();
    }

    #[test]
    fn hostile_paddings_are_mistakes() {
        let g = Graph::new();
        let x = g.zeros::<f32>(dims![2, 3]);
        x.pad_constant([[0, i64::MAX], [i64::MAX, i64::MAX]], 1.0);
        x.pad_constant([[0, -1], [0, 0]], 1.0);
        x.pad_constant([[0, 0], [0, 0]], x);
        x.pad_reflect([[2, 0], [0, 0]]);
        x.pad_symmetric([[0, 3], [0, 0]]);
        x.pad_reflect([[0, 0], [i64::MIN, 0]]);
        x.pad_symmetric([[0, 0]]);
        let message = g.check().unwrap_err().to_string();
        for part in [
            "make a dimension of [2, 3] too large",
            "holds -1, which is no size",
            "is a number, not a tensor of shape [2, 3]",
            "pad_reflect: 2 elements around dimension 0 of [2, 3] are more than it has to mirror",
            "pad_symmetric: 3 elements around dimension 0",
            "which is no size",
            "not two numbers for each of 2 dimensions",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
