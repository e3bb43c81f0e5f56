//! Plans: a set of fetches and feed shapes, compiled to a program for the scheduler.
//!
//! [`compiler::compile`] is all of it, in stages: the nodes that are live ([`needed`]), their
//! shapes ([`shapes`]), the order of each variable's writes ([`write_order`]), a [`draft`] of
//! instructions, the [`passes`] over it, the verification of each pass ([`mod@verify`]), and tasks
//! over buffers ([`emit`]). The bodies of branches and loops are plans of their own ([`body`]).
//!
//! Plans are kept for runs to come, those that were used last ([`cache`]); the memory in which they
//! run belongs to the session ([`memory`]).

mod body;
mod cache;
mod compiler;
mod describe;
mod display;
mod draft;
mod emit;
mod explain;
mod fused;
mod labels;
mod lowering;
mod memory;
mod needed;
mod passes;
mod shapes;
#[cfg(test)]
mod tests;
mod translate;
mod verify;
mod write_order;

use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use abeyance_ir::{Body, DType, Diagnostic, Dims, Graph, Layout, Location, NodeId};
use abeyance_scheduler::{BufferId, Program, RunError, TaskId};
use smallvec::SmallVec;

use crate::Error;
use crate::feed::Feed;
pub(crate) use cache::PlanCache;
pub(crate) use compiler::{Request, compile, compile_watched};
pub use describe::NodeCost;
pub(crate) use describe::TaskText;
pub use explain::Explanation;
pub(crate) use memory::RunMemory;
pub(crate) use passes::{PassSet, optional};

/// A variable, by its index among the session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct VariableIndex(pub(crate) usize);

/// A session's graph, and all else of the session that a plan depends on.
pub(crate) struct SessionGraph {
    /// The graph, which does not change any more.
    pub(crate) graph: FrozenGraph,
    /// The seed of random streams.
    pub(crate) seed: u64,
    /// By node, its variable.
    pub(crate) variables: std::collections::HashMap<NodeId, VariableIndex>,
    /// The passes that its plans go through.
    pub(crate) passes: PassSet,
    /// The memory in which its plans run.
    pub(crate) memory: Arc<RunMemory>,
}

/// A graph that does not change any more.
pub(crate) enum FrozenGraph {
    /// The session's own copy.
    Own(Box<Graph>),
    /// The graph of a body, which all plans of the body share.
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

/// A fed node with its element type and sizes: with the fetches, what a plan is made for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FeedShape {
    pub(crate) node: NodeId,
    pub(crate) dtype: DType,
    pub(crate) dims: Dims,
}

/// The buffer of one fetched value.
#[derive(Debug)]
pub(crate) enum FetchSlot {
    /// An array.
    Tensor { buffer: BufferId, dtype: DType, dims: Dims },
    /// No value: the node is an operation.
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
    pub(crate) fetched: Vec<FetchSlot>,
    /// True if a random stream is drawn from.
    pub(crate) random: bool,
    /// The node that each task belongs to.
    nodes: Vec<NodeId>,
    /// By task that computes several nodes in one loop, in the order of tasks: the others.
    fused_nodes: Vec<(TaskId, Vec<NodeId>)>,
    /// The node whose value each buffer holds, by which traces and explanations name it; a buffer
    /// without one is scratch. Empty in the plan of a body, whose tasks nobody lists.
    values: Vec<(BufferId, NodeId)>,
    /// The layouts of those of `values` that are not row-major.
    layouts: Vec<(BufferId, Layout)>,
    /// The bytes that it takes, the plans of its bodies included.
    pub(crate) bytes: usize,
    /// The time of its last use, by the clock of the [`PlanCache`].
    used: AtomicU64,
}

/// The hash of fetches and feed shapes, under which plans are looked up.
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
    /// True if it was made for these fetches and feeds.
    pub(crate) fn fits(&self, fetches: &[NodeId], feeds: &[Feed<'_>]) -> bool {
        self.fetches[..] == *fetches
            && self.feeds.len() == feeds.len()
            && self.feeds.iter().zip(feeds).all(|(shape, feed)| {
                shape.node == feed.node && shape.dtype == feed.dtype && shape.dims == feed.dims
            })
    }

    /// The bytes that it takes, without what its loops hold beyond themselves.
    fn own_bytes(&self) -> usize {
        let spilled =
            if self.fetches.spilled() { self.fetches.capacity() * size_of::<NodeId>() } else { 0 };
        let fused =
            self.fused_nodes.iter().map(|(_, nodes)| nodes.capacity() * size_of::<NodeId>());
        size_of::<Self>()
            + self.program.bytes()
            + spilled
            + self.feeds.capacity() * size_of::<FeedShape>()
            + self.fed.capacity() * size_of::<Option<BufferId>>()
            + (self.reads.capacity() + self.writes.capacity())
                * size_of::<(VariableIndex, BufferId)>()
            + self.fetched.capacity() * size_of::<FetchSlot>()
            + self.nodes.capacity() * size_of::<NodeId>()
            + self.fused_nodes.capacity() * size_of::<(TaskId, Vec<NodeId>)>()
            + fused.sum::<usize>()
            + self.values.capacity() * size_of::<(BufferId, NodeId)>()
            + self.layouts.capacity() * size_of::<(BufferId, Layout)>()
    }

    /// The error of a failed run, with the node whose task failed.
    pub(crate) fn attribute_error(&self, graph: &Graph, error: RunError) -> Error {
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

/// A diagnostic about several nodes, each named with its place.
fn about(graph: &Graph, message: String, nodes: &[NodeId]) -> Diagnostic {
    nodes.iter().fold(Diagnostic::new(message, Location::Unknown), |diagnostic, &node| {
        diagnostic.note(graph.describe(node), graph.node(node).location)
    })
}
