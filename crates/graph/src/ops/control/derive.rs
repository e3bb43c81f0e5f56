//! Bodies of gradients: copies of a body with the nodes behind that compute cotangents.

use abeyance_ir::{Array, Body, Derivation, Fault, Graph as Ir, NodeId, TensorType};

use crate::ops::source;

/// A body in the making that computes what another does, and then more.
pub(super) struct Derived {
    pub(super) graph: Ir,
    copies: Vec<Option<NodeId>>,
}

impl Derived {
    /// Nothing yet, for a node of `outer`. It has the name of the body it comes from, so that its random nodes draw what
    /// those drew.
    pub(super) fn new(outer: &Ir, body: &Body) -> Self {
        Self { graph: outer.for_body(body.graph().name()), copies: Vec::new() }
    }

    /// Appends an input of the body's.
    pub(super) fn keep(&mut self, body: &Body, place: usize) -> NodeId {
        let input = body.inputs()[place];
        let copied = self.graph.copy_nodes(body.graph(), &[input], &mut self.copies);
        copied.first().copied().unwrap_or(input)
    }

    /// Appends an input of its own.
    pub(super) fn add(&mut self, name: &str, ty: TensorType) -> NodeId {
        self.graph.input(name, ty)
    }

    /// Appends the rest of the body, and tells the nodes that compute its outputs.
    pub(super) fn rest(&mut self, body: &Body) -> Vec<NodeId> {
        self.graph.copy_nodes(body.graph(), body.outputs(), &mut self.copies)
    }

    /// Appends the cotangents of `xs` from those of other nodes; `None` where there are none.
    pub(super) fn differentiate(
        &mut self,
        cx: &Derivation<'_>,
        seeds: &[(NodeId, NodeId)],
        xs: &[NodeId],
    ) -> Result<Vec<Option<NodeId>>, Fault> {
        let found = cx.differentiate(&mut self.graph, seeds, xs)?;
        match self.graph.check() {
            Ok(()) => Ok(found),
            Err(mistakes) => Err(Fault::new(format!(
                "in the body `{}` of the gradient, {mistakes:?}",
                self.graph.name()
            ))),
        }
    }
}

/// The tensor type of a node, which has one.
pub(super) fn type_of(graph: &Ir, id: NodeId) -> Result<TensorType, Fault> {
    let tensor = graph.node(id).ty.tensor().cloned();
    tensor.ok_or_else(|| Fault::new(format!("`{}` is not a tensor", graph.node(id).name)))
}

/// Appends zeros.
pub(super) fn zeros(graph: &mut Ir, ty: &TensorType) -> NodeId {
    source::fill(graph, Array::scalar(ty.dtype, 0.0), ty.shape.clone())
}
