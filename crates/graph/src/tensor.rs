//! Handles: what a user holds of a node.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use abeyance_ir::{self as ir, DType, Dim, Fault, NodeId, Shape};

use crate::{Element, Expr, Graph};

/// The value of a node, with elements of type `T`: an array that will exist when the graph runs.
///
/// A handle is an index and a borrow of the graph: it is `Copy`, and arithmetic needs no clones.
///
/// A function takes and gives tensors of one graph, and says so by one lifetime. A closure with
/// `|x: Tensor<f32>|` cannot, since it would have two, one for what it takes and one for what it
/// gives: write a function.
///
/// ```
/// use abeyance_graph::{dims, zeros, Graph, Tensor};
///
/// #[track_caller] // so that mistakes inside are reported where it is called
/// fn layer<'g>(x: Tensor<'g, f32>, units: usize) -> Tensor<'g, f32> {
///     let g = x.graph();
///     let _call = g.call("layer"); // and as mistakes of `layer`
///     g.within("layer", || {
///         let inputs = x.dim(-1);
///         x.matmul(g.variable("w", zeros(dims![inputs, units]))).relu()
///     })
/// }
///
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_, 784]);
/// let y = layer(layer(x, 200), 10);
/// assert_eq!(y.to_string(), "layer_1 : f32[N, 10]");
/// # g.check().unwrap();
/// ```
pub struct Tensor<'g, T: Element> {
    pub(crate) graph: &'g Graph,
    pub(crate) id: NodeId,
    element: PhantomData<T>,
}

impl<T: Element> Clone for Tensor<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Element> Copy for Tensor<'_, T> {}

impl<'g, T: Element> Tensor<'g, T> {
    pub(crate) fn new(graph: &'g Graph, id: NodeId) -> Self {
        Self { graph, id, element: PhantomData }
    }

    /// The graph it belongs to.
    pub fn graph(self) -> &'g Graph {
        self.graph
    }

    /// Its node.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The handle without its element type.
    pub fn erase(self) -> AnyTensor<'g> {
        AnyTensor { graph: self.graph, id: self.id }
    }

    /// The name of its node.
    pub fn name(self) -> String {
        self.erase().name()
    }

    /// Renames its node: names key fetches, variables, random streams and printouts.
    #[track_caller]
    pub fn named(self, name: &str) -> Self {
        self.graph.build(|graph| graph.rename(self.id, name));
        self
    }

    /// Its shape as far as it is known. The dimensions can be used in [`dims!`](crate::dims) again.
    pub fn shape(self) -> Shape {
        self.graph.ir().shape(self.id).unwrap_or_default()
    }

    /// The size of one dimension, negative axes counted from the end: for use in
    /// [`dims!`](crate::dims).
    #[track_caller]
    pub fn dim(self, axis: i64) -> Dim {
        let _call = self.graph.call("dim");
        // Of a wrong tensor, or after a wrong axis, any size will do.
        let open = || {
            self.graph.build(|graph| Dim::Symbol(graph.symbols_mut().fresh(ir::Naming::Derived)))
        };
        let shape = self.graph.ir().shape(self.id);
        let Some(shape) = shape else {
            return open();
        };
        match ir::resolve_axis(axis, shape.len()) {
            Ok(axis) => shape[axis],
            Err(fault) => {
                self.fault::<T>(fault);
                open()
            }
        }
    }

    /// The tensor as a [`Scalar`], whose fetched value is a number. It is a mistake if it has
    /// dimensions.
    #[track_caller]
    pub fn scalar(self) -> Scalar<'g, T> {
        let _call = self.graph.call("scalar");
        let rank = self.shape().len();
        if rank > 0 {
            return Scalar(
                self.fault(
                    Fault::new(format!("a scalar has no dimensions, and `{self}` has {rank}"))
                        .help("reduce it first: `x.reduce_sum(..)`"),
                ),
            );
        }
        Scalar(self)
    }

    /// Remembers a mistake about this tensor, and gives an invalid tensor to go on with.
    #[track_caller]
    pub(crate) fn fault<U: Element>(self, fault: Fault) -> Tensor<'g, U> {
        let diagnostic = {
            let graph = self.graph.ir();
            let mut diagnostic = ir::Diagnostic::new(fault.message, self.graph.here())
                .node(&*graph.node(self.id).name);
            diagnostic.help = fault.help;
            diagnostic.note(graph.describe(self.id), graph.node(self.id).location)
        };
        let id = self.graph.reject(diagnostic);
        Tensor::new(self.graph, id)
    }

    /// True if its node is wrong, which has been told.
    pub(crate) fn is_invalid(self) -> bool {
        self.graph.ir().node(self.id).ty == ir::Type::Invalid
    }

    /// The tensor that `build` makes of this one.
    #[track_caller]
    pub(crate) fn map<U: Element>(
        self,
        build: impl for<'e> FnOnce(Expr<'e>) -> Expr<'e>,
    ) -> Tensor<'g, U> {
        Tensor::new(self.graph, self.visit(|x| build(x).id()))
    }

    /// Calls `visit` with this tensor as an expression, and gives its result.
    #[track_caller]
    pub(crate) fn visit<R>(self, visit: impl for<'e> FnOnce(Expr<'e>) -> R) -> R {
        self.graph.build(|graph| Expr::with(graph, self.id, visit))
    }

    /// The tensor that `build` makes of this one and another.
    #[track_caller]
    pub(crate) fn zip<V: Element, U: Element>(
        self,
        other: impl Operand<'g, V>,
        build: impl for<'e> FnOnce(Expr<'e>, Expr<'e>) -> Expr<'e>,
    ) -> Tensor<'g, U> {
        let this = self.beside(other);
        let other = other.node(this.graph);
        this.map(|this| build(this, this.at(other)))
    }

    /// The tensor where it can meet another: captured by the body that the other belongs to, if
    /// this one is of a graph around that body.
    #[track_caller]
    pub(crate) fn beside<V: Element>(self, other: impl Operand<'g, V>) -> Self {
        match other.home() {
            Some(home) if self.graph.encloses(home) => Tensor::new(home, home.import(self.erase())),
            _ => self,
        }
    }
}

