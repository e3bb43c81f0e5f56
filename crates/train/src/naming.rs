//! Names for nodes made on a user's behalf, which must not fail because a name is taken.

use abeyance_graph::{AnyTensor, Element, Graph, Scope, Tensor};

/// `base`, or the first of `base_1`, `base_2`, ... that no node has in the current scope.
pub(crate) fn free_name(graph: &Graph, base: &str) -> String {
    let ir = graph.ir();
    let scope = &ir.context().scope;
    let is_free = |name: &str| ir.find(&format!("{scope}{name}")).is_none();
    if is_free(base) {
        return base.to_owned();
    }
    (1..)
        .map(|count: u64| format!("{base}_{count}"))
        .find(|name| is_free(name))
        .unwrap_or_default()
}

/// Names a node `base` in the current scope, with a suffix if that is taken.
#[track_caller]
pub(crate) fn name(node: AnyTensor<'_>, base: &str) {
    let graph = node.graph();
    let free = free_name(graph, base);
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

/// The same for variables, which do not wait for what the nodes around them run after.
#[track_caller]
pub(crate) fn enter_state<'g>(graph: &'g Graph, prefix: &str) -> Scope<'g> {
    let scope = enter(graph, prefix);
    graph.build(|ir| ir.context_mut().controls.clear());
    scope
}

/// What `build` makes, called `base` (`base_1` where that is taken), with the nodes that lead to it behind `base/`.
#[track_caller]
pub(crate) fn within<'g, T: Element>(
    graph: &'g Graph,
    base: &str,
    build: impl FnOnce() -> Tensor<'g, T>,
) -> Tensor<'g, T> {
    let (tensor, path) = {
        let _scope = graph.scope(base);
        let tensor = build();
        (tensor, graph.ir().context().scope.clone())
    };
    let path = path.trim_end_matches('/');
    name(tensor.erase(), path.rsplit('/').next().unwrap_or(path));
    tensor
}
