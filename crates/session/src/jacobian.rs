//! Derivatives of every element: Jacobians and Hessians.

use std::sync::Arc;

use abeyance_graph::Expr;
use abeyance_graph::ops::control::{Scan, ScanAttributes};
use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{Float, Tensor};
use abeyance_ir::{
    Array, Body, DType, Diagnostic, Dim, Graph as Ir, NodeId, Role, Shape, TensorType, Type,
    element_count, known_dims,
};

use crate::Unconnected;
use crate::differentiate::differentiate_from;

/// The derivative of each element of `y` with respect to each of `x`: `y.shape + x.shape`, with
/// J\[i, j\] = ∂y\[i\]/∂x\[j\]. `tf.GradientTape.jacobian`, JAX's `jacrev`. It can be
/// differentiated again.
///
/// The sizes of `y` have to be known; those of `x` need not be.
///
/// Its cost: the forward part is computed once, the backward part once for each element of `y`, one
/// after the other in one [`scan`](abeyance_graph::Graph::scan), so the graph grows by the backward
/// part once and memory by that of one row and the result. Only where the way from `y` to `x` leads
/// through a branch or a loop is the backward part appended once for each element. A derivative in
/// few directions is cheaper by [`gradients_with_cotangents`](crate::gradients_with_cotangents).
///
/// # Errors
/// A size of `y` is not known; `y` does not depend on `x`, as in [`gradients`](crate::gradients).
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, jacobian, Session};
/// use ndarray::arr2;
/// let g = Graph::new();
/// let x = g.placeholder::<f64>("x", dims![2]);
/// let w = g.constant_array(&arr2(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
/// let y = x.square().expand_dims(0).matmul(w.transpose()).reshape(dims![3]);
/// let slopes = jacobian(y, x);
/// let session = Session::new(&g)?;
/// let slopes = session.run(slopes, feeds![x => &[1.0, 10.0]])?;
/// assert_eq!(slopes, arr2(&[[2.0, 40.0], [6.0, 80.0], [10.0, 120.0]]).into_dyn());
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[track_caller]
pub fn jacobian<'g, T: Float>(
    y: impl Into<Tensor<'g, T>>,
    x: impl Into<Tensor<'g, T>>,
) -> Tensor<'g, T> {
    let (y, x) = (y.into(), x.into());
    let graph = y.graph();
    let _call = graph.call("jacobian");
    let x = graph.import(x.erase());
    let rows = |ir: &mut Ir| append(ir, "jacobian", y.id(), x, Unconnected::Mistake);
    graph.any(graph.build(rows)).assume()
}

/// The second derivatives of `y`, summed over its elements, with respect to the elements of `x`:
/// `x.shape + x.shape`, with H\[i, j\] = ∂²y/∂x\[i\]∂x\[j\]. TensorFlow's `tf.hessians`, here for a
/// tensor of any rank; zeros where the slope does not depend on `x`.
///
/// The sizes of `x` have to be known, and `y` has to depend on it. The cost is that of the
/// [`jacobian`] of the gradient: one walk back through forward and backward part for each element
/// of `x`. Diagonals and products with a vector are cheaper by
/// [`gradients_with_cotangents`](crate::gradients_with_cotangents) of a gradient.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, hessian, Session};
/// use ndarray::arr2;
/// let g = Graph::new();
/// let x = g.placeholder::<f64>("x", dims![2]);
/// let (a, b) = (x.slice([0], [1]), x.slice([1], [1]));
/// let curvature = hessian(a.square() * b, x); // a²b
/// let session = Session::new(&g)?;
/// let curvature = session.run(curvature, feeds![x => &[3.0, 5.0]])?;
/// assert_eq!(curvature, arr2(&[[10.0, 6.0], [6.0, 0.0]]).into_dyn());
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[track_caller]
pub fn hessian<'g, T: Float>(
    y: impl Into<Tensor<'g, T>>,
    x: impl Into<Tensor<'g, T>>,
) -> Tensor<'g, T> {
    let (y, x) = (y.into(), x.into());
    let graph = y.graph();
    let _call = graph.call("hessian");
    let x = graph.import(x.erase());
    let rows = |ir: &mut Ir| {
        let slope = differentiate_from(ir, &[(y.id(), None)], &[x], Unconnected::Mistake);
        match slope[..] {
            [slope] => append(ir, "hessian", slope, x, Unconnected::Zeros),
            _ => ir.add(&Invalid, &[], ()),
        }
    };
    graph.any(graph.build(rows)).assume()
}

