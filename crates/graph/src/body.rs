//! Bodies while they are described: a closure is given handles of a graph of its own, and what it
//! uses of the graphs around that is captured.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use abeyance_ir::{Body, Diagnostic, GraphId, Location, NodeId, Symbols, TensorType, Type};
use parking_lot::Mutex;

use crate::ops::source::Invalid;
use crate::{AnyTensor, Graph, TensorTuple};

/// The state that a graph and its bodies share.
#[derive(Default)]
pub(crate) struct SharedState {
    /// How many bodies are being described.
    open: AtomicUsize,
    /// The unknown dimensions: while bodies are open, the same for all graphs, whichever of them
    /// learns something.
    symbols: Mutex<Symbols>,
    /// Mistakes made with handles of bodies that are finished.
    errors_after_close: Mutex<Vec<Diagnostic>>,
}

impl SharedState {
    fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn errors_after_close(&self) -> Vec<Diagnostic> {
        self.errors_after_close.lock().clone()
    }
}

/// Where a body is.
pub(crate) struct BodyScope {
    /// The graphs around it, outermost first, and which of their bodies leads here.
    path: Vec<(GraphId, usize)>,
    is_closed: Cell<bool>,
    /// True if its use after that was reported.
    is_reported: Cell<bool>,
    /// Nodes of the graph around it that it uses, with the inputs that stand for them.
    captures: RefCell<Vec<(NodeId, NodeId)>>,
}

/// A body that a closure has described.
pub(crate) struct Traced {
    pub(crate) body: Arc<Body>,
    /// The nodes that are given for its inputs behind those of the closure's arguments.
    pub(crate) captures: Vec<NodeId>,
}

impl Graph {
    /// Takes over what graphs that share the state have found out about unknown dimensions.
    pub(crate) fn catch_up(&self) {
        if let Some(shared) = self.shared.get().filter(|shared| shared.is_open())
            // Whoever borrows the graph has caught up.
            && let Ok(mut inner) = self.inner.try_borrow_mut()
        {
            inner.symbols_mut().adopt(&shared.symbols.lock());
        }
    }

    /// Shares what was found out about unknown dimensions.
    pub(crate) fn share(&self, inner: &abeyance_ir::Graph) {
        if let Some(shared) = self.shared.get().filter(|shared| shared.is_open()) {
            shared.symbols.lock().adopt(inner.symbols());
        }
    }

    /// True if `inner` is a body of a node of this graph, or inside of one.
    pub(crate) fn encloses(&self, inner: &Graph) -> bool {
        inner
            .body_scope
            .as_ref()
            .is_some_and(|scope| scope.path.iter().any(|(id, _)| *id == self.id))
    }

