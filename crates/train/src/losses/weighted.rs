//! Losses with weights and a choice of reductions.

use abeyance_graph::Expr;
use abeyance_graph::ops::source::{Size, SizeAttributes};
use abeyance_graph::raw::{AnyTensorExt, GraphExt, TensorExt};
use abeyance_graph::{Float, Graph, Index, Scalar, Tensor, keep_dims};
use abeyance_ir::Shape;

use super::shapes;
use crate::Hyperparameter;

/// How the losses of all elements become one number: TensorFlow's `losses.Reduction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Not at all: the weighted losses, in their shape.
    None,
    /// The sum of the weighted losses.
    Sum,
    /// Their sum over the sum of the weights: a weighted mean. TensorFlow's `MEAN`.
    Mean,
    /// Their sum over the number of losses whose weight is not 0; TensorFlow's default.
    #[default]
    SumByNonzeroWeights,
    /// Their sum over the number of losses, whatever their weights.
    SumOverBatchSize,
}

/// Losses with weights and a reduction, all of [`losses`](super). The methods are named as the
/// functions there.
///
/// A loss is multiplied by its weight. One of weight 0 is left out altogether: it counts for
/// nothing even if it is infinite or NaN, as padding may be, where TensorFlow has NaN.
///
/// ```
/// # use abeyance_graph::{dims, Graph};
/// use abeyance_train::losses::Weighted;
/// # let g = Graph::new();
/// let logits = g.placeholder::<f32>("logits", dims![_, 10]);
/// let labels = g.placeholder::<f32>("labels", dims![_, 10]);
/// // False for rows that are only there to fill the batch.
/// let mask = g.placeholder::<bool>("mask", dims![_]);
/// let loss = Weighted::by(mask).label_smoothing(0.1).softmax_cross_entropy(labels, logits);
/// # let _ = loss;
/// # g.check().unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Weighted<'g> {
    weights: Option<Hyperparameter<'g>>,
    reduction: Reduction,
    smoothing: f64,
}

impl<'g> Weighted<'g> {
    /// Losses that all weigh 1.
    pub const fn new() -> Self {
        Self { weights: None, reduction: Reduction::SumByNonzeroWeights, smoothing: 0.0 }
    }

    /// Losses with these weights: a number, or a tensor of any type, which is converted (true is
    /// 1). It has no dimensions, or as many as the losses with their sizes or 1: for losses
    /// `[N, D]` each element its own by `[N, D]`, each example by `[N, 1]`. The losses of
    /// cross-entropies of rows `[N, classes]` are `[N]`.
    pub fn by(weights: impl Into<Hyperparameter<'g>>) -> Self {
        Self { weights: Some(weights.into()), ..Self::new() }
    }

    /// Sets how the losses become one number. The default is
    /// [`SumByNonzeroWeights`](Reduction::SumByNonzeroWeights).
    pub const fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Moves labels towards an even distribution before a cross-entropy:
    /// `labels · (1 - smoothing) + smoothing / classes`, and `+ smoothing / 2` for
    /// [`sigmoid_cross_entropy`](Weighted::sigmoid_cross_entropy). The default is 0. Other losses
    /// do not read it. It has to be from 0 to 1. Szegedy et al., *Rethinking the Inception
    /// Architecture* (2015).
    pub const fn label_smoothing(mut self, smoothing: f64) -> Self {
        self.smoothing = smoothing;
        self
    }