impl<T: Element> fmt::Display for Tensor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.erase().fmt(f)
    }
}

impl<T: Element> fmt::Debug for Tensor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.erase().fmt(f)
    }
}

/// A tensor that certainly has no dimensions: fetching it gives a number. It can stand wherever a
/// [`Tensor`] can.
#[derive(Clone, Copy)]
pub struct Scalar<'g, T: Element>(pub(crate) Tensor<'g, T>);

impl<'g, T: Element> Deref for Scalar<'g, T> {
    type Target = Tensor<'g, T>;

    fn deref(&self) -> &Tensor<'g, T> {
        &self.0
    }
}

impl<'g, T: Element> From<Scalar<'g, T>> for Tensor<'g, T> {
    fn from(scalar: Scalar<'g, T>) -> Self {
        scalar.0
    }
}

impl<'g, T: Element> From<Tensor<'g, T>> for Scalar<'g, T> {
    /// [`Tensor::scalar`]: a mistake if the tensor has dimensions.
    #[track_caller]
    fn from(tensor: Tensor<'g, T>) -> Self {
        tensor.scalar()
    }
}

impl<'g, T: Element> Scalar<'g, T> {
    /// The tensor it is.
    pub fn tensor(self) -> Tensor<'g, T> {
        self.0
    }

    /// Renames its node.
    #[track_caller]
    pub fn named(self, name: &str) -> Self {
        Scalar(self.0.named(name))
    }
}

impl<T: Element> fmt::Display for Scalar<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Element> fmt::Debug for Scalar<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node of whatever kind.
#[derive(Clone, Copy)]
pub struct AnyTensor<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) id: NodeId,
}

