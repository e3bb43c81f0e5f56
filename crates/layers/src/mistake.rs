//! Telling the graph what cannot be built.

use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Element, Tensor, ops::source::Invalid};
use abeyance_ir::{Diagnostic, Location};

/// Remembers what is wrong with a layer's input, and gives an invalid tensor to go on with.
#[track_caller]
pub(crate) fn reject<'g, T: Element>(
    x: Tensor<'g, T>,
    message: String,
    help: &str,
) -> Tensor<'g, T> {
    let graph = x.graph();
    let location: Location = graph.build(|ir| ir.context().location);
    let diagnostic = {
        let ir = graph.ir();
        let node = ir.node(x.id());
        Diagnostic::new(message, location)
            .node(&*node.name)
            .note(ir.describe(x.id()), node.location)
            .help(help)
    };
    graph.any(graph.reject(diagnostic)).assume()
}

/// True if it is the result of a mistake that the graph knows of.
pub(crate) fn is_told<T: Element>(x: Tensor<'_, T>) -> bool {
    x.graph().ir().shape(x.id()).is_none()
}

/// Stands in where the mistake has been told.
#[track_caller]
pub(crate) fn invalid<'g, T: Element>(x: Tensor<'g, T>) -> Tensor<'g, T> {
    let graph = x.graph();
    graph.apply(&Invalid, &[], ()).assume()
}
