//! The graph: nodes that know their operands, and edges on `petgraph` for every walk over them.
//!
//! [`node`] has what a graph is made of, [`check`] what is asked of a node before it counts,
//! [`names`] how names stay unique, and [`walk`] what depends on what.

mod check;
mod names;
mod node;
mod walk;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;
use smallvec::SmallVec;

use crate::body::MAX_DEPTH;
use crate::shape::{Origin, Symbols};
use crate::summary::Summaries;
use crate::{
    Attributes, DType, Diagnostic, Diagnostics, Dim, GraphSignature, Location, OperatorRef, Shape,
    TensorType, Type, near,
};

pub(crate) use check::MAX_RANK;
pub(crate) use names::is_name;
pub use node::{Context, Edge, GraphId, Node, NodeId, Operands, Role};

/// A computation as data.
#[derive(Clone)]
pub struct Graph {
    id: GraphId,
    name: String,
    nodes: DiGraph<Node, Edge, u32>,
    names: HashMap<Arc<str>, NodeId>,
    suffixes: HashMap<Box<str>, u32>,
    symbols: Symbols,
    diagnostics: Vec<Diagnostic>,
    /// Nodes whose operands have unknown dimensions that stretch each other: see
    /// [`Graph::warnings`].
    crossings: Vec<NodeId>,
    context: Context,
    /// Of how many bodies it is inside: 0 for a program.
    depth: u32,
    seed: Option<u64>,
    signatures: Vec<GraphSignature>,
    summaries: Summaries,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new("graph")
    }
}

impl Graph {
    /// An empty graph. The name is for printouts.
    pub fn new(name: &str) -> Self {
        Self {
            id: GraphId::fresh(),
            name: name.to_owned(),
            nodes: DiGraph::default(),
            names: HashMap::new(),
            suffixes: HashMap::new(),
            symbols: Symbols::default(),
            diagnostics: Vec::new(),
            crossings: Vec::new(),
            context: Context::default(),
            depth: 0,
            seed: None,
            signatures: Vec::new(),
            summaries: Summaries::default(),
        }
    }

    /// What tells it from other graphs.
    pub fn id(&self) -> GraphId {
        self.id
    }

    /// Its name in printouts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes its name in printouts.
    pub fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// The seed of first values and random nodes, unless a session is given another.
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Changes the seed.
    pub fn set_seed(&mut self, seed: Option<u64>) {
        self.seed = seed;
    }

    /// The uses that the graph is made for, in the order in which they were named.
    pub fn signatures(&self) -> &[GraphSignature] {
        &self.signatures
    }

    /// The same, to add to.
    pub(crate) fn signatures_mut(&mut self) -> &mut Vec<GraphSignature> {
        &mut self.signatures
    }

    /// The summaries and their tags.
    pub(crate) fn summary_table(&self) -> &Summaries {
        &self.summaries
    }

    /// The same, to add to.
    pub(crate) fn summary_table_mut(&mut self) -> &mut Summaries {
        &mut self.summaries
    }

    /// Of how many bodies it is inside: 0 for a program, 1 for a body of one of its nodes.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Makes it a body's graph.
    pub(crate) fn make_body(&mut self, depth: u32, symbols: Symbols) {
        self.depth = depth;
        self.symbols = symbols;
        if depth > MAX_DEPTH {
            self.diagnostics.push(Diagnostic::new(
                format!("the body `{}` is nested more than {MAX_DEPTH} deep", self.name),
                self.context.location,
            ));
        }
    }