/// Appends the derivative of each element of `y`.
fn append(ir: &mut Ir, what: &str, y: NodeId, x: NodeId, unconnected: Unconnected) -> NodeId {
    let (Some(of), Some(by)) = (ir.shape(y), ir.shape(x)) else {
        // Operations and wrong nodes have no derivatives, which is reported there.
        differentiate_from(ir, &[(y, None)], &[x], unconnected);
        return ir.add(&Invalid, &[], ());
    };
    let Some(count) = known_dims(&of).and_then(|dims| element_count(&dims)) else {
        let size = match what {
            "hessian" => "a Hessian with respect to a tensor whose size is not known",
            _ => "a Jacobian of a tensor whose size is not known",
        };
        let diagnostic = Diagnostic::new(format!("{what}: {size}"), ir.context().location)
            .node(&*ir.node(y).name)
            .note(ir.describe(y), ir.node(y).location)
            .help("there is a row for each element: give all its dimensions a number");
        ir.report(diagnostic);
        return ir.add(&Invalid, &[], ());
    };
    let mut shape = of.clone();
    shape.extend_from_slice(&by);
    let before = ir.context().clone();
    // Names of backward nodes do not depend on the scope in which they are asked for.
    ir.context_mut().role = Role::Backward { of: y };
    let rows = match count {
        0 => None,
        1 => differentiate_from(ir, &[(y, None)], &[x], unconnected).first().copied(),
        _ => Some(Rows { what, y, x, of: &of, count, unconnected }.by_loop(ir)),
    };
    let result = match rows {
        Some(rows) => Expr::with(ir, rows, |rows| rows.reshape(shape).id()),
        None => {
            let dtype = ir.node(x).ty.tensor().map_or(DType::F32, |tensor| tensor.dtype);
            Expr::with(ir, x, |x| x.fill(Array::scalar(dtype, 0.0), shape).id())
        }
    };
    *ir.context_mut() = before;
    result
}

/// The derivative of each element of a tensor: a row for each.
struct Rows<'a> {
    /// The function that was called, for names.
    what: &'a str,
    y: NodeId,
    x: NodeId,
    /// The shape of `y`.
    of: &'a Shape,
    /// The number of elements of `y`.
    count: usize,
    unconnected: Unconnected,
}

/// A copy of a graph with the backward part of one row.
struct Trial {
    graph: Ir,
    /// The stand-in for the row that the walk starts from.
    row: NodeId,
    /// The derivative of that row.
    derivative: NodeId,
}

