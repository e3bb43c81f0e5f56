//! Sessions: variables, plans, runs.

mod callable;
mod request;
mod values;

pub use callable::Callable;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use abeyance_graph::ops::source::{Variable, VariableAttributes};
use abeyance_graph::{Element, Graph};
use abeyance_ir::{self as ir, Effect, GraphId, Location, NodeId};
use abeyance_scheduler::{AlignedBytes, Recording, ThreadPool};

use crate::feed::{Bytes, Feed};
use crate::fetch::{Decode, Fetch, FetchList};
use crate::initial::initialize;
use crate::plan::{
    Explanation, FeedShape, FrozenGraph, PassSet, Plan, PlanCache, Request, RunMemory,
    SessionGraph, VariableIndex, compile, compile_watched,
};
use crate::trace::Pending;
use crate::variables::Variables;
use crate::{
    Error, NodeCost, Results, RunOptions, SessionMemory, SessionOptions, TensorRef, feed_check,
};

/// Runs a graph. Owns a frozen copy of it and the values of its variables; borrows nothing, and may
/// be used by many threads at once.
///
/// Every run is a transaction: it reads variables as they were before it, what it writes lands
/// together at its end, and an error changes nothing.
pub struct Session {
    frozen: SessionGraph,
    id: GraphId,
    names: Vec<NodeId>,
    variables: Variables,
    /// Runs that wrote. Keys the random streams of such runs.
    step: AtomicU64,
    /// Runs that drew from a random stream without writing. Keys theirs, so that watching a
    /// training does not change it.
    draws: AtomicU64,
    plans: PlanCache,
    workers: Arc<ThreadPool>,
    fingerprint: OnceLock<u64>,
}

/// Set in the number that keys random streams of runs that write nothing.
const WITHOUT_WRITES: u64 = 1 << 62;

impl Session {
    /// A session on the graph as it is now, with its seed and a thread for each core. Variables
    /// have their first values.
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
            let Some(tensor) = node.ty.tensor().filter(|_| node.is(&Variable)) else {
                return Err(Error::Internal(format!("`{}` has no first value", node.name)));
            };
            let size = tensor.shape.iter().filter_map(|dim| dim.known()).product::<usize>();
            let mut value = AlignedBytes::zeroed(size * tensor.dtype.size())?;
            let VariableAttributes { initial, .. } = node.attributes.read();
            initialize(&mut value, tensor.dtype, &initial, seed, &node.name)?;
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

    /// How many threads a run may use.
    pub fn threads(&self) -> usize {
        self.workers.threads()
    }

