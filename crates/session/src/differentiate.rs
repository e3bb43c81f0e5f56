//! The backward graph: derivatives as nodes of the same graph.

use abeyance_graph::Expr;
use abeyance_graph::ops::source::Invalid;
use abeyance_graph::raw::{AnyTensorExt, GraphExt};
use abeyance_graph::{AnyTensor, Float, Graph, Tensor};
use std::collections::HashMap;

use abeyance_ir::{
    Context, Derivation, Diagnostic, Differentiability, Dim, Fault, Graph as Ir, ItemAttributes,
    NodeId, Role, Seed, Type,
};
use fixedbitset::FixedBitSet;
use smallvec::SmallVec;

/// The derivative with respect to a tensor on which the differentiated one does not depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconnected {
    /// None: it is a mistake, reported with the place where the path breaks.
    Mistake,
    /// Zeros, in the tensor's shape.
    Zeros,
}

/// The derivatives of `y`, summed over its elements, with respect to each of `xs`: tensors of the
/// same graph, in the shapes of `xs`.
///
/// Derivatives of derivatives are had by calling this again. [`gradients_with_cotangents`] takes
/// cotangents other than ones.
///
/// # Errors
/// `y` does not depend on one of `xs`: reported with the place where the path breaks.
///
/// ```
/// use abeyance_graph::Graph;
/// use abeyance_session::{gradients, Session};
/// let g = Graph::new();
/// let x = g.variable("x", 3.0f32);
/// let [slope] = gradients(x.square(), [x]);
/// let [curvature] = gradients(slope, [x]);
/// let session = Session::new(&g)?;
/// let (slope, curvature) = session.run((slope.scalar(), curvature.scalar()), [])?;
/// assert_eq!((slope, curvature), (6.0, 2.0));
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[track_caller]
pub fn gradients<'g, T: Float, const N: usize>(
    y: impl Into<Tensor<'g, T>>,
    xs: [Tensor<'g, T>; N],
) -> [Tensor<'g, T>; N] {
    typed("gradients", y.into(), xs, Unconnected::Mistake)
}

/// The derivatives of `y`, summed over its elements, with respect to each of `xs`, as
/// [`gradients`], but zeros for a tensor on which `y` does not depend.
#[track_caller]
pub fn gradients_or_zeros<'g, T: Float, const N: usize>(
    y: impl Into<Tensor<'g, T>>,
    xs: [Tensor<'g, T>; N],
) -> [Tensor<'g, T>; N] {
    typed("gradients_or_zeros", y.into(), xs, Unconnected::Zeros)
}

#[track_caller]
fn typed<'g, T: Float, const N: usize>(
    name: &'static str,
    y: Tensor<'g, T>,
    xs: [Tensor<'g, T>; N],
    unconnected: Unconnected,
) -> [Tensor<'g, T>; N] {
    let _call = y.graph().call(name);
    let erased = xs.map(Tensor::erase);
    let found = gradients_of(y.erase(), &erased, unconnected);
    let mut found = found.into_iter();
    xs.map(|x| found.next().map_or(x, AnyTensor::assume))
}

/// The cotangents of each of `xs` from those of several tensors `ys`: Σ over the ys of Σ over the
/// elements of `dy · ∂y/∂x`. TensorFlow's `tf.gradients(ys, xs, grad_ys)`, JAX's `vjp`.
///
/// A cotangent has the shape and element type of its tensor. With ones it gives [`gradients`];
/// others give the rows of a Jacobian, a weighted sum of losses, or continue derivatives that
/// another program has computed.
///
/// # Errors
/// None of `ys` depends on one of `xs`: reported with the place where the path breaks. A cotangent
/// does not have the type of its tensor.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, gradients_with_cotangents, Session};
/// let g = Graph::new();
/// let x = g.placeholder::<f64>("x", dims![3]);
/// let dy = g.placeholder("dy", dims![3]);
/// let [dx] = gradients_with_cotangents([(x.square(), dy)], [x]);
/// let session = Session::new(&g)?;
/// let dx = session.run(dx, feeds![x => &[1.0, 2.0, 3.0], dy => &[1.0, 0.0, 10.0]])?;
/// assert_eq!(dx.as_slice(), Some(&[2.0, 0.0, 60.0][..]));
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[track_caller]
pub fn gradients_with_cotangents<'g, T: Float, const M: usize, const N: usize>(
    ys: [(impl Into<Tensor<'g, T>>, impl Into<Tensor<'g, T>>); M],
    xs: [Tensor<'g, T>; N],
) -> [Tensor<'g, T>; N] {
    let ys = ys.map(|(y, dy)| (y.into().erase(), Some(dy.into().erase())));
    let graph = ys.first().map(|(y, _)| y.graph()).or(xs.first().map(|x| x.graph()));
    // Not in a closure, which does not let the place of the call through.
    let _call;
    if let Some(graph) = graph {
        _call = graph.call("gradients_with_cotangents");
    }
    let found = gradients_from(&ys, &xs.map(Tensor::erase), Unconnected::Mistake);
    let mut found = found.into_iter();
    xs.map(|x| found.next().map_or(x, AnyTensor::assume))
}

