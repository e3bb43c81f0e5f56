//! Naming what is worth watching while a graph is trained.

use abeyance_ir::{DType, SummaryKind};

use crate::ops::source::{Variable, VariableAttributes};
use crate::{AnyTensor, Element, Graph, Scalar, Tensor};

impl Graph {
    /// Names tensors that are worth watching while the graph is trained, TensorFlow's `tf.summary`:
    /// what a dashboard or TensorBoard shows. A summary computes nothing; whoever records a
    /// training fetches its tensors along with a step. Summaries are printed and saved with the
    /// graph, and change nothing of what it computes.
    ///
    /// ```
    /// use abeyance_graph::{dims, truncated_normal, zeros, Graph};
    /// let g = Graph::named("classifier");
    /// let x = g.placeholder::<f32>("x", dims![_, 784]);
    /// let w = g.variable("w", truncated_normal(dims![784, 10], 0.0, 0.1));
    /// let b = g.variable("b", zeros(dims![10]));
    /// let y = (x.matmul(w) + b).softmax();
    /// let loss = -y.log().reduce_mean(..);
    ///
    /// g.summaries()
    ///     .scalar("loss", loss)
    ///     .histogram("parameters", [w, b])
    ///     .image("digits", x.reshape(dims![_, 28, 28, 1]))
    ///     .variables();
    /// g.check()?;
    /// assert!(g.to_string().contains("summary histogram parameters = w, b"));
    /// # Ok::<(), abeyance_ir::Diagnostics>(())
    /// ```
    ///
    /// A tag is any text but the empty one, such as `loss` or `layer1/w`, and stands once in a
    /// graph, whatever the kind of summary; one that is taken, or begins with `abeyance/`, is a
    /// mistake, as is a tensor that cannot be shown so.
    pub fn summaries(&self) -> Summaries<'_> {
        Summaries { graph: self }
    }
}

/// The summaries of a graph while they are named: see [`Graph::summaries`].
#[derive(Clone, Copy, Debug)]
pub struct Summaries<'g> {
    graph: &'g Graph,
}

impl<'g> Summaries<'g> {
    #[track_caller]
    fn add(self, kind: SummaryKind, tag: &str, tensors: &[AnyTensor<'g>]) -> Self {
        let nodes = self.graph.import_all(tensors);
        self.graph.build(|graph| graph.add_summary(kind, tag, nodes));
        self
    }

    /// Shows a number as a curve over the steps. Its element type is any but `bool`; recordings
    /// hold it as `f32`.
    #[track_caller]
    pub fn scalar(self, tag: &str, number: impl Into<AnyTensor<'g>>) -> Self {
        let _call = self.graph.call("scalar");
        self.add(SummaryKind::Scalar, tag, &[number.into()])
    }

    /// Shows how the elements of a tensor, or of several together, are spread:
    /// `.histogram("w", w)`, `.histogram("weights", [w1, w2])`. They have any shapes and element
    /// types but `bool`, and each tensor counts once.
    #[track_caller]
    pub fn histogram(self, tag: &str, tensors: impl Summarized<'g>) -> Self {
        let _call = self.graph.call("histogram");
        self.add(SummaryKind::Histogram, tag, &tensors.listed())
    }

    /// Shows the first 3 images of a tensor `[N, H, W, C]`, where C is 1 (grey), 3 (colours) or 4
    /// (colours, and how opaque), of `u8`, or of `f32` from 0 to 1.
    #[track_caller]
    pub fn image(self, tag: &str, images: impl Into<AnyTensor<'g>>) -> Self {
        let _call = self.graph.call("image");
        self.add(SummaryKind::Image, tag, &[images.into()])
    }

    /// Shows how the variables that optimizers change are spread, of those made so far: `weights`,
    /// which are those of two or more dimensions, all together, `biases`, which are the others, all
    /// together, and where there are several of a sort, each by its name. A tag that is taken is
    /// left out.
    #[track_caller]
    pub fn variables(self) -> Self {
        let _call = self.graph.call("variables");
        let variables = self.trainable();
        let is_free = |tag: &str| self.graph.ir().find_summary(tag).is_none();
        for (together, is_weight) in [("weights", true), ("biases", false)] {
            let sort = || variables.iter().filter(|variable| variable.is_weight == is_weight);
            let all: Vec<AnyTensor<'g>> = sort().map(|variable| variable.tensor).collect();
            if !all.is_empty() && is_free(together) {
                self.add(SummaryKind::Histogram, together, &all);
            }
            for variable in sort().filter(|variable| all.len() > 1 && is_free(&variable.name)) {
                self.add(SummaryKind::Histogram, &variable.name, &[variable.tensor]);
            }
        }
        self
    }

    /// The variables of numbers that optimizers change.
    fn trainable(self) -> Vec<Trainable<'g>> {
        let graph = self.graph.ir();
        let trainable = graph.iter().filter_map(|(id, node)| {
            let tensor = node.ty.tensor()?;
            let is_one = node.is(&Variable)
                && node.attributes.read::<VariableAttributes>().trainable
                && tensor.dtype != DType::Bool;
            is_one.then(|| Trainable {
                name: node.name.to_string(),
                tensor: self.graph.any(id),
                is_weight: tensor.shape.len() >= 2,
            })
        });
        trainable.collect()
    }
}

/// A variable that optimizers change.
struct Trainable<'g> {
    name: String,
    tensor: AnyTensor<'g>,
    /// True if it has two dimensions or more.
    is_weight: bool,
}

/// The tensors of a histogram: a [`Tensor`], a [`Scalar`], an [`AnyTensor`], or an array, slice,
/// `Vec` or iterator of such.
pub trait Summarized<'g> {
    /// The tensors, in order.
    fn listed(self) -> Vec<AnyTensor<'g>>;
}

impl<'g, T: Element> Summarized<'g> for Tensor<'g, T> {
    fn listed(self) -> Vec<AnyTensor<'g>> {
        vec![self.erase()]
    }
}

impl<'g, T: Element> Summarized<'g> for Scalar<'g, T> {
    fn listed(self) -> Vec<AnyTensor<'g>> {
        vec![self.erase()]
    }
}

impl<'g> Summarized<'g> for AnyTensor<'g> {
    fn listed(self) -> Vec<AnyTensor<'g>> {
        vec![self]
    }
}

impl<'g, I: IntoIterator<Item: Into<AnyTensor<'g>>>> Summarized<'g> for I {
    fn listed(self) -> Vec<AnyTensor<'g>> {
        self.into_iter().map(Into::into).collect()
    }
}
