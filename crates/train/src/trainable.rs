//! Which variables a loss can teach, and what to say if there are none.

use abeyance_graph::ops::source::{Variable, VariableAttributes};
use abeyance_graph::raw::GraphExt;
use abeyance_graph::{AnyTensor, Graph};
use abeyance_ir::{Diagnostic, Differentiability, Effect, Graph as Ir, Location, NodeId, Type};
use abeyance_session::{Unconnected, gradients_of};

use crate::Gradients;

/// The variables that optimizers change, in the order in which they were made: TensorFlow's
/// `tf.trainable_variables`.
pub fn trainable_variables(graph: &Graph) -> Vec<AnyTensor<'_>> {
    let ir = graph.ir();
    ir.iter().filter(|&(id, _)| is_trainable(&ir, id)).map(|(id, _)| graph.any(id)).collect()
}

/// The gradients of a loss with respect to the trainable variables that it depends on by a path of
/// derivatives.
#[track_caller]
pub(crate) fn compute_gradients(loss: AnyTensor<'_>) -> Gradients<'_> {
    let graph = loss.graph();
    let _call = graph.call("compute_gradients");
    if !is_loss(loss) {
        return Gradients::rejected(graph);
    }
    let variables: Vec<AnyTensor<'_>> = {
        let ir = graph.ir();
        let path = path(&ir, loss.id());
        (0..=loss.id().index())
            .map(NodeId::new)
            .filter(|&node| path[node.index()] && is_trainable(&ir, node))
            .map(|node| graph.any(node))
            .collect()
    };
    if variables.is_empty() {
        explain_absence(loss);
        return Gradients::rejected(graph);
    }
    gradients_for(loss, &variables)
}

/// The gradients of a loss with respect to these variables.
#[track_caller]
pub(crate) fn compute_gradients_of<'g>(
    loss: AnyTensor<'g>,
    variables: &[AnyTensor<'g>],
) -> Gradients<'g> {
    let graph = loss.graph();
    let _call = graph.call("compute_gradients_of");
    if !is_loss(loss) {
        return Gradients::rejected(graph);
    }
    gradients_for(loss, variables)
}

fn gradients_for<'g>(loss: AnyTensor<'g>, variables: &[AnyTensor<'g>]) -> Gradients<'g> {
    let gradients = gradients_of(loss, variables, Unconnected::Mistake);
    Gradients::new(loss.graph(), variables.iter().copied().zip(gradients))
}

/// Where nodes that are made now are said to come from.
#[track_caller]
pub(crate) fn here(graph: &Graph) -> Location {
    graph.build(|ir| ir.context().location)
}

/// True if it is one number; else the graph is told.
#[track_caller]
fn is_loss(loss: AnyTensor<'_>) -> bool {
    let graph = loss.graph();
    let location = here(graph);
    let (fault, help) = {
        let ir = graph.ir();
        match &ir.node(loss.id()).ty {
            Type::Invalid => return false,
            Type::Operation => ("has no value", "minimize a tensor"),
            Type::Tuple(_) => ("has several results", "minimize one of them"),
            Type::Tensor(tensor) if !tensor.dtype.is_float() => {
                ("has no derivatives", "only tensors of f32 and f64 have: convert with `cast`")
            }
            Type::Tensor(tensor) if !tensor.shape.is_empty() => {
                ("is not one number", "reduce it first, with `reduce_mean(..)` or `reduce_sum(..)`")
            }
            Type::Tensor(_) => return true,
        }
    };
    let diagnostic = {
        let ir = graph.ir();
        let node = ir.node(loss.id());
        Diagnostic::new(format!("the loss `{}` {fault}", ir.describe(loss.id())), location)
            .node(&*node.name)
            .note(ir.print_call(loss.id()), node.location)
            .help(help)
    };
    graph.build(|ir| ir.report_call(diagnostic));
    false
}

pub(crate) fn is_variable(ir: &Ir, node: NodeId) -> bool {
    ir.node(node).operator.signature().effect == Effect::Read
}

pub(crate) fn is_trainable(ir: &Ir, node: NodeId) -> bool {
    ir.node(node).is(&Variable) && ir.node(node).attributes.read::<VariableAttributes>().trainable
}

/// The nodes with floats among their results that the loss depends on through nothing but nodes
/// that have derivatives. Operands are older than their users, so one sweep finds them.
fn path(ir: &Ir, loss: NodeId) -> Vec<bool> {
    let is_float = |node: NodeId| {
        let mut items = ir.node(node).ty.items().iter();
        items.any(|tensor| tensor.dtype.is_float())
    };
    let mut path = vec![false; loss.index() + 1];
    path[loss.index()] = is_float(loss);
    for index in (0..path.len()).rev() {
        let node = ir.node(NodeId::new(index));
        let ends =
            matches!(node.operator.signature().differentiability, Differentiability::None(_));
        if !path[index] || ends {
            continue;
        }
        for &operand in &node.operands {
            path[operand.index()] |= is_float(operand);
        }
    }
    path
}

/// Says why a loss teaches nothing.
#[track_caller]
fn explain_absence(loss: AnyTensor<'_>) {
    let graph = loss.graph();
    let location = here(graph);
    let (cut_off, diagnostic) = {
        let ir = graph.ir();
        let upstream = ir.ancestors([loss.id()], |_| false);
        let find = |wanted: &dyn Fn(NodeId) -> bool| {
            let mut nodes = ir.iter().map(|(id, _)| id);
            nodes.find(|&id| wanted(id))
        };
        let depends = |id: NodeId| upstream.contains(id.index());
        let cut_off = find(&|id| depends(id) && is_trainable(&ir, id));
        let frozen = find(&|id| depends(id) && is_variable(&ir, id));
        let elsewhere = find(&|id| is_trainable(&ir, id));
        let node = ir.node(loss.id());
        let diagnostic = Diagnostic::new(
            format!("the loss `{}` depends on no trainable variable", node.name),
            location,
        )
        .node(&*node.name)
        .note(ir.print_call(loss.id()), node.location);
        let diagnostic = match (frozen, elsewhere) {
            (Some(frozen), _) => diagnostic
                .note(ir.describe(frozen), ir.node(frozen).location)
                .help("`g.state` makes variables that optimizers leave alone; `g.variable` makes those they change"),
            (None, Some(elsewhere)) => diagnostic
                .note(
                    format!("`{}` is trainable, but not what the loss depends on", ir.describe(elsewhere)),
                    ir.node(elsewhere).location,
                )
                .help("build the loss from the variables it is to teach"),
            (None, None) => diagnostic.help("make one with `g.variable(name, initial)`"),
        };
        (cut_off, diagnostic)
    };
    match cut_off {
        // Differentiating names the node at which the path ends.
        Some(variable) => {
            gradients_of(loss, &[graph.any(variable)], Unconnected::Mistake);
        }
        None => graph.build(|ir| ir.report_call(diagnostic)),
    }
}
