//! Signatures: named uses of a graph, for somebody who knows it by its file only.

use std::sync::Arc;

use crate::{Array, NodeId};

/// A use that a graph is made for, under a name such as `train`, `evaluate` or `predict`: the
/// tensors that take the inputs and give the outputs, the values that are always fed, and the
/// operations that a run of it carries out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphSignature {
    /// Its name: any text but the empty one.
    pub name: Box<str>,
    /// Tensors that are fed, under the names that the user of the signature knows. These are any
    /// texts but the empty one, such as `serving_default_x:0`, and need not be names of nodes; each
    /// stands once among the inputs, and once among the outputs.
    pub inputs: Vec<(Box<str>, NodeId)>,
    /// Tensors that are fed the same value in every run.
    pub feeds: Vec<(NodeId, Arc<Array>)>,
    /// Tensors that are fetched, under such names.
    pub outputs: Vec<(Box<str>, NodeId)>,
    /// Nodes that run besides.
    pub steps: Vec<NodeId>,
}

impl GraphSignature {
    /// The tensor of an input.
    pub fn input(&self, name: &str) -> Option<NodeId> {
        self.inputs.iter().find(|(input, _)| **input == *name).map(|(_, node)| *node)
    }

    /// The tensor of an output.
    pub fn output(&self, name: &str) -> Option<NodeId> {
        self.outputs.iter().find(|(output, _)| **output == *name).map(|(_, node)| *node)
    }

    /// All nodes that a run of it fetches or carries out.
    pub fn targets(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.outputs.iter().map(|(_, node)| *node).chain(self.steps.iter().copied())
    }
}

/// A part of a [`GraphSignature`].
#[derive(Clone, Debug)]
pub enum SignaturePart<'a> {
    /// A tensor takes the input of that name.
    Input(&'a str, NodeId),
    /// A tensor is fed this value, which has its element type and a shape that it can have.
    Feed(NodeId, Array),
    /// A tensor gives the output of that name.
    Output(&'a str, NodeId),
    /// A node runs.
    Step(NodeId),
}

impl SignaturePart<'_> {
    /// The word for it in messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            SignaturePart::Input(..) => "input",
            SignaturePart::Feed(..) => "feed",
            SignaturePart::Output(..) => "output",
            SignaturePart::Step(_) => "step",
        }
    }

    /// The node that it is about.
    pub(crate) fn node(&self) -> NodeId {
        match self {
            SignaturePart::Input(_, node)
            | SignaturePart::Feed(node, _)
            | SignaturePart::Output(_, node)
            | SignaturePart::Step(node) => *node,
        }
    }
}
