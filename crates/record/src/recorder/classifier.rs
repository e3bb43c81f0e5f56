//! Finding, in a graph, what classifies images.

use abeyance_ir::{DType, Graph, NodeId};
use abeyance_session::{Session, TensorRef, Value};

/// The tensors of a network that says which class an image is of.
#[derive(Clone, Copy, Debug)]
pub struct Classifier {
    /// The images: `[N, H, W]`, `[N, H, W, 1]`, or `[N, H · W]` where they are square, from 0 to 1
    /// or of bytes, bright on dark.
    pub images: TensorRef<Value>,
    /// Their classes: `[N]`, or one-hot `[N, classes]`.
    pub labels: TensorRef<Value>,
    /// The predictions for them: classes `[N]`, or scores `[N, classes]`.
    pub predictions: TensorRef<Value>,
}

impl Classifier {
    /// Finds the classifier that the graph's signatures describe. Images and labels are the inputs
    /// of these names of `train`. The predictions are an output of `predict`: classes, integers
    /// `[N]`, or else scores, f32 `[N, classes]`. `None` where the signatures describe nothing of
    /// the kind, or where `predict` takes an input that training does not have.
    pub fn of(session: &Session) -> Option<Self> {
        let graph = session.graph();
        let train = graph.find_signature("train").ok()?;
        let predict = graph.find_signature("predict").ok()?;
        let is_fed = |node: NodeId| {
            train.inputs.iter().any(|(_, input)| *input == node)
                || train.feeds.iter().any(|(fed, _)| *fed == node)
        };
        if !predict.inputs.iter().all(|(_, input)| is_fed(*input)) {
            return None;
        }
        let tensor = |node: NodeId| session.tensor_ref_of(node).ok();
        Some(Self {
            images: tensor(train.input("images")?)?,
            labels: tensor(train.input("labels")?)?,
            predictions: tensor(predictions(
                graph,
                predict.outputs.iter().map(|(_, node)| *node),
            )?)?,
        })
    }
}

fn predictions(graph: &Graph, outputs: impl Iterator<Item = NodeId> + Clone) -> Option<NodeId> {
    let rank = |node: NodeId| graph.shape(node).map_or(0, |shape| shape.len());
    let dtype = |node: NodeId| graph.node(node).ty.tensor().map(|ty| ty.dtype);
    let is_integer =
        |node: NodeId| matches!(dtype(node), Some(DType::I32 | DType::I64 | DType::U8));
    let classes = outputs.clone().find(|&node| rank(node) == 1 && is_integer(node));
    classes.or_else(|| {
        outputs.clone().find(|&node| rank(node) == 2 && dtype(node) == Some(DType::F32))
    })
}
