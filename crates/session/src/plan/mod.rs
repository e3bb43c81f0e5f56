//! Plans: a set of fetches and feed shapes, compiled to a program for the scheduler.
//!
//! The steps, each in a file of its own: what is needed at all ([`prune`]), which sizes everything has ([`sizes`]), in
//! which order variables are written ([`writes`]), the instructions ([`draft`]) and what makes them fewer ([`passes`]), and
//! the tasks and buffers ([`lower`]). The bodies of branches and loops are plans of their own ([`body`]).
//!
//! Plans are kept for runs to come, those that were used last ([`cache`]); the memory in which they run is no plan's own
//! ([`memory`]).

mod body;
mod cache;
mod describe;
mod draft;
mod explain;
mod lower;
mod memory;
mod passes;
mod prune;
mod sizes;
mod writes;

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use abeyance_ir::{Body, DType, Diagnostic, Dims, Graph, Location, NodeId};
use abeyance_scheduler::{BufferId, Program, RunError, TaskId};
use smallvec::SmallVec;

use crate::Error;
use crate::feed::Feed;
pub(crate) use cache::PlanCache;
pub use describe::NodeCost;
pub(crate) use describe::TaskText;
pub use explain::Explanation;
pub(crate) use memory::RunMemory;
pub(crate) use passes::Passes;

/// A variable, by its place among the session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariableIndex(pub(crate) usize);

/// What a plan needs to know of the session it belongs to.
pub(crate) struct Frozen {
    /// The graph, which does not change any more.
    pub(crate) graph: FrozenGraph,
    /// The seed of random streams.
    pub(crate) seed: u64,
    /// By node, the variable it is.
    pub(crate) variables: std::collections::HashMap<NodeId, VariableIndex>,
    /// What plans go through.
    pub(crate) passes: Passes,
    /// Where all plans run.
    pub(crate) memory: Arc<RunMemory>,
}

/// A graph that does not change any more.
pub(crate) enum FrozenGraph {
    /// The session's own copy.
    Own(Box<Graph>),
    /// That of a body, which every plan has in common.
    Body(Arc<Body>),
}

impl Deref for FrozenGraph {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        match self {
            FrozenGraph::Own(graph) => graph,
            FrozenGraph::Body(body) => body.graph(),
        }
    }
}

/// What is fed, by node and sizes: with the fetches, what a plan is made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FeedShape {
    pub(crate) node: NodeId,
    pub(crate) dtype: DType,
    pub(crate) dims: Dims,
}

/// The place of one fetched value.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// An array.
    Tensor { buffer: BufferId, dtype: DType, dims: Dims },
    /// The node was an operation.
    Nothing,
}

/// Fetches at certain feed shapes, ready to run.
pub(crate) struct Plan {
    fetches: SmallVec<[NodeId; 12]>,
    feeds: Vec<FeedShape>,
    pub(crate) program: Program,
    /// By feed, the buffer it is bound to; `None` if nothing needs it.
    pub(crate) fed: Vec<Option<BufferId>>,
    /// Variables that are read, in increasing order.
    pub(crate) reads: Vec<(VariableIndex, BufferId)>,
    /// Variables that are written, in increasing order.
    pub(crate) writes: Vec<(VariableIndex, BufferId)>,
    pub(crate) fetched: Vec<Fetched>,
    /// Whether a random stream is drawn from.
    pub(crate) random: bool,
    /// The node that each task belongs to.
    nodes: Vec<NodeId>,
    /// By task that computes several nodes in one loop, in the order of tasks: the others.
    along: Vec<(TaskId, Vec<NodeId>)>,
    /// The bytes that it takes, the plans of its bodies included.
    pub(crate) bytes: usize,
    /// When it was used last, by the clock of the [`PlanCache`].
    used: AtomicU64,
}

