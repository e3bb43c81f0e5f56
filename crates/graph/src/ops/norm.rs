//! Lengths of vectors, built from reductions: `l1_norm`, `l2_norm`, `max_norm`, `l2_loss`.

use crate::{Axes, Float, Scalar, Tensor};

impl<'g, T: Float> Tensor<'g, T> {
    /// Σ |x| over `..` (everything), `-1`, `[0, 2]` or [`keep_dims`](crate::keep_dims) of these:
    /// TensorFlow's `norm(x, 1)`. The gradient is the cotangent times sign(x).
    #[track_caller]
    pub fn l1_norm<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let _call = self.graph().call("l1_norm");
        let list = axes.list();
        self.graph().within("l1_norm", || self.abs().reduce_sum(&list)).into()
    }

    /// √(Σ x²), the Euclidean length: TensorFlow's `norm(x)` and `reduce_euclidean_norm`. 0 for
    /// nothing. Squares neither overflow nor vanish where the length does not: that of
    /// `[3e20, 4e20]` is 5e20 in f32 too, where TensorFlow has infinity.
    ///
    /// The gradient is the cotangent times x over the length; where that is 0 it is taken to be 0,
    /// not TensorFlow's NaN.
    #[track_caller]
    pub fn l2_norm<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let _call = self.graph().call("l2_norm");
        self.graph().within("l2_norm", || self.euclidean_norm(axes)).into()
    }

    /// max |x|: TensorFlow's `norm(x, inf)`. NaN if there is one; of nothing it is an error. The
    /// gradient is shared among ties.
    #[track_caller]
    pub fn max_norm<A: Axes>(self, axes: A) -> A::Output<'g, T> {
        let _call = self.graph().call("max_norm");
        let list = axes.list();
        self.graph().within("max_norm", || self.abs().reduce_max(&list)).into()
    }

    /// Σ x² / 2 over everything, half the squared Euclidean length: TensorFlow's `nn.l2_loss`, the
    /// penalty of weight decay. 0 for nothing. The gradient is the cotangent times x.
    ///
    /// ```
    /// # use abeyance_graph::{dims, ones, Graph};
    /// # let g = Graph::new();
    /// # let w = g.variable::<f32>("w", ones(dims![3]));
    /// # let loss = w.reduce_sum(..);
    /// let regularized = loss + w.l2_loss() * 1e-4;
    /// # let _ = regularized;
    /// # g.check().unwrap();
    /// ```
    #[track_caller]
    pub fn l2_loss(self) -> Scalar<'g, T> {
        let graph = self.graph();
        let _call = graph.call("l2_loss");
        graph.within("l2_loss", || self.map::<T>(|x| x.square().reduce_sum(..) * 0.5)).into()
    }
}
