//! Sessions: variables, plans, runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};

use abeyance_graph::{Element, Graph};
use abeyance_ir::{self as ir, Diagnostic, Diagnostics, Effect, Fault, GraphId, Location, NodeId};
use abeyance_scheduler::{AlignedBytes, Recording, Workers};
use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};
use smallvec::SmallVec;

use crate::feed::{Bytes, Feed, FeedValue};
use crate::fetch::{Collect, Fetch, FetchList, Listed};
use crate::initial::initialize;
use crate::plan::{
    Explanation, FeedShape, FrozenGraph, PassSet, Plan, PlanCache, Request, RunMemory, SessionGraph,
    VariableIndex, compile,
};
use crate::trace::Pending;
use crate::variables::Variables;
use crate::{Error, NodeCost, Port, Results, RunOptions, SessionMemory, SessionOptions, feeding};

/// Runs a graph. Owns a frozen copy of it and the values of its variables; borrows nothing, and may be used by many threads
/// at once.
///
/// Every run is a transaction: it reads variables as they were before it, what it writes lands together at its end, and an
/// error changes nothing.
pub struct Session {
    frozen: SessionGraph,
    id: GraphId,
    names: Vec<NodeId>,
    variables: Variables,
    /// Runs that wrote. Keys the random streams of such runs.
    step: AtomicU64,
    /// Runs that drew from a random stream without writing. Keys theirs, so that watching a training does not
    /// change it.
    draws: AtomicU64,
    plans: PlanCache,
    workers: Arc<Workers>,
    fingerprint: OnceLock<u64>,
}

/// Set in the number that keys random streams of runs that write nothing.
const WITHOUT_WRITES: u64 = 1 << 62;

impl Session {
    /// A session on the graph as it is now, with its seed and a thread for each core. Variables have their first
    /// values.
    ///
    /// # Errors
    /// All mistakes of the program, together; memory or threads that are not to be had.
    pub fn new(graph: &Graph) -> Result<Self, Error> {
        Self::with_options(graph, SessionOptions::new())
    }

