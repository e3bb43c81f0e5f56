//! The graph a user builds.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::sync::Arc;

use abeyance_ir::{
    self as ir, Attributes, Context, Diagnostic, Diagnostics, GraphCell, GraphId, Location, NodeId,
    OperatorRef, Registry, Role,
};
use elsa::FrozenVec;

use crate::body::{BodyScope, SharedState};
use crate::ops::source::Invalid;
use crate::{AnyTensor, Element, Operation, Tensor};

/// A computation being described. Nothing is computed here: methods append nodes and give handles
/// to them.
///
/// Building neither panics nor returns `Result`: a mistake is remembered with the line of the call,
/// and [`Graph::check`] (as making a session does) reports all of them together.
///
/// ```
/// use abeyance_graph::{dims, zeros, Graph};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 3]);
/// let w = g.variable("w", zeros(dims![3, 2]));
/// let y = x.matmul(w).tanh();
/// assert_eq!(y.to_string(), "tanh : f32[N, 2]");
/// ```
pub struct Graph {
    pub(crate) inner: RefCell<ir::Graph>,
    pub(crate) id: GraphId,
    /// The bodies of its nodes as they were described: handles into them live as long as this
    /// graph.
    pub(crate) bodies: FrozenVec<Box<Graph>>,
    /// The state that it shares with its bodies.
    pub(crate) shared: OnceCell<Arc<SharedState>>,
    /// Where it is, if it is a body.
    pub(crate) body_scope: Option<BodyScope>,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::named("graph")
    }

    /// An empty graph with a name for its printout.
    pub fn named(name: &str) -> Self {
        Self::from_ir(ir::Graph::new(name))
    }

    /// A graph around one that stands.
    pub fn from_ir(inner: ir::Graph) -> Self {
        Self {
            id: inner.id(),
            inner: RefCell::new(inner),
            bodies: FrozenVec::new(),
            shared: OnceCell::new(),
            body_scope: None,
        }
    }

    /// The text form with every element of every array, which [`Graph::parse`] reads back; what a
    /// graph prints as leaves out most elements of arrays of more than 64.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::named("scale");
    /// let weights: ndarray::Array1<f32> = (0..1000).map(|i| i as f32).collect();
    /// let y = g.placeholder::<f32>("x", dims![_, 1000]) * g.constant_array(&weights);
    /// assert!(g.to_string().contains("[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, ... 992 more]"));
    /// assert_eq!(Graph::parse(&g.to_text())?.to_text(), g.to_text());
    /// # Ok::<(), abeyance_ir::Diagnostics>(())
    /// ```
    pub fn to_text(&self) -> String {
        self.ir().to_text()
    }

    /// Reads the text form of a graph, [`Graph::to_text`].
    ///
    /// # Errors
    /// Everything in the text that is not a graph, by line.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        Self::parse_with_operators(text, &Registry::default())
    }

    /// Reads the text form of a graph whose nodes may have the operators of a registry besides the
    /// built-in ones.
    ///
    /// # Errors
    /// As [`Graph::parse`].
    pub fn parse_with_operators(text: &str, operators: &Registry) -> Result<Self, Diagnostics> {
        ir::Graph::parse(text, &Self::registry(operators)).map(Self::from_ir)
    }

    /// The built-in operators, and these.
    pub(crate) fn registry(operators: &Registry) -> Registry {
        let mut registry = crate::ops::registry();
        for operator in operators.iter() {
            registry.register(operator.clone());
        }
        registry
    }

    /// Its name in printouts.
    pub fn name(&self) -> String {
        self.ir().name().to_owned()
    }

    /// The seed of first values and random nodes, where a session is not given another.
    pub fn seed(&self) -> Option<u64> {
        self.ir().seed()
    }

    /// Changes that seed. It is saved with the graph.
    pub fn set_seed(&self, seed: impl Into<Option<u64>>) {
        let seed = seed.into();
        self.build(|graph| graph.set_seed(seed));
    }

    /// The untyped graph underneath, as it is now.
    pub fn ir(&self) -> std::cell::Ref<'_, ir::Graph> {
        self.catch_up();
        self.inner.borrow()
    }

    /// Reports all mistakes made so far.
    ///
    /// # Errors
    /// The mistakes.
    pub fn check(&self) -> Result<(), Diagnostics> {
        let after_close = match self.shared.get() {
            Some(shared) => shared.errors_after_close(),
            None => Vec::new(),
        };
        match (self.ir().check(), after_close.is_empty()) {
            (checked, true) => checked,
            (Ok(()), false) => Err(Diagnostics(after_close)),
            (Err(mut mistakes), false) => {
                mistakes.0.extend(after_close);
                Err(mistakes)
            }
        }
    }

    /// Warnings of what is no mistake and seldom meant, as two unknown sizes that stretch each
    /// other by broadcasting: [`abeyance_ir::Graph::warnings`]. Print each with `{}`.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// let g = Graph::new();
    /// let predicted = g.placeholder::<f32>("predicted", dims![_, 1]);
    /// let wanted = g.placeholder::<f32>("wanted", dims![_]);
    /// let loss = (predicted - wanted).square().reduce_mean(..);
    /// g.check()?;
    /// let warning = g.warnings()[0].to_string();
    /// assert!(warning.starts_with("warning: sub: each of N meets each of N2"));
    /// # let _ = loss;
    /// # Ok::<(), abeyance_ir::Diagnostics>(())
    /// ```
    pub fn warnings(&self) -> Vec<ir::Warning> {
        self.ir().warnings()
    }

    /// The graph as Graphviz source.
    pub fn to_dot(&self) -> String {
        self.ir().to_dot()
    }

    /// Appends to the untyped graph. Nodes are said to come from the place of the call.
    #[track_caller]
    pub(crate) fn build<R>(&self, append: impl FnOnce(&mut ir::Graph) -> R) -> R {
        let location = self.here();
        self.check_open(location);
        self.catch_up();
        let mut inner = self.inner.borrow_mut();
        inner.context_mut().location = location;
        inner.context_mut().call = self.called();
        let built = append(&mut inner);
        self.share(&inner);
        built
    }

    /// Until the guard is dropped, names of new nodes are put behind `name/` (`name_1/` where
    /// another scope has that name).
    ///
    /// ```
    /// use abeyance_graph::{dims, zeros, Graph};
    /// let g = Graph::new();
    /// let w = {
    ///     let _scope = g.scope("layer1");
    ///     g.variable::<f32>("w", zeros(dims![3, 2]))
    /// };
    /// assert_eq!(w.name(), "layer1/w");
    /// ```
    #[must_use = "the scope ends when the guard is dropped: `let _scope = g.scope(..);`"]
    #[track_caller]
    pub fn scope(&self, name: &str) -> Scope<'_> {
        let location = self.here();
        self.enter(|graph| {
            graph.context_mut().location = location;
            graph.context_mut().scope = graph.unique_scope(name);
        })
    }

    /// Until the guard is dropped, new nodes run after these have run.
    #[must_use = "the dependency ends when the guard is dropped: `let _after = g.after([..]);`"]
    #[track_caller]
    pub fn after<'g>(
        &'g self,
        first: impl IntoIterator<Item = impl Into<Operation<'g>>>,
    ) -> Scope<'g> {
        let _call = self.call("after");
        let first: Vec<NodeId> =
            first.into_iter().map(|operation| self.import(operation.into().into())).collect();
        self.enter(|graph| graph.context_mut().controls.extend(first))
    }

    /// Until the guard is dropped, new nodes belong to this part of the program.
    #[must_use = "the part ends when the guard is dropped"]
    pub(crate) fn role(&self, role: Role) -> Scope<'_> {
        self.enter(|graph| graph.context_mut().role = role)
    }

    fn enter(&self, change: impl FnOnce(&mut ir::Graph)) -> Scope<'_> {
        let mut inner = self.inner.borrow_mut();
        let before = inner.context().clone();
        change(&mut inner);
        Scope { graph: self, before }
    }

    /// The id of a handle's node here. In a body, a handle of a graph around it is captured: the
    /// body gets an input for it. A handle of any other graph is a mistake, and gives an invalid
    /// node.
    #[track_caller]
    pub(crate) fn import(&self, handle: AnyTensor<'_>) -> NodeId {
        if std::ptr::eq(self, handle.graph) {
            return handle.id;
        }
        if handle.graph.encloses(self) {
            return self.capture(handle);
        }
        if let Some(diagnostic) = self.escaped(handle) {
            return self.reject(diagnostic);
        }
        let (foreign, made) = {
            let other = handle.graph.ir();
            (other.describe(handle.id), other.node(handle.id).location)
        };
        let diagnostic = self.build(|graph| {
            let other = handle.graph.ir();
            let (theirs, ours) = (other.name(), graph.name());
            let message = if theirs == ours {
                "a tensor of one graph is used in another".to_owned()
            } else {
                format!("a tensor of graph `{theirs}` is used in graph `{ours}`")
            };
            let help = "build both in one graph, or feed the value of the one to a placeholder of \
                        the other";
            Diagnostic::new(message, graph.context().location).note(foreign, made).help(help)
        });
        self.reject(diagnostic)
    }

    /// Appends a node of any operator, one of the user's own included, with the attributes of its
    /// signature in their order.
    ///
    /// It is a mistake if the operands or attributes are not those that the operator takes.
    #[track_caller]
    pub(crate) fn apply<'g>(
        &'g self,
        operator: impl Into<OperatorRef>,
        operands: &[AnyTensor<'g>],
        attributes: impl Into<Attributes>,
    ) -> AnyTensor<'g> {
        let home = self.innermost(operands);
        let operands = home.import_all(operands);
        home.any(home.build(|graph| graph.add(operator, &operands, attributes)))
    }

    /// Remembers a mistake, and gives an invalid node to go on with.
    #[track_caller]
    pub(crate) fn reject(&self, diagnostic: Diagnostic) -> NodeId {
        self.build(|graph| {
            graph.report_call(diagnostic);
            graph.add(&Invalid, &[], ())
        })
    }

    /// The typed handle of a node that was just made with this element type.
    pub(crate) fn handle<T: Element>(&self, id: NodeId) -> Tensor<'_, T> {
        Tensor::new(self, id)
    }

    /// The handle of any node.
    pub(crate) fn any(&self, id: NodeId) -> AnyTensor<'_> {
        AnyTensor { graph: self, id }
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// There is no node of that name, it is an operation, or its elements are not `T`.
    #[track_caller]
    pub fn tensor<T: Element>(&self, name: &str) -> Result<Tensor<'_, T>, Diagnostic> {
        let location = Location::caller();
        let found = self.ir().find_tensor(name, T::DTYPE);
        found.map(|id| self.handle(id)).map_err(|diagnostic| Diagnostic { location, ..diagnostic })
    }

    /// The operation of that name.
    ///
    /// # Errors
    /// There is no node of that name.
    #[track_caller]
    pub fn operation(&self, name: &str) -> Result<Operation<'_>, Diagnostic> {
        let location = Location::caller();
        let found = self.ir().find_near(name);
        found
            .map(|id| Operation(self.any(id)))
            .map_err(|diagnostic| Diagnostic { location, ..diagnostic })
    }
}

/// Expressions of a graph append to it as its methods do. The place that their nodes are said to
/// come from has to be pinned: [`Graph::call`],
/// [`pin_location`](crate::raw::GraphExt::pin_location).
impl GraphCell for Graph {
    fn with_graph(&self, visit: &mut dyn FnMut(&mut ir::Graph)) {
        self.build(|graph| visit(graph));
    }
}

impl fmt::Display for Graph {
    /// The text form for a person to read, without most elements of long arrays; [`Graph::to_text`]
    /// gives it whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ir().fmt(f)
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ir().fmt(f)
    }
}

/// Undoes a change of the graph's context when dropped.
#[derive(Debug)]
pub struct Scope<'g> {
    graph: &'g Graph,
    before: Context,
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        *self.graph.inner.borrow_mut().context_mut() = std::mem::take(&mut self.before);
    }
}