    /// (prediction - label)² of each element.
    #[track_caller]
    pub fn mean_squared_error<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        predictions: impl Into<Tensor<'g, T>>,
    ) -> Tensor<'g, T> {
        self.elements("mean_squared_error", labels.into(), predictions.into(), |labels, y| {
            (y - labels).square()
        })
    }

    /// |prediction - label| of each element.
    #[track_caller]
    pub fn absolute_difference<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        predictions: impl Into<Tensor<'g, T>>,
    ) -> Tensor<'g, T> {
        self.elements("absolute_difference", labels.into(), predictions.into(), |labels, y| {
            (y - labels).abs()
        })
    }

    /// With e = |prediction - label| of each element:
    ///
    /// ```text
    /// e² / 2                     where e <= delta
    /// delta · e - delta² / 2     else
    /// ```
    ///
    /// The gradient with respect to a prediction is the difference, brought between -delta and
    /// delta. It is a mistake if `delta` is not positive. Huber, *Robust Estimation of a Location
    /// Parameter* (1964).
    #[track_caller]
    pub fn huber<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        predictions: impl Into<Tensor<'g, T>>,
        delta: f64,
    ) -> Tensor<'g, T> {
        let labels = labels.into();
        if !(delta > 0.0 && delta.is_finite()) {
            let message = format!("huber: a parabola cannot end at {delta}");
            return shapes::told(labels, message, "`delta` has to be above 0, and finite");
        }
        self.elements("huber", labels, predictions.into(), |labels, y| {
            let graph = y.graph();
            let error = (y - labels).abs();
            let near = error.minimum(number(graph, delta));
            let line = (error - near) * number(graph, delta);
            near.square() * number(graph, 0.5) + line
        })
    }

    /// For each element:
    ///
    /// ```text
    /// -label · ln(prediction + epsilon) - (1 - label) · ln(1 - prediction + epsilon)
    /// ```
    ///
    /// Predictions are probabilities, as of `sigmoid`; from logits
    /// [`sigmoid_cross_entropy`](Weighted::sigmoid_cross_entropy) is more accurate. It is a mistake
    /// if `epsilon` is not positive: of 0, a prediction of 0 or 1 would be NaN.
    #[track_caller]
    pub fn log_loss<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        predictions: impl Into<Tensor<'g, T>>,
        epsilon: f64,
    ) -> Tensor<'g, T> {
        let labels = labels.into();
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            let message = format!("log_loss: an epsilon of {epsilon} keeps no logarithm finite");
            return shapes::told(labels, message, "it has to be above 0, and finite");
        }
        self.elements("log_loss", labels, predictions.into(), |labels, y| {
            let graph = y.graph();
            let (one, epsilon) = (number::<T>(graph, 1.0), number::<T>(graph, epsilon));
            let hit = labels * (y + epsilon).log();
            let miss = (one - labels) * (one - y + epsilon).log();
            -hit - miss
        })
    }

    /// max(1 - (2 · label - 1) · logit, 0) of each element. Labels are 0 and 1.
    #[track_caller]
    pub fn hinge<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        logits: impl Into<Tensor<'g, T>>,
    ) -> Tensor<'g, T> {
        self.elements("hinge", labels.into(), logits.into(), |labels, logits| {
            let graph = logits.graph();
            let (one, two) = (number::<T>(graph, 1.0), number::<T>(graph, 2.0));
            (one - (labels * two - one) * logits).relu()
        })
    }

    /// The cross-entropy of softmax(logits) against labels, both `[.., classes]`, of each row:
    /// `[..]`. See [`Tensor::softmax_cross_entropy`].
    #[track_caller]
    pub fn softmax_cross_entropy<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        logits: impl Into<Tensor<'g, T>>,
    ) -> Tensor<'g, T> {
        let what = "softmax_cross_entropy";
        let (labels, logits) = beside(labels.into(), logits.into());
        self.reduced(what, labels.graph(), || {
            if let Some(wrong) = shapes::same(what, "logits", labels, logits) {
                return wrong;
            }
            let classes = || {
                let last = logits.shape().last().copied().into_iter().collect();
                count::<T>(logits.graph(), last)
            };
            logits.softmax_cross_entropy(self.smooth(what, labels, classes))
        })
    }

    /// The cross-entropy of softmax(logits), `[.., classes]`, against the numbers of classes,
    /// `[..]`, of each row: `[..]`. See [`Tensor::sparse_softmax_cross_entropy`].
    #[track_caller]
    pub fn sparse_softmax_cross_entropy<T: Float, I: Index>(
        self,
        labels: impl Into<Tensor<'g, I>>,
        logits: impl Into<Tensor<'g, T>>,
    ) -> Tensor<'g, T> {
        let what = "sparse_softmax_cross_entropy";
        let (labels, logits) = beside(labels.into(), logits.into());
        self.reduced(what, logits.graph(), || match shapes::rows(what, labels, logits) {
            Some(wrong) => wrong,
            None => logits.sparse_softmax_cross_entropy(labels),
        })
    }

    /// The cross-entropy of sigmoid(logits) against labels from 0 to 1, of each element. See
    /// [`Tensor::sigmoid_cross_entropy`].
    #[track_caller]
    pub fn sigmoid_cross_entropy<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        logits: impl Into<Tensor<'g, T>>,
    ) -> Tensor<'g, T> {
        let what = "sigmoid_cross_entropy";
        self.elements_of(what, "logits", labels.into(), logits.into(), |labels, logits| {
            let two = || number(logits.graph(), 2.0);
            logits.sigmoid_cross_entropy(self.smooth(what, labels, two))
        })
    }

    /// 1 - Σ label · prediction along an axis, which stays in the losses with size 1.
    #[track_caller]
    pub fn cosine_distance<T: Float>(
        self,
        labels: impl Into<Tensor<'g, T>>,
        predictions: impl Into<Tensor<'g, T>>,
        axis: i64,
    ) -> Tensor<'g, T> {
        self.elements("cosine_distance", labels.into(), predictions.into(), |labels, y| {
            let one: Tensor<'g, T> = number(y.graph(), 1.0);
            one - (labels * y).reduce_sum(keep_dims(axis))
        })
    }

    #[track_caller]
    fn elements<T: Float>(
        self,
        what: &'static str,
        labels: Tensor<'g, T>,
        predictions: Tensor<'g, T>,
        loss: impl FnOnce(Tensor<'g, T>, Tensor<'g, T>) -> Tensor<'g, T>,
    ) -> Tensor<'g, T> {
        let predicted = if what == "hinge" { "logits" } else { "predictions" };
        self.elements_of(what, predicted, labels, predictions, loss)
    }

    #[track_caller]
    fn elements_of<T: Float>(
        self,
        what: &'static str,
        predicted: &str,
        labels: Tensor<'g, T>,
        predictions: Tensor<'g, T>,
        loss: impl FnOnce(Tensor<'g, T>, Tensor<'g, T>) -> Tensor<'g, T>,
    ) -> Tensor<'g, T> {
        let (labels, predictions) = beside(labels, predictions);
        self.reduced(what, labels.graph(), || {
            match shapes::same(what, predicted, labels, predictions) {
                Some(wrong) => wrong,
                None => loss(labels, predictions),
            }
        })
    }

    /// `labels · (1 - smoothing) + smoothing / parts`
    #[track_caller]
    fn smooth<T: Float>(
        self,
        what: &'static str,
        labels: Tensor<'g, T>,
        parts: impl FnOnce() -> Tensor<'g, T>,
    ) -> Tensor<'g, T> {
        let graph = labels.graph();
        match self.smoothing {
            0.0 => labels,
            // Also if it is NaN.
            smoothing if !(0.0..=1.0).contains(&smoothing) => shapes::told(
                labels,
                format!("{what}: labels cannot be smoothed by {smoothing}"),
                "the smoothing has to be at least 0, which leaves them, and at most 1",
            ),
            smoothing => {
                labels * number::<T>(graph, 1.0 - smoothing)
                    + number::<T>(graph, smoothing) / parts()
            }
        }
    }

    /// The weighted losses, reduced, within a scope of this name.
    #[track_caller]
    fn reduced<T: Float>(
        self,
        what: &'static str,
        graph: &'g Graph,
        losses: impl FnOnce() -> Tensor<'g, T>,
    ) -> Tensor<'g, T> {
        let _call = graph.call(what);
        graph.within(what, || {
            let losses = losses();
            match self.weights {
                None => self.mean(losses),
                Some(weights) => self.weigh(losses, weights),
            }
        })
    }

    /// Of losses that weigh 1.
    #[track_caller]
    fn mean<T: Float>(self, losses: Tensor<'g, T>) -> Tensor<'g, T> {
        let graph = losses.graph();
        let shape = losses.shape();
        match self.reduction {
            Reduction::None => losses,
            Reduction::Sum => losses.reduce_sum(..).into(),
            _ if shape.iter().all(|dim| dim.known().is_some_and(|size| size > 0)) => {
                losses.reduce_mean(..).into()
            }
            _ => {
                let count = count::<T>(graph, shape).maximum(number(graph, 1.0));
                losses.reduce_sum(..).tensor() / count
            }
        }
    }

    #[track_caller]
    fn weigh<T: Float>(self, losses: Tensor<'g, T>, weights: Hyperparameter<'g>) -> Tensor<'g, T> {
        let graph = losses.graph();
        let weights: Tensor<'g, T> = match weights {
            Hyperparameter::Number(weight) => number(graph, weight),
            Hyperparameter::Tensor(weights) => {
                let id = graph.import(weights);
                if weights.dtype() == Some(T::DTYPE) {
                    graph.any(id).assume()
                } else {
                    graph
                        .any(graph.build(|ir| Expr::with(ir, id, |x| x.cast(T::DTYPE).id())))
                        .assume()
                }
            }
        };
        if let Some(wrong) = shapes::weights(weights, losses) {
            return wrong;
        }
        let zero = number::<T>(graph, 0.0);
        // What weighs nothing neither counts nor has a gradient, whatever it is.
        let weighted = weights.equal(zero).select(zero, losses * weights);
        let sum = || weighted.reduce_sum(..).tensor();
        let one = || number::<T>(graph, 1.0);
        // How many losses share a weight.
        let each = || {
            let of_weights = count::<T>(graph, weights.shape()).maximum(one());
            count::<T>(graph, losses.shape()) / of_weights
        };
        match self.reduction {
            Reduction::None => weighted,
            Reduction::Sum => sum(),
            Reduction::Mean => quotient_or_0(sum(), weights.reduce_sum(..).tensor() * each()),
            Reduction::SumByNonzeroWeights => {
                let present = weights.not_equal(zero).cast::<T>().reduce_sum(..);
                quotient_or_0(sum(), present.tensor() * each())
            }
            Reduction::SumOverBatchSize => sum() / count::<T>(graph, losses.shape()).maximum(one()),
        }
    }
}

