//! Lengths of vectors, built from reductions: `l1_norm`, `l2_norm`, `max_norm`.

use super::reduce::{MAX, SUM};
use crate::{Axes, Float, Tensor};

impl<'g, T: Float> Tensor<'g, T> {
    /// Σ |x| over `..` (everything), `-1`, `[0, 2]` or [`keep_dims`](crate::keep_dims) of these: TensorFlow's `norm(x, 1)`. The
    /// gradient is the cotangent times sign(x).
    #[track_caller]
    pub fn l1_norm<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let list = axes.list();
        let _call = self.graph().call("l1_norm");
        self.graph().within("l1_norm", || self.abs().over(&SUM, &list)).into()
    }

    /// √(Σ x²), the Euclidean length: TensorFlow's `norm(x)` and `reduce_euclidean_norm`. 0 for nothing. Squares may overflow where
    /// the length would not.
    ///
    /// The gradient is the cotangent times x over the length; where that is 0 it is taken to be 0, not TensorFlow's NaN.
    #[track_caller]
    pub fn l2_norm<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let list = axes.list();
        let _call = self.graph().call("l2_norm");
        self.graph()
            .within("l2_norm", || self.square().over::<T>(&SUM, &list).sqrt_flat_at_0())
            .into()
    }

    /// max |x|: TensorFlow's `norm(x, inf)`. NaN if there is one; of nothing it is an error. The gradient is shared among ties.
    #[track_caller]
    pub fn max_norm<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let list = axes.list();
        let _call = self.graph().call("max_norm");
        self.graph().within("max_norm", || self.abs().over(&MAX, &list)).into()
    }

    /// √x whose derivative at 0 is 0 instead of ∞: both the root and its operand are chosen, so that no infinite slope is
    /// ever computed.
    #[track_caller]
    pub(super) fn sqrt_flat_at_0(self) -> Tensor<'g, T> {
        let [zero, one] = [0.0, 1.0].map(|value| self.graph().constant(T::from_f64(value)));
        // NaN is not 0, and passes through.
        let flat = self.equal(zero);
        flat.select(zero, flat.select(one, self).sqrt())
    }
}