impl Rows<'_> {
    /// Appends a loop whose iterations walk back from one element of `y` each.
    ///
    /// The backward part is appended to a copy of the graph first, with a stand-in for the row that
    /// the walk starts from. What depends on that becomes the body of the loop; the rest is
    /// computed once, outside.
    fn by_loop(&self, ir: &mut Ir) -> NodeId {
        let Some(trial) = self.trial(ir) else {
            return ir.add(&Invalid, &[], ());
        };
        let graph = &trial.graph;
        let dependent = graph.descendants([trial.row], |_, _| true);
        let needed = graph.ancestors([trial.derivative], |id| !dependent.contains(id.index()));
        let (inside, frontier): (Vec<NodeId>, Vec<NodeId>) =
            needed.ones().map(NodeId::new).partition(|id| dependent.contains(id.index()));
        // A body in a body is one level deeper, so it would have to be made anew.
        let has_bodies = |id: &NodeId| graph.node(*id).attributes.bodies().next().is_some();
        if inside.iter().any(has_bodies) {
            return self.unrolled(ir);
        }
        ir.adopt(graph);
        let scope = std::mem::take(&mut ir.context_mut().scope);
        let mut outside: Vec<Option<NodeId>> =
            (0..ir.len()).map(|id| Some(NodeId::new(id))).collect();
        let captured = ir.copy_nodes(graph, &frontier, &mut outside);
        ir.context_mut().scope = scope;
        if !dependent.contains(trial.derivative.index()) {
            return self.repeated(ir, &captured);
        }
        let scope = ir.unique_scope(self.what);
        let Some(body) = self.body(ir, &trial, &scope, &frontier, &captured) else {
            return ir.add(&Invalid, &[], ());
        };
        let attributes =
            ScanAttributes { body: Arc::new(body), carried: 0, sequences: 1, reverse: false };
        let indices = |x: Expr<'_>| x.counting(DType::I64, Dim::Known(self.count)).id();
        let mut operands = vec![Expr::with(ir, self.x, indices)];
        operands.extend(captured);
        let name = scope.strip_prefix(&*ir.context().scope).unwrap_or(&scope).trim_end_matches('/');
        let name = name.to_owned();
        ir.add_like(&name, &Scan, &operands, attributes)
    }

    /// Appends the backward part of a stand-in for a row to a copy of the graph. `None` if there is
    /// a mistake, which is reported.
    fn trial(&self, ir: &mut Ir) -> Option<Trial> {
        let mut graph = ir.clone();
        graph.context_mut().controls.clear();
        let row = Expr::with(&mut graph, self.y, |y| y.fill_like(0.0).id());
        let known = graph.check().err().map_or(0, |mistakes| mistakes.0.len());
        let seeds = [(self.y, Some(row))];
        let found = differentiate_from(&mut graph, &seeds, &[self.x], self.unconnected);
        let mistakes = graph.check().err().map_or(Vec::new(), |mistakes| mistakes.0);
        for mistake in mistakes.into_iter().skip(known) {
            ir.report(mistake);
        }
        let [derivative] = found[..] else { return None };
        let is_valid = graph.node(derivative).ty != Type::Invalid;
        is_valid.then_some(Trial { graph, row, derivative })
    }

    /// Appends the derivative whose rows are all one node, which does not depend on the row.
    fn repeated(&self, ir: &mut Ir, captured: &[NodeId]) -> NodeId {
        let mut shape = self.of.clone();
        shape.extend(ir.shape(self.x).unwrap_or_default());
        match captured[..] {
            [only] => Expr::with(ir, only, |only| only.broadcast_to(shape).id()),
            _ => ir.add(&Invalid, &[], ()),
        }
    }

    /// Makes the body of the loop, whose inputs are the index of a row and the `captured` nodes,
    /// which stand for the trial's `frontier`. `None` if one of these has no value.
    fn body(
        &self,
        ir: &mut Ir,
        trial: &Trial,
        scope: &str,
        frontier: &[NodeId],
        captured: &[NodeId],
    ) -> Option<Body> {
        let name = match ir.depth() {
            0 => format!("{scope}row"),
            _ => format!("{}/{scope}row", ir.name()),
        };
        let mut body = ir.for_body(&name);
        let at = body.input("index", TensorType::new(DType::I64, Shape::new()));
        let mut copies = vec![None; trial.graph.len()];
        for (&node, &outer) in frontier.iter().zip(captured) {
            let data = ir.node(outer);
            let (tensor, shape) = (data.ty.tensor()?, ir.shape(outer)?);
            let name = data.name.rsplit('/').next().unwrap_or("input");
            copies[node.index()] = Some(body.input(name, TensorType::new(tensor.dtype, shape)));
        }
        copies[trial.row.index()] = Some(self.unit(&mut body, at, &trial.graph));
        let outputs = body.copy_nodes(&trial.graph, &[trial.derivative], &mut copies);
        ir.adopt(&body);
        Some(Body::new(body, outputs))
    }

    /// Appends to a body the row whose element `at` is 1, in the shape and element type of `y`.
    fn unit(&self, body: &mut Ir, at: NodeId, outer: &Ir) -> NodeId {
        let dtype = outer.node(self.y).ty.tensor().map_or(DType::F32, |tensor| tensor.dtype);
        let one_hot =
            |at: Expr<'_>| at.one_hot(self.count as i64, dtype).reshape(self.of.clone()).id();
        Expr::with(body, at, one_hot)
    }

    /// Appends the backward part once for each element of `y`.
    fn unrolled(&self, ir: &mut Ir) -> NodeId {
        let (y, count) = (self.y, self.count);
        let mut rows = Vec::with_capacity(count);
        for index in 0..count {
            let seed = Expr::with(ir, y, |y| {
                let at = y.constant(Array::scalar(DType::I64, index as f64));
                let dtype = y.dtype().unwrap_or(DType::F32);
                at.one_hot(count as i64, dtype).reshape(self.of.clone()).id()
            });
            let found = differentiate_from(ir, &[(y, Some(seed))], &[self.x], self.unconnected);
            rows.extend(
                found.into_iter().map(|row| Expr::with(ir, row, |row| row.expand_dims(0).id())),
            );
        }
        Expr::with(ir, y, |y| {
            let rows: Vec<Expr<'_>> = rows.iter().map(|&row| y.at(row)).collect();
            y.concat(&rows, 0).id()
        })
    }
}