    /// The graph in which these can meet: this one, or the innermost body inside of it that one of
    /// them belongs to.
    pub(crate) fn innermost<'g>(&'g self, handles: &[AnyTensor<'g>]) -> &'g Graph {
        handles.iter().fold(
            self,
            |graph, handle| if graph.encloses(handle.graph) { handle.graph } else { graph },
        )
    }

    /// The ids of several handles' nodes here, as [`Graph::import`] says.
    #[track_caller]
    pub(crate) fn import_all(&self, handles: &[AnyTensor<'_>]) -> Vec<NodeId> {
        let mut ids = Vec::with_capacity(handles.len());
        for &handle in handles {
            ids.push(self.import(handle));
        }
        ids
    }

    /// The input that stands for a node of a graph around this body. Bodies between the two capture
    /// it too.
    #[track_caller]
    pub(crate) fn capture(&self, handle: AnyTensor<'_>) -> NodeId {
        let path = match &self.body_scope {
            Some(scope) => &scope.path[..],
            None => &[],
        };
        let from = path.iter().position(|(id, _)| *id == handle.graph.id);
        let (mut graph, mut id) = (handle.graph, handle.id);
        for &(_, index) in path.get(from.unwrap_or(0)..).unwrap_or_default() {
            let Some(body) = graph.bodies.get(index) else {
                break;
            };
            id = body.capture_from(graph, id);
            graph = body;
        }
        id
    }

    #[track_caller]
    fn capture_from(&self, outer: &Graph, id: NodeId) -> NodeId {
        let Some(scope) = &self.body_scope else {
            return id;
        };
        let known =
            scope.captures.borrow().iter().find(|(other, _)| *other == id).map(|(_, input)| *input);
        if let Some(input) = known {
            return input;
        }
        let input = self.receive(outer, id, |ty| ty);
        scope.captures.borrow_mut().push((id, input));
        input
    }

    /// Appends an input for a node of the graph around this body; `part` says what of it is given.
    #[track_caller]
    fn receive(
        &self,
        outer: &Graph,
        id: NodeId,
        part: impl FnOnce(TensorType) -> TensorType,
    ) -> NodeId {
        let (name, ty, description, location) = {
            let outer = outer.ir();
            let node = outer.node(id);
            let ty = match (&node.ty, outer.shape(id)) {
                (Type::Tensor(tensor), Some(shape)) => Ok(TensorType::new(tensor.dtype, shape)),
                (Type::Invalid, _) => Err(true),
                _ => Err(false),
            };
            (node.name.clone(), ty, outer.describe(id), node.location)
        };
        match ty {
            Ok(ty) => {
                let name = name.rsplit('/').next().unwrap_or("input");
                self.build(|graph| graph.input(name, part(ty)))
            }
            Err(true) => self.apply(&Invalid, &[], ()).id(),
            Err(false) => self.reject(
                Diagnostic::new(
                    format!("`{name}` is not a tensor and cannot be used in a body"),
                    self.here(),
                )
                .note(description, location),
            ),
        }
    }

    /// The mistake of using a body's tensor where only other graphs can see it.
    #[track_caller]
    pub(crate) fn escaped(&self, handle: AnyTensor<'_>) -> Option<Diagnostic> {
        handle.graph.body_scope.as_ref()?;
        let other = handle.graph.ir();
        Some(
            Diagnostic::new(
                format!("a tensor of the body `{}` is used outside of it", other.name()),
                self.here(),
            )
            .note(other.describe(handle.id), other.node(handle.id).location)
            .help("let the closure return it: what it returns is a result outside"),
        )
    }

    /// A body that is finished does not change any more.
    pub(crate) fn check_open(&self, location: Location) {
        let Some(scope) = &self.body_scope else {
            return;
        };
        if !scope.is_closed.get() || scope.is_reported.replace(true) {
            return;
        }
        if let Some(shared) = self.shared.get() {
            let diagnostic = Diagnostic::new(
                format!(
                    "a tensor of the body `{}` is used outside of it",
                    self.inner.borrow().name()
                ),
                location,
            )
            .note("the body was finished before", self.inner.borrow().context().location)
            .help("let the closure return it: what it returns is a result outside");
            shared.errors_after_close.lock().push(diagnostic);
        }
    }

    /// The body that a closure describes, given handles for `operands`, nodes of this graph. `part`
    /// says by place what of an operand is given.
    #[track_caller]
    pub(crate) fn trace<'g, I: TensorTuple<'g>, O>(
        &'g self,
        name: &str,
        operands: &[NodeId],
        part: impl Fn(usize, TensorType) -> TensorType,
        describe: impl FnOnce(I) -> O,
        outputs: impl FnOnce(O) -> Vec<AnyTensor<'g>>,
    ) -> Traced {
        let body = self.open_body(name);
        // Loops, not closures: only functions let the place of the call through.
        let mut inputs = Vec::new();
        for (place, &operand) in operands.iter().enumerate() {
            inputs.push(body.receive(self, operand, |ty| part(place, ty)));
        }
        let arguments = I::rebuild(body, &mut inputs.into_iter());
        let outputs = body.import_all(&outputs(describe(arguments)));
        self.close_body(body, outputs)
    }

    #[track_caller]
    fn open_body<'g>(&'g self, name: &str) -> &'g Graph {
        let shared = self.shared.get_or_init(Arc::default).clone();
        {
            let known = self.ir();
            let mut symbols = shared.symbols.lock();
            if shared.is_open() {
                symbols.adopt(known.symbols())
            } else {
                *symbols = known.symbols().clone()
            }
        }
        shared.open.fetch_add(1, Ordering::Relaxed);
        let inner = self.build(|graph| {
            let name = match graph.depth() {
                0 => name.to_owned(),
                _ => format!("{}/{name}", graph.name()),
            };
            graph.for_body(&name)
        });
        let mut body = Graph::from_ir(inner);
        body.shared = OnceCell::from(shared);
        let mut path = match &self.body_scope {
            Some(scope) => scope.path.clone(),
            None => Vec::new(),
        };
        path.push((self.id, self.bodies.len()));
        body.body_scope = Some(BodyScope {
            path,
            is_closed: Cell::new(false),
            is_reported: Cell::new(false),
            captures: RefCell::default(),
        });
        self.bodies.push_get(Box::new(body))
    }

    #[track_caller]
    fn close_body(&self, body: &Graph, outputs: Vec<NodeId>) -> Traced {
        let graph = body.ir().clone();
        let mistakes = graph.check().err();
        let captures = match &body.body_scope {
            Some(scope) => {
                scope.is_closed.set(true);
                let captures = scope.captures.borrow();
                captures.iter().map(|(outer, _)| *outer).collect()
            }
            None => Vec::new(),
        };
        self.build(|graph| {
            for mistake in mistakes.into_iter().flat_map(|mistakes| mistakes.0) {
                graph.report(mistake);
            }
        });
        if let Some(shared) = self.shared.get() {
            shared.open.fetch_sub(1, Ordering::Relaxed);
        }
        Traced { body: Arc::new(Body::new(graph, outputs)), captures }
    }
}
