//! The order of several writes of one variable.

use std::collections::HashMap;

use abeyance_ir::{Effect, Graph, NodeId};

use super::needed::LiveNodes;
use crate::Error;

/// The chain of writes of each variable.
pub(crate) struct WriteOrder {
    /// By write, the write of the same variable before it.
    before: HashMap<NodeId, NodeId>,
    /// By variable, its last write.
    last: HashMap<NodeId, NodeId>,
}

impl WriteOrder {
    /// Chains the writes of each variable. Two that no dependency orders are refused.
    pub(crate) fn new(graph: &Graph, needed: &LiveNodes) -> Result<Self, Error> {
        let mut order = Self { before: HashMap::new(), last: HashMap::new() };
        for node in needed.iter() {
            let data = graph.node(node);
            if data.operator.signature().effect != Effect::Write || needed.is_fed(node) {
                continue;
            }
            let Some(&variable) = data.operands.first() else {
                continue;
            };
            if let Some(earlier) = order.last.insert(variable, node) {
                if !graph.ancestors([node], |_| false).contains(earlier.index()) {
                    return Err(unordered(graph, variable, earlier, node));
                }
                order.before.insert(node, earlier);
            }
        }
        Ok(order)
    }

    /// The write whose result this one starts from; `None` for the variable's value before the run.
    pub(crate) fn before(&self, write: NodeId) -> Option<NodeId> {
        self.before.get(&write).copied()
    }

    /// True if this write's result is the variable's value after the run.
    pub(crate) fn is_last(&self, variable: NodeId, write: NodeId) -> bool {
        self.last.get(&variable) == Some(&write)
    }
}

fn unordered(graph: &Graph, variable: NodeId, first: NodeId, second: NodeId) -> Error {
    let mut diagnostic = super::about(
        graph,
        format!(
            "this run writes the variable `{}` twice, and nothing says which write comes first",
            graph.node(variable).name
        ),
        &[variable],
    );
    for write in [first, second] {
        diagnostic = diagnostic.note(graph.print_call(write), graph.node(write).location);
    }
    Error::Request(
        diagnostic
            .help("make the second in the scope of `let _after = g.after([first]);`, or run them one after the other")
            .into(),
    )
}
