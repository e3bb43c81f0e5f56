//! How good a classifier is, as nodes of the graph.

use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Element, Float, Index, MatMulOptions, Scalar, Tensor};
use abeyance_ir::{DType, Diagnostic};

use crate::trainable::here;

/// The fraction of rows of `logits`, `[.., classes]`, whose largest element stands where that of
/// `labels`, of the same shape, does: labels are one-hot, or probabilities. Of logits or of their
/// softmax: it is the same. Without rows it is NaN.
///
/// ```text
/// mean(argmax(logits, -1) == argmax(labels, -1))
/// ```
///
/// It is a mistake if one has more dimensions than the other.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, Session};
/// use abeyance_train::metrics;
/// let g = Graph::new();
/// let logits = g.placeholder::<f32>("logits", dims![_, 2]);
/// let labels = g.placeholder::<f32>("labels", dims![_, 2]);
/// let accuracy = metrics::accuracy(logits, labels);
/// let session = Session::new(&g)?;
/// let scores = ndarray::arr2(&[[3.0f32, 1.0], [-1.0, -2.0]]);
/// let one_hot = ndarray::arr2(&[[1.0f32, 0.0], [0.0, 1.0]]);
/// assert_eq!(session.run(accuracy, feeds![logits => &scores, labels => &one_hot])?, 0.5);
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[track_caller]
pub fn accuracy<'g, T: Float>(
    logits: impl Into<Tensor<'g, T>>,
    labels: impl Into<Tensor<'g, T>>,
) -> Scalar<'g, f32> {
    let (logits, labels) = (logits.into(), labels.into());
    let _call = logits.graph().call("accuracy");
    logits
        .graph()
        .within("accuracy", || {
            if let Some(wrong) = misfit(logits, labels, 0) {
                return wrong;
            }
            let right = logits.argmax(-1).equal(labels.argmax(-1));
            right.cast::<f32>().reduce_mean(..).into()
        })
        .into()
}

/// The fraction of rows of `logits`, `[.., classes]`, whose largest element stands at the index
/// that `labels`, `[..]`, says. Without rows it is NaN.
///
/// ```text
/// mean(argmax(logits, -1) == labels)
/// ```
///
/// It is a mistake if the labels do not have one dimension less than the logits.
#[track_caller]
pub fn sparse_accuracy<'g, T: Float, I: Index>(
    logits: impl Into<Tensor<'g, T>>,
    labels: impl Into<Tensor<'g, I>>,
) -> Scalar<'g, f32> {
    let (logits, labels) = (logits.into(), labels.into());
    let _call = logits.graph().call("sparse_accuracy");
    logits
        .graph()
        .within("accuracy", || {
            if let Some(wrong) = misfit(logits, labels, 1) {
                return wrong;
            }
            let right = logits.argmax(-1).equal(wide(labels));
            right.cast::<f32>().reduce_mean(..).into()
        })
        .into()
}

/// How many examples of each class were taken for which: `[labels: classes, predictions: classes]`,
/// TensorFlow's `tf.confusion_matrix`. Both arguments are class indices, `[N]`; predictions are
/// mostly `logits.argmax(-1)`.
///
/// ```text
/// one_hot(labels)ᵀ · one_hot(predictions)
/// ```
///
/// An index that is not one of the `classes` fails at run time.
#[track_caller]
pub fn confusion_matrix<'g, I: Index, J: Index>(
    labels: impl Into<Tensor<'g, I>>,
    predictions: impl Into<Tensor<'g, J>>,
    classes: usize,
) -> Tensor<'g, i64> {
    let (labels, predictions) = (labels.into(), predictions.into());
    let _call = labels.graph().call("confusion_matrix");
    labels.graph().within("confusion_matrix", || {
        let labels = labels.one_hot::<i64>(classes);
        let predictions = predictions.one_hot::<i64>(classes);
        labels.matmul_with(predictions, MatMulOptions::new().transpose_a(true))
    })
}

/// Labels in the type of `argmax`.
#[track_caller]
fn wide<I: Index>(labels: Tensor<'_, I>) -> Tensor<'_, i64> {
    match I::DTYPE {
        DType::I64 => labels.erase().assume(),
        _ => labels.cast(),
    }
}

/// Broadcasting `[N]` against `[N, 1]` would compare each with all.
#[track_caller]
fn misfit<'g, T: Element, U: Element>(
    logits: Tensor<'g, T>,
    labels: Tensor<'g, U>,
    fewer: usize,
) -> Option<Tensor<'g, f32>> {
    let graph = logits.graph();
    let ranks = {
        let ir = graph.ir();
        let rank = |id| Some(ir.shape(id)?.len());
        (rank(logits.id())?, rank(graph.import(labels.erase()))?)
    };
    if ranks.0 == ranks.1 + fewer {
        return None;
    }
    let help = match fewer {
        0 => "labels of class indices belong to `sparse_accuracy`",
        _ => "one-hot labels belong to `accuracy`; a size of 1 goes by `labels.squeeze(&[-1])`",
    };
    let diagnostic = Diagnostic::new(
        format!("the labels `{labels}` do not fit the logits `{logits}`"),
        here(graph),
    )
    .help(help);
    Some(graph.any(graph.reject(diagnostic)).assume())
}
