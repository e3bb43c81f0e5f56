//! Losses over very many classes, of which a few are drawn to stand for all: `nce_loss`,
//! `sampled_softmax_loss`.

use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{AnyTensor, Candidates, Float, Graph, Index, Tensor};
use abeyance_ir::{DType, Diagnostic, Dim};

use crate::trainable::here;

/// How classes are drawn for [`nce_loss`] and [`sampled_softmax_loss`]. A number alone is so many
/// candidates, drawn by TensorFlow's `log_uniform_candidate_sampler` without repetition.
#[derive(Clone, Copy, Debug)]
pub struct Sampling<'g> {
    candidates: Drawn<'g>,
    remove_accidental_hits: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
enum Drawn<'g> {
    Count(usize),
    Given(Candidates<'g>),
}

impl<'g> Sampling<'g> {
    /// This many different candidates at each run, the same ones for all rows of a batch, by
    /// [`Graph::log_uniform_candidates`](abeyance_graph::Graph::log_uniform_candidates).
    pub fn new(count: usize) -> Self {
        Self { candidates: Drawn::Count(count), remove_accidental_hits: None }
    }

    /// Candidates that were drawn elsewhere: TensorFlow's `sampled_values`.
    pub fn candidates(candidates: Candidates<'g>) -> Self {
        Self { candidates: Drawn::Given(candidates), remove_accidental_hits: None }
    }

    /// True if a candidate that is one of a row's own classes does not count for that row. By
    /// default it counts in [`nce_loss`] and does not in [`sampled_softmax_loss`], as in
    /// TensorFlow.
    pub fn remove_accidental_hits(self, remove: bool) -> Self {
        Self { remove_accidental_hits: Some(remove), ..self }
    }
}

impl From<usize> for Sampling<'_> {
    fn from(count: usize) -> Self {
        Sampling::new(count)
    }
}

impl<'g> From<Candidates<'g>> for Sampling<'g> {
    fn from(candidates: Candidates<'g>) -> Self {
        Sampling::candidates(candidates)
    }
}

/// Noise-contrastive estimation for each row of `inputs`, `[N]`: whether a class is one of the
/// row's own or was drawn is told apart by a sigmoid. TensorFlow's `tf.nn.nce_loss` (Gutmann and
/// Hyvärinen 2010).
///
/// `weights` are `[classes, D]` and `biases` `[classes]`, `labels` `[N, T]` the T classes of each
/// row, `inputs` `[N, D]`. With S candidates c and their expected counts q, all by [`Sampling`],
///
/// ```text
/// x(k)  = inputs · weights[k] + biases[k] - ln q(k)
/// loss  = Σ over the labels k of sigmoid_cross_entropy(x(k), 1/T)
///       + Σ over the candidates c of sigmoid_cross_entropy(x(c), 0)
/// ```
///
/// for each row. Gradients reach weights, biases and inputs. It is meant for training: to evaluate,
/// take all classes, `inputs.matmul(weights.transpose()) + biases` and `sigmoid_cross_entropy` with
/// one-hot labels.
///
/// It is a mistake if the shapes do not fit or the number of classes is not known; a label that is
/// no class fails at run time.
///
/// ```
/// use abeyance_graph::{dims, random_uniform, zeros, Graph};
/// use abeyance_train::{nce_loss, GradientDescent, Optimizer};
/// let g = Graph::new();
/// let words = g.placeholder::<i64>("words", dims![_]);
/// let context = g.placeholder::<i64>("context", dims![_, 1]);
/// let table = g.variable("table", random_uniform::<f32>(dims![50_000, 128], -1.0, 1.0));
/// let weights = g.variable("weights", random_uniform(dims![50_000, 128], -0.1, 0.1));
/// let biases = g.variable("biases", zeros(dims![50_000]));
/// let loss = nce_loss(weights, biases, context, table.gather(words), 64);
/// let train_step = GradientDescent::new(1.0).minimize(loss.reduce_mean(..));
/// # let _ = train_step;
/// # g.check().unwrap();
/// ```
#[track_caller]
pub fn nce_loss<'g, T: Float, I: Index>(
    weights: Tensor<'g, T>,
    biases: Tensor<'g, T>,
    labels: Tensor<'g, I>,
    inputs: Tensor<'g, T>,
    sampling: impl Into<Sampling<'g>>,
) -> Tensor<'g, T> {
    let what = "nce_loss";
    let graph = inputs.graph();
    let _call = graph.call("nce_loss");
    graph.within(what, || {
        match logits(what, [weights, biases, inputs], labels, sampling.into(), false) {
            Ok((logits, labels)) => logits.sigmoid_cross_entropy(labels).reduce_sum(-1),
            Err(wrong) => wrong,
        }
    })
}

/// The cross-entropy of a softmax over each row's own classes and the drawn ones, `[N]`: an
/// estimate of that over all classes, for training. TensorFlow's `tf.nn.sampled_softmax_loss` (Jean
/// et al. 2014).
///
/// Operands and x(k) are those of [`nce_loss`]; the labels' distribution is 1/T for each of the
/// row's own classes:
///
/// ```text
/// loss = softmax_cross_entropy(logits: [x(labels), x(candidates)], labels: [1/T .., 0 ..])
/// ```
///
/// A candidate that is one of the row's own classes does not count for it, unless
/// [`Sampling::remove_accidental_hits`] says so. To evaluate, take all classes,
/// `inputs.matmul(weights.transpose()) + biases` and `sparse_softmax_cross_entropy`.
#[track_caller]
pub fn sampled_softmax_loss<'g, T: Float, I: Index>(
    weights: Tensor<'g, T>,
    biases: Tensor<'g, T>,
    labels: Tensor<'g, I>,
    inputs: Tensor<'g, T>,
    sampling: impl Into<Sampling<'g>>,
) -> Tensor<'g, T> {
    let what = "sampled_softmax_loss";
    let graph = inputs.graph();
    let _call = graph.call("sampled_softmax_loss");
    graph.within(what, || {
        match logits(what, [weights, biases, inputs], labels, sampling.into(), true) {
            Ok((logits, labels)) => logits.softmax_cross_entropy(labels),
            Err(wrong) => wrong,
        }
    })
}

