//! `broadcast_to`: elements repeated along dimensions of size 1 to fill a shape.

use abeyance_ir::{
    AttributeSet, Cotangents, Derivation, Fault, Fusibility, Inference, Lowered, Lowering,
    Operator, Sample, Shape, Signature, Split, Splitting, Type, attributes,
};
use abeyance_kernels::broadcast::Broadcast;
use abeyance_kernels::layout;

use super::{ANY, USUAL, movement, to_shape};
use crate::ops::with_moved;
use crate::{Dimension, Dimensions, Element, Expr, Rule, Tensor};

attributes! {
    /// The dimensions of a [`BroadcastTo`].
    pub struct BroadcastToAttributes {
        /// Shape that is filled.
        to: Shape,
    }
}

/// Repeated along dimensions of size 1 to fill a shape.
pub struct BroadcastTo;

impl Operator for BroadcastTo {
    fn signature(&self) -> &Signature {
        const {
            &Signature::new(
                "broadcast_to",
                "repeated along dimensions of size 1 to fill a shape",
                ANY,
            )
            .attributes(BroadcastToAttributes::SPECS)
        }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        let from = cx.shape(0);
        let BroadcastToAttributes { to } = cx.attributes();
        let shape = cx.broadcast(&from, &to)?;
        // Some of its dimensions may be known only now.
        let filled: Shape = to.iter().map(|&dim| cx.resolve(dim)).collect();
        if shape == filled {
            cx.tensor(cx.dtype(0), shape)
        } else {
            Err(Fault::new(format!(
                "{} does not broadcast to {}: it is larger",
                cx.display(&from),
                cx.display(&to)
            )))
        }
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        Ok(cx.only(cx.cotangent().unbroadcast(cx.operand(0))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        if cx.operands[0].len() == cx.result.len() {
            return Ok(Lowered::Alias(0));
        }
        let plan = Broadcast::new(cx.result.dims, [cx.operands[0].dims]);
        Ok(with_moved!(cx.result.dtype, T => movement::<T>(cx, move |x, out, start| {
            layout::broadcast_to(&plan, x, out, start)
        }))
        .into())
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::AnyRange
    }

    fn split(&self, cx: &Splitting<'_>) -> Split {
        cx.pointwise()
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], &[usize]); 7] = [
            (&[], &[]),
            (&[], &[2, 3]),
            (&[3], &[2, 3]),
            (&[2, 1], &[2, 5]),
            (&[1, 3], &[0, 3]),
            (&[0, 1], &[0, 3]),
            (&[7], &[7]),
        ];
        cases
            .into_iter()
            .map(|(from, to)| {
                Sample::new(BroadcastToAttributes { to: to_shape(to) }).float(from, USUAL)
            })
            .collect()
    }
}

impl<'g> Expr<'g> {
    /// The elements repeated to fill a shape, or the expression itself if it has that shape.
    pub fn broadcast_to(self, to: Shape) -> Self {
        if self.graph(|graph| graph.shape(self.id()) == Some(graph.resolve(&to))) {
            return self;
        }
        self.apply(&BroadcastTo, BroadcastToAttributes { to })
    }
}

impl<'g, T: Element> Tensor<'g, T> {
    /// Repeated along dimensions of size 1, and along new ones in front, to fill a shape.
    #[track_caller]
    pub fn broadcast_to(self, to: impl Into<Dimensions>) -> Tensor<'g, T> {
        let to = to.into();
        if to.0.contains(&Dimension::Unknown) {
            return self.fault(
                Fault::new("broadcast_to: the shape has to be known")
                    .help("take unknown sizes from other tensors: `dims![x.dim(0), 10]`"),
            );
        }
        self.map(|x| {
            let to = x.graph(|graph| to.resolve(graph.symbols_mut()));
            // Of its own shape too, that the node can be named.
            x.apply(&BroadcastTo, BroadcastToAttributes { to })
        })
    }
}
