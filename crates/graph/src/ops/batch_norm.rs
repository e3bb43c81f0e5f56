//! Batch normalization with moving averages, built from moments, a `select` and assignments: what
//! the layer `batch_norm` of `abeyance_layers` is made of.

use abeyance_ir::{DType, Dim, Fault, Role, Shape};

use super::normalization::check_epsilon;
use crate::{AxisList, Float, Operand, Operation, Tensor, dims, ones, zeros};

/// The result of a batch normalization: the tensor, its moving averages, and their update.
#[derive(Clone, Copy, Debug)]
pub struct BatchNormalized<'g, T: Float> {
    /// The normalized tensor.
    pub output: Tensor<'g, T>,
    /// The moving average of the batches' means `[C]`, which starts at 0.
    pub moving_mean: Tensor<'g, T>,
    /// The moving average of the batches' variances `[C]`, which starts at 1.
    pub moving_variance: Tensor<'g, T>,
    /// Moves both towards those of the batch: to be run with the training step. It changes nothing
    /// where `training` is false or the batch is empty.
    pub update: Operation<'g>,
}

/// Brings each channel, the last axis of `x`, `[..., C]`, to mean 0 and variance 1, then
/// multiplies it by `scale` and adds `offset`, both `[C]`. The layer of `abeyance_layers` with this
/// name makes the two.
///
/// ```text
/// (x - mean) · (scale / √(variance + epsilon)) + offset
/// ```
///
/// Where `training`, a scalar, is true, mean and variance are those of the batch, over all axes
/// but the last; else they are the moving averages, two variables that optimizers leave alone.
/// Running [`update`](BatchNormalized::update) moves these, by the values they had before the
/// run:
///
/// ```text
/// moving -= (moving - batch) · (1 - momentum)
/// ```
///
/// A batch without a row has no moments: it is normalized by the averages, and moves them
/// nowhere.
///
/// TensorFlow's `layers.batch_normalization`, whose defaults are a momentum of 0.99 and an
/// epsilon of 1e-3. The variance is the mean of n squares, Σ(x - mean)² / n, both to normalize
/// and in the average. TensorFlow's fused kernel, which its layer takes for images
/// `[N, H, W, C]`, normalizes by the same but averages n / (n - 1) times it: of a channel of 1
/// and 3 this keeps 1, and that 2. For batches of more than a few pixels the two are close; not
/// fused, TensorFlow does as this does. One graph trains and evaluates:
///
/// ```
/// use abeyance_graph::ops::batch_norm::batch_norm;
/// # use abeyance_graph::{dims, ones, zeros, Graph};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 28, 28, 8]);
/// let training = g.placeholder_with_default("training", false);
/// let offset = g.variable("offset", zeros(dims![8]));
/// let scale = g.variable("scale", ones(dims![8]));
/// let normalized = batch_norm(x, offset, scale, training, 0.99, 1e-3);
/// let y = normalized.output.relu();
/// // ... and with a loss of y: g.group([optimizer.minimize(loss), normalized.update]),
/// // run with `training` fed as true.
/// # g.check().unwrap();
/// ```
///
/// An evaluation computes the moments of its batch as well, and drops them. Where that matters,
/// [`Tensor::batch_normalization`] of the two averages does without.
///
/// Ioffe, Szegedy: *Batch normalization: accelerating deep network training by reducing internal
/// covariate shift*, 2015.
///
/// # Errors
/// `x` has less than two dimensions or a last one of unknown size, `training` is not a scalar,
/// `momentum` is not in [0, 1], or `epsilon` is negative.
#[track_caller]
pub fn batch_norm<'g, T: Float>(
    x: Tensor<'g, T>,
    offset: impl Operand<'g, T>,
    scale: impl Operand<'g, T>,
    training: impl Operand<'g, bool>,
    momentum: f64,
    epsilon: f64,
) -> BatchNormalized<'g, T> {
    let graph = x.graph();
    let _call = graph.call("batch_norm");
    let [offset, scale] = [offset.node(graph), scale.node(graph)].map(|id| graph.handle::<T>(id));
    let training = graph.handle::<bool>(training.node(graph));
    let channels = match x.channels(training, momentum, epsilon) {
        Ok(channels) => channels,
        Err(fault) => {
            let invalid = x.fault(fault);
            return BatchNormalized {
                output: invalid,
                moving_mean: invalid,
                moving_variance: invalid,
                update: invalid.into(),
            };
        }
    };
    let _scope = graph.scope("batch_norm");
    let moving_mean = graph.state("moving_mean", zeros(dims![channels]));
    let moving_variance = graph.state("moving_variance", ones(dims![channels]));
    let shape = x.shape();
    let (batch, _) = shape.split_at(shape.len() - 1);
    let list = AxisList { axes: Some((0..batch.len() as i64).collect()), keep_dims: false };
    let training = x.unless_empty(batch, training);
    let (mean, spread, variance) = {
        let _scope = graph.scope("moments");
        let mean = x.reduce_mean(&list).named("mean");
        let centred = x - mean;
        // The root is a reduction of its own: it does not overflow where the variance does.
        let spread = centred.root_mean_square(&list, epsilon).named("spread");
        (mean, spread, centred.mean_square(&list).named("variance"))
    };
    let moving_spread = (moving_variance + graph.constant(T::from_f64(epsilon))).sqrt();
    let output = graph.within("batch_normalization", || {
        let mean = training.select(mean, moving_mean);
        let spread = training.select(spread, moving_spread);
        x.standardized(mean, spread, offset, scale)
    });
    let _role = graph.role(Role::Update);
    let rate = graph.constant(T::from_f64(1.0 - momentum));
    let none = graph.constant(T::from_f64(0.0));
    let moved = [(moving_mean, mean), (moving_variance, variance)].map(|(moving, batch)| {
        let step = training.select((moving - batch) * rate, none);
        moving.assign_sub(step)
    });
    BatchNormalized {
        output,
        moving_mean,
        moving_variance,
        update: graph.group(moved).named("update"),
    }
}

impl<'g, T: Float> Tensor<'g, T> {
    /// True if `training` holds and there is a row to be normalized.
    #[track_caller]
    fn unless_empty(self, batch: &[Dim], training: Tensor<'g, bool>) -> Tensor<'g, bool> {
        if batch.iter().all(|dim| dim.known().is_some_and(|size| size > 0)) {
            return training;
        }
        let rows = self.map::<i64>(|x| x.size(DType::I64, Shape::from(batch))).named("rows");
        training.logical_and(rows.greater(0))
    }

    /// The size of the last axis.
    ///
    /// # Errors
    /// What makes a normalization of batches impossible.
    #[track_caller]
    fn channels(
        self,
        training: Tensor<'g, bool>,
        momentum: f64,
        epsilon: f64,
    ) -> Result<usize, Fault> {
        check_epsilon("batch_norm", epsilon)?;
        if !training.shape().is_empty() {
            return Err(Fault::new(format!(
                "batch_norm: `training` has to be a scalar, not `{training}`"
            )));
        }
        // Also if it is NaN.
        if !(0.0..=1.0).contains(&momentum) {
            return Err(Fault::new(format!(
                "batch_norm: a momentum of {momentum} is not in [0, 1]"
            )));
        }
        match self.shape()[..] {
            [_, .., Dim::Known(channels)] => Ok(channels),
            [_, .., _] => Err(Fault::new(format!(
                "batch_norm: the number of channels, the last dimension of `{self}`, is not known"
            ))),
            _ => Err(Fault::new(format!(
                "batch_norm: `{self}` has no batch to take moments of: it needs two dimensions or more"
            ))),
        }
    }
}