    /// The key of a node's random stream: its name, in a body behind the body's.
    pub fn random_key(&self, id: NodeId) -> std::borrow::Cow<'_, str> {
        let name = &*self.node(id).name;
        match self.depth {
            0 => name.into(),
            _ => format!("{}/{name}", self.name).into(),
        }
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// True if it has no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A node. Ids come from this graph or a longer-lived copy of it, so it exists.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[NodeIndex::from(id)]
    }

    /// A node, if the graph has one of that id.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.node_weight(id.into())
    }

    /// The node of that name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// The node of that name, or else what to say, with the name that may have been meant.
    ///
    /// # Errors
    /// There is none.
    pub fn find_near(&self, name: &str) -> Result<NodeId, Diagnostic> {
        self.find(name).ok_or_else(|| {
            let message = format!("graph `{}` has no node `{name}`", self.name);
            let diagnostic = Diagnostic::new(message, Location::Unknown);
            match near(name, || self.iter().map(|(_, node)| &*node.name)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            }
        })
    }

    /// The tensor of that name with elements of this type, or else what to say.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn find_tensor(&self, name: &str, dtype: DType) -> Result<NodeId, Diagnostic> {
        let id = self.find_near(name)?;
        match &self.node(id).ty {
            Type::Tensor(tensor) if tensor.dtype == dtype => Ok(id),
            _ => Err(Diagnostic::new(
                format!("`{name}` is not a tensor of {dtype}"),
                Location::Unknown,
            )
            .node(name)
            .note(self.describe(id), self.node(id).location)),
        }
    }

    /// All nodes in the order in which they were made, which is a topological order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> + ExactSizeIterator {
        self.nodes
            .raw_nodes()
            .iter()
            .enumerate()
            .map(|(index, node)| (NodeId::new(index), &node.weight))
    }

    /// The structure, for `petgraph`'s algorithms.
    pub fn structure(&self) -> &DiGraph<Node, Edge, u32> {
        &self.nodes
    }

    /// The unknown dimensions.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The unknown dimensions, to add to.
    pub fn symbols_mut(&mut self) -> &mut Symbols {
        &mut self.symbols
    }

    /// Makes two dimensions equal for the sake of the node that is appended next; `None` if they
    /// are two different numbers, or one of another graph.
    pub fn unify(&mut self, a: Dim, b: Dim) -> Option<Dim> {
        self.symbols.set_settler(Some(NodeId::new(self.len())));
        let unified = self.symbols.unify(a, b);
        self.symbols.set_settler(None);
        unified
    }

    /// What new nodes take over.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What new nodes take over, to change.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// The nodes that `id` was asked to run after, in the order in which they were named.
    pub fn controls(&self, id: NodeId) -> SmallVec<[NodeId; 2]> {
        let mut controls: SmallVec<[NodeId; 2]> = self
            .nodes
            .edges_directed(id.into(), Direction::Incoming)
            .filter(|edge| *edge.weight() == Edge::Control)
            .map(|edge| edge.source().into())
            .collect();
        controls.reverse();
        controls
    }

    /// The nodes that have `id` as operand, latest first; one that has it twice comes twice.
    pub fn users(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes
            .edges_directed(id.into(), Direction::Outgoing)
            .filter(|edge| matches!(edge.weight(), Edge::Operand(_)))
            .map(|edge| edge.target().into())
    }

    /// The shape of a node's value, with what is known of its dimensions by now. `None` if it has
    /// no value or is wrong.
    pub fn shape(&self, id: NodeId) -> Option<Shape> {
        let tensor = self.node(id).ty.tensor()?;
        Some(self.resolve(&tensor.shape))
    }

    /// The shape with what is known of its dimensions by now.
    pub fn resolve(&self, shape: &[Dim]) -> Shape {
        shape.iter().map(|&dim| self.symbols.resolve(dim)).collect()
    }

    /// `f32[N, 10]`, `(f32[N, 10], i64[])`, `operation` or `invalid`.
    pub fn display_type(&self, id: NodeId) -> String {
        let display = |tensor: &TensorType| {
            format!("{}{}", tensor.dtype, self.symbols.display(&tensor.shape))
        };
        match &self.node(id).ty {
            Type::Tensor(tensor) => display(tensor),
            Type::Tuple(items) => {
                let items: Vec<String> = items.iter().map(display).collect();
                format!("({})", items.join(", "))
            }
            Type::Operation => "operation".to_owned(),
            Type::Invalid => "invalid".to_owned(),
        }
    }

    /// `flat : f32[N, 784]`, for messages: a very long name is cut short.
    pub fn describe(&self, id: NodeId) -> String {
        format!("{} : {}", crate::shorten::name(&self.node(id).name), self.display_type(id))
    }

    /// How many mistakes were made so far.
    pub(crate) fn error_count(&self) -> usize {
        self.diagnostics.len()
    }

    /// How many bytes what is said of them takes.
    pub(crate) fn diagnostic_bytes(&self) -> usize {
        let said = |diagnostic: &Diagnostic| {
            let notes: usize = diagnostic.notes.iter().map(|note| note.text.len()).sum();
            diagnostic.message.len() + notes
        };
        self.diagnostics.iter().map(said).sum()
    }

    /// The nodes at which unknown dimensions stretched each other when they were made.
    pub(crate) fn crossings(&self) -> &[NodeId] {
        &self.crossings
    }

    /// Moves the mistakes made so far out.
    pub fn take_mistakes(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.diagnostics)
    }

    /// Remembers where the symbols of a node's type first stood.
    pub(crate) fn set_origins(&mut self, node: NodeId) {
        let items = self.node(node).ty.items().to_vec();
        for (axis, &dim) in items.iter().flat_map(|item| item.shape.iter().enumerate()) {
            if let Dim::Symbol(symbol) = self.symbols.resolve(dim) {
                self.symbols.set_origin(symbol, Origin { node, axis });
            }
        }
    }

    /// Changes what a node is taken to give.
    pub(crate) fn set_type(&mut self, id: NodeId, ty: Type) {
        if let Some(node) = self.nodes.node_weight_mut(id.into()) {
            node.ty = ty;
        }
    }

    /// Room for so many nodes and edges in all.
    pub(crate) fn reserve(&mut self, nodes: usize, edges: usize) {
        self.nodes.reserve_exact_nodes(nodes);
        self.nodes.reserve_exact_edges(edges);
        self.names.reserve(nodes);
    }

    // ---- building ---------------------------------------------------------------------------------------------

    /// Appends a node with a name made from the operator's.
    pub fn add(
        &mut self,
        operator: impl Into<OperatorRef>,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
    ) -> NodeId {
        self.add_named(None, operator, operands, attributes.into())
    }

    /// Appends a node with a name made from `base`.
    pub fn add_like(
        &mut self,
        base: &str,
        operator: impl Into<OperatorRef>,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
    ) -> NodeId {
        let base = if is_name(base) { base } else { "node" };
        self.append(None, Some(base), operator.into(), operands, attributes.into())
    }

    /// Appends a node. A wrong one is appended too, remembered as a diagnostic, and has the type
    /// [`Type::Invalid`]; nodes that depend on it are not reported again.
    ///
    /// A `name` is put behind the current scope and must be free there.
    pub fn add_named(
        &mut self,
        name: Option<&str>,
        operator: impl Into<OperatorRef>,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
    ) -> NodeId {
        self.append(name, None, operator.into(), operands, attributes.into())
    }

    fn append(
        &mut self,
        name: Option<&str>,
        base: Option<&str>,
        operator: OperatorRef,
        operands: &[NodeId],
        attributes: Attributes,
    ) -> NodeId {
        let id = NodeId::new(self.len());
        let inferred = self.infer(id, &operator, operands, &attributes);
        let base = base.unwrap_or(operator.signature().name);
        let name = self.unique_name(name, base, id);
        let (ty, fault) = match inferred {
            Ok(ty) => (ty, None),
            Err(fault) => (Type::Invalid, fault),
        };
        for tensor in ty.items() {
            for (axis, &dim) in tensor.shape.iter().enumerate() {
                if let Dim::Symbol(symbol) = dim {
                    self.symbols.set_origin(symbol, Origin { node: id, axis });
                }
            }
        }
        self.nodes.add_node(Node {
            name,
            operator,
            operands: operands.into(),
            attributes,
            ty,
            role: self.context.role,
            location: self.context.location,
            call: self.context.call,
        });
        for (place, &operand) in operands.iter().enumerate() {
            self.nodes.add_edge(operand.into(), id.into(), Edge::Operand(place as u32));
        }
        for index in 0..self.context.controls.len() {
            let control = self.context.controls[index];
            self.nodes.add_edge(control.into(), id.into(), Edge::Control);
        }
        if let Some(fault) = fault {
            let diagnostic = self.diagnose(id, fault);
            self.diagnostics.push(diagnostic);
        }
        id
    }

    /// Remembers a mistake that is not a node's.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Remembers a mistake of the call that is going on, under the name of what the user called.
    pub fn report_call(&mut self, mut diagnostic: Diagnostic) {
        if let Some(call) = self.context.call {
            diagnostic.message = call.say(diagnostic.message);
        }
        self.report(diagnostic);
    }

    /// All mistakes made so far.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn check(&self) -> Result<(), Diagnostics> {
        if self.diagnostics.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(self.diagnostics.clone()))
        }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("name", &self.name)
            .field("nodes", &self.len())
            .finish_non_exhaustive()
    }
}
