//! Elementwise operators of a user's own, described by a function of a number and its derivative.

use std::marker::PhantomData;

use abeyance_ir::{
    AttributeSet, Cotangents, DTypes, Derivation, Fault, Fusibility, Inference, Lowered, Lowering,
    OperandSpec, Operator, OperatorRef, Sample, Signature, Type,
};
pub use abeyance_kernels::element::Real;

use super::unary::map;
use super::with_float;
use crate::{Expr, Float, Rule, Tensor};

/// A function of each element of a tensor of floats, with its derivative and, in its fields, its
/// attributes.
///
/// Everything else follows from these: the operator prints, is saved, differentiates again and
/// again, is fused with its neighbours and keeps the rows of a batch apart. [`Tensor::elementwise`]
/// applies it; a program that reads graphs with it registers [`Elementwise::operator`].
///
/// ```
/// use abeyance_graph::ops::elementwise::{Elementwise, Real};
/// use abeyance_graph::{Expr, Graph, dims};
///
/// abeyance_ir::attributes! {
///     /// x / (1 + exp(-beta x)).
///     struct Swish {
///         /// Steepness of the step at 0.
///         beta: f64,
///     }
/// }
///
/// impl Elementwise for Swish {
///     const NAME: &'static str = "swish";
///     const SUMMARY: &'static str = "x times sigmoid(beta x)";
///
///     fn value<T: Real>(&self, x: T) -> T {
///         x * (T::from_f64(self.beta) * x).sigmoid()
///     }
///
///     fn derivative<'e>(&self, x: Expr<'e>, y: Expr<'e>) -> Expr<'e> {
///         let s = (self.beta * x).sigmoid();
///         s + self.beta * y * (1.0 - s)
///     }
/// }
///
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 3]);
/// assert_eq!(x.elementwise(Swish { beta: 1.5 }).to_string(), "swish : f32[N, 3]");
/// ```
pub trait Elementwise: AttributeSet + Send + Sync + 'static {
    /// Name of the operator in texts and files.
    const NAME: &'static str;

    /// The computation in a few words.
    const SUMMARY: &'static str;

    /// The function, for elements of f32 and f64. Bits are the same on every machine as long as it
    /// uses the methods of [`Real`].
    fn value<T: Real>(&self, x: T) -> T;

    /// The derivative at `x`, where the function is `y`: nodes, which the cotangent is multiplied
    /// with.
    fn derivative<'e>(&self, x: Expr<'e>, y: Expr<'e>) -> Expr<'e>;

    /// The operator, for a [`Registry`](abeyance_ir::Registry).
    fn operator() -> OperatorRef {
        OperatorRef::Static(const { &Of::<Self>(PhantomData) })
    }
}

/// The operator of a function.
struct Of<E>(PhantomData<fn() -> E>);

impl<E: Elementwise> Operator for Of<E> {
    fn signature(&self) -> &Signature {
        const OPERANDS: &[OperandSpec] = &[OperandSpec::new("x", DTypes::FLOAT)];
        const { &Signature::new(E::NAME, E::SUMMARY, OPERANDS).attributes(E::SPECS) }
    }

    fn infer(&self, cx: &mut Inference<'_>) -> Result<Type, Fault> {
        cx.tensor(cx.dtype(0), cx.shape(0))
    }

    fn gradient(&self, cx: &Derivation<'_>) -> Result<Cotangents, Fault> {
        let of: E = cx.attributes();
        Ok(cx.only(cx.chain(of.derivative(cx.operand(0), cx.result()))))
    }

    fn lower(&self, cx: &Lowering<'_>) -> Result<Lowered, Fault> {
        let of: E = cx.attributes();
        // About what a function with one exponential takes.
        with_float!(cx.result.dtype, T => {
            Ok(map::<T, T>(cx, 25.0, #[inline(always)] move |x| of.value(x)).into())
        })
    }

    fn fusibility(&self, _: &Lowering<'_>) -> Fusibility {
        Fusibility::Elementwise
    }

    fn samples(&self) -> Vec<Sample> {
        // Which attributes make sense only the function knows.
        Vec::new()
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// A function of a user's own of each element.
    #[track_caller]
    pub fn elementwise<E: Elementwise>(self, function: E) -> Tensor<'g, T> {
        self.map(|x| x.apply(E::operator(), function))
    }
}
