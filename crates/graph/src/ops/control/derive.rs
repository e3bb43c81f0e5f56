//! Bodies of gradients: copies of a body with the nodes behind that compute cotangents.

use std::cell::RefCell;

use abeyance_ir::{Body, Cotangents, Derivation, Fault, Graph as Ir, NodeId, TensorType};

use crate::{Expr, Rule};

/// A body in the making that computes what another does, and then more.
pub(super) struct Derived {
    graph: RefCell<Ir>,
    copies: RefCell<Vec<Option<NodeId>>>,
}

impl Derived {
    /// Nothing yet, for a node of the graph that a rule appends to. It has the name of the body it
    /// comes from, so that its random nodes draw what those drew.
    pub(super) fn new(cx: &Derivation<'_>, body: &Body) -> Self {
        let graph = cx.result().graph(|outer| outer.for_body(body.graph().name()));
        Self { graph: RefCell::new(graph), copies: RefCell::default() }
    }

    fn expr(&self, id: NodeId) -> Expr<'_> {
        Expr::new(&self.graph, id)
    }

    /// Copies nodes of the body that have not been copied yet.
    fn copy(&self, body: &Body, nodes: &[NodeId]) -> Vec<Expr<'_>> {
        let (mut graph, mut copies) = (self.graph.borrow_mut(), self.copies.borrow_mut());
        let copied = graph.copy_nodes(body.graph(), nodes, &mut copies);
        copied.into_iter().map(|id| self.expr(id)).collect()
    }

    /// Appends an input of the body's.
    pub(super) fn keep(&self, body: &Body, place: usize) -> Expr<'_> {
        let input = body.inputs()[place];
        self.copy(body, &[input]).first().copied().unwrap_or(self.expr(input))
    }

    /// Appends an input of its own.
    pub(super) fn add(&self, name: &str, ty: TensorType) -> Expr<'_> {
        let input = self.graph.borrow_mut().input(name, ty);
        self.expr(input)
    }

    /// Appends the rest of the body, and tells the nodes that compute its outputs.
    pub(super) fn rest(&self, body: &Body) -> Vec<Expr<'_>> {
        self.copy(body, body.outputs())
    }

    /// Appends the cotangents of `xs` from those of other nodes; `None` where there are none.
    pub(super) fn differentiate(
        &self,
        cx: &Derivation<'_>,
        seeds: &[(Expr<'_>, Expr<'_>)],
        xs: &[Expr<'_>],
    ) -> Result<Vec<Option<Expr<'_>>>, Fault> {
        let seeds: Vec<_> = seeds.iter().map(|(of, seed)| (of.id(), seed.id())).collect();
        let xs: Vec<NodeId> = xs.iter().map(|x| x.id()).collect();
        let mut graph = self.graph.borrow_mut();
        let found = cx.differentiate(&mut graph, &seeds, &xs)?;
        match graph.check() {
            Ok(()) => Ok(found.into_iter().map(|id| Some(self.expr(id?))).collect()),
            Err(mistakes) => Err(Fault::new(format!(
                "in the body `{}` of the gradient, {mistakes:?}",
                graph.name()
            ))),
        }
    }

    /// Tells the graph that a rule appends to what was found out about dimensions.
    pub(super) fn tell(&self, cx: &Derivation<'_>) {
        cx.result().graph(|outer| outer.adopt(&self.graph.borrow()));
    }

    /// The finished body, which gives these.
    pub(super) fn finish(self, outputs: Vec<NodeId>) -> Body {
        Body::new(self.graph.into_inner(), outputs)
    }
}

/// The tensor type of a node, which has one.
pub(super) fn type_of(graph: &Ir, id: NodeId) -> Result<TensorType, Fault> {
    let tensor = graph.node(id).ty.tensor().cloned();
    tensor.ok_or_else(|| Fault::new(format!("`{}` is not a tensor", graph.node(id).name)))
}

/// The operands of a node that is differentiated.
pub(super) fn operands<'c>(cx: &'c Derivation<'_>) -> Vec<Expr<'c>> {
    (0..cx.operands()).map(|place| cx.operand(place)).collect()
}

/// The answer of a rule that gives the cotangents of the operands at these places.
pub(super) fn answer<'c>(
    cx: &Derivation<'_>,
    cotangents: impl IntoIterator<Item = (usize, Expr<'c>)>,
) -> Cotangents {
    let mut answer = Cotangents::from_elem(None, cx.operands());
    for (place, cotangent) in cotangents {
        answer[place] = Some(cotangent.id());
    }
    answer
}
