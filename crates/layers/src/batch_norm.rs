//! Batch normalization with a gain and a bias that are trained.

use abeyance_graph::ops::batch_norm::{self, BatchNormalized};
use abeyance_graph::{Float, Operand, Tensor, dims, ones, zeros};

use crate::mistake::{invalid, is_told};

/// Brings each channel of `x`, `[N, .., C]`, to a mean and a variance that are trained, by the
/// moments of the batch while `training` holds and by their moving averages otherwise: TensorFlow's
/// `tf.layers.batch_normalization` with its defaults, a momentum of 0.99 and an epsilon of 1e-3.
/// [`BatchNorm`] has other numbers and a name; [`Tensor::batch_normalization`] is the formula
/// alone, of given moments.
///
/// ```text
/// (x - mean) / √(variance + epsilon) · gamma + beta        gamma, beta: [C], from 1 and 0
/// ```
///
/// The moving averages move when the result's `update` is run:
///
/// ```
/// use abeyance_graph::{dims, he_normal, ConvOptions, Graph};
/// use abeyance_layers::{batch_norm, conv2d};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 1]);
/// let training = g.placeholder_with_default("training", false); // fed `true` by the training
/// let h = conv2d(x, 12, 5, ConvOptions::same(), he_normal);
/// let normalized = batch_norm(h, training);
/// let y = normalized.output.relu();
/// // ... and with a loss of y: `g.group([optimizer.minimize(loss), normalized.update])`
/// # let _ = y;
/// # g.check().unwrap();
/// ```
///
/// It is a mistake if `x` has less than two dimensions or a last one of unknown size, or `training`
/// has dimensions.
#[track_caller]
pub fn batch_norm<'g, T: Float>(
    x: Tensor<'g, T>,
    training: impl Operand<'g, bool>,
) -> BatchNormalized<'g, T> {
    let _call = x.graph().call("batch_norm");
    BatchNorm::new().apply(x, training)
}

/// The settings of a [`batch_norm()`] layer.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    name: &'a str,
    momentum: f64,
    epsilon: f64,
}

impl Default for BatchNorm<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> BatchNorm<'a> {
    /// TensorFlow's defaults.
    pub const fn new() -> Self {
        Self { name: "batch_normalization", momentum: 0.99, epsilon: 1e-3 }
    }

    /// Sets the scope of what the layer appends. The default is `batch_normalization`.
    pub const fn name(mut self, name: &'a str) -> Self {
        self.name = name;
        self
    }

    /// Sets how much of the moving averages stays at an update, in [0, 1]. The default is 0.99.
    pub const fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets the number that is added to the variance. The default is 1e-3.
    pub const fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Appends the layer: see [`batch_norm()`].
    #[track_caller]
    pub fn apply<'g, T: Float>(
        self,
        x: Tensor<'g, T>,
        training: impl Operand<'g, bool>,
    ) -> BatchNormalized<'g, T> {
        let graph = x.graph();
        let _call = graph.call("BatchNorm");
        if is_told(x) {
            let invalid = invalid(x);
            return BatchNormalized {
                output: invalid,
                moving_mean: invalid,
                moving_variance: invalid,
                update: invalid.into(),
            };
        }
        let _scope = graph.scope(self.name);
        // Where the size is not known the operator says so; the variables only have to have some.
        let channels = x.shape().last().and_then(|dim| dim.known()).unwrap_or(1);
        let gamma = graph.variable("gamma", ones(dims![channels]));
        let beta = graph.variable("beta", zeros(dims![channels]));
        batch_norm::batch_norm(x, beta, gamma, training, self.momentum, self.epsilon)
    }
}
