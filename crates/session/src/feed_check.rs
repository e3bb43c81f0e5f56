//! Checks that a graph can take the values that are fed, before a plan is made. All that do not fit
//! are reported together.

use std::collections::HashMap;

use abeyance_ir::{Concrete, Diagnostic, Diagnostics, Dim, Graph, Location, NodeId, SymbolId};

use crate::Error;
use crate::feed::Feed;

/// Checks that no tensor is fed twice, and that each is fed elements of its type, in a shape that
/// it can have beside the others.
///
/// # Errors
/// All feeds that do not fit.
pub(crate) fn check(graph: &Graph, feeds: &[Feed<'_>]) -> Result<(), Error> {
    let mut mistakes = Vec::new();
    let mut sizes = HashMap::new();
    for (index, feed) in feeds.iter().enumerate() {
        let name = &graph.node(feed.node).name;
        if feeds[..index].iter().any(|other| other.node == feed.node) {
            mistakes.push(about(graph, feed.node, format!("`{name}` is fed twice")));
        }
        let given = Concrete::new(feed.dtype, &feed.dims);
        let ty = graph.node(feed.node).ty.tensor();
        if ty.map(|tensor| tensor.dtype) != Some(feed.dtype) {
            let message = format!("`{name}` cannot hold the {} it is fed", feed.dtype);
            mistakes.push(advised(graph, feed.node, given, about(graph, feed.node, message)));
        }
        let Some(tensor) = ty else {
            continue;
        };
        if tensor.shape.len() != feed.dims.len() {
            let message = format!(
                "`{name}` has {} dimension{} and was fed an array of shape {:?}",
                tensor.shape.len(),
                if tensor.shape.len() == 1 { "" } else { "s" },
                &feed.dims[..]
            );
            mistakes.push(advised(graph, feed.node, given, about(graph, feed.node, message)));
            continue;
        }
        for (axis, (&dim, &size)) in tensor.shape.iter().zip(&feed.dims).enumerate() {
            mistakes.extend(check_size(graph, feed, axis, (dim, size), &mut sizes));
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Error::Request(Diagnostics(mistakes))) }
}

/// The sizes of unknown dimensions, each with the tensor that gave it, and the symbol that it has
/// in that tensor.
type Sizes = HashMap<SymbolId, (NodeId, SymbolId, usize)>;

/// Checks a size against the one that the graph, or an array that was fed before, gives the
/// dimension. Returns the mistake, if there is one.
fn check_size(
    graph: &Graph,
    feed: &Feed<'_>,
    axis: usize,
    (dim, size): (Dim, usize),
    sizes: &mut Sizes,
) -> Option<Diagnostic> {
    let symbols = graph.symbols();
    let name = &graph.node(feed.node).name;
    let fed = |is: String| {
        format!("`{name}` was fed an array of shape {:?}: dimension {axis} is {is}", &feed.dims[..])
    };
    match (dim, symbols.resolve(dim)) {
        (_, Dim::Known(known)) if known == size => None,
        (Dim::Known(_), Dim::Known(known)) => {
            Some(about(graph, feed.node, fed(format!("{known}, not {size}"))))
        }
        (Dim::Symbol(own), Dim::Known(known)) => {
            let diagnostic = about(graph, feed.node, fed(format!("{known}, not {size}")));
            let text = format!("made dimension {axis} of `{name}` {known}");
            Some(determined_by(graph, diagnostic, &symbols.causes(own), &text))
        }
        (_, Dim::Symbol(symbol)) => {
            let own = match dim {
                Dim::Symbol(own) => own,
                Dim::Known(_) => symbol,
            };
            let &mut (other, others, before) =
                sizes.entry(symbol).or_insert((feed.node, own, size));
            let called = symbols.name(symbol);
            if before == size {
                return None;
            }
            if other == feed.node {
                let is = format!("{size} where another {called} is {before}");
                return Some(about(graph, feed.node, fed(is)));
            }
            let message = format!(
                "the dimension {called} is {before} in what was fed to `{}` and {size} in what was fed to `{name}`",
                graph.node(other).name,
            );
            let diagnostic = Diagnostic::new(message, Location::Unknown)
                .note(graph.describe(other), graph.node(other).location)
                .note(graph.describe(feed.node), graph.node(feed.node).location)
                .help("both must have the same size: feed batches that belong together");
            // What made both equal is on the one way to the common symbol or on the other.
            let [mine, theirs] = [own, others].map(|symbol| symbols.causes(symbol));
            let only = |of: &[NodeId], other: &[NodeId]| -> Vec<NodeId> {
                of.iter().copied().filter(|id| !other.contains(id)).collect()
            };
            let causes = [only(&mine, &theirs), only(&theirs, &mine)].concat();
            let text = format!("needs the two to be equal, {called}");
            Some(determined_by(graph, diagnostic, &causes, &text))
        }
    }
}

/// Adds the nodes that determined a size to a diagnostic.
fn determined_by(graph: &Graph, diagnostic: Diagnostic, by: &[NodeId], text: &str) -> Diagnostic {
    by.iter().take(3).fold(diagnostic, |diagnostic, &id| {
        let node = graph.node(id);
        let what = match node.call {
            Some(call) => call.name().to_owned(),
            None => graph.print_call(id),
        };
        diagnostic.note(format!("`{what}` {text}"), node.location)
    })
}

fn about(graph: &Graph, node: NodeId, message: String) -> Diagnostic {
    Diagnostic::new(message, Location::Unknown)
        .node(&*graph.node(node).name)
        .note(graph.describe(node), graph.node(node).location)
}

/// Adds the advice of an operator that takes the fed tensor.
fn advised(graph: &Graph, node: NodeId, given: Concrete<'_>, diagnostic: Diagnostic) -> Diagnostic {
    let Some(wanted) = graph.node(node).ty.tensor() else {
        return diagnostic;
    };
    let advice = graph.users(node).find_map(|user| {
        let data = graph.node(user);
        let place = data.operands.iter().position(|&operand| operand == node)?;
        Some((user, data.operator.advise(place, wanted, given)?))
    });
    match advice {
        None => diagnostic,
        Some((user, advice)) => diagnostic
            .note(format!("goes to {}", graph.print_call(user)), graph.node(user).location)
            .help(advice),
    }
}
