//! Bounds for values, built from a minimum and a maximum: `clip_by_value` has no operator of its
//! own.

use crate::{Number, Operand, Tensor};

impl<'g, T: Number> Tensor<'g, T> {
    /// Each element brought between `low` and `high`, which broadcast: TensorFlow's
    /// `clip_by_value`. NaN stays NaN.
    ///
    /// ```text
    /// max(min(x, high), low)
    /// ```
    ///
    /// The gradient is the cotangent where x is between the two or equal to one, else 0.
    #[track_caller]
    pub fn clip_by_value(
        self,
        low: impl Operand<'g, T>,
        high: impl Operand<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = self.graph().call("clip_by_value");
        self.graph().within("clip_by_value", || self.minimum(high).maximum(low))
    }
}