/// Remembers a mistake of the function `what`, and gives an invalid tensor to go on with.
#[track_caller]
fn wrong<'g, T: Float>(graph: &'g Graph, what: &str, message: String, help: &str) -> Tensor<'g, T> {
    let diagnostic = Diagnostic::new(format!("{what}: {message}"), here(graph)).help(help);
    graph.any(graph.reject(diagnostic)).assume()
}

/// The number of classes, and that of a row's own classes.
///
/// # Errors
/// An operand is wrong already, or its shape does not fit: an invalid tensor.
#[track_caller]
fn class_counts<'g, T: Float, I: Index>(
    what: &str,
    [weights, biases, inputs]: [Tensor<'g, T>; 3],
    labels: Tensor<'g, I>,
) -> Result<(usize, usize), Tensor<'g, T>> {
    let graph = inputs.graph();
    let shapes = [weights.shape(), biases.shape(), labels.shape(), inputs.shape()];
    let ranks = [2, 1, 2, 2];
    let names = ["weights", "biases", "labels", "inputs"];
    let forms = ["[classes, D]", "[classes]", "[N, T], T classes for each row", "[N, D]"];
    let shown = |shape: &[Dim]| graph.ir().symbols().display(shape).to_string();
    let is_wrong = |operand: AnyTensor<'g>| operand.graph().ir().shape(operand.id()).is_none();
    if [weights, biases, inputs].into_iter().any(|x| is_wrong(x.erase()))
        || is_wrong(labels.erase())
    {
        // Which has been told.
        return Err(graph.apply(&Invalid, &[], ()).assume());
    }
    for (place, &rank) in ranks.iter().enumerate() {
        if shapes[place].len() != rank {
            let message = format!("{} of shape {}", names[place], shown(&shapes[place]));
            return Err(wrong(
                graph,
                what,
                message,
                &format!("{} are {}", names[place], forms[place]),
            ));
        }
    }
    let Dim::Known(classes) = shapes[0][0] else {
        let message = format!("weights of shape {}", shown(&shapes[0]));
        return Err(wrong(graph, what, message, "the number of classes has to be known"));
    };
    if let Dim::Known(biases) = shapes[1][0]
        && biases != classes
    {
        let message = format!("{biases} biases for {classes} classes");
        return Err(wrong(graph, what, message, "there is one bias for each class"));
    }
    let Dim::Known(own) = shapes[2][1] else {
        let message = format!("labels of shape {}", shown(&shapes[2]));
        return Err(wrong(graph, what, message, "how many classes a row has has to be known"));
    };
    Ok((classes, own))
}

/// The logits of each row's own classes and of the candidates, `[N, T + S]`, and the labels for
/// them: TensorFlow's `_compute_sampled_logits`.
#[track_caller]
fn logits<'g, T: Float, I: Index>(
    what: &str,
    [weights, biases, inputs]: [Tensor<'g, T>; 3],
    labels: Tensor<'g, I>,
    sampling: Sampling<'g>,
    remove_hits: bool,
) -> Result<(Tensor<'g, T>, Tensor<'g, T>), Tensor<'g, T>> {
    let graph = inputs.graph();
    let (classes, own) = class_counts(what, [weights, biases, inputs], labels)?;
    let candidates = match sampling.candidates {
        Drawn::Count(count) => graph.log_uniform_candidates(count, classes, true),
        Drawn::Given(candidates) => candidates,
    };
    let drawn = candidates.classes;
    if drawn.shape().first() == Some(&Dim::Known(0)) {
        let message = "there are no candidates".to_owned();
        return Err(wrong(graph, what, message, "draw at least one"));
    }

    // [N, T, D] · [N, 1, D] and [N, D] · [S, D].
    let own_logits =
        (weights.gather(labels) * inputs.expand_dims(1)).reduce_sum(-1) + biases.gather(labels);
    let own_logits = own_logits - candidates.expected_count::<T, I>(labels).log();
    let drawn_logits = inputs.matmul(weights.gather(drawn).transpose()) + biases.gather(drawn);
    let mut drawn_logits = drawn_logits - candidates.expected_count::<T, i64>(drawn).log();
    if sampling.remove_accidental_hits.unwrap_or(remove_hits) {
        // [N, T, 1] against [S].
        let hits = labels.cast::<i64>().expand_dims(-1).equal(drawn).reduce_any(1);
        let lowest = match T::DTYPE {
            DType::F32 => f64::from(f32::MIN),
            _ => f64::MIN,
        };
        drawn_logits = hits.select(T::from_f64(lowest), drawn_logits);
    }
    let own_labels = own_logits.zeros_like() + T::from_f64(1.0 / own as f64);
    let all = graph.concat([own_logits, drawn_logits], -1);
    let labels = graph.concat([own_labels, drawn_logits.zeros_like()], -1);
    Ok((all, labels))
}