impl<'g> AnyTensor<'g> {
    /// The graph it belongs to.
    pub fn graph(self) -> &'g Graph {
        self.graph
    }

    /// Its node.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// The handle for building without element types.
    pub fn expr(self) -> Expr<'g> {
        Expr::new(self.graph, self.id)
    }

    /// The name of its node.
    pub fn name(self) -> String {
        self.graph.ir().node(self.id).name.to_string()
    }

    /// The element type, if the node has a value.
    pub fn dtype(self) -> Option<DType> {
        Some(self.graph.ir().node(self.id).ty.tensor()?.dtype)
    }

    /// One of the results of a node that has several.
    #[track_caller]
    pub fn item(self, index: usize) -> AnyTensor<'g> {
        let _call = self.graph.call("item");
        self.assume::<f32>().map::<f32>(|tuple| tuple.item(index)).erase()
    }

    /// The handle with its element type, if it is `T`.
    pub fn typed<T: Element>(self) -> Option<Tensor<'g, T>> {
        (self.dtype() == Some(T::DTYPE)).then(|| Tensor::new(self.graph, self.id))
    }

    /// The handle with an element type it is known to have. Where it has another, whatever is built
    /// with it is a mistake that the graph reports.
    pub(crate) fn assume<T: Element>(self) -> Tensor<'g, T> {
        Tensor::new(self.graph, self.id)
    }
}

impl fmt::Display for AnyTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.graph.ir().describe(self.id))
    }
}

impl fmt::Debug for AnyTensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A node to be run for its effect: `train_step`. Any tensor can be one, its value is then dropped.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'g>(pub(crate) AnyTensor<'g>);

impl<'g> Operation<'g> {
    /// The name of its node.
    pub fn name(self) -> String {
        self.0.name()
    }

    /// Renames its node.
    #[track_caller]
    pub fn named(self, name: &str) -> Self {
        self.0.graph.build(|graph| graph.rename(self.0.id, name));
        self
    }
}

impl<'g> From<Operation<'g>> for AnyTensor<'g> {
    fn from(operation: Operation<'g>) -> Self {
        operation.0
    }
}

impl<'g> From<AnyTensor<'g>> for Operation<'g> {
    fn from(node: AnyTensor<'g>) -> Self {
        Operation(node)
    }
}

impl<'g, T: Element> From<Tensor<'g, T>> for AnyTensor<'g> {
    fn from(tensor: Tensor<'g, T>) -> Self {
        tensor.erase()
    }
}

impl<'g, T: Element> From<Scalar<'g, T>> for AnyTensor<'g> {
    fn from(scalar: Scalar<'g, T>) -> Self {
        scalar.erase()
    }
}

impl<'g, T: Element> From<&Tensor<'g, T>> for AnyTensor<'g> {
    fn from(tensor: &Tensor<'g, T>) -> Self {
        tensor.erase()
    }
}

impl<'g> From<&AnyTensor<'g>> for AnyTensor<'g> {
    fn from(tensor: &AnyTensor<'g>) -> Self {
        *tensor
    }
}

impl<'g, T: Element> From<Tensor<'g, T>> for Operation<'g> {
    fn from(tensor: Tensor<'g, T>) -> Self {
        Operation(tensor.erase())
    }
}

impl<'g, T: Element> From<Scalar<'g, T>> for Operation<'g> {
    fn from(scalar: Scalar<'g, T>) -> Self {
        Operation(scalar.erase())
    }
}

/// An operand where a tensor of `T` is wanted: a [`Tensor`], a [`Scalar`], or a number, which
/// becomes a constant.
pub trait Operand<'g, T: Element>: Copy {
    /// Its node in `graph`.
    #[track_caller]
    fn node(self, graph: &'g Graph) -> NodeId;

    /// The graph that it belongs to; none for a number.
    fn home(self) -> Option<&'g Graph> {
        None
    }
}

impl<'g, T: Element> Operand<'g, T> for Tensor<'g, T> {
    fn home(self) -> Option<&'g Graph> {
        Some(self.graph)
    }
    #[track_caller]
    fn node(self, graph: &'g Graph) -> NodeId {
        graph.import(self.erase())
    }
}

impl<'g, T: Element> Operand<'g, T> for Scalar<'g, T> {
    fn home(self) -> Option<&'g Graph> {
        Some(self.0.graph)
    }
    #[track_caller]
    fn node(self, graph: &'g Graph) -> NodeId {
        graph.import(self.erase())
    }
}

macro_rules! number_operand {
    ($($type:ty),*) => {$(
        impl<'g> Operand<'g, $type> for $type {
            #[track_caller]
            fn node(self, graph: &'g Graph) -> NodeId {
                graph.constant(self).id
            }
        }
    )*};
}
number_operand!(f32, f64, i32, i64, u8, bool);
