//! Names for nodes made on a user's behalf, which must not fail because a name is taken.

use abeyance_graph::raw::GraphExt;
use abeyance_graph::{AnyTensor, Graph, Scope};

/// Names a node `base` in the current scope, with a suffix if that is taken.
#[track_caller]
pub(crate) fn name(node: AnyTensor<'_>, base: &str) {
    let graph = node.graph();
    let free = graph.free_name(base);
    graph.build(|ir| ir.rename(node.id(), &free));
}

/// Until the guard is dropped, names of new nodes are put behind `prefix` as it is.
#[track_caller]
pub(crate) fn enter<'g>(graph: &'g Graph, prefix: &str) -> Scope<'g> {
    let role = graph.ir().context().role;
    let scope = graph.role(role);
    graph.build(|ir| prefix.clone_into(&mut ir.context_mut().scope));
    scope
}

/// Begins a scope for variables, which do not wait for what the nodes around them run after.
#[track_caller]
pub(crate) fn enter_state<'g>(graph: &'g Graph, prefix: &str) -> Scope<'g> {
    let scope = enter(graph, prefix);
    graph.build(|ir| ir.context_mut().controls.clear());
    scope
}
