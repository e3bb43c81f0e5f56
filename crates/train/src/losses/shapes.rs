//! Which shapes fit each other, and what to say if they do not.

use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Element, Float, Tensor};
use abeyance_ir::{Diagnostic, Dim, Shape};

use crate::trainable::here;

/// Makes the shapes of labels and of what is predicted one; else tells the graph, and gives an
/// invalid tensor to go on with.
#[track_caller]
pub(super) fn same<'g, T: Float>(
    what: &str,
    predicted: &str,
    labels: Tensor<'g, T>,
    predictions: Tensor<'g, T>,
) -> Option<Tensor<'g, T>> {
    let (of_labels, of_predictions) = match shapes(labels, predictions) {
        Ok(shapes) => shapes,
        Err(invalid) => return Some(invalid),
    };
    if unify(labels, &of_labels, &of_predictions) {
        return None;
    }
    let apart = of_labels.len().abs_diff(of_predictions.len());
    let column = |longer: &Shape| longer.last() == Some(&Dim::Known(1));
    let help = if apart == 1 && of_labels.len() < of_predictions.len() && column(&of_predictions) {
        format!(
            "they would broadcast to every pair: take the last dimension off, `{predicted}.squeeze(&[-1])`"
        )
    } else if apart == 1 && of_predictions.len() < of_labels.len() && column(&of_labels) {
        "they would broadcast to every pair: take the last dimension off, `labels.squeeze(&[-1])`"
            .to_owned()
    } else if apart == 1 && predicted == "logits" && of_labels.len() < of_predictions.len() {
        "one-hot labels are asked for; numbers of classes belong to `sparse_softmax_cross_entropy`"
            .to_owned()
    } else {
        format!("there has to be a label for each of the {predicted}")
    };
    let message = format!(
        "{what}: the labels `{labels}` and the {predicted} `{predictions}` are not of one shape"
    );
    Some(told(labels, message, &help))
}

/// Makes the shape of numbers of classes that of the rows of logits.
#[track_caller]
pub(super) fn rows<'g, T: Float, I: Element>(
    what: &str,
    labels: Tensor<'g, I>,
    logits: Tensor<'g, T>,
) -> Option<Tensor<'g, T>> {
    let (of_labels, of_logits) = match shapes(labels, logits) {
        Ok(shapes) => shapes,
        Err(_) => return Some(invalid(logits)),
    };
    if let Some((_, rows)) = of_logits.split_last()
        && unify(labels, &of_labels, rows)
    {
        return None;
    }
    let help = match (of_labels.len() == of_logits.len(), of_labels.last()) {
        (true, Some(Dim::Known(1))) => {
            "take the last dimension off the labels, `labels.squeeze(&[-1])`"
        }
        (true, _) => {
            "numbers of classes are asked for; one-hot labels belong to `softmax_cross_entropy`"
        }
        _ => "there has to be the number of a class for each row of logits",
    };
    let message = format!("{what}: the labels `{labels}` do not fit the logits `{logits}`");
    Some(told(logits, message, help))
}

/// True if weights are one number, or of the rank of the losses with sizes that are equal or 1:
/// TensorFlow's rule. Else the graph is told.
#[track_caller]
pub(super) fn weights<'g, T: Float>(
    weights: Tensor<'g, T>,
    losses: Tensor<'g, T>,
) -> Option<Tensor<'g, T>> {
    let (of_weights, of_losses) = match shapes(weights, losses) {
        Ok(shapes) => shapes,
        Err(invalid) => return Some(invalid),
    };
    let fits = of_weights.is_empty() || {
        let graph = weights.graph();
        let pairs = || of_weights.iter().zip(&of_losses);
        of_weights.len() == of_losses.len()
            && pairs().all(|(&weight, &loss)| {
                weight == Dim::Known(1)
                    || graph.build(|ir| ir.symbols_mut().unify(weight, loss).is_some())
            })
    };
    if fits {
        return None;
    }
    let help = if of_weights.len() + 1 == of_losses.len() {
        "for a weight of each example give them a last dimension of 1, `weights.expand_dims(-1)`"
    } else {
        "weights are one number, or have the rank of the losses and its sizes or 1"
    };
    let message = format!("the weights `{weights}` do not fit the losses `{losses}`");
    Some(told(losses, message, help))
}

fn shapes<'g, A: Element, B: Element>(
    a: Tensor<'g, A>,
    b: Tensor<'g, B>,
) -> Result<(Shape, Shape), Tensor<'g, A>> {
    let graph = a.graph();
    let shape = |id| {
        let ir = graph.ir();
        ir.shape(id)
    };
    match (shape(a.id()), shape(b.id())) {
        (Some(a), Some(b)) => Ok((a, b)),
        // What is wrong with one has been told.
        _ => Err(invalid(a)),
    }
}

fn unify<T: Element>(of: Tensor<'_, T>, a: &[Dim], b: &[Dim]) -> bool {
    let mut pairs = a.iter().zip(b);
    let graph = of.graph();
    a.len() == b.len()
        && pairs.all(|(&a, &b)| graph.build(|ir| ir.symbols_mut().unify(a, b).is_some()))
}

#[track_caller]
pub(super) fn told<'g, T: Element>(
    at: Tensor<'g, T>,
    message: String,
    help: &str,
) -> Tensor<'g, T> {
    let graph = at.graph();
    let diagnostic = Diagnostic::new(message, here(graph)).help(help.to_owned());
    graph.any(graph.reject(diagnostic)).assume()
}

#[track_caller]
fn invalid<'g, T: Element>(at: Tensor<'g, T>) -> Tensor<'g, T> {
    let graph = at.graph();
    graph.apply(&Invalid, &[], ()).assume()
}
