//! Values brought to a common scale, built from reductions and arithmetic: `l2_normalize`,
//! `layer_norm`, `batch_normalization`.

use abeyance_ir::{Dim, Fault};

use crate::{Axes, AxisList, Float, Operand, Tensor};

/// # Errors
/// A number that keeps no root of squares from 0.
pub(super) fn check_epsilon(what: &str, epsilon: f64) -> Result<(), Fault> {
    // Also if it is NaN.
    if (0.0..f64::INFINITY).contains(&epsilon) {
        Ok(())
    } else {
        Err(Fault::new(format!("{what}: an epsilon of {epsilon} is negative or not finite"))
            .help("it has to be 0 or more"))
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// Vectors along some axes, scaled to length 1: TensorFlow's `l2_normalize`, whose default for
    /// `epsilon` is 1e-12.
    ///
    /// ```text
    /// x / max(√(Σ x²), √epsilon)
    /// ```
    ///
    /// That is x / √max(Σ x², epsilon), and right where the squares would overflow or vanish. A
    /// vector shorter than √epsilon stays as short in proportion, and one of zeros stays zeros,
    /// with a finite gradient; with an epsilon of 0 it becomes NaN, as in TensorFlow. A negative
    /// epsilon is a mistake.
    #[track_caller]
    pub fn l2_normalize<A: Axes>(self, axes: A, epsilon: f64) -> Tensor<'g, T> {
        let list = axes.list().kept();
        let graph = self.graph();
        let _call = graph.call("l2_normalize");
        if let Err(fault) = check_epsilon("l2_normalize", epsilon) {
            return self.fault(fault);
        }
        graph.within("l2_normalize", || {
            let norm = self.euclidean_norm(&list);
            self / norm.maximum(graph.constant(T::from_f64(epsilon.sqrt())))
        })
    }

    /// Each element less the mean of its layer, over the standard deviation there, then times
    /// `scale` and plus `offset`: the layer is the last axes, as many as `scale` has, `[..., L]`
    /// for an offset and a scale of `[L]`, which come in the order of
    /// [`Tensor::batch_normalization`].
    ///
    /// ```text
    /// (x - mean) / √(variance + epsilon) · scale + offset
    /// ```
    ///
    /// It is right also where the squares would overflow or vanish. Ba, Kiros, Hinton: *Layer
    /// normalization*, 2016. TensorFlow's default for `epsilon` is 1e-3, elsewhere it is often
    /// 1e-5. It is a mistake if offset and scale are not of the shape of the last axes, or
    /// `epsilon` is negative.
    #[track_caller]
    pub fn layer_norm(
        self,
        offset: impl Operand<'g, T>,
        scale: impl Operand<'g, T>,
        epsilon: f64,
    ) -> Tensor<'g, T> {
        let this = self.beside(offset).beside(scale);
        let graph = this.graph();
        let _call = graph.call("layer_norm");
        let [offset, scale] =
            [offset.node(graph), scale.node(graph)].map(|id| graph.handle::<T>(id));
        for (what, of) in [("offset", offset), ("scale", scale)] {
            if let Err(fault) = this.has_last_axes(what, of) {
                return this.fault(fault);
            }
        }
        if let Err(fault) = check_epsilon("layer_norm", epsilon) {
            return this.fault(fault);
        }
        let rank = scale.shape().len() as i64;
        let list = AxisList { axes: Some((-rank..0).collect()), keep_dims: true };
        graph.within("layer_norm", || {
            let mean = this.reduce_mean(&list);
            let centred = this - mean;
            centred / centred.root_mean_square(&list, epsilon) * scale + offset
        })
    }

    /// # Errors
    /// `of` has no dimensions, or others than the last ones of this tensor.
    #[track_caller]
    fn has_last_axes(self, what: &str, of: Tensor<'g, T>) -> Result<(), Fault> {
        let (shape, expected) = (self.shape(), of.shape());
        // What is invalid has been told.
        if self.is_invalid() || of.is_invalid() {
            return Ok(());
        }
        let fits = |(a, b): (&Dim, &Dim)| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => a == b,
            // A size of 1 would stretch.
            (_, Dim::Known(1)) | (Dim::Known(1), _) => false,
            _ => true,
        };
        let count = expected.len();
        let last = shape.len().checked_sub(count).map(|first| &shape[first..]);
        match last {
            Some(last) if count > 0 && last.iter().zip(&expected).all(fits) => Ok(()),
            _ => Err(Fault::new(format!(
                "layer_norm: the {what} `{of}` is not of the shape of the last axes of `{self}`"
            ))),
        }
    }

    /// Each element less `mean`, over the root of `variance`, then times `scale` and plus `offset`;
    /// all of them broadcast.
    ///
    /// ```text
    /// (x - mean) · (scale / √(variance + epsilon)) + offset
    /// ```
    ///
    /// TensorFlow's `nn.batch_normalization`: what a network computes where it is used, with the
    /// moving averages that a [`batch_norm`](super::batch_norm::batch_norm) kept while it was
    /// trained.
    #[track_caller]
    pub fn batch_normalization(
        self,
        mean: impl Operand<'g, T>,
        variance: impl Operand<'g, T>,
        offset: impl Operand<'g, T>,
        scale: impl Operand<'g, T>,
        epsilon: f64,
    ) -> Tensor<'g, T> {
        let this = self.beside(mean).beside(variance).beside(offset).beside(scale);
        let graph = this.graph();
        let _call = graph.call("batch_normalization");
        let [mean, variance, offset, scale] =
            [mean.node(graph), variance.node(graph), offset.node(graph), scale.node(graph)]
                .map(|id| graph.handle::<T>(id));
        if let Err(fault) = check_epsilon("batch_normalization", epsilon) {
            return this.fault(fault);
        }
        graph.within("batch_normalization", || {
            let spread = (variance + graph.constant(T::from_f64(epsilon))).sqrt();
            this.standardized(mean, spread, offset, scale)
        })
    }

    /// `(x - mean) · (scale / spread) + offset`
    #[track_caller]
    pub(super) fn standardized(
        self,
        mean: Tensor<'g, T>,
        spread: Tensor<'g, T>,
        offset: Tensor<'g, T>,
        scale: Tensor<'g, T>,
    ) -> Tensor<'g, T> {
        (self - mean) * (scale / spread) + offset
    }
}
