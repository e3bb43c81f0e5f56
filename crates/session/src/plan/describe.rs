//! A plan's tasks in the graph's words, for traces.

use abeyance_scheduler::TaskId;

use super::labels::Labels;
use super::{Plan, SessionGraph};

/// A task of a plan in the graph's words.
#[derive(Clone, Debug)]
pub(crate) struct TaskText {
    /// The names of the nodes that it computes: one, or several in one loop.
    pub(crate) names: Vec<Box<str>>,
    /// The names of the nodes as one text.
    pub(crate) nodes: String,
    /// The operator of the first node.
    pub(crate) operator: &'static str,
    /// The nodes as they print.
    pub(crate) calls: String,
    /// The buffers that it reads: names, element types and sizes.
    pub(crate) reads: Vec<String>,
    /// The buffers that it writes: names, element types and sizes.
    pub(crate) writes: Vec<String>,
    /// The element types and sizes of the buffers that it writes.
    pub(crate) types: String,
    /// Arithmetic operations of all parts together.
    pub(crate) flops: f64,
    /// Bytes read and written by all parts together.
    pub(crate) bytes: f64,
    pub(crate) parts: Parts,
}

/// The parts that a task is cut into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) count: u32,
    /// Bytes of the first buffer that it fills.
    length: usize,
    /// Bytes of a part of that buffer.
    chunk: usize,
}

impl Parts {
    /// The fraction of the task's work that a part has.
    pub(crate) fn share(&self, part: u32) -> f64 {
        let start = (part as usize).saturating_mul(self.chunk).min(self.length);
        (self.length - start).min(self.chunk) as f64 / self.length.max(1) as f64
    }
}

impl Plan {
    /// The text of each task.
    pub(crate) fn describe(&self, session: &SessionGraph) -> Vec<TaskText> {
        let labels = Labels::new(self, session);
        let graph = &session.graph;
        let mut fused = self.fused_nodes.iter().peekable();
        let tasks = (0..self.program.tasks()).filter_map(|index| {
            let id = TaskId(index as u32);
            let (task, &node) = (self.program.task(id)?, self.nodes.get(index)?);
            let others = fused.next_if(|(task, _)| *task == id).map_or(&[][..], |(_, nodes)| nodes);
            let all = || std::iter::once(&node).chain(others);
            let names: Vec<&str> = all().map(|&node| &*graph.node(node).name).collect();
            let calls: Vec<String> = all().map(|&node| graph.print_call(node)).collect();
            let types = task.writes.iter().map(|write| labels.types(self, write.buffer));
            let first = task.writes.first();
            let length = first.and_then(|write| self.program.buffer(write.buffer));
            Some(TaskText {
                operator: graph.node(node).operator.signature().name,
                nodes: names.join(", "),
                names: names.into_iter().map(Box::from).collect(),
                calls: calls.join("; "),
                reads: task.reads.iter().map(|&buffer| labels.of(self, buffer)).collect(),
                writes: task.writes.iter().map(|write| labels.of(self, write.buffer)).collect(),
                types: types.collect::<Vec<_>>().join(", "),
                flops: task.cost.flops,
                bytes: task.cost.bytes,
                parts: Parts {
                    count: task.parts,
                    length: length.map_or(0, |buffer| buffer.length),
                    chunk: first.map_or(0, |write| write.chunk),
                },
            })
        });
        tasks.collect()
    }
}

/// The cost of a node by itself: [`Session::costs`](crate::Session::costs).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeCost {
    /// The node's name.
    pub node: Box<str>,
    /// The number of arithmetic operations; a transcendental function counts as about 20.
    pub flops: f64,
    /// The bytes read and written, were nothing in a cache.
    pub bytes: f64,
}

impl Plan {
    /// The cost of each node's tasks together, in the order of the graph.
    pub(crate) fn node_costs(&self, session: &SessionGraph) -> Vec<NodeCost> {
        let mut costs = std::collections::BTreeMap::new();
        for (index, &node) in self.nodes.iter().enumerate() {
            let Some(task) = self.program.task(TaskId(index as u32)) else { continue };
            let (flops, bytes) = costs.entry(node).or_insert((0.0, 0.0));
            *flops += task.cost.flops;
            *bytes += task.cost.bytes;
        }
        let named = costs.into_iter().map(|(node, (flops, bytes))| NodeCost {
            node: (&*session.graph.node(node).name).into(),
            flops,
            bytes,
        });
        named.collect()
    }
}
