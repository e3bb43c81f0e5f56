//! Branches and loops: operators that hold graphs of their own ([`Body`]) and run one of them, or
//! one again and again.
//!
//! The body of a branch or loop is described by a closure. The handles that it is given belong to
//! the body; a tensor of the graph around it that meets one of them is captured: it becomes an
//! operand of the branch or loop. What is computed from tensors of the outside alone is built
//! outside, where it is computed once and whether or not the body runs.
//!
//! A body runs on the thread that runs its node, one node after the other. Its random nodes draw
//! from streams keyed by the body's name and their own, in each iteration of a loop anew; gradients
//! draw the same numbers again.
//!
//! That a derivative exists is decided by nodes, not by what is inside of their bodies: a tensor
//! that a branch or loop uses without depending on it has zeros for its derivative.

mod cond;
mod condition;
mod derive;
mod repeat;
mod scan;
mod scan_gradient;
mod while_gradient;
mod while_loop;

use std::cell::RefCell;

use abeyance_ir::{
    Attributes, Body, Fault, Graph as Ir, Inference, NodeId, Operator, OperatorRef, Split,
    TensorType,
};

use crate::{Expr, Graph, TensorTuple};

pub use cond::{Cond, CondAttributes};
pub use condition::WhileLoopAttributes;
pub use scan::{Scan, ScanAttributes};
pub use while_gradient::{WhileGradient, WhileGradientAttributes};
pub use while_loop::WhileLoop;

/// This family's operators.
pub static OPERATORS: &[&dyn Operator] =
    &[&abeyance_ir::Input, &Cond, &WhileLoop, &WhileGradient, &Scan];

/// The last part of a name.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Makes two types equal; `Err` as they print if they cannot be.
fn unify(
    cx: &mut Inference<'_>,
    a: &TensorType,
    b: &TensorType,
) -> Result<TensorType, [String; 2]> {
    let both = [cx.display_type(a), cx.display_type(b)];
    let shape = if a.dtype == b.dtype { cx.same_shape(&a.shape, &b.shape).ok() } else { None };
    match shape {
        Some(shape) => Ok(TensorType::new(a.dtype, shape)),
        None => Err(both),
    }
}

/// Checks that a body is given the type that it takes at a place.
pub(super) fn give(
    cx: &mut Inference<'_>,
    body: &Body,
    place: usize,
    given: &TensorType,
) -> Result<(), Fault> {
    let name = body.graph().name();
    let Some(taken) = body.input(place) else {
        return Err(Fault::new(format!(
            "the body `{name}` has {} inputs, and is given more",
            body.inputs().len()
        )));
    };
    unify(cx, given, &taken).map(|_| ()).map_err(|[given, taken]| {
        Fault::new(format!(
            "the body `{name}` takes `{}` as {taken}, and is given {given}",
            body.input_name(place)
        ))
    })
}

/// The type that a body gives at a place, which has to be known outside.
fn output(cx: &Inference<'_>, body: &Body, place: usize) -> Result<TensorType, Fault> {
    let name = body.graph().name();
    let Some(given) = body.output(place) else {
        return Err(Fault::new(format!("the body `{name}` gives too little")));
    };
    match given.shape.iter().find(|&&dim| cx.is_inner(dim)) {
        None => Ok(given),
        Some(_) => Err(Fault::new(format!(
            "the body `{name}` gives {}, a size of which only the body knows",
            cx.display_type(&given)
        ))
        .help("reshape it to a size that is known outside, or reduce it in the body")),
    }
}

/// How the outputs of a loop's body lie, of which the first are carried to its first inputs: a
/// carried value that an iteration leaves otherwise than it was is mixed. `inputs` become what
/// holds for all iterations.
pub(super) fn carried(
    inputs: &mut [Split],
    count: usize,
    run: impl Fn(&[Split]) -> Vec<Split>,
) -> Vec<Split> {
    loop {
        let mut outputs = run(inputs);
        let mut changed = false;
        for (before, after) in inputs.iter_mut().zip(&mut outputs).take(count) {
            if *before != *after && *before != Split::Mixed {
                *before = Split::Mixed;
                changed = true;
            }
            after.clone_from(before);
        }
        if !changed {
            return outputs;
        }
    }
}

/// Checks that a carried value has one type in all iterations.
pub(super) fn invariant(
    cx: &mut Inference<'_>,
    body: &Body,
    place: usize,
    first: &TensorType,
) -> Result<TensorType, Fault> {
    let Some(next) = body.output(place) else {
        return Err(Fault::new(format!("the body `{}` gives too little", body.graph().name())));
    };
    unify(cx, first, &next).map_err(|[first, next]| {
        Fault::new(format!(
            "the carried value {place}, `{}`, is {first} at first and {next} after an iteration",
            body.input_name(place)
        ))
        .help("what a loop carries keeps its element type and shape: pad it to the largest, or collect it with `scan`")
    })
}

/// The body of a sample: what `build` makes of inputs of these names, all of one type.
fn sample_body<const N: usize>(
    name: &str,
    inputs: [&str; N],
    ty: &TensorType,
    build: impl for<'e> FnOnce([Expr<'e>; N]) -> Expr<'e>,
) -> Body {
    let graph = RefCell::new(Ir::default().for_body(name));
    let inputs = inputs.map(|name| graph.borrow_mut().input(name, ty.clone()));
    let output = build(inputs.map(|id| Expr::new(&graph, id))).id();
    Body::new(graph.into_inner(), vec![output])
}

impl Graph {
    /// Appends the node of a branch or loop, and gives handles of its results, which have these
    /// names.
    #[track_caller]
    pub(crate) fn control<'g, Y: TensorTuple<'g>>(
        &'g self,
        scope: &str,
        operator: &'static dyn Operator,
        operands: &[NodeId],
        attributes: impl Into<Attributes>,
        names: impl Iterator<Item = String>,
    ) -> Y {
        let names: Vec<String> = names.collect();
        let results: Vec<NodeId> = self.build(|graph| {
            let name = scope.strip_prefix(&*graph.context().scope).unwrap_or(scope);
            let name = name.trim_end_matches('/').to_owned();
            let operator = OperatorRef::Static(operator);
            let node = graph.add_like(&name, operator, operands, attributes);
            Expr::with(graph, node, |tuple| tuple.items(&names).into_iter().map(Expr::id).collect())
        });
        Y::rebuild(self, &mut results.into_iter())
    }
}