/// The number under which plans are looked up.
pub(crate) fn key(fetches: &[NodeId], feeds: &[Feed<'_>]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    fetches.hash(&mut hasher);
    for feed in feeds {
        feed.node.hash(&mut hasher);
        feed.dims.hash(&mut hasher);
    }
    hasher.finish()
}

impl Plan {
    /// Compiles.
    pub(crate) fn compile(
        frozen: &Frozen,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
    ) -> Result<Plan, Error> {
        Self::compile_inside(frozen, fetches, feeds, None)
    }

    /// Compiles, and tells what came of it.
    pub(crate) fn explain(
        frozen: &Frozen,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
    ) -> Result<Explanation, Error> {
        Self::lower(frozen, fetches, feeds, None, frozen.passes, |plan, draft, buffers| {
            let labels = explain::Labels::new(draft, buffers, fetches);
            plan.explanation(&frozen.graph, &labels)
        })
    }

    /// Compiles, and gives the names of what tasks read and write.
    fn labels(
        frozen: &Frozen,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
    ) -> Result<explain::Labels, Error> {
        Self::lower(frozen, fetches, feeds, None, frozen.passes, |_, draft, buffers| {
            explain::Labels::new(draft, buffers, fetches)
        })
    }

    /// Compiles, where the graph is a body with the sizes around it.
    fn compile_inside(
        frozen: &Frozen,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
        outside: Option<&sizes::Sizes<'_>>,
    ) -> Result<Plan, Error> {
        Self::lower(frozen, fetches, feeds, outside, frozen.passes, |plan, _, _| plan)
    }

    /// Compiles without any pass, so that each node is a task of its own, and gives what each costs.
    pub(crate) fn costs(
        frozen: &Frozen,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
    ) -> Result<Vec<NodeCost>, Error> {
        let plain = Passes { optimize: false };
        Self::lower(frozen, fetches, feeds, None, plain, |plan, _, _| plan.node_costs(frozen))
    }

    /// Compiles, and gives `with` what is known at the end.
    fn lower<R>(
        frozen: &Frozen,
        fetches: &[NodeId],
        feeds: Vec<FeedShape>,
        outside: Option<&sizes::Sizes<'_>>,
        passes: Passes,
        with: impl FnOnce(Plan, &draft::Draft<'_>, &[Option<BufferId>]) -> R,
    ) -> Result<R, Error> {
        let needed = prune::Needed::new(&frozen.graph, fetches, &feeds)?;
        let sizes = sizes::Sizes::new(&frozen.graph, &needed, &feeds, outside)?;
        let writes = writes::Writes::new(&frozen.graph, &needed)?;
        let mut draft = draft::Draft::new(frozen, &needed, &sizes, &writes, &feeds, passes)?;
        if passes.optimize {
            passes::interleave::interleave(&mut draft, fetches)?;
        }
        lower::Lower::new(draft, fetches).compile(fetches, feeds, passes, with)
    }

    /// Whether it was made for these fetches and feeds.
    pub(crate) fn fits(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> bool {
        self.fetches[..] == *fetches
            && self.feeds.len() == feeds.len()
            && self.feeds.iter().zip(feeds).all(|(shape, feed)| {
                shape.node == feed.node && shape.dtype == feed.dtype && shape.dims == feed.dims
            })
    }

    /// The bytes that it takes, without what its loops hold beyond themselves.
    fn own_bytes(&self) -> usize {
        let spilled = match self.fetches.spilled() {
            true => self.fetches.capacity() * size_of::<NodeId>(),
            false => 0,
        };
        let along = self.along.iter().map(|(_, nodes)| nodes.capacity() * size_of::<NodeId>());
        size_of::<Self>()
            + self.program.bytes()
            + spilled
            + self.feeds.capacity() * size_of::<FeedShape>()
            + self.fed.capacity() * size_of::<Option<BufferId>>()
            + (self.reads.capacity() + self.writes.capacity())
                * size_of::<(VariableIndex, BufferId)>()
            + self.fetched.capacity() * size_of::<Fetched>()
            + self.nodes.capacity() * size_of::<NodeId>()
            + self.along.capacity() * size_of::<(TaskId, Vec<NodeId>)>()
            + along.sum::<usize>()
    }

    /// What went wrong, in the graph's terms.
    pub(crate) fn blame(&self, graph: &Graph, error: RunError) -> Error {
        let node = |task: TaskId| self.nodes.get(task.0 as usize).copied();
        let (task, message, kind): (_, _, fn(Box<Diagnostic>) -> Error) = match error {
            RunError::Failed { task, failure } => (task, failure.0, Error::Node),
            RunError::Panicked { task, message } => {
                (task, format!("its kernel panicked: {message}"), Error::Panic)
            }
            other => return Error::Internal(other.to_string()),
        };
        match node(task) {
            Some(node) => kind(Box::new(graph.diagnose(node, abeyance_ir::Fault::new(message)))),
            None => Error::Internal(message),
        }
    }
}

/// Names of nodes, for messages about several of them.
fn about(graph: &Graph, message: String, nodes: &[NodeId]) -> Diagnostic {
    nodes.iter().fold(Diagnostic::new(message, Location::Unknown), |diagnostic, &node| {
        diagnostic.note(graph.describe(node), graph.node(node).location)
    })
}
