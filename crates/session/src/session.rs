//! Sessions: a frozen graph with the values of its variables and the plans that run it.
//!
//! A file for each thing that is asked of one: [`run`] and [`callable`] compute fetches,
//! [`explain`] says how they would be computed, [`request`] checks what is fetched and fed, and
//! [`values`] reads and sets variables.

mod callable;
mod explain;
mod request;
mod run;
mod values;

pub use callable::Callable;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use abeyance_graph::ops::source::{Variable, VariableAttributes};
use abeyance_graph::{Element, Graph};
use abeyance_ir::{self as ir, Effect, GraphId, Location, NodeId};
use abeyance_scheduler::{AlignedBytes, ThreadPool};
use parking_lot::Mutex;

use crate::feed::Feed;
use crate::initial::initialize;
use crate::plan::{
    FeedShape, FrozenGraph, PassSet, PlanCache, RunMemory, SessionGraph, VariableIndex,
};
use crate::variables::Variables;
use crate::{Error, SessionMemory, SessionOptions, TensorRef};

/// Runs a graph. Owns a frozen copy of it and the values of its variables; borrows nothing, and may
/// be used by many threads at once.
///
/// Every run is a transaction: it reads variables as they were before it, what it writes lands
/// together at its end, and an error changes nothing.
pub struct Session {
    frozen: SessionGraph,
    id: GraphId,
    /// By variable, its node.
    variable_nodes: Vec<NodeId>,
    variables: Variables,
    /// The number of runs that wrote. Keys the random streams of such runs.
    step: AtomicU64,
    /// The number of runs that drew from a random stream without writing. Keys theirs, so that
    /// watching a training does not change it.
    draws: AtomicU64,
    plans: PlanCache,
    workers: Arc<ThreadPool>,
    fingerprint: OnceLock<u64>,
}

impl Session {
    /// Makes a session on the graph as it is now, with the graph's seed, or 0 if it has none, and a
    /// thread for each core. Variables have their initial values.
    ///
    /// # Errors
    /// All mistakes of the program, together; there is not enough memory, or threads cannot be
    /// started.
    pub fn new(graph: &Graph) -> Result<Self, Error> {
        Self::with_options(graph, SessionOptions::new())
    }

    /// Makes a session with [`SessionOptions`]: a seed, a number of threads, the passes of plans.
    ///
    /// # Errors
    /// As [`Session::new`]; a pass that does not exist, or cannot be left out.
    pub fn with_options(graph: &Graph, options: SessionOptions) -> Result<Self, Error> {
        graph.check().map_err(Error::Program)?;
        let graph = graph.ir().clone();
        let passes = passes(&options)?;
        let workers = workers(options.threads)?;
        let seed = options.seed.or(graph.seed()).unwrap_or(0);
        let mut variables = HashMap::new();
        let mut variable_nodes = Vec::new();
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
            variable_nodes.push(id);
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
            variable_nodes,
            variables: Variables::new(values),
            step: AtomicU64::new(0),
            draws: AtomicU64::new(0),
            workers,
            fingerprint: OnceLock::new(),
        })
    }

    pub(crate) fn values(&self) -> &Variables {
        &self.variables
    }

    /// The nodes of the variables, in the order of their values.
    pub(crate) fn variable_nodes(&self) -> &[NodeId] {
        &self.variable_nodes
    }

    /// The numbers of runs that wrote, and of runs that drew without writing.
    pub(crate) fn counters(&self) -> (&AtomicU64, &AtomicU64) {
        (&self.step, &self.draws)
    }

    /// The number of threads that a run may use.
    pub fn threads(&self) -> usize {
        self.workers.threads()
    }

    /// The memory that the session has now, in bytes: variables, the plans that it keeps, and the
    /// arenas in which they run.
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

    /// The seed of initial values and random nodes.
    pub fn seed(&self) -> u64 {
        self.frozen.seed
    }

    /// The number of runs so far that wrote variables.
    pub fn step(&self) -> u64 {
        self.step.load(Ordering::Acquire)
    }

    /// Finds a tensor by its name, to be fed or fetched without the graph at hand.
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
        self.variable_nodes.iter().map(|&id| &*self.frozen.graph.node(id).name)
    }

    /// The names, element types and sizes of all variables, in the order in which they were made.
    pub fn variable_types(&self) -> impl Iterator<Item = (&str, ir::DType, ir::Dims)> {
        self.variable_nodes.iter().filter_map(|&id| {
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

    /// The hash that tells the graph from others: [`abeyance_ir::Graph::fingerprint`].
    pub fn fingerprint(&self) -> u64 {
        *self.fingerprint.get_or_init(|| self.frozen.graph.fingerprint())
    }
}

/// The passes that plans go through.
fn passes(options: &SessionOptions) -> Result<PassSet, Error> {
    let all = PassSet::all();
    let all = options.verified.map_or(all, |verified| all.verified_if(verified));
    // A wrong name is an error though no pass is to run.
    let rest = options.without.iter().try_fold(all, |set, name| set.leave_out(name))?;
    Ok(if options.plain { rest.none() } else { rest })
}

fn feed_shapes(feeds: &[Feed<'_>]) -> Vec<FeedShape> {
    let shape =
        |feed: &Feed<'_>| FeedShape { node: feed.node, dtype: feed.dtype, dims: feed.dims.clone() };
    feeds.iter().map(shape).collect()
}

/// The pool of `threads` threads. All sessions of one number share it, and it lasts as long as one
/// of them.
fn workers(threads: usize) -> Result<Arc<ThreadPool>, Error> {
    static SHARED: Mutex<Vec<(usize, Weak<ThreadPool>)>> = Mutex::new(Vec::new());
    let mut shared = SHARED.lock();
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
            .field("variables", &self.variable_nodes.len())
            .field("threads", &self.threads())
            .field("step", &self.step())
            .finish_non_exhaustive()
    }
}