/// The derivatives of `y`, summed over its elements, with respect to each of `xs`, as
/// [`gradients`], for tensors of any float types.
#[track_caller]
pub fn gradients_of<'g>(
    y: AnyTensor<'g>,
    xs: &[AnyTensor<'g>],
    unconnected: Unconnected,
) -> Vec<AnyTensor<'g>> {
    let _call = y.graph().call("gradients_of");
    gradients_from(&[(y, None)], xs, unconnected)
}

/// The cotangents of each of `xs` from those of several tensors, as [`gradients_with_cotangents`],
/// for tensors of any float types. A tensor without a cotangent has ones.
#[track_caller]
pub fn gradients_from<'g>(
    ys: &[(AnyTensor<'g>, Option<AnyTensor<'g>>)],
    xs: &[AnyTensor<'g>],
    unconnected: Unconnected,
) -> Vec<AnyTensor<'g>> {
    let Some(first) = ys.first().map(|(y, _)| y).or(xs.first()) else {
        return Vec::new();
    };
    let graph: &'g Graph = first.graph();
    let _call = graph.call("gradients_from");
    // Loops, not closures: only functions let the place of the call through.
    let mut seeds = Vec::with_capacity(ys.len());
    for &(y, cotangent) in ys {
        let mut seed = (graph.import(y), None);
        if let Some(cotangent) = cotangent {
            seed.1 = Some(graph.import(cotangent));
        }
        seeds.push(seed);
    }
    let ids = graph.import_all(xs);
    graph
        .build(|ir| differentiate_from(ir, &seeds, &ids, unconnected))
        .into_iter()
        .map(|id| graph.any(id))
        .collect()
}

/// Appends the nodes that compute the derivatives of `y`, summed over its elements, with respect to
/// each of `xs`, and gives the nodes that hold them. Mistakes are remembered by the graph; an
/// invalid node stands in.
///
/// Each node between `xs` and `y` is visited once, latest first, so the work and the nodes appended
/// are linear in their number. Every appended node knows the forward node it belongs to
/// ([`Role::Backward`]).
pub fn differentiate(
    graph: &mut Ir,
    y: NodeId,
    xs: &[NodeId],
    unconnected: Unconnected,
) -> Vec<NodeId> {
    differentiate_from(graph, &[(y, None)], xs, unconnected)
}

/// Appends the nodes that compute the cotangents of each of `xs` from those of several tensors,
/// ones where none is given, and gives the nodes that hold them: [`differentiate`].
pub(crate) fn differentiate_from(
    graph: &mut Ir,
    ys: &[(NodeId, Option<NodeId>)],
    xs: &[NodeId],
    unconnected: Unconnected,
) -> Vec<NodeId> {
    let before = graph.context().clone();
    let derivatives = check_seeds(graph, ys).and_then(|()| {
        let nodes: Vec<NodeId> = ys.iter().map(|(y, _)| *y).collect();
        let mut backward = Backward::new(graph, &nodes, xs)?;
        for &(y, cotangent) in ys {
            if backward.path.contains(y.index()) {
                enter(graph, y);
                let seed =
                    cotangent.unwrap_or_else(|| Expr::with(graph, y, |y| y.fill_like(1.0).id()));
                backward.add(graph, y, y, seed);
            }
        }
        backward.walk(graph)?;
        Ok(xs
            .iter()
            .map(|&x| match (backward.cotangents[x.index()], unconnected) {
                (Some(cotangent), _) => cotangent,
                (None, Unconnected::Zeros) => Expr::with(graph, x, |x| x.fill_like(0.0).id()),
                (None, Unconnected::Mistake) => {
                    let mut diagnostic = backward.explain_break(graph, x, &before);
                    if let Some(call) = before.call {
                        diagnostic.message = call.message(diagnostic.message);
                    }
                    graph.report(diagnostic);
                    graph.add(&Invalid, &[], ())
                }
            })
            .collect())
    });
    let derivatives = derivatives.unwrap_or_else(|diagnostic| {
        *graph.context_mut() = before.clone();
        if let Some(diagnostic) = diagnostic {
            graph.report(*diagnostic);
        }
        xs.iter().map(|_| graph.add(&Invalid, &[], ())).collect()
    });
    *graph.context_mut() = before;
    derivatives
}

