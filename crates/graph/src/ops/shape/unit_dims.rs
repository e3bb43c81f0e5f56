//! `expand_dims` and `squeeze`: dimensions of size 1 that come and go.

use abeyance_ir::{
    AttributeSet, Cotangents, Derivation, Dim, Fault, Inference, Lowered, Lowering, Operator,
    Sample, Signature, Split, Splitting, Type, attributes, resolve_axis,
};

use super::{ANY, USUAL, back_to_operand, integers};
use crate::ops::reduce::resolve_axes;
use crate::{Element, Expr, Tensor};

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

impl<'g> Expr<'g> {
    /// The expression with a new dimension of size 1 before dimension `axis` (-1: at the end).
    pub fn expand_dims(self, axis: i64) -> Self {
        self.apply(&ExpandDims, ExpandDimsAttributes { axis })
    }

    /// The expression without the dimensions `axes`, which must be 1.
    pub fn squeeze(self, axes: &[i64]) -> Self {
        self.apply(&Squeeze, SqueezeAttributes { axes: axes.into() })
    }
}

impl<'g, T: Element> Tensor<'g, T> {
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
}
