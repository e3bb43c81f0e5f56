//! References to tensors that borrow no graph.

use std::marker::PhantomData;

use abeyance_graph::{AnyTensor, Element, Scalar, Tensor};
use abeyance_ir::{GraphId, Location, NodeId};

use crate::Value;

/// A reference to a tensor of `T`, to be fed or fetched without the graph. It is `Copy` and may go
/// to any thread, where a [`Tensor`] borrows its graph and stays with it. A `TensorRef<Value>` is
/// one whose element type is known only when the program runs.
///
/// ```
/// use abeyance_graph::{dims, Graph};
/// use abeyance_session::{feeds, TensorRef, Session};
/// let g = Graph::new();
/// let x = g.placeholder::<f32>("x", dims![_]);
/// let sum = x.reduce_sum(..);
/// let session = Session::new(&g)?;
/// let (sum, x) = (session.prepare(sum)?, TensorRef::from(x));
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| assert_eq!(sum.run(feeds![x => &[1.0, 2.0]]).unwrap(), 3.0));
///     }
/// });
/// # Ok::<(), abeyance_session::Error>(())
/// ```
#[derive(Debug)]
pub struct TensorRef<T> {
    pub(crate) graph: GraphId,
    pub(crate) node: NodeId,
    /// The place where the tensor was made, for messages about tensors of other graphs.
    pub(crate) made: Location,
    element: PhantomData<fn() -> T>,
}

impl<T> Clone for TensorRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for TensorRef<T> {}

impl<T> TensorRef<T> {
    pub(crate) fn new(graph: &abeyance_ir::Graph, node: NodeId) -> Self {
        Self { graph: graph.id(), node, made: graph.node(node).location, element: PhantomData }
    }

    /// The tensor's node in its graph.
    pub fn node(self) -> NodeId {
        self.node
    }
}

impl<T: Element> From<Tensor<'_, T>> for TensorRef<T> {
    fn from(tensor: Tensor<'_, T>) -> Self {
        TensorRef::new(&tensor.graph().ir(), tensor.id())
    }
}

impl<T: Element> From<Scalar<'_, T>> for TensorRef<T> {
    fn from(scalar: Scalar<'_, T>) -> Self {
        scalar.tensor().into()
    }
}

impl From<AnyTensor<'_>> for TensorRef<Value> {
    fn from(tensor: AnyTensor<'_>) -> Self {
        TensorRef::new(&tensor.graph().ir(), tensor.id())
    }
}