/// Checks that each given cotangent has the type of its tensor.
fn check_seeds(graph: &mut Ir, ys: &[(NodeId, Option<NodeId>)]) -> Result<(), Stop> {
    let call = graph.context().call;
    let say = |message: String| match call {
        Some(call) => call.message(message),
        None => message,
    };
    if ys.is_empty() {
        let diagnostic = Diagnostic::new(
            say("there is no tensor to differentiate".to_owned()),
            graph.context().location,
        )
        .help("name at least one");
        return Err(Some(Box::new(diagnostic)));
    }
    for &(y, cotangent) in ys {
        let Some(cotangent) = cotangent else {
            continue;
        };
        let dtype = |id: NodeId| graph.node(id).ty.tensor().map(|tensor| tensor.dtype);
        let (Some(wanted), Some(given)) = (graph.shape(y), graph.shape(cotangent)) else {
            if matches!(graph.node(cotangent).ty, Type::Invalid) {
                return Err(None);
            }
            continue; // `y` is no tensor, which is reported later.
        };
        let unlike = |(&a, &b): (&Dim, &Dim)| a.known().is_some() && b.known().is_some() && a != b;
        let fits = dtype(y) == dtype(cotangent)
            && wanted.len() == given.len()
            && !wanted.iter().zip(&given).any(unlike);
        if !fits {
            let diagnostic = Diagnostic::new(
                say(format!(
                    "the cotangent `{}` does not have the type of `{}`",
                    graph.describe(cotangent),
                    graph.describe(y)
                )),
                graph.context().location,
            )
            .node(&*graph.node(y).name)
            .note(graph.print_call(y), graph.node(y).location)
            .note(graph.print_call(cotangent), graph.node(cotangent).location)
            .help("there has to be a cotangent for each element: `dy.broadcast_to(y.shape())` repeats one");
            return Err(Some(Box::new(diagnostic)));
        }
        for (&a, &b) in wanted.iter().zip(&given) {
            graph.symbols_mut().unify(a, b);
        }
    }
    Ok(())
}

/// Appends the cotangents of `xs` from those of other nodes, in the body of a gradient. Gradient
/// rules of branches and loops ask for them.
fn cotangents(
    graph: &mut Ir,
    seeds: &[Seed],
    xs: &[NodeId],
    masked: bool,
) -> Result<Vec<Option<NodeId>>, Fault> {
    let before = graph.context().clone();
    let is_float = |id: NodeId| {
        let ty = graph.node(id).ty.tensor();
        ty.is_some_and(|tensor| tensor.dtype.is_float())
    };
    let seeds: Vec<Seed> = seeds.iter().copied().filter(|(y, _)| is_float(*y)).collect();
    let ys: Vec<NodeId> = seeds.iter().map(|(y, _)| *y).collect();
    let found = Backward::new(graph, &ys, xs).and_then(|mut backward| {
        for &(y, seed) in &seeds {
            if backward.path.contains(y.index()) {
                backward.masked.set(y.index(), masked);
                backward.add(graph, y, y, seed);
            }
        }
        backward.walk(graph)?;
        let of = |x: &NodeId| backward.cotangents[x.index()];
        Ok(xs.iter().map(of).collect())
    });
    *graph.context_mut() = before;
    found.map_err(|stop| {
        let name = graph.name();
        match stop {
            Some(diagnostic) => Fault {
                message: format!("in the body `{name}`, {}", at(&diagnostic)),
                help: diagnostic.help,
            },
            None => Fault::new(format!("a node of the body `{name}` is wrong")),
        }
    })
}

/// A diagnostic in one line, with its node and place.
pub(crate) fn at(diagnostic: &Diagnostic) -> String {
    match &diagnostic.node {
        Some(node) => format!("{} (`{node}`, {})", diagnostic.message, diagnostic.location),
        None => diagnostic.message.clone(),
    }
}