/// `a / b`, and 0 where b is 0.
#[track_caller]
fn quotient_or_0<'g, T: Float>(a: Tensor<'g, T>, b: Tensor<'g, T>) -> Tensor<'g, T> {
    let graph = a.graph();
    let infinity = number(graph, f64::INFINITY);
    a / b.equal(number::<T>(graph, 0.0)).select(infinity, b)
}

#[track_caller]
fn number<'g, T: Float>(graph: &'g Graph, value: f64) -> Tensor<'g, T> {
    let number: Scalar<'g, T> = graph.constant(T::from_f64(value));
    number.into()
}

/// How many elements a shape has.
#[track_caller]
fn count<'g, T: Float>(graph: &'g Graph, shape: Shape) -> Tensor<'g, T> {
    let known = shape.iter().map(|dim| dim.known()).try_fold(1usize, |n, dim| n.checked_mul(dim?));
    match known {
        Some(count) => number(graph, count as f64),
        None => {
            let attributes = SizeAttributes { dtype: T::DTYPE, of: shape };
            graph.apply(&Size, &[], attributes).assume()
        }
    }
}

/// Both in one graph: that of the inner one where one is of a body.
#[track_caller]
fn beside<'g, A: abeyance_graph::Element, B: abeyance_graph::Element>(
    a: Tensor<'g, A>,
    b: Tensor<'g, B>,
) -> (Tensor<'g, A>, Tensor<'g, B>) {
    (a.beside(b), b.beside(a))
}