    /// The same with a seed and a number of threads.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn with_options(graph: &Graph, options: SessionOptions) -> Result<Self, Error> {
        graph.check().map_err(Error::Program)?;
        let graph = graph.ir().clone();
        let passes = passes(&options)?;
        let workers = workers(options.threads)?;
        let seed = options.seed.or(graph.seed()).unwrap_or(0);
        let mut variables = HashMap::new();
        let mut names = Vec::new();
        let mut values = Vec::new();
        for (id, node) in graph.iter() {
            if node.operator.signature().effect != Effect::Read {
                continue;
            }
            let (Some(tensor), Some(initializer)) =
                (node.ty.tensor(), node.attributes.initializer(0))
            else {
                return Err(Error::Internal(format!("`{}` has no first value", node.name)));
            };
            let size = tensor.shape.iter().filter_map(|dim| dim.known()).product::<usize>();
            let mut value = AlignedBytes::zeroed(size * tensor.dtype.size())?;
            initialize(&mut value, tensor.dtype, initializer, seed, &node.name)?;
            variables.insert(id, VariableIndex(values.len()));
            names.push(id);
            values.push(value);
        }
        Ok(Self {
            id: graph.id(),
            plans: PlanCache::new(options.plan_limit(graph.len())),
            frozen: SessionGraph {
                graph: FrozenGraph::Own(Box::new(graph)),
                seed,
                variables,
                passes,
                memory: Arc::new(RunMemory::new(workers.threads())),
            },
            names,
            variables: Variables::new(values),
            step: AtomicU64::new(0),
            draws: AtomicU64::new(0),
            workers,
            fingerprint: OnceLock::new(),
        })
    }

    pub(crate) fn frozen_graph(&self) -> &ir::Graph {
        &self.frozen.graph
    }

    pub(crate) fn values(&self) -> &Variables {
        &self.variables
    }

    /// The variables in the order of their values.
    pub(crate) fn variable_nodes(&self) -> &[NodeId] {
        &self.names
    }

    /// Runs that wrote, and runs that drew without writing.
    pub(crate) fn counters(&self) -> (&AtomicU64, &AtomicU64) {
        (&self.step, &self.draws)
    }

    /// Nodes of the session's graph made ready to run.
    pub(crate) fn callable<C: Collect>(
        &self,
        fetches: SmallVec<[NodeId; 12]>,
        collect: C,
    ) -> Callable<'_, C> {
        Callable { session: self, fetches, collect, last: RwLock::new(None) }
    }

    /// Gives variables values from outside, all at once, and sets the counters. Nothing is changed if there are `mistakes`
    /// already or some are found.
    pub(crate) fn assign<'a>(
        &self,
        values: impl IntoIterator<Item = (&'a str, &'a ir::Array)>,
        counters: Option<(u64, u64)>,
        mut mistakes: Vec<Diagnostic>,
    ) -> Result<(), Error> {
        let mut found: Vec<(VariableIndex, &ir::Array)> = Vec::new();
        for (name, array) in values {
            let id = self.frozen.graph.find(name);
            let index = id.and_then(|id| self.frozen.variables.get(&id));
            let (Some(id), Some(&index)) = (id, index) else {
                mistakes.push(self.no_variable(name));
                continue;
            };
            let fits = self.frozen.graph.node(id).ty.tensor().is_some_and(|tensor| {
                let dims: Option<ir::Dims> = ir::known_dims(&tensor.shape);
                tensor.dtype == array.dtype && dims.as_ref() == Some(&array.dims)
            });
            if !fits || array.bytes.len() != self.variables.read()[index.0].len() {
                let message = format!(
                    "the variable `{name}` cannot take a value of {}{:?}",
                    array.dtype, array.dims
                );
                mistakes.push(self.about_variable(index, message));
            } else if found.iter().any(|(other, _)| *other == index) {
                mistakes.push(
                    self.about_variable(index, format!("the variable `{name}` is given twice")),
                );
            } else {
                found.push((index, array));
            }
        }
        if !mistakes.is_empty() {
            return Err(Error::Request(Diagnostics(mistakes)));
        }
        let written = || found.iter().map(|&(index, _)| index);
        let mut next = self.variables.begin(written())?;
        for (index, array) in &found {
            next[index.0].copy_from_slice(&array.bytes);
        }
        self.variables.commit(next, written(), || {
            if let Some((step, draws)) = counters {
                self.step.store(step, Ordering::Release);
                self.draws.store(draws, Ordering::Release);
            }
        });
        Ok(())
    }

    /// How many threads a run may use.
    pub fn threads(&self) -> usize {
        self.workers.threads()
    }

    /// The memory that it has now: variables, the plans that it keeps, and the arenas in which they run.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// let sum = x.exp().reduce_sum(..);
    /// let session = Session::new(&g)?;
    /// for length in 1..=100 {
    ///     session.run(sum, feeds![x => &vec![0.0; length]])?;
    /// }
    /// let memory = session.memory();
    /// assert_eq!((memory.plans, memory.arenas), (100, 1));
    /// assert!(memory.plan_bytes <= memory.plan_limit);
    /// println!("{memory}");
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    pub fn memory(&self) -> SessionMemory {
        let ((plans, plan_bytes), memory) = (self.plans.size(), &self.frozen.memory);
        SessionMemory {
            variable_bytes: self.variables.bytes(),
            plans,
            plan_bytes,
            plan_limit: self.plans.limit(),
            arenas: memory.runs.count(),
            arena_bytes: memory.bytes(),
        }
    }

    /// The seed of first values and random nodes.
    pub fn seed(&self) -> u64 {
        self.frozen.seed
    }

    /// The number of runs so far that wrote variables.
    pub fn step(&self) -> u64 {
        self.step.load(Ordering::Acquire)
    }

    /// Computes `fetches` with the values of `feeds`, and everything they depend on.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_]);
    /// let (double, sum) = (x + x, x.reduce_sum(..));
    /// let session = Session::new(&g)?;
    /// let (double, sum) = session.run((double, sum), feeds![x => &[1.0, 2.0, 3.0]])?;
    /// assert_eq!(double.as_slice(), Some(&[2.0, 4.0, 6.0][..]));
    /// assert_eq!(sum, 6.0);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// A placeholder that is needed and not fed; a feed of the wrong shape, for another graph, or twice; two writes of a
    /// variable without an order; a node that cannot be computed from these values. The session is then as it was.
    #[track_caller]
    pub fn run<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<<F::Collect as Collect>::Output, Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), RunOptions::new(), |collect, results| {
            collect.collect(results)
        })
        .map_err(|error| error.at(location))
    }

    /// The same in another way: [`RunOptions`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_with<'a, F: Fetch>(
        &self,
        options: RunOptions<'_>,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<<F::Collect as Collect>::Output, Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), options, |collect, results| collect.collect(results))
            .map_err(|error| error.at(location))
    }

    /// The same into values that are there: arrays whose sizes fit are filled in place, so that nothing is allocated.
    ///
    /// # Errors
    /// As [`Session::run`]; `output` is then unchanged.
    #[track_caller]
    pub fn run_into<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
        output: &mut <F::Collect as Collect>::Output,
    ) -> Result<(), Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), RunOptions::new(), |collect, results| {
            collect.collect_into(results, output);
        })
        .map_err(|error| error.at(location))
    }

    fn run_and<F: Fetch, R>(
        &self,
        fetches: &F,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        pick_up: impl FnOnce(&F::Collect, &mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let mut list = FetchList::default();
        let collect = fetches.list(&mut list);
        let plan = self.plan(&self.fetched(&list)?, feeds)?;
        self.execute(&plan, feeds, options, |results| pick_up(&collect, results))
    }

    /// What a run of these fetches on feeds of these shapes would do, without doing it: the tasks of its plan with the nodes
    /// that each computes, what they read and write, where that lies in memory and what it costs. Print it:
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let y = (x + 1.0).relu();
    /// let session = Session::new(&g)?;
    /// let plan = session.explain(y, feeds![x => &ndarray::array![[1.0, -2.0, 3.0]]])?;
    /// assert_eq!(plan.tasks, 1);
    /// println!("{plan}");
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::run`], but for what only shows when it runs.
    #[track_caller]
    pub fn explain<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<Explanation, Error> {
        let (location, feeds) = (Location::caller(), feeds.as_ref());
        let mut list = FetchList::default();
        fetches.list(&mut list);
        let fetches = self.fetched(&list).map_err(|error| error.at(location))?;
        self.explain_nodes(&fetches, feeds).map_err(|error| error.at(location))
    }

    fn explain_nodes(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> Result<Explanation, Error> {
        self.check_strangers(feeds)?;
        feeding::check(&self.frozen.graph, feeds)?;
        let plan = compile(&Request::new(&self.frozen, fetches, &shapes(feeds)))?;
        Ok(plan.explain(&self.frozen))
    }

    /// What each node that such a run computes costs by itself, as if none were fused with others, folded or shared.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let y = x.matmul(g.constant_array(&ndarray::array![[1.0f32], [2.0], [3.0]])).relu();
    /// let session = Session::new(&g)?;
    /// let costs = session.costs(y, feeds![x => &ndarray::array![[1.0, -2.0, 3.0]]])?;
    /// let named: Vec<&str> = costs.iter().map(|cost| &*cost.node).collect();
    /// assert_eq!(named, ["matmul", "relu"]);
    /// assert_eq!(costs[0].flops, 6.0);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::explain`].
    #[track_caller]
    pub fn costs<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<Vec<NodeCost>, Error> {
        let (location, feeds) = (Location::caller(), feeds.as_ref());
        let mut list = FetchList::default();
        fetches.list(&mut list);
        let fetches = self.fetched(&list).map_err(|error| error.at(location))?;
        self.node_costs(&fetches, feeds).map_err(|error| error.at(location))
    }

    fn node_costs(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> Result<Vec<NodeCost>, Error> {
        self.check_strangers(feeds)?;
        feeding::check(&self.frozen.graph, feeds)?;
        let plan = compile(&Request::new(&self.frozen, fetches, &shapes(feeds)).plain())?;
        Ok(plan.node_costs(&self.frozen))
    }

    /// Fetches made ready once, for many runs: no plan is looked up as long as feeds keep their shapes.
    ///
    /// # Errors
    /// A fetch of another graph.
    #[track_caller]
    pub fn prepare<F: Fetch>(&self, fetches: F) -> Result<Callable<'_, F::Collect>, Error> {
        let location = Location::caller();
        let mut list = FetchList::default();
        let collect = fetches.list(&mut list);
        let fetches = self.fetched(&list).map_err(|error| error.at(location))?;
        Ok(self.callable(fetches, collect))
    }

    /// The tensor of that name, to be fed or fetched without the graph at hand.
    ///
    /// # Errors
    /// There is no node of that name, or it is not a tensor of `T`.
    #[track_caller]
    pub fn port<T: Element>(&self, name: &str) -> Result<Port<T>, Error> {
        let (graph, location) = (&self.frozen.graph, Location::caller());
        let node = graph
            .find_tensor(name, T::DTYPE)
            .map_err(|diagnostic| Error::Request(diagnostic.into()).at(location));
        node.map(|node| Port::new(graph, node))
    }

    /// The names of all variables, in the order in which they were made.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|&id| &*self.frozen.graph.node(id).name)
    }

    /// The names, element types and sizes of all variables, in the order in which they were made.
    pub fn variable_types(&self) -> impl Iterator<Item = (&str, ir::DType, ir::Dims)> {
        self.names.iter().filter_map(|&id| {
            let node = self.frozen.graph.node(id);
            let tensor = node.ty.tensor()?;
            Some((&*node.name, tensor.dtype, ir::known_dims(&tensor.shape)?))
        })
    }

    /// The graph as it was when the session was made.
    pub fn graph(&self) -> &ir::Graph {
        &self.frozen.graph
    }

    /// The graph's name.
    pub fn graph_name(&self) -> &str {
        self.frozen.graph.name()
    }

    /// Tells the graph from others: [`abeyance_ir::Graph::fingerprint`].
    pub fn fingerprint(&self) -> u64 {
        *self.fingerprint.get_or_init(|| self.frozen.graph.fingerprint())
    }

    /// A variable's value.
    ///
    /// # Errors
    /// There is no variable of that name, or its elements are not `T`.
    #[track_caller]
    pub fn variable<T: Element>(&self, name: &str) -> Result<ArrayD<T>, Error> {
        let location = Location::caller();
        let (index, dims) = self.find::<T>(name).map_err(|error| error.at(location))?;
        let values = self.variables.read();
        let stored: &[T::Stored] = bytemuck::cast_slice(&values[index.0]);
        let elements = stored.iter().map(|&stored| T::load(stored)).collect();
        ArrayD::from_shape_vec(IxDyn(&dims), elements)
            .map_err(|error| Error::Internal(error.to_string()))
    }

    /// Gives a variable a value from outside.
    ///
    /// # Errors
    /// There is no variable of that name, its elements are not `T`, or the shape differs.
    #[track_caller]
    pub fn set_variable<T: Element, S: Data<Elem = T>, D: Dimension>(
        &self,
        name: &str,
        value: &ArrayBase<S, D>,
    ) -> Result<(), Error> {
        let location = Location::caller();
        let (index, dims) = self.find::<T>(name).map_err(|error| error.at(location))?;
        if value.shape() != &dims[..] {
            let message =
                format!("the variable `{name}` cannot take a value of shape {:?}", value.shape());
            let error = Error::Request(self.about_variable(index, message).into());
            return Err(error.at(location));
        }
        let (_, _, bytes) = value.raw();
        let bytes = bytes
            .get()
            .map_err(|bytes| Error::Memory(abeyance_scheduler::OutOfMemory { bytes }))?;
        let mut next = self.variables.begin(std::iter::once(index))?;
        next[index.0].copy_from_slice(bytes);
        self.variables.commit(next, std::iter::once(index), || {});
        Ok(())
    }

    fn find<T: Element>(&self, name: &str) -> Result<(VariableIndex, Vec<usize>), Error> {
        let graph = &self.frozen.graph;
        let id = graph.find(name);
        let index = id.and_then(|id| self.frozen.variables.get(&id));
        let (Some(id), Some(&index)) = (id, index) else {
            return Err(Error::Request(self.no_variable(name).into()));
        };
        match graph.node(id).ty.tensor() {
            Some(tensor) if tensor.dtype == T::DTYPE => {
                let dims = tensor.shape.iter().filter_map(|dim| dim.known()).collect();
                Ok((index, dims))
            }
            _ => {
                let message = format!("the variable `{name}` does not hold {}", T::DTYPE);
                Err(Error::Request(self.about_variable(index, message).into()))
            }
        }
    }

    fn about_variable(&self, index: VariableIndex, message: String) -> Diagnostic {
        let (graph, id) = (&self.frozen.graph, self.names[index.0]);
        Diagnostic::new(message, Location::Unknown)
            .node(&*graph.node(id).name)
            .note(graph.describe(id), graph.node(id).location)
    }

    fn no_variable(&self, name: &str) -> Diagnostic {
        let graph = &self.frozen.graph;
        let diagnostic =
            Diagnostic::new(format!("there is no variable `{name}`"), Location::Unknown);
        if let Some(other) = graph.find(name) {
            return diagnostic
                .note(graph.print_call(other), graph.node(other).location)
                .help("that is no variable: `g.variable` and `g.state` make those");
        }
        let near = ir::near(name, || self.variables());
        if let Some(near) = near {
            return diagnostic.help(format!("did you mean `{near}`?"));
        }
        let count = self.names.len();
        let known: Vec<&str> = self.variables().take(8).collect();
        let rest = match count.saturating_sub(known.len()) {
            0 => String::new(),
            rest => format!(" and {rest} more"),
        };
        diagnostic.help(match count {
            0 => "the graph has no variables".to_owned(),
            _ => format!("the variables are: {}{rest}", known.join(", ")),
        })
    }

    /// The fetched nodes, if they are this graph's and can be picked up as what is wanted.
    fn fetched(&self, list: &FetchList<'_>) -> Result<SmallVec<[NodeId; 12]>, Error> {
        let mut nodes = SmallVec::new();
        let mut mistakes = Vec::new();
        for listed in &list.0 {
            let fault = match self.check(listed.graph, listed.node) {
                Err(stranger) => Err(stranger),
                Ok(()) => match &self.frozen.graph.node(listed.node).ty {
                    ty if listed.wanted.fits(ty) => Ok(()),
                    _ => Err(Fault::new(format!("is not {}", listed.wanted))),
                },
            };
            match fault {
                Ok(()) => nodes.push(listed.node),
                Err(fault) => mistakes.push(self.about_fetch(listed, fault)),
            }
        }
        match mistakes.is_empty() {
            true => Ok(nodes),
            false => Err(Error::Request(Diagnostics(mistakes))),
        }
    }

    /// Whether these can be fetched: they are this graph's.
    pub(crate) fn check_ports(&self, ports: &[Port<crate::Value>]) -> Result<(), Error> {
        let mut list = FetchList::default();
        for port in ports {
            port.list(&mut list);
        }
        self.fetched(&list).map(drop)
    }

    fn about_fetch(&self, listed: &Listed<'_>, fault: Fault) -> Diagnostic {
        let about = |graph: &ir::Graph| {
            let node = graph.node(listed.node);
            let message = format!("the fetched `{}` {}", node.name, fault.message);
            Diagnostic::new(message, Location::Unknown)
                .node(&*node.name)
                .note(graph.describe(listed.node), node.location)
        };
        let mut diagnostic = match listed.handle {
            Some(handle) => about(&handle.graph().ir()),
            None if listed.graph == self.id && self.frozen.graph.get(listed.node).is_some() => {
                about(&self.frozen.graph)
            }
            None => {
                let message = format!("a fetched tensor {}", fault.message);
                Diagnostic::new(message, Location::Unknown).note("the tensor", listed.made)
            }
        };
        diagnostic.help = fault.help;
        diagnostic
    }

    /// Whether a node is one of the frozen graph's; else what it is instead.
    fn check(&self, graph: GraphId, node: NodeId) -> Result<(), Fault> {
        if graph != self.id {
            return Err(Fault::new("belongs to another graph than the session's".to_owned())
                .help("make a session for each graph"));
        }
        match self.frozen.graph.get(node) {
            Some(_) => Ok(()),
            None => Err(Fault::new("was made after the session, whose graph is frozen".to_owned())
                .help("make the session last, when the graph is complete")),
        }
    }

    /// No tensor of another graph is fed.
    fn check_strangers(&self, feeds: &[Feed<'_>]) -> Result<(), Error> {
        for feed in feeds {
            self.check(feed.graph, feed.node).map_err(|stranger| {
                let message = format!("a fed tensor {}", stranger.message);
                let mut diagnostic =
                    Diagnostic::new(message, Location::Unknown).note("the tensor", feed.made);
                diagnostic.help = stranger.help;
                Error::Request(diagnostic.into())
            })?;
        }
        Ok(())
    }

    fn plan(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> Result<Arc<Plan>, Error> {
        self.check_strangers(feeds)?;
        if let Some(plan) = self.plans.find(fetches, feeds) {
            return Ok(plan);
        }
        feeding::check(&self.frozen.graph, feeds)?;
        let plan = compile(&Request::new(&self.frozen, fetches, &shapes(feeds)))?;
        Ok(self.plans.insert(plan, fetches, feeds))
    }

    fn execute<R>(
        &self,
        plan: &Arc<Plan>,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        collect: impl FnOnce(&mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let mut trace = options.trace;
        let mut pending = match &mut trace {
            Some(trace) => Some(trace.begin(plan, &self.frozen)?),
            None => None,
        };
        let recording = pending.as_mut().map(Pending::recording);
        let result =
            self.frozen.memory.runs.with(&plan.program, |state| {
                self.execute_in(plan, state, feeds, recording, collect)
            })?;
        if let (Some(trace), Some(run), Ok(_)) = (trace, pending, &result) {
            trace.end(run);
        }
        result
    }

    fn execute_in<R>(
        &self,
        plan: &Plan,
        state: &mut abeyance_scheduler::State,
        feeds: &[Feed<'_>],
        recording: Option<&mut Recording>,
        collect: impl FnOnce(&mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let written = || plan.writes.iter().map(|&(variable, _)| variable);
        let mut next = match plan.writes.is_empty() {
            true => None,
            false => Some(self.variables.begin(written())?),
        };
        let result = {
            let current = self.variables.read();
            // With the writers' lock held the step cannot change meanwhile.
            let draw = match (&next, plan.random) {
                (Some(_), _) => self.step(),
                (None, true) => self.draws.fetch_add(1, Ordering::Relaxed) | WITHOUT_WRITES,
                (None, false) => 0,
            };
            let mut run = state.begin(&plan.program, draw)?;
            for (feed, buffer) in feeds.iter().zip(&plan.fed) {
                if let Some(buffer) = buffer {
                    run.bind(*buffer, bytes(&feed.bytes)?)?;
                }
            }
            for &(variable, buffer) in &plan.reads {
                run.bind(buffer, &current[variable.0])?;
            }
            let mut rest = next.as_deref_mut().map(Vec::as_mut_slice).unwrap_or_default();
            let mut passed = 0;
            for &(variable, buffer) in &plan.writes {
                // Variables come in increasing order, so each is in what the last left over.
                let (_, from) = rest.split_at_mut(variable.0 - passed);
                let Some((value, behind)) = from.split_first_mut() else {
                    break;
                };
                run.bind_mut(buffer, value)?;
                passed = variable.0 + 1;
                rest = behind;
            }
            let result = match recording {
                None => run.execute(&self.workers),
                Some(recording) => run.execute_recorded(&self.workers, recording),
            };
            result.map_err(|error| plan.attribute_error(&self.frozen.graph, error))?;
            collect(&mut Results::new(&run, &plan.fetched))
        };
        if let Some(next) = next {
            self.variables.commit(next, written(), || {
                self.step.fetch_add(1, Ordering::AcqRel);
            });
        }
        Ok(result)
    }
}

/// The passes that plans go through.
fn passes(options: &SessionOptions) -> Result<PassSet, Error> {
    let all = PassSet::all();
    let all = options.verified.map_or(all, |verified| all.verified_if(verified));
    // A wrong name is told though no pass is to run.
    let rest = options.without.iter().try_fold(all, |set, name| set.leave_out(name))?;
    Ok(if options.plain { rest.none() } else { rest })
}

fn shapes(feeds: &[Feed<'_>]) -> Vec<FeedShape> {
    let shape =
        |feed: &Feed<'_>| FeedShape { node: feed.node, dtype: feed.dtype, dims: feed.dims.clone() };
    feeds.iter().map(shape).collect()
}

fn bytes<'a>(bytes: &'a Bytes<'_>) -> Result<&'a [u8], Error> {
    bytes.get().map_err(|bytes| Error::Memory(abeyance_scheduler::OutOfMemory { bytes }))
}

/// The threads for sessions of that many: one set a process, as long as a session uses it.
fn workers(threads: usize) -> Result<Arc<Workers>, Error> {
    static SHARED: Mutex<Vec<(usize, Weak<Workers>)>> = Mutex::new(Vec::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = shared
        .iter()
        .find(|(count, _)| *count == threads)
        .and_then(|(_, workers)| workers.upgrade());
    if let Some(workers) = found {
        return Ok(workers);
    }
    let workers = Arc::new(Workers::new(threads)?);
    shared.retain(|(_, workers)| workers.strong_count() > 0);
    shared.push((threads, Arc::downgrade(&workers)));
    Ok(workers)
}

/// Fetches made ready by [`Session::prepare`].
pub struct Callable<'s, C> {
    session: &'s Session,
    fetches: SmallVec<[NodeId; 12]>,
    collect: C,
    /// The plan of the last run.
    last: RwLock<Option<Arc<Plan>>>,
}

impl<C: Collect> Callable<'_, C> {
    /// Computes the fetches: [`Session::run`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<C::Output, Error> {
        self.run_with(RunOptions::new(), feeds)
    }

    /// The same in another way: [`Session::run_with`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_with<'a>(
        &self,
        options: RunOptions<'_>,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<C::Output, Error> {
        let location = Location::caller();
        self.run_and(feeds.as_ref(), options, |collect, results| collect.collect(results))
            .map_err(|error| error.at(location))
    }

    /// Computes the fetches into values that are there: [`Session::run_into`].
    ///
    /// # Errors
    /// As [`Session::run`].
    #[track_caller]
    pub fn run_into<'a>(
        &self,
        feeds: impl AsRef<[Feed<'a>]>,
        output: &mut C::Output,
    ) -> Result<(), Error> {
        let location = Location::caller();
        self.run_and(feeds.as_ref(), RunOptions::new(), |collect, results| {
            collect.collect_into(results, output);
        })
        .map_err(|error| error.at(location))
    }

    fn run_and<R>(
        &self,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        pick_up: impl FnOnce(&C, &mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let plan = self.plan(feeds)?;
        self.session.execute(&plan, feeds, options, |results| pick_up(&self.collect, results))
    }

    /// The plan of a run: [`Session::explain`].
    ///
    /// # Errors
    /// As [`Session::explain`].
    #[track_caller]
    pub fn explain<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<Explanation, Error> {
        let location = Location::caller();
        let explained = self.session.explain_nodes(&self.fetches, feeds.as_ref());
        explained.map_err(|error| error.at(location))
    }

    /// What each node costs: [`Session::costs`].
    ///
    /// # Errors
    /// As [`Session::costs`].
    #[track_caller]
    pub fn costs<'a>(&self, feeds: impl AsRef<[Feed<'a>]>) -> Result<Vec<NodeCost>, Error> {
        let location = Location::caller();
        let costs = self.session.node_costs(&self.fetches, feeds.as_ref());
        costs.map_err(|error| error.at(location))
    }

    fn plan(&self, feeds: &[Feed<'_>]) -> Result<Arc<Plan>, Error> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner).clone();
        // A feed of another graph could have the node and sizes of one that fits.
        let ours = feeds.iter().all(|feed| feed.graph == self.session.id);
        if let Some(plan) = last.filter(|plan| ours && plan.fits(&self.fetches, feeds)) {
            self.session.plans.touch(&plan);
            return Ok(plan);
        }
        let plan = self.session.plan(&self.fetches, feeds)?;
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some(plan.clone());
        Ok(plan)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("graph", &self.frozen.graph.name())
            .field("variables", &self.names.len())
            .field("threads", &self.threads())
            .field("step", &self.step())
            .finish_non_exhaustive()
    }
}