/// A walk from the differentiated tensors back to those with respect to which they are
/// differentiated.
struct Backward {
    /// The latest of the differentiated tensors.
    y: NodeId,
    /// The nodes that they depend on.
    upstream: FixedBitSet,
    /// The nodes through which a derivative can flow.
    path: FixedBitSet,
    /// By node, its cotangent so far; up to the latest node that is needed.
    cotangents: Vec<Option<NodeId>>,
    /// By node with several results, the cotangent of each result.
    items: HashMap<NodeId, SmallVec<[Option<NodeId>; 4]>>,
    masked: FixedBitSet,
}

type Stop = Option<Box<Diagnostic>>;

impl Backward {
    fn new(graph: &Ir, ys: &[NodeId], xs: &[NodeId]) -> Result<Self, Stop> {
        for &node in ys.iter().chain(xs) {
            match &graph.node(node).ty {
                Type::Tensor(tensor) if tensor.dtype.is_float() => {}
                Type::Invalid => return Err(None),
                _ => {
                    let fault = Diagnostic::new(
                        format!("`{}` has no derivatives", graph.describe(node)),
                        graph.context().location,
                    )
                    .node(&*graph.node(node).name)
                    .note(graph.print_call(node), graph.node(node).location)
                    .help("only tensors of f32 and f64 have: convert with `cast`");
                    return Err(Some(Box::new(fault)));
                }
            }
        }
        let upstream = graph.ancestors(ys.iter().copied(), |_| false);
        let path = graph.descendants(xs.iter().copied(), |user, _| {
            upstream.contains(user.index()) && has_derivative(graph, user)
        });
        let len = ys.iter().chain(xs).map(|id| id.index() + 1).max();
        Ok(Self {
            y: ys.iter().copied().max().unwrap_or(NodeId::new(0)),
            upstream,
            path,
            cotangents: vec![None; len.unwrap_or(0)],
            items: HashMap::new(),
            masked: FixedBitSet::with_capacity(graph.len()),
        })
    }