    /// The memory that it has now: variables, the plans that it keeps, and the arenas in which they
    /// run.
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
    /// A placeholder that is needed and not fed; a feed of the wrong shape, for another graph, or
    /// twice; two writes of a variable without an order; a node that cannot be computed from these
    /// values. The session is then as it was.
    #[track_caller]
    pub fn run<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<<F::Decoder as Decode>::Output, Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), RunOptions::new(), |collect, results| {
            collect.decode(results)
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
    ) -> Result<<F::Decoder as Decode>::Output, Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), options, |collect, results| collect.decode(results))
            .map_err(|error| error.at(location))
    }

    /// The same into values that are there: arrays whose sizes fit are filled in place, so that
    /// nothing is allocated.
    ///
    /// # Errors
    /// As [`Session::run`]; `output` is then unchanged.
    #[track_caller]
    pub fn run_into<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
        output: &mut <F::Decoder as Decode>::Output,
    ) -> Result<(), Error> {
        let location = Location::caller();
        self.run_and(&fetches, feeds.as_ref(), RunOptions::new(), |collect, results| {
            collect.decode_into(results, output);
        })
        .map_err(|error| error.at(location))
    }

    fn run_and<F: Fetch, R>(
        &self,
        fetches: &F,
        feeds: &[Feed<'_>],
        options: RunOptions<'_>,
        pick_up: impl FnOnce(&F::Decoder, &mut Results<'_>) -> R,
    ) -> Result<R, Error> {
        let mut list = FetchList::default();
        let collect = fetches.list(&mut list);
        let plan = self.plan(&self.fetched(&list)?, feeds)?;
        self.execute(&plan, feeds, options, |results| pick_up(&collect, results))
    }

    /// What a run of these fetches on feeds of these shapes would do, without doing it: the tasks
    /// of its plan with the nodes that each computes, what they read and write, where that lies in
    /// memory and what it costs. Print it:
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
        self.check_foreign(feeds)?;
        feed_check::check(&self.frozen.graph, feeds)?;
        let plan = compile(&Request::new(&self.frozen, fetches, &shapes(feeds)))?;
        Ok(plan.explain(&self.frozen))
    }

    /// The draft of such a run's plan as each pass leaves it, with the pass's name: the first is
    /// the translation of the graph. Passes that change nothing are left out.
    /// `docs/one-training-step.md` explains what is printed.
    ///
    /// ```
    /// use abeyance_graph::{dims, Graph};
    /// use abeyance_session::{feeds, Session};
    /// let g = Graph::new();
    /// let x = g.placeholder::<f32>("x", dims![_, 3]);
    /// let y = (x + 1.0).relu();
    /// let session = Session::new(&g)?;
    /// let drafts = session.explain_passes(y, feeds![x => &ndarray::array![[1.0, -2.0, 3.0]]])?;
    /// let names: Vec<_> = drafts.iter().map(|(name, _)| *name).collect();
    /// assert_eq!(names, ["translation", "fusion"]);
    /// # Ok::<(), abeyance_session::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::explain`].
    #[track_caller]
    pub fn explain_passes<'a, F: Fetch>(
        &self,
        fetches: F,
        feeds: impl AsRef<[Feed<'a>]>,
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let (location, feeds) = (Location::caller(), feeds.as_ref());
        let mut list = FetchList::default();
        fetches.list(&mut list);
        let fetches = self.fetched(&list).map_err(|error| error.at(location))?;
        let mut drafts: Vec<(&'static str, String)> = Vec::new();
        let compiled = self.check_foreign(feeds).and_then(|()| {
            feed_check::check(&self.frozen.graph, feeds)?;
            let shapes = shapes(feeds);
            compile_watched(&Request::new(&self.frozen, &fetches, &shapes), &mut |name, draft| {
                let text = draft.to_string();
                if drafts.last().is_none_or(|(_, last)| *last != text) {
                    drafts.push((name, text));
                }
            })
        });
        compiled.map_err(|error| error.at(location))?;
        Ok(drafts)
    }

    /// What each node that such a run computes costs by itself, as if none were fused with others,
    /// folded or shared.
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
        self.check_foreign(feeds)?;
        feed_check::check(&self.frozen.graph, feeds)?;
        let plan = compile(&Request::new(&self.frozen, fetches, &shapes(feeds)).plain())?;
        Ok(plan.node_costs(&self.frozen))
    }

    /// Fetches made ready once, for many runs: no plan is looked up as long as feeds keep their
    /// shapes.
    ///
    /// # Errors
    /// A fetch of another graph.
    #[track_caller]
    pub fn prepare<F: Fetch>(&self, fetches: F) -> Result<Callable<'_, F::Decoder>, Error> {
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
    pub fn tensor_ref<T: Element>(&self, name: &str) -> Result<TensorRef<T>, Error> {
        let (graph, location) = (&self.frozen.graph, Location::caller());
        let node = graph
            .find_tensor(name, T::DTYPE)
            .map_err(|diagnostic| Error::Request(diagnostic.into()).at(location));
        node.map(|node| TensorRef::new(graph, node))
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

    fn plan(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> Result<Arc<Plan>, Error> {
        self.check_foreign(feeds)?;
        if let Some(plan) = self.plans.find(fetches, feeds) {
            return Ok(plan);
        }
        feed_check::check(&self.frozen.graph, feeds)?;
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
        let mut next =
            if plan.writes.is_empty() { None } else { Some(self.variables.begin(written())?) };
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
fn workers(threads: usize) -> Result<Arc<ThreadPool>, Error> {
    static SHARED: Mutex<Vec<(usize, Weak<ThreadPool>)>> = Mutex::new(Vec::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = shared
        .iter()
        .find(|(count, _)| *count == threads)
        .and_then(|(_, workers)| workers.upgrade());
    if let Some(workers) = found {
        return Ok(workers);
    }
    let workers = Arc::new(ThreadPool::new(threads)?);
    shared.retain(|(_, workers)| workers.strong_count() > 0);
    shared.push((threads, Arc::downgrade(&workers)));
    Ok(workers)
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