    fn walk(&mut self, graph: &mut Ir) -> Result<(), Stop> {
        for index in (0..self.cotangents.len().min(self.y.index() + 1)).rev() {
            if !self.path.contains(index) {
                continue;
            }
            let node = NodeId::new(index);
            match (self.cotangents[index], self.items.remove(&node)) {
                (Some(_), _) => self.visit(graph, node, &[self.cotangents[index]])?,
                (None, Some(items)) => self.visit(graph, node, &items)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Adds to the cotangent of `operand` the part that came through `node`.
    fn add(&mut self, graph: &mut Ir, node: NodeId, operand: NodeId, part: NodeId) {
        let slot = &mut self.cotangents[operand.index()];
        *slot = Some(sum(graph, node, operand, *slot, part));
    }

    /// Applies the rule of one node and adds what it gives to the cotangents of its operands.
    fn visit(
        &mut self,
        graph: &mut Ir,
        node: NodeId,
        cotangents: &[Option<NodeId>],
    ) -> Result<(), Stop> {
        if graph.node(node).operator.signature().takes_tuple {
            self.unpack(graph, node, cotangents);
            return Ok(());
        }
        let operands = graph.node(node).operands.clone();
        let wanted: Vec<bool> =
            operands.iter().map(|operand| self.path.contains(operand.index())).collect();
        if !wanted.contains(&true) {
            return Ok(());
        }
        enter(graph, node);
        let operator = graph.node(node).operator.clone();
        let masked = self.masked.contains(node.index());
        let cx = Derivation::new(graph, node, cotangents, &wanted, masked, &self::cotangents);
        let found =
            operator.gradient(&cx).map_err(|fault| Some(Box::new(graph.diagnose(node, fault))))?;
        let masks = masked || operator.signature().zeroes_gradient;
        for (place, &operand) in operands.iter().enumerate() {
            let Some(part) = found.get(place).copied().flatten().filter(|_| wanted[place]) else {
                continue;
            };
            check_type(graph, node, operand, part)?;
            if masks {
                self.masked.insert(operand.index());
            }
            self.add(graph, node, operand, part);
        }
        Ok(())
    }

    /// Adds the cotangent of an item to that of its tuple, in its place.
    fn unpack(&mut self, graph: &mut Ir, node: NodeId, cotangents: &[Option<NodeId>]) {
        let data = graph.node(node);
        let (Some(&tuple), Some(&Some(part))) = (data.operands.first(), cotangents.first()) else {
            return;
        };
        let ItemAttributes { index } = data.attributes.read();
        let index = index as usize;
        let count = graph.node(tuple).ty.items().len();
        if self.masked.contains(node.index()) {
            self.masked.insert(tuple.index());
        }
        if count == 1 {
            self.add(graph, node, tuple, part);
            return;
        }
        let items = self.items.entry(tuple).or_insert_with(|| SmallVec::from_elem(None, count));
        if let Some(slot) = items.get_mut(index) {
            *slot = Some(sum(graph, node, tuple, *slot, part));
        }
    }

    /// The diagnostic of a missing derivative: where the path from `x` to `y` ends.
    fn explain_break(&self, graph: &Ir, x: NodeId, context: &Context) -> Diagnostic {
        let name = |id: NodeId| graph.node(id).name.to_string();
        let diagnostic = Diagnostic::new(
            format!("`{}` has no derivative with respect to `{}`", name(self.y), name(x)),
            context.location,
        )
        .node(name(self.y));
        let any_path = graph.descendants([x], |user, _| self.upstream.contains(user.index()));
        let with_ends = diagnostic
            .note(graph.describe(self.y), graph.node(self.y).location)
            .note(graph.describe(x), graph.node(x).location);
        let diagnostic = if !any_path.contains(self.y.index()) {
            with_ends.note(
                format!("`{}` does not depend on `{}`", name(self.y), name(x)),
                Default::default(),
            )
        } else {
            let mine = graph.descendants([x], |user, _| {
                self.upstream.contains(user.index()) && has_derivative(graph, user)
            });
            // The first node that the derivative does not get past.
            let broken = any_path.ones().map(NodeId::new).find(|&node| {
                !mine.contains(node.index())
                    && graph
                        .node(node)
                        .operands
                        .iter()
                        .any(|operand| mine.contains(operand.index()))
            });
            match broken {
                Some(broken) => with_ends.note(
                    format!(
                        "the path ends at `{}`, which {}",
                        graph.print_call(broken),
                        reason(graph, broken)
                    ),
                    graph.node(broken).location,
                ),
                None => with_ends.note(
                    "the path ends inside of a loop, or at a gradient of one's own",
                    Default::default(),
                ),
            }
        };
        diagnostic.help("leave it out, or ask for zeros with `gradients_or_zeros`")
    }
}

/// The sum of the cotangent of `operand` so far and the part that came through `node`.
fn sum(graph: &mut Ir, node: NodeId, operand: NodeId, sum: Option<NodeId>, part: NodeId) -> NodeId {
    match sum {
        None => part,
        Some(sum) => {
            enter(graph, operand);
            let sum = Expr::with(graph, sum, |sum| (sum + sum.at(part)).id());
            enter(graph, node);
            sum
        }
    }
}

/// Makes the nodes that are appended from now on belong to the derivative of `node`.
fn enter(graph: &mut Ir, node: NodeId) {
    let scope = format!("grad/{}/", graph.node(node).name);
    let context = graph.context_mut();
    context.scope = scope;
    context.role = Role::Backward { of: node };
}

fn has_derivative(graph: &Ir, node: NodeId) -> bool {
    let node = graph.node(node);
    let float = node.ty.items().iter().any(|tensor| tensor.dtype.is_float());
    float && !matches!(node.operator.signature().differentiability, Differentiability::None(_))
}

fn reason(graph: &Ir, node: NodeId) -> String {
    let node = graph.node(node);
    match (node.operator.signature().differentiability, node.ty.tensor()) {
        (Differentiability::None(reason), _) => reason.to_owned(),
        (_, Some(tensor)) => {
            format!("gives elements of {}, which have no derivatives", tensor.dtype)
        }
        _ => "has no value".to_owned(),
    }
}

/// Checks that a rule gave a cotangent of the type of its operand.
fn check_type(
    graph: &mut Ir,
    node: NodeId,
    operand: NodeId,
    cotangent: NodeId,
) -> Result<(), Stop> {
    let (Some(wanted), Some(found)) = (graph.shape(operand), graph.shape(cotangent)) else {
        return Err(None); // An invalid node, which has been reported.
    };
    // Dimensions that a rule had to leave open are those of the operand.
    let same = wanted.len() == found.len()
        && wanted.iter().zip(&found).all(|(&a, &b)| graph.symbols_mut().unify(a, b).is_some());
    if same {
        return Ok(());
    }
    let fault = Fault::new(format!(
        "the gradient rule gave `{}` for the operand `{}`",
        graph.describe(cotangent),
        graph.describe(operand)
    ));
    Err(Some(Box::new(graph.diagnose(node, fault))))
}
